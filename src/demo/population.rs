//! The simulated population of the demonstration: every dwelling and adult of the synthetic frame, with known
//! opinions, so that estimates can be held against the truth.
//!
//! Opinions depend on ethnic group, age, sex, size of the household, former district and village: people of one
//! village resemble each other (clustering), and people who are drawn or met less often (small groups are drawn
//! more often, the young are away, many share one household's chance) think otherwise than the rest, so that an
//! unweighted answer is visibly off. Nothing here describes a real village or group.

use surveys::chance::Chance;

/// A village as the frame describes it.
#[derive(Clone, Debug)]
pub struct Village {
    pub id: String,
    pub commune: String,
    pub district: String,
    pub urban: bool,
    /// Dwellings on the frame: an assumption; the listing finds another number.
    pub households: usize,
    pub adults: usize,
    /// Share of persons by ethnic code of the 1979 list; `99` = all others.
    pub shares: Vec<(String, f64)>,
}

/// One adult. Bit `i` of `answered` and `favourable` belongs to `ITEMS[i]`.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// 1 man, 2 woman: the questionnaire's codes.
    pub sex: u8,
    /// 1…6: 18–29, 30–39, 40–49, 50–59, 60–69, 70 and over.
    pub age: u8,
    /// Index into [`Population::groups`].
    pub group: u8,
    /// Has dealt with an administrative procedure in the last 12 months (G1).
    pub procedure: bool,
    answered: u16,
    favourable: u16,
}

/// One headline item: the share of adults, among those who would give a substantive answer, who give one of
/// the favourable codes.
#[derive(Debug)]
pub struct Item {
    /// Name of the derived 0/1 column in the analysis plan.
    pub name: &'static str,
    pub question: &'static str,
    pub favourable: &'static [&'static str],
    pub unfavourable: &'static [&'static str],
    /// Log-odds in Kinh men under 30 in an average village.
    base: f64,
    /// Added for Tày, Dao, Mông, Nùng, others.
    groups: [f64; 5],
    /// Added for each ten years of age above 18–29.
    age: f64,
    /// Added for each adult of the household beyond two: who lives with many is drawn less often.
    crowd: f64,
    woman: f64,
    /// Standard deviation of villages and of former districts on the log-odds scale.
    village: f64,
    district: f64,
    /// Probability of no substantive answer, in Kinh; twice that where home languages differ most.
    silent: f64,
}

#[rustfmt::skip]
pub const ITEMS: [Item; 10] = [
    item("c1_satisfied", "c1", &["4", "5"], &["1", "2", "3"], 0.65, [-0.2, -0.6, -1.1, -0.4, -0.5], 0.14, -0.26, 0.05, 0.35, 0.15, 0.02),
    item("c2_better", "c2", &["4", "5"], &["1", "2", "3"], 0.35, [0.1, -0.3, -0.7, -0.1, -0.2], -0.18, 0.24, 0.02, 0.40, 0.20, 0.03),
    item("d1_a_satisfied", "d1_a", &["4", "5"], &["1", "2", "3"], 0.55, [-0.2, -0.7, -1.3, -0.6, -0.6], 0.10, -0.28, -0.05, 0.60, 0.30, 0.02),
    item("e1_any", "e1", &["1"], &["2"], -0.70, [0.4, 0.8, 1.2, 0.7, 0.9], 0.12, 0.24, -0.15, 0.55, 0.20, 0.05),
    item("f5_problem", "f5", &["1"], &["2"], -1.60, [-0.1, -0.2, -0.4, 0.1, 0.0], 0.10, 0.26, -0.10, 0.40, 0.15, 0.03),
    item("g4_satisfied", "g4", &["4", "5"], &["1", "2", "3"], 0.75, [0.0, -0.3, -0.7, -0.2, -0.3], 0.16, -0.26, 0.00, 0.30, 0.15, 0.03),
    item("h1_attended", "h1", &["2", "3"], &["1", "96"], 0.10, [0.3, 0.4, 0.3, 0.3, 0.2], 0.30, -0.24, -0.45, 0.45, 0.15, 0.01),
    item("h6_aware", "h6", &["3", "4"], &["1", "2"], 0.95, [-0.4, -1.0, -1.8, -0.8, -1.0], 0.12, -0.26, -0.45, 0.35, 0.15, 0.03),
    item("i2_made", "i2", &["1"], &["2"], -0.80, [-0.1, -0.3, -0.7, -0.2, -0.3], 0.20, -0.24, -0.40, 0.35, 0.10, 0.03),
    item("l1_better", "l1", &["3"], &["1", "2"], 0.25, [0.1, -0.2, -0.6, 0.0, -0.2], 0.16, -0.24, 0.05, 0.35, 0.15, 0.07),
];

