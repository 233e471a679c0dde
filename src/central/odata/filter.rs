//! `$filter`: comparisons of the few fields that stand beside the answers. Answers are never filtered on.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};

use crate::central::Problem;

/// A value while a filter is worked out.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    Null,
    Truth(bool),
    Number(f64),
    Text(String),
    Time(DateTime<Utc>),
}

/// A filter that was read.
#[derive(Clone, Debug)]
pub struct Filter {
    root: Node,
    /// Fields that it names.
    pub fields: Vec<String>,
}

#[derive(Clone, Debug)]
enum Node {
    Known(Term),
    Field(String),
    Call(String, Box<Node>),
    Now,
    Not(Box<Node>),
    Both(Box<Node>, Box<Node>),
    Either(Box<Node>, Box<Node>),
    Compare(String, Box<Node>, Box<Node>),
}

const FUNCTIONS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];

fn syntax(what: &str) -> Problem {
    Problem::new(400.18, format!("Không đọc được $filter: {what}. (The filter cannot be read.)"))
}

impl Filter {
    /// Reads a filter on `allowed` fields; `$root/Submissions/` before a field is taken off.
    pub fn read(text: &str, allowed: &[&str]) -> Result<Self, Problem> {
        let mut reader = Reading { tokens: tokens(text)?, at: 0, allowed, fields: Vec::new(), depth: 0 };
        let root = reader.either()?;
        match reader.peek() {
            None => Ok(Self { root, fields: reader.fields }),
            Some(token) => Err(syntax(token)),
        }
    }

    /// Whether a row passes; `look` gives its fields.
    pub fn passes(&self, look: &dyn Fn(&str) -> Term, now: DateTime<Utc>) -> bool {
        self.root.work_out(look, now) == Term::Truth(true)
    }
}

impl Node {
    fn work_out(&self, look: &dyn Fn(&str) -> Term, now: DateTime<Utc>) -> Term {
        let truth = |node: &Self| node.work_out(look, now) == Term::Truth(true);
        match self {
            Self::Known(term) => term.clone(),
            Self::Field(name) => look(name),
            Self::Now => Term::Time(now),
            Self::Call(function, inner) => match inner.work_out(look, now) {
                Term::Time(at) => Term::Number(match function.as_str() {
                    "year" => f64::from(at.year()),
                    "month" => f64::from(at.month()),
                    "day" => f64::from(at.day()),
                    "hour" => f64::from(at.hour()),
                    "minute" => f64::from(at.minute()),
                    _ => f64::from(at.second()),
                }),
                _ => Term::Null,
            },
            Self::Not(inner) => Term::Truth(!truth(inner)),
            Self::Both(a, b) => Term::Truth(truth(a) && truth(b)),
            Self::Either(a, b) => Term::Truth(truth(a) || truth(b)),
            Self::Compare(operator, a, b) => {
                let (a, b) = (a.work_out(look, now), b.work_out(look, now));
                let order = match (&a, &b) {
                    (Term::Number(a), Term::Number(b)) => a.partial_cmp(b),
                    (Term::Text(a), Term::Text(b)) => Some(a.cmp(b)),
                    (Term::Time(a), Term::Time(b)) => Some(a.cmp(b)),
                    (Term::Truth(a), Term::Truth(b)) => Some(a.cmp(b)),
                    // Numbers of users come as texts.
                    (Term::Text(a), Term::Number(b)) => a.parse::<f64>().ok().and_then(|a| a.partial_cmp(b)),
                    (Term::Number(a), Term::Text(b)) => b.parse::<f64>().ok().and_then(|b| a.partial_cmp(&b)),
                    _ => None,
                };
                let equal = order.map_or(a == b, std::cmp::Ordering::is_eq);
                Term::Truth(match operator.as_str() {
                    "eq" => equal,
                    "ne" => !equal,
                    "lt" => order.is_some_and(std::cmp::Ordering::is_lt),
                    "le" => order.is_some_and(std::cmp::Ordering::is_le),
                    "gt" => order.is_some_and(std::cmp::Ordering::is_gt),
                    _ => order.is_some_and(std::cmp::Ordering::is_ge),
                })
            }
        }
    }
}

/// The order of two fields; nothing comes before everything.
pub fn order(a: &Term, b: &Term) -> std::cmp::Ordering {
    match (a, b) {
        (Term::Text(a), Term::Text(b)) => a.cmp(b),
        (Term::Time(a), Term::Time(b)) => a.cmp(b),
        (Term::Null, Term::Null) => std::cmp::Ordering::Equal,
        (Term::Null, _) => std::cmp::Ordering::Less,
        (_, Term::Null) => std::cmp::Ordering::Greater,
        _ => std::cmp::Ordering::Equal,
    }
}

fn tokens(text: &str) -> Result<Vec<String>, Problem> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.peek().copied() {
        match c {
            ' ' => drop(rest.next()),
            '(' | ')' => {
                found.push(c.to_string());
                rest.next();
            }
            '\'' => {
                rest.next();
                let mut literal = String::from("'");
                loop {
                    match rest.next() {
                        None => return Err(syntax("'")),
                        // A doubled quote is a quote.
                        Some('\'') if rest.peek() == Some(&'\'') => {
                            literal.push('\'');
                            rest.next();
                        }
                        Some('\'') => break,
                        Some(c) => literal.push(c),
                    }
                }
                found.push(literal);
            }
            _ => {
                let mut word = String::new();
                while let Some(c) = rest.next_if(|c| !" ()'".contains(*c)) {
                    word.push(c);
                }
                found.push(word);
            }
        }
    }
    Ok(found)
}

