//! Model formulas in R's notation: `y ~ a + b:c + factor(d) + I(e == 1) + offset(log(f))`.
//!
//! Terms are ordered and named as R does; arithmetic inside `I()` is handed to the SQL engine.

use std::collections::HashSet;

use super::EstimationError;
use crate::sql::Expression;
use crate::table::{Column, MISSING, Table};

/// A formula read, not yet tied to data.
#[derive(Clone, Debug)]
pub(crate) struct Formula {
    pub text: String,
    pub response: Atom,
    pub intercept: bool,
    /// Each term is a list of places in `atoms`.
    pub terms: Vec<Vec<usize>>,
    pub atoms: Vec<Atom>,
    pub offsets: Vec<Atom>,
}

/// A variable of a formula.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Atom {
    /// R's name of it.
    pub name: String,
    sql: String,
    /// `factor(x)`: one level a value.
    factor: bool,
    /// A condition: R codes it as a factor FALSE, TRUE.
    logical: bool,
}

/// The columns of a regression.
pub(crate) struct ModelMatrix {
    pub names: Vec<String>,
    pub columns: Vec<Vec<f64>>,
    pub response: Vec<f64>,
    pub offset: Vec<f64>,
    /// Rows without a missing value.
    pub complete: Vec<bool>,
}

/// Values of an atom on the rows.
enum Values {
    Number(Vec<f64>),
    Factor { codes: Vec<u32>, levels: Vec<String> },
}

impl Formula {
    pub fn parse(text: &str) -> Result<Self, EstimationError> {
        let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0 };
        let response = parser.atom()?;
        parser.expect("~")?;
        let mut formula = Self {
            text: text.into(),
            response,
            intercept: true,
            terms: Vec::new(),
            atoms: Vec::new(),
            offsets: Vec::new(),
        };
        let terms = parser.terms(&mut formula)?;
        if let Some(token) = parser.peek() {
            return Err(parser.wrong(format!("`{}` is not expected", token.text())));
        }
        formula.terms = terms;
        // R puts lower orders first and keeps the order of writing otherwise.
        formula.terms.sort_by_key(Vec::len);
        Ok(formula)
    }

    /// The table's columns that the formula reads, the response's first.
    pub fn columns(&self) -> Result<Vec<String>, EstimationError> {
        let mut names: Vec<String> = Vec::new();
        for atom in std::iter::once(&self.response).chain(&self.atoms).chain(&self.offsets) {
            let expression = Expression::parse(&atom.sql)?;
            for name in expression.columns() {
                if !names.iter().any(|n| n == name) {
                    names.push(name.to_owned());
                }
            }
        }
        Ok(names)
    }

    /// The columns on the rows that are marked; levels without such rows are left out.
    pub fn matrix(&self, table: &Table, rows: &[bool]) -> Result<ModelMatrix, EstimationError> {
        let height = table.height();
        let mut complete = rows.to_vec();
        let mut read: Vec<Values> = Vec::with_capacity(self.atoms.len());
        for atom in &self.atoms {
            let values = atom.values(table)?;
            values.mark(&mut complete);
            read.push(values);
        }
        let response = match self.response.values(table)? {
            Values::Number(values) => values,
            Values::Factor { codes, levels } if levels.len() == 2 => {
                codes.iter().map(|c| if *c == MISSING { f64::NAN } else { f64::from(*c) }).collect()
            }
            Values::Factor { levels, .. } => {
                return Err(EstimationError::Formula {
                    formula: self.text.clone(),
                    reason: format!(
                        "the outcome `{}` has {} levels; two or a number are needed",
                        self.response.name,
                        levels.len()
                    ),
                });
            }
        };
        Values::Number(response.clone()).mark(&mut complete);
        let mut offset = vec![0.0; height];
        for atom in &self.offsets {
            let Values::Number(values) = atom.values(table)? else {
                return Err(EstimationError::Formula {
                    formula: self.text.clone(),
                    reason: format!("the offset `{}` is no number", atom.name),
                });
            };
            offset.iter_mut().zip(&values).for_each(|(o, v)| *o += v);
        }
        Values::Number(offset.clone()).mark(&mut complete);
        for values in &mut read {
            values.drop_unused(&complete);
        }
        let mut names = Vec::new();
        let mut columns: Vec<Vec<f64>> = Vec::new();
        if self.intercept {
            names.push("(Intercept)".to_owned());
            columns.push(vec![1.0; height]);
        }
        let present: HashSet<Vec<usize>> = self.terms.iter().map(|t| sorted(t)).collect();
        for term in &self.terms {
            let mut parts: Vec<(String, Vec<f64>)> = vec![(String::new(), vec![1.0; height])];
            for (i, atom) in term.iter().enumerate() {
                // A factor is coded by contrasts when the term without it is in the model too.
                let without: Vec<usize> = term.iter().copied().filter(|a| a != atom).collect();
                let contrasts = match without.is_empty() {
                    true => self.intercept || self.earlier_factor(term, &read),
                    false => present.contains(&sorted(&without)),
                };
                let own = read[*atom].columns(&self.atoms[*atom].name, contrasts);
                let joint = if i == 0 { "" } else { ":" };
                // The first variable's levels vary fastest.
                parts = own
                    .iter()
                    .flat_map(|(name, values)| {
                        parts.iter().map(move |(before, product)| {
                            let product = product.iter().zip(values).map(|(a, b)| a * b).collect();
                            (format!("{before}{joint}{name}"), product)
                        })
                    })
                    .collect();
            }
            for (name, values) in parts {
                names.push(name);
                columns.push(values);
            }
        }
        if columns.is_empty() {
            return Err(EstimationError::Formula {
                formula: self.text.clone(),
                reason: "no term is left".into(),
            });
        }
        Ok(ModelMatrix { names, columns, response, offset, complete })
    }

    /// Without an intercept the first factor keeps all its levels, later ones do not.
    fn earlier_factor(&self, term: &[usize], read: &[Values]) -> bool {
        self.terms
            .iter()
            .take_while(|t| t.as_slice() != term)
            .any(|t| t.len() == 1 && matches!(read[t[0]], Values::Factor { .. }))
    }
}

