//! Who goes where: two enumerators a village by area, language and load, cases dealt to them by chance, an interpreter
//! where neither language fits. Two a village, because only enumerators who share villages can be compared.

use std::cmp::Reverse;

use surveys::chance::Chance;

/// A village with cases.
#[derive(Clone, Debug)]
pub struct Village {
    pub name: String,
    /// Codes of the village, its commune and district: where enumerators may be limited to.
    pub areas: Vec<String>,
    /// Code of the group whose language most people speak; `None` = Vietnamese.
    pub language: Option<String>,
    /// Main cases.
    pub cases: usize,
}

/// Somebody who can be sent: an enumerator, or an interpreter who has pledged secrecy.
#[derive(Clone, Debug)]
pub struct Person {
    pub code: String,
    pub languages: Vec<String>,
    /// None = everywhere.
    pub areas: Vec<String>,
}

impl Person {
    fn works_in(&self, village: &Village) -> bool {
        self.areas.is_empty() || self.areas.iter().any(|area| village.areas.contains(area))
    }

    fn speaks(&self, language: &str) -> bool {
        self.languages.iter().any(|own| own == language)
    }
}

/// The people of one village, by their position in what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Team {
    pub first: usize,
    pub second: Option<usize>,
    pub interpreter: Option<usize>,
}

/// What a supervisor should know about the teams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// One enumerator alone: nobody to compare with.
    Alone { village: String },
    /// Nobody speaks the language, and no interpreter who pledged secrecy does.
    NoInterpreter { village: String, language: String },
}

/// Villages that no enumerator may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nobody(pub Vec<String>);

/// How far above the mean load an enumerator is taken for the language's sake.
const STRETCH: f64 = 1.5;

