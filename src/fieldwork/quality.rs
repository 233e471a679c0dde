//! Quality of interviewing (protection.md rule 16): rates of an enumerator beside those of the others in the same
//! villages, and field facts of single cases. Opinions are never compared with anything outside the program.
//!
//! The cases of a village are split among its enumerators by chance, so that without any fault each enumerator's share of
//! the village's values is a random one: a stratified permutation test (Cochran–Mantel–Haenszel for yes and no, Wilcoxon
//! for the rest) knows how far such a share strays. Villages may differ as they like. A check raises a false alarm in one
//! honest wave of a hundred ([`FALSE_ALARMS`]), however many enumerators there are.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Share of honest waves in which a check may flag anybody.
pub const FALSE_ALARMS: f64 = 0.01;
/// Fewer interviews of an enumerator give no rate (protection.md rule 16).
pub const FEWEST: usize = 10;
/// Batteries with fewer items say nothing about straight-lining.
pub const SHORTEST_BATTERY: usize = 4;

const DAY: f64 = 86_400.0;
/// Hours east of UTC.
const VIETNAM: i64 = 7;
/// An interview is made between these hours of the day.
const HOURS: Range<i64> = 5..22;
/// Metres from the middle of a village's other interviews.
const FAR: f64 = 3_000.0;
/// Days until an interview is sent.
const LATE: f64 = 3.0;
/// An interview under this share of the wave's median length is too short to be read out.
const SHORT: f64 = 0.4;

/// A completed interview as the checks see it. Times in seconds since 1970 (UTC).
#[derive(Clone, Debug, PartialEq)]
pub struct Interview {
    pub enumerator: usize,
    pub village: usize,
    pub started: Option<i64>,
    pub ended: Option<i64>,
    pub received: i64,
    /// Latitude and longitude in degrees.
    pub place: Option<(f64, f64)>,
    /// Answers to closed questions outside sealed blocks, one a question, as dense codes; `None` = not asked.
    pub answers: Vec<Option<u16>>,
    /// How many of the questions that were asked got "don't know" or "refused".
    pub silent: usize,
}

impl Interview {
    fn minutes(&self) -> Option<f64> {
        let seconds = self.ended? - self.started?;
        (seconds >= 0).then_some(seconds as f64 / 60.0)
    }
}

/// What is compared between the enumerators of a village.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Length in minutes.
    Length,
    /// Share of batteries with one answer throughout.
    StraightLining,
    /// Largest share of equal answers with another interview of the village.
    Alike,
    /// Share of questions with "don't know" or "refused".
    Silence,
    /// Answers to single questions: the question that strays most.
    Answers,
}

impl Check {
    pub const ALL: [Self; 5] =
        [Self::Length, Self::StraightLining, Self::Alike, Self::Silence, Self::Answers];

    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::StraightLining => "straight_lining",
            Self::Alike => "alike",
            Self::Silence => "silence",
            Self::Answers => "answers",
        }
    }
}

/// One enumerator by one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    pub enumerator: usize,
    pub check: Check,
    /// Completed interviews of the enumerator.
    pub n: usize,
    /// Interviews in villages where somebody else interviewed too: what the comparison rests on.
    pub compared: usize,
    /// Mean of the enumerator's values there; `None` for [`Check::Answers`], which must not tell an opinion.
    pub own: Option<f64>,
    /// What chance would give in the same villages.
    pub expected: Option<f64>,
    /// How many standard errors of a random split lie between; for [`Check::Answers`] of the question that strays most.
    pub z: Option<f64>,
    /// The question that strays most.
    pub question: Option<usize>,
    pub flagged: bool,
}

/// What the field half alone says of a case; someone asks about it, nothing else follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// Under 40% of the wave's median length.
    TooShort,
    /// Another interview of the enumerator went on at the same time.
    Overlap,
    /// Begun between 22:00 and 5:00.
    Night,
    /// More than 3 km from the middle of the village's other interviews.
    FarAway,
    /// Sent more than 3 days after its end.
    SentLate,
}

impl Fact {
    pub fn name(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::Overlap => "overlap",
            Self::Night => "night",
            Self::FarAway => "far_away",
            Self::SentLate => "sent_late",
        }
    }
}

