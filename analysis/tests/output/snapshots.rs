//! Rule 20: which snapshots may be released one after another.

use analysis::disclosure::{Interview, SnapshotError, early_snapshot, may_follow};

/// Interviews `from` … `to` − 1 in the order of arrival, going round so many clusters.
fn interviews(from: usize, to: usize, clusters: usize) -> Vec<Interview> {
    (from..to).map(|i| Interview { id: format!("i{i}"), cluster: format!("c{}", i % clusters) }).collect()
}

#[test]
fn an_early_snapshot_holds_back_the_last_thirty() {
    assert_eq!(early_snapshot(&interviews(0, 100, 5)), Ok(70));
}

/// The last 40 are all from one cluster: those before them must be held back too, until three clusters are in.
#[test]
fn an_early_snapshot_holds_back_more_where_the_last_came_from_one_cluster() {
    let mut received = interviews(0, 60, 5);
    received.extend(interviews(60, 100, 1));
    // 40 of c0; then i59 (c4) and i58 (c3) make three clusters.
    assert_eq!(early_snapshot(&received), Ok(58));
}

#[test]
fn thirty_interviews_are_too_early() {
    assert_eq!(early_snapshot(&interviews(0, 30, 5)), Err(SnapshotError::TooEarly { received: 30 }));
    assert_eq!(early_snapshot(&interviews(0, 31, 5)), Ok(1));
}

#[test]
fn the_final_snapshot_can_always_follow_an_early_one() {
    for n in 31..120 {
        let all = interviews(0, n, 4);
        let early = early_snapshot(&all).expect("enough have come");
        assert_eq!(may_follow(&[&all[..early]], &all), Ok(()), "{n}");
    }
}

#[test]
fn a_snapshot_that_differs_by_a_few_people_is_refused() {
    let all = interviews(0, 200, 5);
    let near = SnapshotError::TooNear { interviews: 29, clusters: 5 };
    assert_eq!(may_follow(&[&all[..100], &all[..171]], &all), Err(near));
    assert_eq!(may_follow(&[&all[..100], &all[..170]], &all), Ok(()));
    assert_eq!(may_follow(&[&all], &all), Ok(()), "the same snapshot again tells nothing new");
}

#[test]
fn thirty_people_of_two_villages_are_too_few_villages() {
    let mut all = interviews(0, 100, 5);
    all.extend(interviews(100, 150, 2));
    let near = SnapshotError::TooNear { interviews: 50, clusters: 2 };
    assert_eq!(may_follow(&[&all[..100]], &all), Err(near));
}

#[test]
fn withdrawn_interviews_count_as_a_difference() {
    let before = interviews(0, 100, 5);
    let near = SnapshotError::TooNear { interviews: 4, clusters: 4 };
    assert_eq!(may_follow(&[&before], &before[4..]), Err(near));
}
