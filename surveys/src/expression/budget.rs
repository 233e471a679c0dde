//! How much one evaluation may look at. A short expression can ask for every node of every node
//! (`//*[count(//*) > 1]`), or double a text at every step; it gets an error instead of the machine.

use std::cell::Cell;

use super::evaluate::EvaluateError;

/// Nodes and comparisons of one evaluation. A filter over 11,000 communes takes 11,000.
const MOST_STEPS: usize = 2_000_000;
/// Bytes of one text.
const MOST_TEXT: usize = 1_000_000;

thread_local! {
    /// One evaluation runs on one thread from beginning to end.
    static LEFT: Cell<usize> = const { Cell::new(MOST_STEPS) };
}

/// A new evaluation begins.
pub(super) fn begin() {
    LEFT.set(MOST_STEPS);
}

/// Counts steps; an error when there are too many.
pub(super) fn spend(steps: usize) -> Result<(), EvaluateError> {
    match LEFT.get().checked_sub(steps) {
        Some(left) => {
            LEFT.set(left);
            Ok(())
        }
        None => {
            LEFT.set(0);
            Err(EvaluateError::new(format!(
                "the expression looks at more than {MOST_STEPS} nodes; split it over several calculations"
            )))
        }
    }
}

/// An error for a text that has grown too long.
pub(super) fn check_length(bytes: usize) -> Result<(), EvaluateError> {
    if bytes <= MOST_TEXT {
        return Ok(());
    }
    Err(EvaluateError::new(format!("the text grows beyond {MOST_TEXT} bytes")))
}