/// Rates of every enumerator with at least [`FEWEST`] interviews, by enumerator and check. `batteries` are ranges of
/// question numbers.
pub fn rates(interviews: &[Interview], batteries: &[Range<usize>]) -> Vec<Rate> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for interview in interviews {
        *counts.entry(interview.enumerator).or_default() += 1;
    }
    counts.retain(|_, n| *n >= FEWEST);
    let villages = Villages::of(interviews);
    let questions = interviews.iter().map(|i| i.answers.len()).max().unwrap_or(0);
    let mut found = Vec::new();
    for check in Check::ALL {
        if check == Check::Answers {
            found.extend(stray_answers(interviews, &villages, &counts, questions));
            continue;
        }
        let values = values(check, interviews, batteries, &villages);
        let ranks = villages.ranks(&values);
        let limit = limit(counts.len(), if check == Check::Silence { 2.0 } else { 1.0 });
        for (&enumerator, &n) in &counts {
            let split = villages.split(interviews, enumerator, &ranks, &values);
            let z = split.z();
            found.push(Rate {
                enumerator,
                check,
                n,
                compared: split.n,
                own: split.mean(split.own),
                expected: split.mean(split.expected),
                z,
                question: None,
                // Only what points to a fault: short, alike, monotonous; a long interview is none.
                flagged: z.is_some_and(|z| match check {
                    Check::Length => z < -limit,
                    Check::StraightLining | Check::Alike => z > limit,
                    Check::Silence | Check::Answers => z.abs() > limit,
                }),
            });
        }
    }
    found.sort_by_key(|rate| (rate.enumerator, rate.check));
    found
}

fn stray_answers(
    interviews: &[Interview],
    villages: &Villages,
    counts: &BTreeMap<usize, usize>,
    questions: usize,
) -> Vec<Rate> {
    let limit = limit(counts.len() * questions, 2.0);
    let values = |question: usize| -> Vec<Option<f64>> {
        let answer = |interview: &Interview| interview.answers.get(question).copied().flatten();
        interviews.iter().map(|interview| answer(interview).map(f64::from)).collect()
    };
    let values: Vec<Vec<Option<f64>>> = (0..questions).map(values).collect();
    let ranks: Vec<Vec<Option<f64>>> = values.iter().map(|values| villages.ranks(values)).collect();
    counts
        .iter()
        .map(|(&enumerator, &n)| {
            let mut most: Option<(f64, usize, usize)> = None;
            for (question, (ranks, values)) in ranks.iter().zip(&values).enumerate() {
                let split = villages.split(interviews, enumerator, ranks, values);
                if let Some(z) = split.z()
                    && most.is_none_or(|(known, ..)| z.abs() > known.abs())
                {
                    most = Some((z, question, split.n));
                }
            }
            Rate {
                enumerator,
                check: Check::Answers,
                n,
                compared: most.map_or(0, |(_, _, compared)| compared),
                own: None,
                expected: None,
                // The sign would tell on which side the answers lie.
                z: most.map(|(z, ..)| z.abs()),
                question: most.map(|(_, question, _)| question),
                flagged: most.is_some_and(|(z, ..)| z.abs() > limit),
            }
        })
        .collect()
}

fn values(
    check: Check,
    interviews: &[Interview],
    batteries: &[Range<usize>],
    villages: &Villages,
) -> Vec<Option<f64>> {
    match check {
        Check::Length => interviews.iter().map(Interview::minutes).collect(),
        Check::StraightLining => {
            interviews.iter().map(|interview| straight_lined(interview, batteries)).collect()
        }
        Check::Silence => interviews
            .iter()
            .map(|interview| {
                let asked = interview.answers.iter().flatten().count();
                (asked > 0).then(|| interview.silent as f64 / asked as f64)
            })
            .collect(),
        Check::Alike => {
            let mut most = vec![None; interviews.len()];
            for members in villages.members.values() {
                for (i, first) in members.iter().enumerate() {
                    for second in &members[i + 1..] {
                        let Some(share) = equal(&interviews[*first], &interviews[*second]) else { continue };
                        for one in [*first, *second] {
                            most[one] = Some(most[one].map_or(share, |known: f64| known.max(share)));
                        }
                    }
                }
            }
            most
        }
        Check::Answers => Vec::new(),
    }
}

