//! When reserve dwellings of a village are released, and what that does to their probability.

/// How many reserves to release in a village where `lost` of the main cases were lost (refused, not met, not
/// eligible): as many as were lost, as long as reserves last. They are taken in the drawn order.
///
/// A released reserve adds to the take, whatever becomes of the case that it was released for: every issued
/// case stays in the response rate and in the weighting classes.
pub fn to_release(lost: usize, reserves_left: usize) -> usize {
    lost.min(reserves_left)
}

/// Conditional probability of each issued dwelling of a village: (main + released) / listed.
/// `None` when nothing was listed or more was issued than listed.
pub fn probability(main: usize, released: usize, listed: usize) -> Option<f64> {
    let issued = main + released;
    (issued > 0 && issued <= listed).then(|| issued as f64 / listed as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_reserves_add_to_the_take() {
        assert_eq!(to_release(3, 8), 3);
        assert_eq!(to_release(11, 8), 8);
        assert_eq!(probability(16, 3, 95), Some(0.2));
        assert_eq!(probability(16, 3, 18), None);
        assert_eq!(probability(0, 0, 0), None);
    }
}
