//! Texts cut to what a format holds, never inside a letter.

use surveys::codebook::Text;

/// The text in `language`, else in the first one, else `otherwise`.
pub(super) fn said<'a>(text: &'a Text, language: &str, otherwise: &'a str) -> &'a str {
    text.get(language)
        .or_else(|| text.values().next())
        .map(String::as_str)
        .filter(|text| !text.is_empty())
        .unwrap_or(otherwise)
}

/// The text on one line: line breaks and tabs become spaces.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most `bytes` bytes of UTF-8; a cut text ends in `…`.
pub(super) fn cut_bytes(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let room = bytes.saturating_sub('…'.len_utf8());
    let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text[..end].trim_end())
}

/// At most `letters` code points; a cut text ends in `…`.
pub(super) fn cut_letters(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let cut: String = text.chars().take(letters.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// Lines of at most `bytes` bytes, broken at spaces where there are any.
pub(super) fn wrapped(text: &str, bytes: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest = word;
        while let Some(line) = lines.last_mut() {
            let gap = usize::from(!line.is_empty());
            if line.len() + gap + rest.len() <= bytes {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(rest);
                break;
            }
            if line.is_empty() {
                // One word that is longer than a line.
                let end = (1..=bytes).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
                line.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            lines.push(String::new());
        }
    }
    lines
}
