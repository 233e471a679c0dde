//! Names of variables as other programs take them.

use std::collections::HashSet;

/// Words that SPSS keeps for itself.
const SPSS: [&str; 13] = ["ALL", "AND", "BY", "EQ", "GE", "GT", "LE", "LT", "NE", "NOT", "OR", "TO", "WITH"];

/// Words that Stata keeps for itself.
const STATA: [&str; 29] = [
    "_all",
    "_b",
    "_coef",
    "_cons",
    "_n",
    "_pi",
    "_pred",
    "_rc",
    "_skip",
    "_N",
    "alias",
    "byte",
    "double",
    "float",
    "if",
    "in",
    "int",
    "long",
    "strL",
    "using",
    "with",
    "aggregate",
    "array",
    "boolean",
    "break",
    "case",
    "class",
    "const",
    "default",
];

/// Names of SPSS: at most 64 bytes, letters, digits, `_ . @ # $`, a letter first, different without regard to case.
pub(super) fn spss<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    unique(
        names,
        64,
        |letter| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '@' | '#' | '$'),
        |name| SPSS.contains(&name.to_uppercase().as_str()),
    )
}

/// Names of Stata: at most 32 letters of ASCII, digits and `_`, which all its versions take.
pub(super) fn stata<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    unique(
        names,
        32,
        |letter| letter.is_ascii_alphanumeric() || letter == '_',
        |name| {
            let number = name
                .strip_prefix("str")
                .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
            number || STATA.contains(&name)
        },
    )
}

/// Eight letters for old programs, beside the long names: the name itself where it is short enough, else `V00012`.
pub(super) fn short(long: &[String]) -> Vec<String> {
    let fits = |name: &str| name.len() <= 8 && name.is_ascii();
    let mut taken: HashSet<String> =
        long.iter().filter(|name| fits(name)).map(|name| name.to_uppercase()).collect();
    let mut next = 0;
    long.iter()
        .map(|name| {
            if fits(name) {
                return name.to_uppercase();
            }
            loop {
                next += 1;
                let made = format!("V{next:05}");
                if taken.insert(made.clone()) {
                    return made;
                }
            }
        })
        .collect()
}

fn unique<'a>(
    names: impl IntoIterator<Item = &'a str>,
    bytes: usize,
    allowed: impl Fn(char) -> bool,
    reserved: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    names
        .into_iter()
        .map(|name| {
            let mut made: String =
                name.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect();
            let first = made.chars().next();
            if !first.is_some_and(char::is_alphabetic) || reserved(&made) {
                made.insert(0, 'v');
            }
            let cut = |text: &str, room: usize| {
                let end = (0..=room.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text[..end].trim_end_matches('.').to_owned()
            };
            let mut candidate = cut(&made, bytes);
            let mut number = 1;
            while !taken.insert(candidate.to_lowercase()) {
                number += 1;
                let ending = format!("_{number}");
                candidate = cut(&made, bytes - ending.len()) + &ending;
            }
            candidate
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_each_program_takes_and_stay_different() {
        let names = ["c1", "C1", "d1-a", "với", "with", "2b", "str5"];
        assert_eq!(spss(names), ["c1", "C1_2", "d1_a", "với", "vwith", "v2b", "str5"]);
        assert_eq!(stata(names), ["c1", "C1_2", "d1_a", "v_i", "vwith", "v2b", "vstr5"]);
        let long = [
            "i4_satisfaction_of_the_household_in_the_village_1",
            "i4_satisfaction_of_the_household_in_the_village_2",
        ];
        assert_eq!(stata(long), ["i4_satisfaction_of_the_household", "i4_satisfaction_of_the_househo_2"]);
        let long = spss(["i4_satisfaction", "c1", "V00001"]);
        assert_eq!(short(&long), ["V00002", "C1", "V00001"]);
    }
}
