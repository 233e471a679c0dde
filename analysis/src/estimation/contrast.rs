//! Contrasts: linear combinations and functions of an earlier request's rows, with their errors.

use serde_json::Value;

use super::EstimationError;
use super::algebra::Matrix;
use super::context::{Answer, critical, set_figures};
use super::plan::{Interval, Request};
use super::result::Row;

/// `weights` (row key to coefficient) or an `expression` of row keys, over the request `between`.
pub(crate) fn contrast(request: &Request, earlier: &[(&str, Answer)]) -> Result<Answer, EstimationError> {
    let base = request
        .between
        .as_deref()
        .ok_or(EstimationError::FieldNeeded { field: "between", statistic: "contrast" })?;
    let unknown = || EstimationError::UnknownRequest { id: base.into() };
    let (_, answer) = earlier.iter().find(|(id, _)| *id == base).ok_or_else(unknown)?;
    let covariance = answer.covariance.as_ref().ok_or_else(|| {
        EstimationError::NotOffered(format!("a contrast over `{base}`, whose rows have no covariances,"))
    })?;
    let keys: Vec<String> = answer.rows.iter().map(Row::key).collect();
    let find = |key: &str| {
        keys.iter().position(|k| k == key).ok_or_else(|| EstimationError::UnknownKey {
            id: base.into(),
            key: key.into(),
            keys: keys.join(", "),
        })
    };
    let values: Vec<f64> = answer.rows.iter().map(|r| r.estimate.unwrap_or(f64::NAN)).collect();
    let (value, gradient) = match (&request.weights, &request.expression) {
        (Some(weights), None) => {
            let mut gradient = vec![0.0; keys.len()];
            for (key, weight) in weights {
                gradient[find(key)?] += weight;
            }
            let used = |(g, v): (&f64, &f64)| if *g == 0.0 { 0.0 } else { g * v };
            (gradient.iter().zip(&values).map(used).sum(), gradient)
        }
        (None, Some(text)) => {
            let parsed = Parser::parse(text, &find)?;
            parsed.value_and_gradient(&values)
        }
        _ => {
            return Err(EstimationError::Choice {
                field: "weights",
                value: "both or none of weights and expression".into(),
                offered: "one of the two",
            });
        }
    };
    let variance = quadratic(&gradient, covariance);
    let df = request.df.unwrap_or(answer.df);
    let mut row = Row {
        id: request.id.clone(),
        statistic: "contrast".into(),
        variable: Some("contrast".into()),
        df: df.into(),
        ..Row::default()
    };
    let t = critical(request.level, if request.interval == Interval::Z { f64::INFINITY } else { df });
    set_figures(&mut row, value, variance, Some(t));
    let used: Vec<&Row> =
        gradient.iter().zip(&answer.rows).filter(|(g, _)| **g != 0.0).map(|(_, r)| r).collect();
    row.answered = used.iter().filter_map(|r| r.answered).min();
    row.psus = used.iter().filter_map(|r| r.psus).min();
    if value.is_nan() {
        row.more.insert("reason".into(), Value::from("a row of the contrast does not exist"));
    }
    let covariance = Some(Matrix { rows: 1, columns: 1, values: vec![variance] });
    Ok(Answer { rows: vec![row], covariance, df })
}

fn quadratic(gradient: &[f64], matrix: &Matrix) -> f64 {
    let mut sum = 0.0;
    for (i, a) in gradient.iter().enumerate().filter(|(_, a)| **a != 0.0) {
        for (j, b) in gradient.iter().enumerate().filter(|(_, b)| **b != 0.0) {
            sum += a * matrix.at(i, j) * b;
        }
    }
    sum
}

/// A function of rows, small enough to differentiate by hand.
enum Node {
    Number(f64),
    Row(usize),
    Negate(Box<Node>),
    Binary(char, Box<Node>, Box<Node>),
    Log(Box<Node>),
    Exp(Box<Node>),
    Sqrt(Box<Node>),
}

impl Node {
    fn value_and_gradient(&self, rows: &[f64]) -> (f64, Vec<f64>) {
        let scaled = |gradient: Vec<f64>, factor: f64| -> Vec<f64> {
            gradient.into_iter().map(|g| if g == 0.0 { 0.0 } else { g * factor }).collect()
        };
        let zero = || vec![0.0; rows.len()];
        match self {
            Self::Number(value) => (*value, zero()),
            Self::Row(row) => {
                let mut gradient = zero();
                gradient[*row] = 1.0;
                (rows[*row], gradient)
            }
            Self::Negate(a) => {
                let (value, gradient) = a.value_and_gradient(rows);
                (-value, scaled(gradient, -1.0))
            }
            Self::Log(a) => {
                let (value, gradient) = a.value_and_gradient(rows);
                (value.ln(), scaled(gradient, 1.0 / value))
            }
            Self::Exp(a) => {
                let (value, gradient) = a.value_and_gradient(rows);
                (value.exp(), scaled(gradient, value.exp()))
            }
            Self::Sqrt(a) => {
                let (value, gradient) = a.value_and_gradient(rows);
                (value.sqrt(), scaled(gradient, 0.5 / value.sqrt()))
            }
            Self::Binary(operator, a, b) => {
                let (x, dx) = a.value_and_gradient(rows);
                let (y, dy) = b.value_and_gradient(rows);
                let (value, by_x, by_y) = match operator {
                    '+' => (x + y, 1.0, 1.0),
                    '-' => (x - y, 1.0, -1.0),
                    '*' => (x * y, y, x),
                    '/' => (x / y, 1.0 / y, -x / (y * y)),
                    _ => (x.powf(y), y * x.powf(y - 1.0), x.powf(y) * x.ln()),
                };
                let gradient = scaled(dx, by_x).iter().zip(&scaled(dy, by_y)).map(|(p, q)| p + q).collect();
                (value, gradient)
            }
        }
    }
}

