//! Quality checks on simulated waves: honest enumerators are left in peace, dishonest ones are found, and a rate of a
//! single interview or an opinion is never shown.

use std::ops::Range;

use langnghe::fieldwork::quality::{Check, FEWEST, Fact, Interview, facts, metres, rates};
use surveys::chance::Chance;

const QUESTIONS: usize = 45;
const BATTERIES: [Range<usize>; 3] = [5..13, 20..26, 30..37];
/// Monday 3 August 2026, 08:00 in Viet Nam.
const MORNING: i64 = 1_785_718_800;
const DAY: i64 = 86_400;

#[derive(Clone, Copy, PartialEq)]
enum Cheat {
    Nobody,
    /// Answers of the batteries all alike in half of the interviews.
    StraightLines,
    /// Every second interview is an earlier one with a tenth of the answers changed.
    Copies,
    /// Reads out nothing: half the time.
    Hurries,
    /// Writes "don't know" where the respondent hesitates.
    Skips,
    /// Pulls one question to their own opinion in every interview.
    Leads,
}

/// 60 villages of 16 interviews, 15 teams of two; cases are split by chance. Villages differ much: each has its own
/// favourite answer to every question. `cheat` is done by enumerator 7.
fn wave(seed: u64, cheat: Cheat) -> Vec<Interview> {
    let mut chance = Chance::new(seed, "wave");
    let mut all: Vec<Interview> = Vec::new();
    let mut earlier: Vec<Vec<Option<u16>>> = Vec::new();
    for village in 0..60 {
        let favourite: Vec<u16> = (0..QUESTIONS).map(|_| chance.below(5) as u16).collect();
        let pace = 0.8 + 0.4 * chance.unit();
        for case in 0..16 {
            let enumerator = 2 * (village % 15) + usize::from(chance.happens(0.5));
            let mut answers: Vec<Option<u16>> = favourite
                .iter()
                .map(|favourite| match chance.below(100) {
                    0..40 => Some(*favourite),
                    40..95 => Some(chance.below(5) as u16),
                    _ => None,
                })
                .collect();
            let asked = answers.iter().flatten().count();
            let mut silent = (0..asked).filter(|_| chance.happens(0.04)).count();
            let mut minutes = pace * (24.0 + 22.0 * chance.unit());
            if enumerator == 7 {
                match cheat {
                    Cheat::StraightLines if chance.happens(0.5) => {
                        for battery in BATTERIES {
                            answers[battery].fill(Some(1));
                        }
                    }
                    Cheat::Copies if chance.happens(0.5) && !earlier.is_empty() => {
                        let copied = &earlier[chance.below(earlier.len())];
                        for (answer, copied) in answers.iter_mut().zip(copied) {
                            if chance.happens(0.9) {
                                *answer = *copied;
                            }
                        }
                    }
                    Cheat::Hurries => minutes *= 0.5,
                    Cheat::Skips => silent += (0..asked).filter(|_| chance.happens(0.08)).count(),
                    Cheat::Leads => answers[14] = Some(0),
                    _ => {}
                }
                earlier.push(answers.clone());
            }
            let started = MORNING + DAY * (village / 15) as i64 * 2 + 1_800 * case as i64;
            all.push(Interview {
                enumerator,
                village,
                started: Some(started),
                ended: Some(started + (minutes * 60.0) as i64),
                received: started + DAY,
                place: Some((
                    22.8 + 0.1 * village as f64 + 0.002 * chance.unit(),
                    105.0 + 0.002 * chance.unit(),
                )),
                answers,
                silent,
            });
        }
        // Copies are made of the same village's interviews.
        earlier.clear();
    }
    all
}

fn flagged(wave: &[Interview], check: Check) -> Vec<usize> {
    let found = rates(wave, &BATTERIES).into_iter().filter(|rate| rate.check == check && rate.flagged);
    found.map(|rate| rate.enumerator).collect()
}

/// Prints how often each check cries out in honest waves, and how often it finds whom it should.
fn false_alarms_and_power(waves: u64) -> (Vec<usize>, Vec<usize>) {
    let mut alarms = vec![0; Check::ALL.len()];
    for seed in 0..waves {
        let found = rates(&wave(seed, Cheat::Nobody), &BATTERIES);
        for (many, check) in alarms.iter_mut().zip(Check::ALL) {
            *many += usize::from(found.iter().any(|rate| rate.check == check && rate.flagged));
        }
    }
    let cheats = [
        (Check::Length, Cheat::Hurries),
        (Check::StraightLining, Cheat::StraightLines),
        (Check::Alike, Cheat::Copies),
        (Check::Silence, Cheat::Skips),
        (Check::Answers, Cheat::Leads),
    ];
    let mut hits = vec![0; cheats.len()];
    for seed in 0..waves {
        for (many, (check, cheat)) in hits.iter_mut().zip(cheats) {
            *many += usize::from(flagged(&wave(1_000 + seed, cheat), check).contains(&7));
        }
    }
    for ((check, alarms), hits) in Check::ALL.iter().zip(&alarms).zip(&hits) {
        println!(
            "{:>16}: honest waves with an alarm {alarms} of {waves}, cheats found {hits} of {waves}",
            check.name()
        );
    }
    (alarms, hits)
}

#[test]
fn honest_waves_are_left_in_peace_and_cheats_are_found() {
    let (alarms, hits) = false_alarms_and_power(40);
    // One in a hundred is meant: four or more of forty would come by chance once in a thousand times.
    assert!(alarms.iter().all(|many| *many < 4), "{alarms:?}");
    // One question among 45 and 30 enumerators is the hardest to see.
    for (many, least) in hits.iter().zip([38, 34, 28, 36, 12]) {
        assert!(*many >= least, "{hits:?}");
    }
}