/// Finds the team of each village, in the order given. Villages that few may go to choose first; of equal people chance
/// decides, from the seed.
pub fn teams(
    villages: &[Village],
    enumerators: &[Person],
    interpreters: &[Person],
    seed: u64,
) -> Result<(Vec<Team>, Vec<Warning>), Nobody> {
    let candidates: Vec<Vec<usize>> = villages
        .iter()
        .map(|village| (0..enumerators.len()).filter(|i| enumerators[*i].works_in(village)).collect())
        .collect();
    let nobody: Vec<String> = villages
        .iter()
        .zip(&candidates)
        .filter(|(_, able)| able.is_empty())
        .map(|(village, _)| village.name.clone())
        .collect();
    if !nobody.is_empty() {
        return Err(Nobody(nobody));
    }
    let cases: usize = villages.iter().map(|village| village.cases).sum();
    let fair = STRETCH * cases as f64 / enumerators.len() as f64;
    let mut load = vec![0.0; enumerators.len()];
    let mut lent = vec![0_usize; interpreters.len()];
    let mut order: Vec<usize> = (0..villages.len()).collect();
    order.sort_by_key(|v| (candidates[*v].len(), Reverse(villages[*v].cases), &villages[*v].name));
    let mut found: Vec<Option<Team>> = vec![None; villages.len()];
    let mut warnings = Vec::new();
    for v in order {
        let village = &villages[v];
        let mut chance = Chance::new(seed, &format!("team/{}", village.name));
        let speaks =
            |i: usize| village.language.as_ref().is_none_or(|language| enumerators[i].speaks(language));
        let mut able: Vec<(bool, f64, u64, usize)> = candidates[v]
            .iter()
            .map(|i| (!(speaks(*i) && load[*i] < fair), load[*i], chance.bits(), *i))
            .collect();
        able.sort_by(|a, b| {
            (a.0, a.1, a.2).partial_cmp(&(b.0, b.1, b.2)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let pair: Vec<usize> = able.iter().take(2).map(|(.., i)| *i).collect();
        for i in &pair {
            load[*i] += village.cases as f64 / pair.len() as f64;
        }
        let mut interpreter = None;
        if let Some(language) = &village.language
            && !pair.iter().all(|i| speaks(*i))
        {
            interpreter = (0..interpreters.len())
                .filter(|i| interpreters[*i].works_in(village) && interpreters[*i].speaks(language))
                .min_by_key(|i| (lent[*i], &interpreters[*i].code));
            match interpreter {
                Some(i) => lent[i] += village.cases,
                None => warnings.push(Warning::NoInterpreter {
                    village: village.name.clone(),
                    language: language.clone(),
                }),
            }
        }
        if pair.len() == 1 {
            warnings.push(Warning::Alone { village: village.name.clone() });
        }
        found[v] = Some(Team { first: pair[0], second: pair.get(1).copied(), interpreter });
    }
    Ok((found.into_iter().flatten().collect(), warnings))
}

/// Deals the cases of one village, in drawn order, to its two enumerators by chance, as evenly as can be: true = the
/// second. Of each two cases that follow each other one goes to each, so that reserves are dealt evenly too.
pub fn deal(village: &str, cases: usize, seed: u64) -> Vec<bool> {
    let mut chance = Chance::new(seed, &format!("deal/{village}"));
    let mut dealt = Vec::with_capacity(cases + 1);
    while dealt.len() < cases {
        let second_first = chance.happens(0.5);
        dealt.extend([second_first, !second_first]);
    }
    dealt.truncate(cases);
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn village(name: &str, commune: &str, language: Option<&str>) -> Village {
        Village {
            name: name.to_owned(),
            areas: vec![name.to_owned(), commune.to_owned()],
            language: language.map(str::to_owned),
            cases: 16,
        }
    }

    fn person(code: &str, languages: &str, areas: &str) -> Person {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Person { code: code.to_owned(), languages: words(languages), areas: words(areas) }
    }

    #[test]
    fn two_enumerators_of_the_area_who_speak_the_language_go_to_a_village() {
        let villages = [village("A", "c1", Some("08")), village("B", "c2", None)];
        let people = [
            person("1", "08", "c1"),
            person("2", "08", "c1"),
            person("3", "", "c1 c2"),
            person("4", "", "c2"),
        ];
        let (teams, warnings) = teams(&villages, &people, &[], 7).expect("somebody for each village");
        assert_eq!(warnings, []);
        let pair = |team: &Team| {
            let mut pair = [team.first, team.second.expect("two")];
            pair.sort_unstable();
            pair
        };
        assert_eq!(pair(&teams[0]), [0, 1]);
        assert_eq!(pair(&teams[1]), [2, 3]);
    }

    #[test]
    fn an_interpreter_comes_where_one_of_the_two_does_not_speak_the_language() {
        let villages = [village("A", "c1", Some("08"))];
        let people = [person("1", "08", ""), person("2", "", "")];
        let helpers = [person("P1", "02", ""), person("P2", "08", "c9"), person("P3", "08", "c1")];
        let (found, warnings) = teams(&villages, &people, &helpers, 7).expect("somebody");
        assert_eq!((found[0].interpreter, warnings.len()), (Some(2), 0));
        let (found, warnings) = teams(&villages, &people, &helpers[..2], 7).expect("somebody");
        assert_eq!(found[0].interpreter, None);
        assert_eq!(warnings, [Warning::NoInterpreter { village: "A".to_owned(), language: "08".to_owned() }]);
    }

    #[test]
    fn a_village_that_nobody_may_go_to_is_named() {
        let villages = [village("A", "c1", None), village("B", "c2", None)];
        let people = [person("1", "", "c1")];
        assert_eq!(teams(&villages, &people, &[], 7), Err(Nobody(vec!["B".to_owned()])));
        let (_, warnings) = teams(&villages[..1], &people, &[], 7).expect("one goes alone");
        assert_eq!(warnings, [Warning::Alone { village: "A".to_owned() }]);
    }

    #[test]
    fn loads_are_even_and_the_seed_decides() {
        let villages: Vec<Village> = (0..60).map(|v| village(&format!("V{v:02}"), "c", None)).collect();
        let people: Vec<Person> = (0..20).map(|p| person(&p.to_string(), "", "")).collect();
        let (found, _) = teams(&villages, &people, &[], 1).expect("somebody");
        let load = |person: usize| {
            found.iter().filter(|team| team.first == person || team.second == Some(person)).count()
        };
        assert!((0..20).all(|person| load(person) == 6), "60 villages × 2 ÷ 20 people");
        assert_eq!(found, teams(&villages, &people, &[], 1).expect("somebody").0);
        assert_ne!(found, teams(&villages, &people, &[], 2).expect("somebody").0);
    }

    #[test]
    fn cases_are_dealt_by_chance_and_evenly() {
        let dealt = deal("A", 17, 5);
        let seconds = dealt.iter().filter(|second| **second).count();
        assert!(dealt.len() == 17 && (8..=9).contains(&seconds));
        assert_eq!(dealt, deal("A", 17, 5));
        assert_ne!(dealt, deal("B", 17, 5));
    }
}
