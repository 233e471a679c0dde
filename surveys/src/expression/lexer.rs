//! Splits the text of an expression into tokens.

use super::ParseError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    /// A name without its prefix. `jr:choice-name` keeps it, since functions are told apart by it.
    Name(String),
    /// `${name}`.
    Question(String),
    /// An operator or a punctuation mark.
    Mark(&'static str),
    /// `and`, `or`, `div`, `mod` or `*` where an operator is due.
    Word(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct Spanned {
    pub token: Token,
    /// Position in characters from 1.
    pub at: usize,
}

const MARKS: [&str; 21] = [
    "::", "//", "..", "!=", "<=", ">=", "(", ")", "[", "]", ",", "/", "|", "+", "-", "=", "<", ">", "@", ".",
    "*",
];
const WORDS: [&str; 4] = ["and", "or", "div", "mod"];

/// Tokens in order.
pub(super) fn tokens(source: &str) -> Result<Vec<Spanned>, ParseError> {
    let characters: Vec<char> = source.chars().collect();
    let fail =
        |at: usize, message: String| ParseError { source_text: source.to_owned(), at: at + 1, message };
    let mut found: Vec<Spanned> = Vec::new();
    let mut i = 0;
    while i < characters.len() {
        let c = characters[i];
        if c.is_whitespace() {
            i += 1;
            continue;
        }
        let at = i;
        let next = characters.get(i + 1).copied();
        let token = if c == '"' || c == '\'' {
            let Some(length) = characters[i + 1..].iter().position(|other| *other == c) else {
                return Err(fail(at, format!("the text that {c} opens has no end; close it with {c}")));
            };
            let text = characters[i + 1..i + 1 + length].iter().collect();
            i += length + 2;
            Token::Text(text)
        } else if c.is_ascii_digit() || (c == '.' && next.is_some_and(|n| n.is_ascii_digit())) {
            while i < characters.len() && characters[i].is_ascii_digit() {
                i += 1;
            }
            if i < characters.len() && characters[i] == '.' {
                i += 1;
                while i < characters.len() && characters[i].is_ascii_digit() {
                    i += 1;
                }
            }
            let text: String = characters[at..i].iter().collect();
            // An overlong run of digits is a large number, not an error.
            Token::Number(text.parse().unwrap_or(f64::NAN))
        } else if c == '$' && next == Some('{') {
            let Some(length) = characters[i + 2..].iter().position(|other| *other == '}') else {
                return Err(fail(at, "`${` has no closing `}`".to_owned()));
            };
            let name: String = characters[i + 2..i + 2 + length].iter().collect();
            i += length + 3;
            let name = name.trim().to_owned();
            if name.is_empty() {
                return Err(fail(at, "`${}` names no question".to_owned()));
            }
            Token::Question(name)
        } else if is_name_start(c) {
            i = name_end(&characters, i);
            let word: String = characters[at..i].iter().collect();
            // `a:b` is a prefixed name, `a::b` an axis.
            let colon =
                characters.get(i) == Some(&':') && characters.get(i + 1).is_some_and(|n| is_name_start(*n));
            if colon {
                let local = i + 1;
                i = name_end(&characters, local);
                let local: String = characters[local..i].iter().collect();
                Token::Name(if word == "jr" { format!("jr:{local}") } else { local })
            } else if let Some(operator) = WORDS.iter().find(|w| **w == word)
                && operator_is_due(found.last())
            {
                Token::Word(operator)
            } else {
                Token::Name(word)
            }
        } else if let Some(mark) =
            MARKS.iter().find(|mark| mark.chars().enumerate().all(|(k, m)| characters.get(i + k) == Some(&m)))
        {
            i += mark.len();
            if *mark == "*" && operator_is_due(found.last()) { Token::Word("*") } else { Token::Mark(mark) }
        } else {
            return Err(fail(at, format!("`{c}` has no meaning here")));
        };
        found.push(Spanned { token, at: at + 1 });
    }
    Ok(found)
}

/// XPath 1.0, section 3.7: after a complete operand a name or `*` is an operator.
fn operator_is_due(before: Option<&Spanned>) -> bool {
    match before.map(|spanned| &spanned.token) {
        None | Some(Token::Word(_)) => false,
        Some(Token::Mark(mark)) => matches!(*mark, ")" | "]" | "." | ".." | "*"),
        Some(_) => true,
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn name_end(characters: &[char], mut i: usize) -> usize {
    while i < characters.len()
        && (characters[i].is_alphanumeric()
            || matches!(characters[i], '_' | '-' | '.' | '\u{b7}')
            || matches!(characters[i], '\u{300}'..='\u{36f}'))
    {
        i += 1;
    }
    i
}