#[allow(clippy::too_many_arguments, reason = "one row of the table above")]
const fn item(
    name: &'static str,
    question: &'static str,
    favourable: &'static [&'static str],
    unfavourable: &'static [&'static str],
    base: f64,
    groups: [f64; 5],
    age: f64,
    crowd: f64,
    woman: f64,
    village: f64,
    district: f64,
    silent: f64,
) -> Item {
    Item {
        name,
        question,
        favourable,
        unfavourable,
        base,
        groups,
        age,
        crowd,
        woman,
        village,
        district,
        silent,
    }
}

/// Shares of the six age bands among adults.
const AGE_SHARES: [f64; 6] = [0.27, 0.25, 0.20, 0.14, 0.09, 0.05];
const MAX_ADULTS: usize = 8;

/// What a person would say to one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opinion {
    Favourable,
    Unfavourable,
    /// Don't know or refused.
    Silent,
    /// The question does not apply.
    NotAsked,
}

#[derive(Debug)]
pub struct Population {
    /// Ethnic codes in the frame's order.
    pub groups: Vec<String>,
    pub villages: Vec<Village>,
    /// Per village: where its dwellings begin in `dwellings`; one more entry at the end.
    first_dwelling: Vec<usize>,
    /// Per dwelling: where its adults begin in `people`; one more entry at the end. A dwelling without adults is
    /// empty or no household.
    first_person: Vec<usize>,
    people: Vec<Person>,
}

impl Population {
    /// Makes the population of `villages`, the same for the same seed on every machine.
    pub fn simulate(villages: Vec<Village>, seed: u64) -> Self {
        let groups: Vec<String> =
            villages.first().map(|v| v.shares.iter().map(|s| s.0.clone()).collect()).unwrap_or_default();
        let mut population =
            Self { groups, villages, first_dwelling: vec![0], first_person: vec![0], people: Vec::new() };
        for v in 0..population.villages.len() {
            population.settle(v, seed);
        }
        population
    }

    fn settle(&mut self, v: usize, seed: u64) {
        let village = self.villages[v].clone();
        let mut chance = Chance::new(seed, &format!("village/{}", village.id));
        let district: Vec<f64> = {
            let mut chance = Chance::new(seed, &format!("district/{}", village.district));
            ITEMS.iter().map(|item| item.district * chance.normal()).collect()
        };
        let place: Vec<f64> = ITEMS
            .iter()
            .zip(district)
            .map(|(item, district)| district + item.village * chance.normal())
            .collect();
        let growth = (0.08 * chance.normal()).clamp(-0.25, 0.25).exp();
        let dwellings = ((village.households as f64 * growth).round() as usize).max(3);
        let shares: Vec<f64> = village.shares.iter().map(|s| s.1).collect();
        // 96% of the listed dwellings house adults; the frame's adults are spread over those.
        let mean_adults = village.adults as f64 / village.households.max(1) as f64;
        for _ in 0..dwellings {
            if chance.happens(0.96) {
                let more = ((mean_adults - 1.0) / (MAX_ADULTS - 1) as f64).clamp(0.02, 0.9);
                let adults = 1 + (1..MAX_ADULTS).filter(|_| chance.happens(more)).count();
                let group = chance.weighted(&shares).unwrap_or(0) as u8;
                for nth in 0..adults {
                    let person = self.person(group, nth, adults, &place, &mut chance);
                    self.people.push(person);
                }
            }
            self.first_person.push(self.people.len());
        }
        self.first_dwelling.push(self.first_person.len() - 1);
    }

    fn person(&self, group: u8, nth: usize, adults: usize, place: &[f64], chance: &mut Chance) -> Person {
        let sex = if nth < 2 { 1 + nth as u8 } else { 1 + u8::from(chance.happens(0.48)) };
        let age = 1 + chance.weighted(&AGE_SHARES).unwrap_or(0) as u8;
        let large = large_group(&self.groups[usize::from(group)]);
        let procedure = chance.happens(if large == 0 { 0.62 } else { 0.48 });
        let mut person = Person { sex, age, group, procedure, answered: 0, favourable: 0 };
        for (i, item) in ITEMS.iter().enumerate() {
            let logit = item.base
                + if large == 0 { 0.0 } else { item.groups[large - 1] }
                + item.age * f64::from(age - 1)
                + item.crowd * (adults as f64 - 2.0)
                + if sex == 2 { item.woman } else { 0.0 }
                + place[i];
            let (draw, silence) = (chance.unit(), chance.unit());
            if draw < 1.0 / (1.0 + (-logit).exp()) {
                person.favourable |= 1 << i;
            }
            let distance = [1.0, 1.2, 1.6, 2.0, 1.4, 1.8][large];
            if silence >= item.silent * distance {
                person.answered |= 1 << i;
            }
        }
        person
    }

