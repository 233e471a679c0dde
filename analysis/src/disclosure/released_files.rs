//! Files of microdata beside figures: whoever has both can count the rows of the file and subtract (protection.md rule 17).

use super::microdata::SafeMicrodata;
use super::release_log::{Line, ReleaseError, ReleaseLog, ReleasedFile, Snapshot};
use super::releases::Counted;
use super::{Rules, gate_with};
use crate::estimation::Plan;
use crate::table::Table;

/// Enters a file in the log: from then on who can be counted in it by its keys counts as known.
///
/// `data`, `plan`: as for [`gate_with`], without requests; `file` was made from the same rows. `named`: SHA-256 of the
/// file's plan.
///
/// Errors: [`ReleaseError::File`] where the file would tell a number that was hidden before; then nothing is logged.
pub fn add_file(
    log: &mut ReleaseLog,
    snapshot: &Snapshot,
    data: &Table,
    plan: &Plan,
    file: &SafeMicrodata,
    named: &str,
    rules: &Rules,
) -> Result<(), ReleaseError> {
    let plan = Plan { requests: Vec::new(), ..plan.clone() };
    let mut with_file = log.clone();
    // The snapshot stands in the log with the first thing that leaves of it.
    gate_with(&mut with_file, snapshot, data, &plan, &[], rules)?;
    let before = with_file.clone();
    let keys = snapshot.interviews.iter().enumerate().map(|(row, i)| (i.id.clone(), file.keys_of(row)));
    let line = ReleasedFile {
        snapshot: snapshot.id.clone(),
        date: snapshot.date.clone(),
        plan: named.to_owned(),
        keys: keys.collect(),
    };
    if log.files().any(|known| known.plan == line.plan && known.keys == line.keys) {
        return Ok(());
    }
    with_file.lines.push(Line::File(line));
    let counted = Counted::of(snapshot, data, &plan, rules)?;
    let told = |log: &ReleaseLog| {
        let mut search = counted.search(log, snapshot);
        search.take_rows(&[], &[], &counted.plan, &counted.rules, &counted.answers)?;
        search.take_log(data, &counted.plan, &counted.respond)?;
        Ok::<_, ReleaseError>(search.told())
    };
    let with = told(&with_file)?;
    if !with.is_empty() {
        // What was known without the file is not told by it.
        let counts = with.difference(&told(&before)?).count();
        if counts > 0 {
            return Err(ReleaseError::File { counts });
        }
    }
    *log = with_file;
    Ok(())
}
