//! A text that fits a simple regular expression: classes, groups, alternatives, counts.

use std::iter::Peekable;
use std::str::Chars;

use crate::chance::Chance;

/// Repetition without an upper bound goes on to one of these.
const MOST: std::ops::Range<usize> = 3..16;
const DEEPEST: usize = 20;
/// Counts in counts multiply; a text of more parts is given up.
const MOST_PARTS: usize = 10_000;

/// A random text for the pattern; `None` where it uses what this does not read. The caller tries the
/// text against the pattern all the same.
pub(super) fn example(pattern: &str, chance: &mut Chance) -> Option<String> {
    let most = MOST.start + chance.below(MOST.len());
    let mut reader = Reader { rest: pattern.chars().peekable(), depth: 0, most };
    let tree = reader.alternatives()?;
    if reader.rest.next().is_some() {
        return None;
    }
    let mut text = String::new();
    let mut left = MOST_PARTS;
    write(&tree, chance, &mut text, &mut left);
    (left > 0).then_some(text)
}

enum Part {
    /// Ranges of characters.
    Class(Vec<(char, char)>),
    Group(Vec<Vec<Part>>),
    Times(Box<Part>, usize, usize),
}

fn write(alternatives: &[Vec<Part>], chance: &mut Chance, text: &mut String, left: &mut usize) {
    for part in &alternatives[chance.below(alternatives.len())] {
        write_part(part, chance, text, left);
    }
}

fn write_part(part: &Part, chance: &mut Chance, text: &mut String, left: &mut usize) {
    *left = left.saturating_sub(1);
    if *left == 0 {
        return;
    }
    match part {
        Part::Class(ranges) => {
            let (from, to) = ranges[chance.below(ranges.len())];
            let span = (u32::from(to) - u32::from(from)) as usize + 1;
            let code = u32::from(from) + chance.below(span) as u32;
            text.push(char::from_u32(code).unwrap_or(from));
        }
        Part::Group(alternatives) => write(alternatives, chance, text, left),
        Part::Times(inner, fewest, most) => {
            let times = fewest + chance.below(most - fewest + 1);
            for _ in 0..times {
                write_part(inner, chance, text, left);
            }
        }
    }
}

struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
    depth: usize,
    most: usize,
}

impl Reader<'_> {
    fn alternatives(&mut self) -> Option<Vec<Vec<Part>>> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut all = vec![Vec::new()];
        while let Some(&c) = self.rest.peek() {
            match c {
                ')' => break,
                '|' => {
                    self.rest.next();
                    all.push(Vec::new());
                    continue;
                }
                '^' | '$' => {
                    self.rest.next();
                    continue;
                }
                _ => {}
            }
            let atom = self.atom()?;
            let part = self.times(atom)?;
            all.last_mut()?.push(part);
        }
        self.depth -= 1;
        Some(all)
    }

    fn atom(&mut self) -> Option<Part> {
        Some(match self.rest.next()? {
            '(' => {
                if self.rest.peek() == Some(&'?') {
                    self.rest.next();
                    if self.rest.next()? != ':' {
                        return None;
                    }
                }
                let inner = self.alternatives()?;
                if self.rest.next()? != ')' {
                    return None;
                }
                Part::Group(inner)
            }
            '[' => Part::Class(self.class()?),
            '.' => Part::Class(vec![('a', 'z')]),
            '\\' => Part::Class(escaped(self.rest.next()?)?),
            '*' | '+' | '?' | '{' => return None,
            c => Part::Class(vec![(c, c)]),
        })
    }

    fn class(&mut self) -> Option<Vec<(char, char)>> {
        let mut ranges = Vec::new();
        if self.rest.peek() == Some(&'^') {
            return None;
        }
        loop {
            match self.rest.next()? {
                ']' => break,
                '\\' => ranges.extend(escaped(self.rest.next()?)?),
                from => {
                    if self.rest.peek() == Some(&'-') {
                        self.rest.next();
                        match self.rest.next()? {
                            ']' => {
                                ranges.extend([(from, from), ('-', '-')]);
                                break;
                            }
                            to if to >= from => ranges.push((from, to)),
                            _ => return None,
                        }
                    } else {
                        ranges.push((from, from));
                    }
                }
            }
        }
        (!ranges.is_empty()).then_some(ranges)
    }

    fn times(&mut self, part: Part) -> Option<Part> {
        let (fewest, most) = match self.rest.peek() {
            Some('*') => (0, self.most),
            Some('+') => (1, self.most),
            Some('?') => (0, 1),
            Some('{') => {
                self.rest.next();
                let mut text = String::new();
                loop {
                    match self.rest.next()? {
                        '}' => break,
                        c => text.push(c),
                    }
                }
                let (low, high) = text.split_once(',').map_or((text.as_str(), None), |(l, h)| (l, Some(h)));
                let low: usize = low.trim().parse().ok()?;
                let high = match high.map(str::trim) {
                    None => low,
                    Some("") => low + self.most,
                    Some(high) => high.parse().ok()?,
                };
                return (low <= high && high <= 1_000).then(|| Part::Times(Box::new(part), low, high));
            }
            _ => return Some(part),
        };
        self.rest.next();
        Some(Part::Times(Box::new(part), fewest, most))
    }
}

fn escaped(c: char) -> Option<Vec<(char, char)>> {
    match c {
        'd' => Some(vec![('0', '9')]),
        'w' => Some(vec![('a', 'z'), ('A', 'Z'), ('0', '9')]),
        's' => Some(vec![(' ', ' ')]),
        c if c.is_ascii_alphanumeric() => None,
        c => Some(vec![(c, c)]),
    }
}