    /// Dwellings that a listing of the village finds.
    pub fn dwellings(&self, village: usize) -> usize {
        self.first_dwelling[village + 1] - self.first_dwelling[village]
    }

    /// Adults of the dwelling with serial number `serial` (from 1).
    pub fn adults(&self, village: usize, serial: usize) -> &[Person] {
        let dwelling = self.first_dwelling[village] + serial - 1;
        &self.people[self.first_person[dwelling]..self.first_person[dwelling + 1]]
    }

    /// The group's ethnic code.
    pub fn ethnic(&self, person: &Person) -> &str {
        &self.groups[usize::from(person.group)]
    }

    /// All adults with their village.
    pub fn people(&self) -> impl Iterator<Item = (&Village, &Person)> {
        self.villages.iter().enumerate().flat_map(move |(v, village)| {
            let (from, to) = (self.first_dwelling[v], self.first_dwelling[v + 1]);
            self.people[self.first_person[from]..self.first_person[to]].iter().map(move |p| (village, p))
        })
    }

    /// True share of favourable opinions among the adults chosen by `among` who hold a substantive one.
    pub fn truth(&self, item: usize, among: impl Fn(&Village, &Person) -> bool) -> Option<f64> {
        let (mut favourable, mut all) = (0_u64, 0_u64);
        for (village, person) in self.people() {
            if among(village, person) {
                match person.opinion(item) {
                    Opinion::Favourable => (favourable, all) = (favourable + 1, all + 1),
                    Opinion::Unfavourable => all += 1,
                    Opinion::Silent | Opinion::NotAsked => {}
                }
            }
        }
        (all > 0).then(|| favourable as f64 / all as f64)
    }
}

impl Person {
    /// What this person would say to `ITEMS[item]`.
    pub fn opinion(&self, item: usize) -> Opinion {
        if ITEMS[item].question == "g4" && !self.procedure {
            return Opinion::NotAsked;
        }
        match (self.answered >> item & 1, self.favourable >> item & 1) {
            (0, _) => Opinion::Silent,
            (_, 0) => Opinion::Unfavourable,
            _ => Opinion::Favourable,
        }
    }
}

/// 0 Kinh, 1 Tày, 2 Dao, 3 Mông, 4 Nùng, 5 all others.
pub fn large_group(ethnic_code: &str) -> usize {
    match ethnic_code {
        "01" => 0,
        "02" => 1,
        "09" => 2,
        "08" => 3,
        "07" => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn village(id: &str, mong: f64) -> Village {
        Village {
            id: id.into(),
            commune: "00715".into(),
            district: "026".into(),
            urban: false,
            households: 400,
            adults: 1_000,
            shares: vec![("01".into(), 1.0 - mong), ("08".into(), mong)],
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_people() {
        let make = |seed| Population::simulate(vec![village("A", 0.5), village("B", 0.1)], seed);
        let (one, again, other) = (make(1), make(1), make(2));
        assert_eq!(one.people.len(), again.people.len());
        assert_eq!(one.truth(0, |_, _| true), again.truth(0, |_, _| true));
        assert_ne!(one.truth(0, |_, _| true), other.truth(0, |_, _| true));
    }

    #[test]
    fn groups_think_otherwise_and_only_those_asked_count() {
        let population = Population::simulate(vec![village("A", 0.5); 8], 7);
        let among = |code: &'static str| {
            let groups = population.groups.clone();
            population.truth(7, move |_, p| groups[usize::from(p.group)] == code).unwrap_or(0.0)
        };
        assert!(among("01") - among("08") > 0.2, "{} {}", among("01"), among("08"));
        assert_eq!(population.truth(5, |_, p| !p.procedure), None);
    }

    #[test]
    fn dwellings_hold_about_the_frames_adults() {
        let population = Population::simulate(vec![village("A", 0.3); 10], 3);
        let adults = population.people().count() as f64;
        assert!((8_500.0..11_500.0).contains(&adults), "{adults}");
        let listed: usize = (0..10).map(|v| population.dwellings(v)).sum();
        assert!((3_400..4_600).contains(&listed), "{listed}");
        assert!((1..=population.dwellings(0)).all(|d| population.adults(0, d).len() <= MAX_ADULTS));
    }
}