#[test]
#[ignore = "1,000 simulated waves"]
fn false_alarms_come_in_one_honest_wave_of_a_hundred() {
    let (alarms, _) = false_alarms_and_power(1_000);
    // Ten are meant; more than twenty-one come by chance once in a thousand times.
    assert!(alarms.iter().all(|many| *many <= 21), "{alarms:?}");
}

#[test]
fn a_hurried_enumerator_is_told_from_a_village_where_everything_goes_quickly() {
    let mut quick_village = wave(5, Cheat::Nobody);
    for interview in quick_village.iter_mut().filter(|i| i.village == 3) {
        interview.ended = interview.started.map(|started| started + 600);
    }
    assert_eq!(flagged(&quick_village, Check::Length), Vec::<usize>::new());
    assert_eq!(flagged(&wave(5, Cheat::Hurries), Check::Length), [7]);
}

#[test]
fn the_comparison_of_one_village_by_hand() {
    // Ten interviews of each of two enumerators in one village; those of the first are silent on 1 of 10 questions, of
    // the second on none. Ranks: 10 zeros (middle 5/20), 10 ones (middle 15/20); excess 10 × (0.75 − 0.5) = 2.5;
    // variance 10 × 10 / 19 × 0.0625; z = 2.5 / 0.57354 = 4.3589.
    let interview = |enumerator: usize, silent: usize| Interview {
        enumerator,
        village: 0,
        started: None,
        ended: None,
        received: 0,
        place: None,
        answers: vec![Some(1); 10],
        silent,
    };
    let wave: Vec<Interview> =
        (0..20).map(|i| interview(usize::from(i >= 10), usize::from(i < 10))).collect();
    let found = rates(&wave, &[]);
    let first = found.iter().find(|r| r.enumerator == 0 && r.check == Check::Silence).expect("a rate");
    assert_eq!((first.n, first.compared), (10, 10));
    assert!((first.own.expect("a rate") - 0.1).abs() < 1e-12);
    assert!((first.expected.expect("a rate") - 0.05).abs() < 1e-12);
    assert!((first.z.expect("z") - 19.0_f64.sqrt()).abs() < 1e-12, "{:?}", first.z);
    let length = found.iter().find(|r| r.check == Check::Length).expect("it is listed");
    assert_eq!((length.own, length.z, length.flagged), (None, None, false), "nobody was timed");
}

#[test]
fn fewer_than_ten_interviews_give_no_rate_and_answers_give_no_direction() {
    let mut wave = wave(9, Cheat::Leads);
    let mut kept = 0;
    wave.retain(|interview| {
        kept += usize::from(interview.enumerator == 4);
        interview.enumerator != 4 || kept < FEWEST
    });
    let found = rates(&wave, &BATTERIES);
    assert!(found.iter().all(|rate| rate.enumerator != 4));
    for rate in found.iter().filter(|rate| rate.check == Check::Answers) {
        assert!(rate.own.is_none() && rate.expected.is_none() && rate.z.is_none_or(|z| z >= 0.0));
    }
    let led = found.iter().find(|rate| rate.enumerator == 7 && rate.check == Check::Answers).expect("a rate");
    assert_eq!(led.question, Some(14));
}

#[test]
fn field_facts_of_an_honest_wave_are_rare_and_each_fact_is_seen() {
    let honest = wave(1, Cheat::Nobody);
    // Interviews of the simulation begin every half hour and last up to 55 minutes, so overlaps are its own doing.
    let rare = facts(&honest).into_iter().filter(|(_, fact)| *fact != Fact::Overlap).count();
    assert_eq!(rare, 0);
    let mut one = honest;
    for (i, interview) in one.iter_mut().enumerate() {
        interview.started = Some(MORNING + 7_200 * i as i64 % DAY + DAY * (i as i64 / 6));
        interview.ended = interview.started.map(|started| started + 1_800);
        interview.received = interview.ended.unwrap_or_default() + 60;
    }
    one.iter_mut().for_each(|i| i.started = i.ended.map(|ended| ended - 1_800));
    let hour = |hour: i64| MORNING - 8 * 3_600 + hour * 3_600;
    (one[0].started, one[0].ended) = (Some(hour(10)), Some(hour(10) + 300));
    (one[1].started, one[1].ended) = (Some(hour(23)), Some(hour(23) + 1_800));
    one[2].received = one[2].ended.unwrap_or_default() + 4 * DAY;
    one[3].place = one[3].place.map(|(latitude, longitude)| (latitude + 0.05, longitude));
    one[4].enumerator = 90;
    one[5].enumerator = 90;
    (one[4].started, one[4].ended) = (Some(hour(12)), Some(hour(12) + 1_800));
    (one[5].started, one[5].ended) = (Some(hour(12) + 900), Some(hour(13)));
    let found = facts(&one);
    let of = |position: usize| -> Vec<Fact> {
        found.iter().filter(|(i, _)| *i == position).map(|(_, fact)| *fact).collect()
    };
    assert!(of(0).contains(&Fact::TooShort));
    assert!(of(1).contains(&Fact::Night));
    assert!(of(2).contains(&Fact::SentLate));
    assert_eq!(of(3).iter().filter(|fact| **fact == Fact::FarAway).count(), 1);
    assert!(of(4).contains(&Fact::Overlap) && of(5).contains(&Fact::Overlap));
    assert_eq!(found.iter().filter(|(_, fact)| *fact == Fact::FarAway).count(), 1);
}

#[test]
fn a_degree_of_latitude_is_111_kilometres() {
    assert!((metres((22.0, 105.0), (23.0, 105.0)) - 111_195.0).abs() < 1.0);
}