fn sorted(term: &[usize]) -> Vec<usize> {
    let mut term = term.to_vec();
    term.sort_unstable();
    term
}

impl Atom {
    fn values(&self, table: &Table) -> Result<Values, EstimationError> {
        let column = Expression::parse(&self.sql)?.column(table)?;
        Ok(match column {
            Column::Number(values) if self.logical => Values::Factor {
                codes: values.iter().map(|v| if v.is_nan() { MISSING } else { *v as u32 }).collect(),
                levels: vec!["FALSE".into(), "TRUE".into()],
            },
            Column::Number(values) if !self.factor => Values::Number(values),
            column => {
                let (codes, levels) = column.categories();
                let (mut codes, mut levels) = (codes.into_owned(), levels.into_owned());
                if let (true, Column::Number(_)) = (self.factor, &column) {
                    // R orders the levels of a number by size, not by text.
                    let mut order: Vec<usize> = (0..levels.len()).collect();
                    let size = |i: &usize| levels[*i].parse::<f64>().unwrap_or(f64::NAN);
                    order.sort_by(|a, b| size(a).total_cmp(&size(b)));
                    let mut rank = vec![0_u32; order.len()];
                    order.iter().enumerate().for_each(|(to, from)| rank[*from] = to as u32);
                    codes.iter_mut().filter(|c| **c != MISSING).for_each(|c| *c = rank[*c as usize]);
                    levels = order.iter().map(|i| levels[*i].clone()).collect();
                }
                Values::Factor { codes, levels }
            }
        })
    }
}

impl Values {
    fn mark(&self, complete: &mut [bool]) {
        match self {
            Self::Number(values) => complete.iter_mut().zip(values).for_each(|(c, v)| *c &= !v.is_nan()),
            Self::Factor { codes, .. } => {
                complete.iter_mut().zip(codes).for_each(|(c, v)| *c &= *v != MISSING);
            }
        }
    }