fn straight_lined(interview: &Interview, batteries: &[Range<usize>]) -> Option<f64> {
    let (mut uniform, mut all) = (0, 0);
    for battery in batteries {
        let answers: Vec<u16> =
            interview.answers.get(battery.clone()).unwrap_or_default().iter().flatten().copied().collect();
        if answers.len() >= SHORTEST_BATTERY {
            all += 1;
            uniform += usize::from(answers.windows(2).all(|pair| pair[0] == pair[1]));
        }
    }
    (all > 0).then(|| f64::from(uniform as u32) / f64::from(all))
}

/// Share of equal answers among the questions that both were asked.
fn equal(first: &Interview, second: &Interview) -> Option<f64> {
    let both = first.answers.iter().zip(&second.answers).filter_map(|(a, b)| Some((*a)? == (*b)?));
    let (mut same, mut all) = (0usize, 0usize);
    for is_same in both {
        all += 1;
        same += usize::from(is_same);
    }
    (all >= 10).then(|| same as f64 / all as f64)
}

struct Villages {
    /// Positions of interviews by village.
    members: BTreeMap<usize, Vec<usize>>,
}

impl Villages {
    fn of(interviews: &[Interview]) -> Self {
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, interview) in interviews.iter().enumerate() {
            members.entry(interview.village).or_default().push(i);
        }
        Self { members }
    }

    /// Middle ranks inside each village, scaled to 0–1 so that no village weighs more by its size alone.
    fn ranks(&self, values: &[Option<f64>]) -> Vec<Option<f64>> {
        let mut ranks = vec![None; values.len()];
        for members in self.members.values() {
            let mut known: Vec<(f64, usize)> =
                members.iter().filter_map(|i| Some((values[*i]?, *i))).collect();
            known.sort_by(|a, b| a.0.total_cmp(&b.0));
            let all = known.len() as f64;
            let mut from = 0;
            while from < known.len() {
                let to = (from..known.len()).take_while(|i| known[*i].0 == known[from].0).count() + from;
                let middle = (from + to) as f64 / 2.0 / all;
                for (_, i) in &known[from..to] {
                    ranks[*i] = Some(middle);
                }
                from = to;
            }
        }
        ranks
    }

    /// The enumerator's part of the villages that they share with others.
    fn split(
        &self,
        interviews: &[Interview],
        enumerator: usize,
        ranks: &[Option<f64>],
        values: &[Option<f64>],
    ) -> Split {
        let mut split = Split::default();
        for members in self.members.values() {
            let known: Vec<(bool, f64, f64)> = members
                .iter()
                .filter_map(|i| Some((interviews[*i].enumerator == enumerator, ranks[*i]?, values[*i]?)))
                .collect();
            let n = known.iter().filter(|(own, ..)| *own).count();
            if n == 0 || n == known.len() {
                continue;
            }
            let (n_own, n_all) = (n as f64, known.len() as f64);
            let mean = known.iter().map(|(_, rank, _)| rank).sum::<f64>() / n_all;
            let spread = known.iter().map(|(_, rank, _)| (rank - mean).powi(2)).sum::<f64>() / n_all;
            let sum: f64 = known.iter().filter(|(own, ..)| *own).map(|(_, rank, _)| rank).sum();
            split.n += n;
            split.excess += sum - n_own * mean;
            split.variance += n_own * (n_all - n_own) / (n_all - 1.0) * spread;
            split.own += known.iter().filter(|(own, ..)| *own).map(|(.., value)| value).sum::<f64>();
            split.expected += n_own * known.iter().map(|(.., value)| value).sum::<f64>() / n_all;
        }
        split
    }
}

#[derive(Default)]
struct Split {
    n: usize,
    excess: f64,
    variance: f64,
    own: f64,
    expected: f64,
}

impl Split {
    fn z(&self) -> Option<f64> {
        (self.n >= FEWEST && self.variance > 0.0).then(|| self.excess / self.variance.sqrt())
    }

    fn mean(&self, sum: f64) -> Option<f64> {
        (self.n >= FEWEST).then(|| sum / self.n as f64)
    }
}

/// The largest of `many` standard normal values stays below this in all but [`FALSE_ALARMS`] of waves (Šidák), on one
/// side or on both.
fn limit(many: usize, sides: f64) -> f64 {
    let tail = -(1.0 - FALSE_ALARMS).ln() / (many.max(1) as f64) / sides;
    upper_quantile(tail)
}

