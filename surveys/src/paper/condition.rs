//! Conditions in words: what a person with a pencil must know of `relevant`.

use std::sync::LazyLock;

use regex::Regex;

/// A condition that a person can follow: alternatives of comparisons that all hold.
pub(super) struct Condition(Vec<Vec<Comparison>>);

struct Comparison {
    question: String,
    relation: Relation,
    value: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Relation {
    Is,
    IsNot,
    /// Ticked among several.
    Has,
    HasNot,
    Less,
    AtMost,
    More,
    AtLeast,
}

static COMPARISON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^\$\{([^}]+)\}\s*(=|!=|<=|>=|<|>)\s*(?:'([^']*)'|"([^"]*)"|(-?[0-9.]+))$"#).ok()
});
static SELECTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^(not\s*\()?\s*selected\(\s*\$\{([^}]+)\}\s*,\s*(?:'([^']*)'|"([^"]*)")\s*\)\s*\)?$"#).ok()
});

impl Condition {
    /// `None` where the condition is none of these simple ones.
    pub fn parse(source: &str) -> Option<Self> {
        let parts = |text: &str, word: &str| -> Vec<String> {
            text.split(&format!(" {word} ")).map(|part| part.trim().to_owned()).collect()
        };
        let source = source.split_whitespace().collect::<Vec<_>>().join(" ");
        let alternatives = parts(&source, "or");
        alternatives
            .iter()
            .map(|all| parts(all, "and").iter().map(|one| comparison(one)).collect())
            .collect::<Option<_>>()
            .map(Self)
    }

    /// `question`: how a question is called; `answer`: the words of one of its codes.
    pub fn in_words(
        &self,
        question: &dyn Fn(&str) -> String,
        answer: &dyn Fn(&str, &str) -> Option<String>,
    ) -> String {
        let one = |comparison: &Comparison| {
            let called = question(&comparison.question);
            let value = match answer(&comparison.question, &comparison.value) {
                Some(words) => format!("{} ({words})", comparison.value),
                None => comparison.value.clone(),
            };
            match comparison.relation {
                Relation::Is if value.is_empty() => format!("{called} để trống"),
                Relation::IsNot if value.is_empty() => format!("{called} có trả lời"),
                Relation::Is => format!("{called} = {value}"),
                Relation::IsNot => format!("{called} khác {value}"),
                Relation::Has => format!("{called} có chọn {value}"),
                Relation::HasNot => format!("{called} không chọn {value}"),
                Relation::Less => format!("{called} dưới {value}"),
                Relation::AtMost => format!("{called} từ {value} trở xuống"),
                Relation::More => format!("{called} trên {value}"),
                Relation::AtLeast => format!("{called} từ {value} trở lên"),
            }
        };
        let all =
            |comparisons: &Vec<Comparison>| comparisons.iter().map(one).collect::<Vec<_>>().join(" và ");
        self.0.iter().map(all).collect::<Vec<_>>().join(", hoặc ")
    }

    /// Whether it can hold when `question` is answered with this code and nothing is known of the others.
    pub fn can_hold(&self, question: &str, code: &str) -> bool {
        let possible = |comparison: &Comparison| {
            comparison.question != question
                || match comparison.relation {
                    Relation::Is | Relation::Has => comparison.value == code,
                    Relation::IsNot | Relation::HasNot => comparison.value != code,
                    relation => match (code.parse::<f64>(), comparison.value.parse::<f64>()) {
                        (Ok(code), Ok(value)) => match relation {
                            Relation::Less => code < value,
                            Relation::AtMost => code <= value,
                            Relation::More => code > value,
                            _ => code >= value,
                        },
                        _ => true,
                    },
                }
        };
        self.0.iter().any(|all| all.iter().all(possible))
    }

    /// The answers that make it hold, where it asks for equal codes alone.
    pub fn answers(&self) -> Option<Vec<(&str, &str)>> {
        let first = self.0.first()?;
        let equal = first.iter().all(|one| matches!(one.relation, Relation::Is | Relation::Has));
        equal.then(|| first.iter().map(|one| (one.question.as_str(), one.value.as_str())).collect())
    }
}

fn comparison(text: &str) -> Option<Comparison> {
    let text = text.trim();
    let bare = match (text.strip_prefix('('), text.strip_suffix(')')) {
        (Some(_), Some(_)) if text.matches('(').count() == 1 => &text[1..text.len() - 1],
        _ => text,
    };
    if let Some(found) = COMPARISON.as_ref()?.captures(bare.trim()) {
        let value = found.get(3).or(found.get(4)).or(found.get(5)).map_or("", |value| value.as_str());
        let relation = match &found[2] {
            "=" => Relation::Is,
            "!=" => Relation::IsNot,
            "<" => Relation::Less,
            "<=" => Relation::AtMost,
            ">" => Relation::More,
            _ => Relation::AtLeast,
        };
        return Some(Comparison { question: found[1].to_owned(), relation, value: value.to_owned() });
    }
    let found = SELECTED.as_ref()?.captures(text)?;
    let value = found.get(3).or(found.get(4)).map_or("", |value| value.as_str());
    let relation = if found.get(1).is_some() { Relation::HasNot } else { Relation::Has };
    Some(Comparison { question: found[2].to_owned(), relation, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Option<String> {
        let answer =
            |question: &str, code: &str| (question == "i2" && code == "2").then(|| "Không".to_owned());
        Some(Condition::parse(source)?.in_words(&|name| name.to_uppercase(), &answer))
    }

    #[test]
    fn simple_conditions_are_told_in_words_and_others_are_not() {
        assert_eq!(words("${i2} = '2' and ${from} >  8").as_deref(), Some("I2 = 2 (Không) và FROM trên 8"));
        assert_eq!(
            words("selected(${i1}, '97') or ${a}!=''").as_deref(),
            Some("I1 có chọn 97, hoặc A có trả lời")
        );
        assert_eq!(words("not(selected(${i1}, '1'))").as_deref(), Some("I1 không chọn 1"));
        assert_eq!(words("count-selected(${i1}) > 1"), None);
        assert_eq!(words("${a} = '1' and (${b} = '2' or ${c} = '3')"), None);
    }

    #[test]
    fn what_is_not_known_may_hold() {
        let condition = Condition::parse("${a} = '1' and ${b} > 3").expect("simple");
        assert!(condition.can_hold("a", "1") && !condition.can_hold("a", "2"));
        assert!(condition.can_hold("b", "4") && !condition.can_hold("b", "3"));
    }
}