    fn drop_unused(&mut self, complete: &[bool]) {
        if let Self::Factor { codes, levels } = self {
            let mut used = vec![false; levels.len()];
            for (code, _) in codes.iter().zip(complete).filter(|(_, c)| **c) {
                used[*code as usize] = true;
            }
            let mut next = 0;
            let place: Vec<u32> = used
                .iter()
                .map(|u| {
                    next += u32::from(*u);
                    if *u { next - 1 } else { MISSING }
                })
                .collect();
            codes.iter_mut().filter(|c| **c != MISSING).for_each(|c| *c = place[*c as usize]);
            let mut used = used.into_iter();
            levels.retain(|_| used.next().unwrap_or(false));
        }
    }

    fn columns(&self, name: &str, contrasts: bool) -> Vec<(String, Vec<f64>)> {
        match self {
            Self::Number(values) => vec![(name.to_owned(), values.clone())],
            Self::Factor { codes, levels } => (usize::from(contrasts)..levels.len())
                .map(|level| {
                    let own = codes.iter().map(|c| f64::from(u8::from(*c as usize == level))).collect();
                    (format!("{name}{}", levels[level]), own)
                })
                .collect(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Number(String),
    Text(String),
    Sign(&'static str),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Name(text) | Self::Number(text) | Self::Text(text) => text,
            Self::Sign(sign) => sign,
        }
    }
}

const SIGNS: [&str; 19] =
    ["==", "!=", "<=", ">=", "~", "+", "-", "*", "/", "^", ":", "(", ")", "<", ">", "&", "|", "!", ","];

fn tokens(text: &str) -> Result<Vec<Token>, EstimationError> {
    let wrong = |reason: String| EstimationError::Formula { formula: text.into(), reason };
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if matches!(first, '"' | '\'' | '`') {
            let end = rest[1..].find(first).ok_or_else(|| wrong("a quotation mark is not closed".into()))?;
            let inside = rest[1..=end].to_owned();
            tokens.push(if first == '`' { Token::Name(inside) } else { Token::Text(inside) });
            end + 2
        } else if first.is_ascii_digit() {
            let end = rest.find(|l: char| !(l.is_ascii_digit() || l == '.')).unwrap_or(rest.len());
            tokens.push(Token::Number(rest[..end].to_owned()));
            end
        } else if first.is_alphabetic() || first == '.' || first == '_' {
            let end =
                rest.find(|l: char| !(l.is_alphanumeric() || l == '.' || l == '_')).unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..end].to_owned()));
            end
        } else {
            let sign = SIGNS
                .iter()
                .find(|s| rest.starts_with(**s))
                .ok_or_else(|| wrong(format!("`{first}` has no meaning here")))?;
            tokens.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// SQL and R's own way of writing it.
struct Written {
    sql: String,
    name: String,
    logical: bool,
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn wrong(&self, reason: impl Into<String>) -> EstimationError {
        EstimationError::Formula { formula: self.text.into(), reason: reason.into() }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        match self.peek() {
            Some(Token::Sign(sign)) if signs.contains(sign) => {
                let sign = *sign;
                self.at += 1;
                Some(sign)
            }
            _ => None,
        }
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), EstimationError> {
        match self.take(&[sign]) {
            Some(_) => Ok(()),
            None => {
                let got = self.peek().map_or("the end", Token::text).to_owned();
                Err(self.wrong(format!("`{sign}` is expected before {got}")))
            }
        }
    }

    /// The nesting of brackets is bounded, so that no text can exhaust the stack.
    fn deeper(&mut self) -> Result<(), EstimationError> {
        self.depth += 1;
        if self.depth > 200 { Err(self.wrong("more than 200 brackets or signs are nested")) } else { Ok(()) }
    }

    /// `a + b - c`: the terms that are left.
    fn terms(&mut self, formula: &mut Formula) -> Result<Vec<Vec<usize>>, EstimationError> {
        let mut terms: Vec<Vec<usize>> = Vec::new();
        let mut sign = self.take(&["+", "-"]).unwrap_or("+");
        loop {
            if let Some(Token::Number(number)) = self.peek() {
                let (zero, one) = (number == "0", number == "1");
                if !zero && !one {
                    return Err(self.wrong("only the numbers 0 and 1 stand alone"));
                }
                self.at += 1;
                formula.intercept = one == (sign == "+");
            } else {
                for term in self.star(formula)? {
                    let same = terms.iter().position(|t| sorted(t) == sorted(&term));
                    match (sign, same) {
                        ("+", None) => terms.push(term),
                        ("-", Some(place)) => {
                            terms.remove(place);
                        }
                        _ => {}
                    }
                }
            }
            match self.take(&["+", "-"]) {
                Some(next) => sign = next,
                None => return Ok(terms),
            }
        }
    }

    fn star(&mut self, formula: &mut Formula) -> Result<Vec<Vec<usize>>, EstimationError> {
        let mut left = self.colon(formula)?;
        while self.take(&["*"]).is_some() {
            let right = self.colon(formula)?;
            let crossed = cross(&left, &right);
            left.extend(right);
            left.extend(crossed);
        }
        Ok(left)
    }

    fn colon(&mut self, formula: &mut Formula) -> Result<Vec<Vec<usize>>, EstimationError> {
        let mut left = self.power(formula)?;
        while self.take(&[":"]).is_some() {
            let right = self.power(formula)?;
            left = cross(&left, &right);
        }
        Ok(left)
    }

    fn power(&mut self, formula: &mut Formula) -> Result<Vec<Vec<usize>>, EstimationError> {
        let base = self.term_atom(formula)?;
        if self.take(&["^"]).is_none() {
            return Ok(base);
        }
        let Some(Token::Number(number)) = self.peek().cloned() else {
            return Err(self.wrong("a whole number is expected after ^"));
        };
        let order: usize = number.parse().map_err(|_| self.wrong("a whole number is expected after ^"))?;
        self.at += 1;
        let mut all = base.clone();
        for _ in 1..order.min(8) {
            for term in cross(&all, &base) {
                if !all.iter().any(|t| sorted(t) == sorted(&term)) {
                    all.push(term);
                }
            }
        }
        Ok(all)
    }

    fn term_atom(&mut self, formula: &mut Formula) -> Result<Vec<Vec<usize>>, EstimationError> {
        if self.take(&["("]).is_some() {
            self.deeper()?;
            let inner = self.terms(formula)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let is_offset = matches!(self.peek(), Some(Token::Name(n)) if n == "offset")
            && self.tokens.get(self.at + 1) == Some(&Token::Sign("("));
        if is_offset {
            self.at += 2;
            let written = self.condition()?;
            self.expect(")")?;
            let atom = Atom { name: written.name, sql: written.sql, factor: false, logical: false };
            formula.offsets.push(atom);
            return Ok(Vec::new());
        }
        let atom = self.atom()?;
        let place = match formula.atoms.iter().position(|a| *a == atom) {
            Some(place) => place,
            None => {
                formula.atoms.push(atom);
                formula.atoms.len() - 1
            }
        };
        Ok(vec![vec![place]])
    }

    /// A column, `factor(x)`, `I(…)` or a function of columns.
    fn atom(&mut self) -> Result<Atom, EstimationError> {
        let Some(Token::Name(name)) = self.peek().cloned() else {
            let got = self.peek().map_or("the end", Token::text).to_owned();
            return Err(self.wrong(format!("a column is expected at {got}")));
        };
        let opens = self.tokens.get(self.at + 1) == Some(&Token::Sign("("));
        if opens && matches!(name.as_str(), "factor" | "I") {
            self.at += 2;
            let written = self.condition()?;
            self.expect(")")?;
            let factor = name == "factor";
            return Ok(Atom {
                name: format!("{name}({})", written.name),
                sql: written.sql,
                factor,
                logical: written.logical && !factor,
            });
        }
        let written = self.value()?;
        Ok(Atom { name: written.name, sql: written.sql, factor: false, logical: written.logical })
    }

    /// `a & b | c` of comparisons.
    fn condition(&mut self) -> Result<Written, EstimationError> {
        let mut left = self.comparison()?;
        while let Some(sign) = self.take(&["&", "|"]) {
            let right = self.comparison()?;
            let word = if sign == "&" { "AND" } else { "OR" };
            left = Written {
                sql: format!("({} {word} {})", left.sql, right.sql),
                name: format!("{} {sign} {}", left.name, right.name),
                logical: true,
            };
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Written, EstimationError> {
        if self.take(&["!"]).is_some() {
            self.deeper()?;
            let inner = self.comparison()?;
            return Ok(Written {
                sql: format!("(NOT {})", inner.sql),
                name: format!("!{}", inner.name),
                logical: true,
            });
        }
        let left = self.sum()?;
        let Some(sign) = self.take(&["==", "!=", "<=", ">=", "<", ">"]) else { return Ok(left) };
        let right = self.sum()?;
        let operator = match sign {
            "==" => "=",
            "!=" => "<>",
            other => other,
        };
        Ok(Written {
            sql: format!("({} {operator} {})", left.sql, right.sql),
            name: format!("{} {sign} {}", left.name, right.name),
            logical: true,
        })
    }

    fn sum(&mut self) -> Result<Written, EstimationError> {
        let mut left = self.product()?;
        while let Some(sign) = self.take(&["+", "-"]) {
            let right = self.product()?;
            left = Written {
                sql: format!("({} {sign} {})", left.sql, right.sql),
                name: format!("{} {sign} {}", left.name, right.name),
                logical: false,
            };
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Written, EstimationError> {
        let mut left = self.raised()?;
        while let Some(sign) = self.take(&["*", "/"]) {
            let right = self.raised()?;
            let name = match sign {
                "/" => format!("{}/{}", left.name, right.name),
                _ => format!("{} {sign} {}", left.name, right.name),
            };
            left = Written { sql: format!("({} {sign} {})", left.sql, right.sql), name, logical: false };
        }
        Ok(left)
    }

    fn raised(&mut self) -> Result<Written, EstimationError> {
        if self.take(&["-"]).is_some() {
            self.deeper()?;
            let inner = self.raised()?;
            return Ok(Written {
                sql: format!("(- {})", inner.sql),
                name: format!("-{}", inner.name),
                logical: false,
            });
        }
        let base = self.value()?;
        if self.take(&["^"]).is_none() {
            return Ok(base);
        }
        self.deeper()?;
        let exponent = self.raised()?;
        Ok(Written {
            sql: format!("POWER({}, {})", base.sql, exponent.sql),
            name: format!("{}^{}", base.name, exponent.name),
            logical: false,
        })
    }

    fn value(&mut self) -> Result<Written, EstimationError> {
        if self.take(&["("]).is_some() {
            self.deeper()?;
            let inner = self.condition()?;
            self.expect(")")?;
            return Ok(Written { name: format!("({})", inner.name), ..inner });
        }
        let token = self.peek().cloned().ok_or_else(|| self.wrong("it ends too early"))?;
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Written { sql: number.clone(), name: number, logical: false }),
            Token::Text(text) => Ok(Written {
                sql: format!("'{}'", text.replace('\'', "''")),
                name: format!("\"{text}\""),
                logical: false,
            }),
            Token::Name(name) if self.peek() == Some(&Token::Sign("(")) => {
                let function = match name.as_str() {
                    "log" => "LN",
                    "exp" => "EXP",
                    "sqrt" => "SQRT",
                    "abs" => "ABS",
                    _ => {
                        return Err(self.wrong(format!(
                            "`{name}()` is not offered; use factor I log exp sqrt abs offset"
                        )));
                    }
                };
                self.at += 1;
                self.deeper()?;
                let inner = self.condition()?;
                self.expect(")")?;
                Ok(Written {
                    sql: format!("{function}({})", inner.sql),
                    name: format!("{name}({})", inner.name),
                    logical: false,
                })
            }
            Token::Name(name) => {
                Ok(Written { sql: format!("\"{}\"", name.replace('"', "\"\"")), name, logical: false })
            }
            Token::Sign(sign) => Err(self.wrong(format!("a value is expected at `{sign}`"))),
        }
    }
}

fn cross(left: &[Vec<usize>], right: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut crossed = Vec::new();
    for a in left {
        for b in right {
            let mut term = a.clone();
            b.iter().for_each(|atom| {
                if !term.contains(atom) {
                    term.push(*atom);
                }
            });
            crossed.push(term);
        }
    }
    crossed
}
