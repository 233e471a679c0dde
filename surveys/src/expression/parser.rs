//! Builds the syntax tree: recursive descent over XPath 1.0's grammar, as far as forms use it.

use super::ParseError;
use super::function::Function;
use super::lexer::{Spanned, Token, tokens};
use super::syntax::{Axis, Expr, Operator, Path, Start, Step, Test};

/// Deep enough for any form, shallow enough for any stack.
const DEEPEST: usize = 200;
/// Most operators of one expression: each is a level of its tree, which is walked to the bottom.
const LONGEST: usize = 2_000;

pub(super) fn parse(source: &str) -> Result<Expr, ParseError> {
    let tokens = tokens(source)?;
    let mut parser = Parser { source, tokens, next: 0, depth: 0, operators: 0 };
    if parser.tokens.is_empty() {
        return Err(parser.fail("the expression is empty"));
    }
    let expr = parser.binary(0)?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => {
            let message = format!("{} is not expected here", describe(token));
            Err(parser.fail(&message))
        }
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Spanned>,
    next: usize,
    depth: usize,
    operators: usize,
}

/// Loosest first; operators of one row associate to the left.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("or", Operator::Or)],
    &[("and", Operator::And)],
    &[("=", Operator::Equal), ("!=", Operator::NotEqual)],
    &[
        ("<", Operator::Less),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        (">=", Operator::GreaterOrEqual),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("div", Operator::Divide), ("mod", Operator::Remainder)],
];

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|spanned| &spanned.token)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.next + ahead).map(|spanned| &spanned.token)
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Mark(m)) if *m == mark);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<(), ParseError> {
        if self.take(mark) {
            return Ok(());
        }
        let message = match self.peek() {
            Some(token) => format!("`{mark}` is missing before {}", describe(token)),
            None => format!("`{mark}` is missing at the end"),
        };
        Err(self.fail(&message))
    }

    fn fail(&self, message: &str) -> ParseError {
        let at =
            self.tokens.get(self.next).map_or_else(|| self.source.chars().count() + 1, |spanned| spanned.at);
        ParseError { source_text: self.source.to_owned(), at, message: message.to_owned() }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.fail("the expression is nested too deeply; split it over several calculations"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn binary(&mut self, level: usize) -> Result<Expr, ParseError> {
        if level == 0 {
            return self.deeper(|parser| parser.binary_row(0));
        }
        self.binary_row(level)
    }

    fn binary_row(&mut self, level: usize) -> Result<Expr, ParseError> {
        let Some(row) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let operator = match self.peek() {
                Some(Token::Mark(mark) | Token::Word(mark)) => row.iter().find(|(word, _)| word == mark),
                _ => None,
            };
            let Some((_, operator)) = operator else { return Ok(left) };
            self.one_operator_more()?;
            self.next += 1;
            let right = self.binary(level + 1)?;
            left = Expr::Binary(*operator, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Result<Expr, ParseError> {
        if self.take("-") {
            let inner = self.deeper(Self::unary)?;
            return Ok(Expr::Negate(Box::new(inner)));
        }
        let mut left = self.path()?;
        while self.take("|") {
            self.one_operator_more()?;
            let right = self.path()?;
            left = Expr::Binary(Operator::Union, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn one_operator_more(&mut self) -> Result<(), ParseError> {
        self.operators += 1;
        if self.operators <= LONGEST {
            return Ok(());
        }
        Err(self.fail("the expression is too long; split it over several calculations"))
    }

    /// A location path, or a primary expression with filters and further steps.
    fn path(&mut self) -> Result<Expr, ParseError> {
        if matches!(self.peek(), Some(Token::Mark("/" | "//"))) {
            let mut steps = Vec::new();
            if self.take("/") {
                if self.starts_step() {
                    steps.push(self.step()?);
                }
            } else {
                self.next += 1;
                steps.push(Step::new(Axis::DescendantOrSelf, Test::Any));
                steps.push(self.step()?);
            }
            self.more_steps(&mut steps)?;
            return Ok(Expr::Path(Path { start: Start::Root, steps }));
        }
        if self.starts_step() {
            let mut steps = vec![self.step()?];
            self.more_steps(&mut steps)?;
            return Ok(Expr::Path(Path::relative(steps)));
        }
        let base = self.primary()?;
        let predicates = self.predicates()?;
        let mut steps = Vec::new();
        self.more_steps(&mut steps)?;
        if predicates.is_empty() && steps.is_empty() {
            return Ok(base);
        }
        Ok(Expr::Path(Path { start: Start::Expr(Box::new(base), predicates), steps }))
    }

    fn more_steps(&mut self, steps: &mut Vec<Step>) -> Result<(), ParseError> {
        loop {
            if self.take("//") {
                steps.push(Step::new(Axis::DescendantOrSelf, Test::Any));
            } else if !self.take("/") {
                return Ok(());
            }
            steps.push(self.step()?);
        }
    }

    fn starts_step(&self) -> bool {
        match self.peek() {
            Some(Token::Mark("." | ".." | "@" | "*")) => true,
            Some(Token::Name(name)) => match self.peek_at(1) {
                Some(Token::Mark("(")) => matches!(name.as_str(), "node" | "text"),
                _ => true,
            },
            _ => false,
        }
    }

    fn step(&mut self) -> Result<Step, ParseError> {
        if self.take(".") {
            let predicates = self.predicates()?;
            return Ok(Step { axis: Axis::Itself, test: Test::Any, predicates });
        }
        if self.take("..") {
            let predicates = self.predicates()?;
            return Ok(Step { axis: Axis::Parent, test: Test::Any, predicates });
        }
        let mut axis = Axis::Child;
        if self.take("@") {
            axis = Axis::Attribute;
        } else if let (Some(Token::Name(name)), Some(Token::Mark("::"))) = (self.peek(), self.peek_at(1)) {
            axis = match name.as_str() {
                "child" => Axis::Child,
                "parent" => Axis::Parent,
                "self" => Axis::Itself,
                "attribute" => Axis::Attribute,
                "descendant-or-self" => Axis::DescendantOrSelf,
                other => {
                    let message = format!("the axis `{other}::` is not part of the form language");
                    return Err(self.fail(&message));
                }
            };
            self.next += 2;
        }
        let test = match self.peek() {
            Some(Token::Mark("*")) => {
                self.next += 1;
                Test::Any
            }
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.next += 1;
                if matches!(name.as_str(), "node" | "text") && self.take("(") {
                    self.expect(")")?;
                    Test::Any
                } else {
                    Test::Name(name.strip_prefix("jr:").unwrap_or(&name).to_owned())
                }
            }
            Some(token) => {
                let message = format!("a name is missing before {}", describe(token));
                return Err(self.fail(&message));
            }
            None => return Err(self.fail("a name is missing at the end")),
        };
        let predicates = self.predicates()?;
        Ok(Step { axis, test, predicates })
    }

    fn predicates(&mut self) -> Result<Vec<Expr>, ParseError> {
        let mut found = Vec::new();
        while self.take("[") {
            found.push(self.binary(0)?);
            self.expect("]")?;
        }
        Ok(found)
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        let Some(token) = self.peek().cloned() else {
            return Err(self.fail("the expression ends where a value is due"));
        };
        match token {
            Token::Number(number) => {
                self.next += 1;
                Ok(Expr::Number(number))
            }
            Token::Text(text) => {
                self.next += 1;
                Ok(Expr::Text(text))
            }
            Token::Question(name) => {
                self.next += 1;
                Ok(Expr::Question(name))
            }
            Token::Mark("(") => {
                self.next += 1;
                let inner = self.binary(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Name(name) => self.call(&name),
            other => Err(self.fail(&format!("a value is missing before {}", describe(&other)))),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expr, ParseError> {
        let Some(function) = Function::named(name) else {
            let near = Function::names().min_by_key(|known| distance(known, name));
            let hint = near
                .filter(|known| distance(known, name) <= 3)
                .map_or_else(String::new, |known| format!("; did you mean `{known}()`?"));
            return Err(self.fail(&format!("`{name}()` is not a function of the form language{hint}")));
        };
        let start = self.next;
        self.next += 1;
        self.expect("(")?;
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.binary(0)?);
                if self.take(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        let (fewest, most) = function.arity();
        let odd_pairs = match function {
            Function::WeightedChecklist => arguments.len() % 2 == 1,
            Function::IndexedRepeat => arguments.len().is_multiple_of(2),
            _ => false,
        };
        if arguments.len() < fewest || arguments.len() > most || odd_pairs {
            self.next = start;
            let due = match (fewest, most) {
                _ if odd_pairs => "arguments in pairs after the first ones".to_owned(),
                (a, b) if a == b => format!("{a}"),
                (a, usize::MAX) => format!("at least {a}"),
                (a, b) => format!("{a} to {b}"),
            };
            let got = arguments.len();
            return Err(self.fail(&format!("`{name}()` takes {due} arguments, not {got}")));
        }
        Ok(Expr::Call(function, arguments))
    }
}

fn describe(token: &Token) -> String {
    match token {
        Token::Number(number) => format!("`{number}`"),
        Token::Text(text) => format!("'{text}'"),
        Token::Name(name) => format!("`{name}`"),
        Token::Question(name) => format!("`${{{name}}}`"),
        Token::Mark(mark) | Token::Word(mark) => format!("`{mark}`"),
    }
}

/// Levenshtein distance, for suggestions.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