/// Reads `"key" + 2 * log("other key")`: + - * / ^ log exp sqrt, keys in double quotes or bare.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    find: &'a dyn Fn(&str) -> Result<usize, EstimationError>,
}

impl<'a> Parser<'a> {
    fn parse(
        text: &'a str,
        find: &'a dyn Fn(&str) -> Result<usize, EstimationError>,
    ) -> Result<Node, EstimationError> {
        let mut parser = Self { text, at: 0, find };
        let node = parser.sum(0)?;
        match parser.peek() {
            None => Ok(node),
            Some(letter) => Err(parser.wrong(&format!("`{letter}` is not expected"))),
        }
    }

    fn wrong(&self, reason: &str) -> EstimationError {
        EstimationError::Formula {
            formula: self.text.into(),
            reason: format!("{reason} at character {}; use + - * / ^ log exp sqrt and \"keys\"", self.at + 1),
        }
    }

    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, wanted: &[char]) -> Option<char> {
        let letter = self.peek().filter(|l| wanted.contains(l))?;
        self.at += letter.len_utf8();
        Some(letter)
    }

    fn sum(&mut self, depth: usize) -> Result<Node, EstimationError> {
        if depth > 100 {
            return Err(self.wrong("more than 100 brackets are nested"));
        }
        let mut node = self.product(depth)?;
        while let Some(operator) = self.take(&['+', '-']) {
            node = Node::Binary(operator, Box::new(node), Box::new(self.product(depth)?));
        }
        Ok(node)
    }

    fn product(&mut self, depth: usize) -> Result<Node, EstimationError> {
        let mut node = self.unary(depth)?;
        while let Some(operator) = self.take(&['*', '/']) {
            node = Node::Binary(operator, Box::new(node), Box::new(self.unary(depth)?));
        }
        Ok(node)
    }

    fn unary(&mut self, depth: usize) -> Result<Node, EstimationError> {
        if depth > 100 {
            return Err(self.wrong("more than 100 signs are nested"));
        }
        if self.take(&['-']).is_some() {
            return Ok(Node::Negate(Box::new(self.unary(depth + 1)?)));
        }
        let base = self.atom(depth)?;
        match self.take(&['^']) {
            Some(_) => Ok(Node::Binary('^', Box::new(base), Box::new(self.unary(depth + 1)?))),
            None => Ok(base),
        }
    }

    fn atom(&mut self, depth: usize) -> Result<Node, EstimationError> {
        if self.take(&['(']).is_some() {
            return self.closed(depth);
        }
        if let Some(quote) = self.take(&['"', '`']) {
            let rest = &self.text[self.at..];
            let end = rest.find(quote).ok_or_else(|| self.wrong("a quoted key is not closed"))?;
            let key = &rest[..end];
            self.at += end + 1;
            return (self.find)(key).map(Node::Row);
        }
        let rest = &self.text[self.at..];
        let letters = |l: char| l.is_alphanumeric() || l == '_' || l == '.';
        let end = rest.find(|l| !letters(l)).unwrap_or(rest.len());
        let word = &rest[..end];
        if word.is_empty() {
            return Err(self.wrong("a value is missing"));
        }
        if word.starts_with(|l: char| l.is_ascii_digit() || l == '.') {
            // An exponent's sign belongs to the number.
            let mut end = end;
            if word.ends_with(['e', 'E']) && rest[end..].starts_with(['+', '-']) {
                end +=
                    1 + rest[end + 1..].find(|l: char| !l.is_ascii_digit()).unwrap_or(rest.len() - end - 1);
            }
            let number = rest[..end].parse().map_err(|_| self.wrong("a number is malformed"))?;
            self.at += end;
            return Ok(Node::Number(number));
        }
        self.at += end;
        if self.peek() == Some('(') {
            self.at += 1;
            let inner = Box::new(self.closed(depth)?);
            return match word {
                "log" => Ok(Node::Log(inner)),
                "exp" => Ok(Node::Exp(inner)),
                "sqrt" => Ok(Node::Sqrt(inner)),
                _ => Err(self.wrong(&format!("`{word}` is no function here"))),
            };
        }
        (self.find)(word).map(Node::Row)
    }

    fn closed(&mut self, depth: usize) -> Result<Node, EstimationError> {
        let inner = self.sum(depth + 1)?;
        match self.take(&[')']) {
            Some(_) => Ok(inner),
            None => Err(self.wrong("a bracket is not closed")),
        }
    }
}
