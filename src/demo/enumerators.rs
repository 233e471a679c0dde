//! Simulated enumerators: what happens at each dwelling, and what the selected person says. Pure: a function of
//! the population, the cases and the seed. Who is reached and who refuses depends on age, sex, group and town,
//! so that respondents differ from the population (differential nonresponse).

use surveys::chance::Chance;

use crate::demo::population::{ITEMS, Opinion, Person, Population, large_group};
use crate::fieldwork::dispositions::Disposition;
use crate::fieldwork::reserves;

/// The dwellings drawn in one village, by serial number in the order drawn.
#[derive(Clone, Debug)]
pub struct VillageTask {
    /// Index into [`Population::villages`].
    pub village: usize,
    pub main: Vec<usize>,
    pub reserve: Vec<usize>,
}

/// What the enumerator's last visit brought.
#[derive(Clone, Debug)]
pub struct Visited {
    pub village: usize,
    pub serial: usize,
    /// Taken from the reserve.
    pub released: bool,
    pub disposition: Disposition,
    /// Visits made, 1 to 3.
    pub attempts: u8,
    /// Adults by sex and age, as listed in the roster; empty where nobody told.
    pub roster: Vec<Person>,
    /// The household draw, in [0, 1): picks `roster[floor(draw × adults)]`.
    pub draw: f64,
    pub interview: Option<Interview>,
}

/// The selected person's answers to background and headline questions: question and code.
#[derive(Clone, Debug)]
pub struct Interview {
    pub answers: Vec<(&'static str, String)>,
}

impl Visited {
    /// Position of the selected person in the roster.
    pub fn selected(&self) -> Option<usize> {
        (!self.roster.is_empty()).then_some((self.draw * self.roster.len() as f64) as usize)
    }
}

/// Works through one village: all main dwellings, then as many reserves as were lost.
pub fn work_village(population: &Population, task: &VillageTask, seed: u64) -> Vec<Visited> {
    let visit = |serial: &usize, released| visit(population, task.village, *serial, released, seed);
    let mut visited: Vec<Visited> = task.main.iter().map(|serial| visit(serial, false)).collect();
    let lost = visited.iter().filter(|v| v.interview.is_none()).count();
    let released = reserves::to_release(lost, task.reserve.len());
    visited.extend(task.reserve[..released].iter().map(|serial| visit(serial, true)));
    visited
}

fn visit(population: &Population, village: usize, serial: usize, released: bool, seed: u64) -> Visited {
    let place = &population.villages[village];
    let mut chance = Chance::new(seed, &format!("case/{}/{serial}", place.id));
    let adults = population.adults(village, serial);
    let mut visited = Visited {
        village,
        serial,
        released,
        disposition: Disposition::Complete,
        attempts: 1 + chance.weighted(&[0.70, 0.22, 0.08]).unwrap_or(0) as u8,
        roster: Vec::new(),
        draw: chance.unit(),
        interview: None,
    };
    let end = |mut visited: Visited, disposition| {
        visited.disposition = disposition;
        visited
    };
    if chance.happens(0.007) {
        return end(visited, Disposition::UnknownHousehold);
    }
    let Some(first) = adults.first() else {
        return end(visited, Disposition::NotAHousehold);
    };
    let kinh = large_group(population.ethnic(first)) == 0;
    let away = 0.02 + if adults.len() == 1 { 0.06 } else { 0.0 } + if place.urban { 0.05 } else { 0.0 };
    if chance.happens(away) {
        visited.attempts = 3;
        return end(visited, Disposition::NoContact);
    }
    if chance.happens(if kinh { 0.04 } else { 0.015 }) {
        return end(visited, Disposition::RefusedHousehold);
    }
    // Oldest first, men then women, as the form lists them.
    visited.roster = adults.to_vec();
    visited.roster.sort_by(|a, b| (a.sex, b.age).cmp(&(b.sex, a.age)));
    let Some(person) = visited.selected().and_then(|i| visited.roster.get(i)).copied() else {
        return end(visited, Disposition::NoAdult);
    };
    let working_away = match (person.age, person.sex) {
        (1, 1) => 0.26,
        (1, _) => 0.17,
        (2, 1) => 0.15,
        (2 | 3, _) => 0.07,
        _ => 0.03,
    };
    if chance.happens(working_away) {
        visited.attempts = 3;
        return end(visited, Disposition::OtherNonresponse);
    }
    if chance.happens(0.025 + if kinh { 0.03 } else { 0.0 } + if person.age == 1 { 0.03 } else { 0.0 }) {
        return end(visited, Disposition::RefusedPerson);
    }
    visited.interview = Some(interview(population, &person, &mut chance));
    visited
}

/// Batteries beside the headline items: question, steps of its scale, how far up the scale people stand (0–1).
const BATTERY: [(&str, usize, f64); 25] = [
    ("d1_b", 5, 0.72),
    ("d1_c", 5, 0.56),
    ("d1_d", 5, 0.64),
    ("d1_dd", 5, 0.68),
    ("d1_e", 5, 0.53),
    ("d1_g", 5, 0.40),
    ("d1_h", 5, 0.71),
    ("g6_a", 5, 0.66),
    ("g6_b", 5, 0.61),
    ("g6_c", 5, 0.70),
    ("g6_d", 5, 0.65),
    ("g6_dd", 5, 0.63),
    ("h2_a", 4, 0.63),
    ("h2_b", 4, 0.54),
    ("h2_c", 4, 0.66),
    ("h2_d", 4, 0.41),
    ("h2_dd", 4, 0.37),
    ("h2_e", 4, 0.58),
    ("l2_a", 4, 0.69),
    ("l2_b", 4, 0.60),
    ("l2_c", 4, 0.62),
    ("l2_d", 4, 0.64),
    ("l2_dd", 4, 0.67),
    ("l2_e", 4, 0.61),
    ("l2_g", 4, 0.58),
];

fn interview(population: &Population, person: &Person, chance: &mut Chance) -> Interview {
    let silent = |chance: &mut Chance| if chance.happens(0.75) { "98" } else { "99" };
    let mut answers = vec![("b1", person.sex.to_string()), ("b2", person.age.to_string())];
    let ethnic_code = population.ethnic(person);
    let ethnic = match ethnic_code {
        _ if chance.happens(0.012) => "99",
        "99" => "97",
        code => code,
    };
    answers.push(("b3", ethnic.to_owned()));
    let procedure = if person.procedure { ["1", "1", "2", "3"][chance.below(4)] } else { "4" };
    answers.push(("g1", procedure.to_owned()));
    for (i, item) in ITEMS.iter().enumerate() {
        let code = match person.opinion(i) {
            Opinion::Favourable => item.favourable[chance.below(item.favourable.len())],
            Opinion::Unfavourable => item.unfavourable[chance.below(item.unfavourable.len())],
            Opinion::Silent => silent(chance),
            Opinion::NotAsked => continue,
        };
        answers.push((item.question, code.to_owned()));
    }
    // One leaning for all, so that the answers of one person hang together.
    let leaning = 0.10 * chance.normal() - if large_group(ethnic_code) == 3 { 0.06 } else { 0.0 };
    for (question, steps, level) in BATTERY {
        let level = (level + leaning).clamp(0.05, 0.95);
        let code = if chance.happens(0.035) {
            silent(chance).to_owned()
        } else {
            (1 + (1..steps).filter(|_| chance.happens(level)).count()).to_string()
        };
        answers.push((question, code));
    }
    Interview { answers }
}