/// Brackets and `not` may lie this deep in one another.
const DEEPEST: usize = 50;

struct Reading<'a> {
    tokens: Vec<String>,
    at: usize,
    allowed: &'a [&'a str],
    fields: Vec<String>,
    depth: usize,
}

impl Reading<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn either(&mut self) -> Result<Node, Problem> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(syntax("("));
        }
        let mut left = self.both()?;
        while self.take("or") {
            left = Node::Either(Box::new(left), Box::new(self.both()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn both(&mut self) -> Result<Node, Problem> {
        let mut left = self.negation()?;
        while self.take("and") {
            left = Node::Both(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Node, Problem> {
        let mut is_negated = false;
        while self.take("not") {
            is_negated = !is_negated;
        }
        let node = self.comparison()?;
        Ok(if is_negated { Node::Not(Box::new(node)) } else { node })
    }

    fn comparison(&mut self) -> Result<Node, Problem> {
        let left = self.operand()?;
        let operator = self.peek().filter(|t| ["eq", "ne", "lt", "le", "gt", "ge"].contains(t));
        let Some(operator) = operator.map(str::to_owned) else { return Ok(left) };
        self.at += 1;
        Ok(Node::Compare(operator, Box::new(left), Box::new(self.operand()?)))
    }

    fn operand(&mut self) -> Result<Node, Problem> {
        let Some(token) = self.peek().map(str::to_owned) else { return Err(syntax("…")) };
        self.at += 1;
        if token == "(" {
            let inner = self.either()?;
            return if self.take(")") { Ok(inner) } else { Err(syntax("(")) };
        }
        if let Some(text) = token.strip_prefix('\'') {
            return Ok(Node::Known(Term::Text(text.to_owned())));
        }
        if self.take("(") {
            if token == "now" && self.take(")") {
                return Ok(Node::Now);
            }
            if !FUNCTIONS.contains(&token.as_str()) {
                return Err(Problem::new(
                    501.4,
                    format!("Chưa có hàm {token} trong $filter. (This function is not supported.)"),
                ));
            }
            let inner = self.operand()?;
            return if self.take(")") { Ok(Node::Call(token, Box::new(inner))) } else { Err(syntax("(")) };
        }
        if let Some(known) = literal(&token) {
            return Ok(Node::Known(known));
        }
        let field = token.strip_prefix("$root/Submissions/").unwrap_or(&token);
        if !self.allowed.contains(&field) {
            return if token.chars().all(|c| c.is_alphanumeric() || "_/$-.".contains(c)) {
                Err(Problem::new(
                    501.5,
                    format!("Không lọc được theo {token} trong $filter. (This field cannot be filtered on.)"),
                ))
            } else {
                Err(syntax(&token))
            };
        }
        self.fields.push(field.to_owned());
        Ok(Node::Field(field.to_owned()))
    }
}

fn literal(token: &str) -> Option<Term> {
    match token {
        "null" => return Some(Term::Null),
        "true" => return Some(Term::Truth(true)),
        "false" => return Some(Term::Truth(false)),
        _ => {}
    }
    if let Ok(number) = token.parse::<f64>() {
        return number.is_finite().then_some(Term::Number(number));
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(token) {
        return Some(Term::Time(at.to_utc()));
    }
    let day = token.parse::<NaiveDate>().ok()?;
    Some(Term::Time(day.and_hms_opt(0, 0, 0)?.and_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(filter: &str) -> Result<bool, f64> {
        let at = |text: &str| Term::Time(text.parse().expect("a time"));
        let look = |field: &str| match field {
            "__system/submissionDate" => at("2026-03-05T07:08:09Z"),
            "__system/submitterId" => Term::Text("5".into()),
            "__system/reviewState" => Term::Text("hasIssues".into()),
            _ => Term::Null,
        };
        let allowed =
            ["__system/submissionDate", "__system/submitterId", "__system/reviewState", "__system/updatedAt"];
        let now = "2026-03-06T00:00:00Z".parse().expect("a time");
        Filter::read(filter, &allowed).map(|filter| filter.passes(&look, now)).map_err(|problem| problem.code)
    }

    #[test]
    fn comparisons_functions_and_brackets_are_worked_out() {
        assert_eq!(passes("__system/submissionDate ge 2026-03-05"), Ok(true));
        assert_eq!(passes("__system/submissionDate lt 2026-03-05T07:08:09.000Z"), Ok(false));
        assert_eq!(passes("__system/submissionDate lt now()"), Ok(true));
        assert_eq!(
            passes("year(__system/submissionDate) eq 2026 and month(__system/submissionDate) eq 4"),
            Ok(false)
        );
        assert_eq!(passes("not (__system/submitterId eq 4 or __system/reviewState eq null)"), Ok(true));
        assert_eq!(passes("__system/updatedAt eq null"), Ok(true));
        assert_eq!(passes("__system/updatedAt gt 2026-01-01"), Ok(false));
        assert_eq!(passes("$root/Submissions/__system/reviewState ne 'it''s'"), Ok(true));
    }

    #[test]
    fn what_is_not_supported_is_refused_by_its_own_code() {
        assert_eq!(passes("age gt 5"), Err(501.5));
        assert_eq!(passes("length(__system/reviewState) eq 5"), Err(501.4));
        for wrong in
            ["", "(", "__system/submitterId eq", "__system/submitterId eq 5 5", "'open", &"(".repeat(9999)]
        {
            assert_eq!(passes(wrong), Err(400.18), "{wrong}");
        }
    }
}