/// z with P(Z > z) = `tail`, by bisection of the complementary error function's continued fraction; 0 < tail < 0.5.
fn upper_quantile(tail: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 40.0_f64);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if upper(middle) > tail { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// P(Z > z) for z ≥ 0: the series near zero, Laplace's continued fraction beyond.
fn upper(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z < 2.5 {
        let (mut term, mut sum, mut odd) = (z, z, 1.0);
        while term > 1e-17 * sum.max(1e-300) {
            odd += 2.0;
            term *= z * z / odd;
            sum += term;
        }
        return 0.5 - density * sum;
    }
    let mut fraction = 0.0;
    for k in (1..=60).rev() {
        fraction = f64::from(k) / (z + fraction);
    }
    density / (z + fraction)
}

/// Field facts of single interviews, by position; only of what the field half holds.
pub fn facts(interviews: &[Interview]) -> Vec<(usize, Fact)> {
    let mut found = Vec::new();
    let mut lengths: Vec<f64> = interviews.iter().filter_map(Interview::minutes).collect();
    lengths.sort_by(f64::total_cmp);
    // A wave's first days give no median to speak of.
    let median = (lengths.len() >= 20).then(|| lengths[lengths.len() / 2]);
    for (i, interview) in interviews.iter().enumerate() {
        if let (Some(minutes), Some(median)) = (interview.minutes(), median)
            && minutes < SHORT * median
        {
            found.push((i, Fact::TooShort));
        }
        if let Some(started) = interview.started {
            let hour = (started.div_euclid(3_600) + VIETNAM).rem_euclid(24);
            if !HOURS.contains(&hour) {
                found.push((i, Fact::Night));
            }
        }
        if let Some(ended) = interview.ended
            && (interview.received - ended) as f64 > LATE * DAY
        {
            found.push((i, Fact::SentLate));
        }
    }
    found.extend(overlaps(interviews));
    found.extend(far_away(interviews));
    found.sort_unstable();
    found
}

fn overlaps(interviews: &[Interview]) -> Vec<(usize, Fact)> {
    let mut spans: HashMap<usize, Vec<(i64, i64, usize)>> = HashMap::new();
    for (i, interview) in interviews.iter().enumerate() {
        if let (Some(started), Some(ended)) = (interview.started, interview.ended) {
            spans.entry(interview.enumerator).or_default().push((started, ended, i));
        }
    }
    let mut found = Vec::new();
    for spans in spans.values_mut() {
        spans.sort_unstable();
        // The interview that lasts longest of those begun before.
        let mut longest: Option<(i64, usize)> = None;
        for (started, ended, i) in spans.iter() {
            if let Some((until, other)) = longest
                && *started < until
            {
                found.extend([(*i, Fact::Overlap), (other, Fact::Overlap)]);
            }
            if longest.is_none_or(|(until, _)| *ended > until) {
                longest = Some((*ended, *i));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn far_away(interviews: &[Interview]) -> Vec<(usize, Fact)> {
    let mut found = Vec::new();
    for members in Villages::of(interviews).members.values() {
        let places: Vec<(usize, (f64, f64))> =
            members.iter().filter_map(|i| Some((*i, interviews[*i].place?))).collect();
        // Of three points one can be judged by the other two.
        if places.len() < 3 {
            continue;
        }
        let middle = |of: &dyn Fn(&(f64, f64)) -> f64| {
            let mut sorted: Vec<f64> = places.iter().map(|(_, place)| of(place)).collect();
            sorted.sort_by(f64::total_cmp);
            sorted[sorted.len() / 2]
        };
        let centre = (middle(&|place| place.0), middle(&|place| place.1));
        for (i, place) in &places {
            if metres(centre, *place) > FAR {
                found.push((*i, Fact::FarAway));
            }
        }
    }
    found
}

/// Distance on the sphere, in metres (haversine).
pub fn metres(from: (f64, f64), to: (f64, f64)) -> f64 {
    const RADIUS: f64 = 6_371_000.0;
    let (a, b) = (from.0.to_radians(), to.0.to_radians());
    let turn = (to.1 - from.1).to_radians();
    let h = ((b - a) / 2.0).sin().powi(2) + a.cos() * b.cos() * (turn / 2.0).sin().powi(2);
    2.0 * RADIUS * h.sqrt().min(1.0).asin()
}
