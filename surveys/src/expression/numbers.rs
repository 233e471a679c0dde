//! Numbers to text and back, as the two engines do it.

/// Text of a number without an exponent, as XPath 1.0 has it: `25000000000`, `0.5`, `NaN`.
pub fn plain_number(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if number == 0.0 {
        "0".to_owned()
    } else {
        format!("{number}")
    }
}

/// Text of a number as JavaRosa writes it: whole numbers below 2³¹ plain, others as Java's
/// `Double.toString` (`2.5E10`, `1.0E-4`).
pub fn java_number(number: f64) -> String {
    if number.is_nan() || number.is_infinite() {
        return plain_number(number);
    }
    if number.abs() < 1.0e-12 {
        return "0".to_owned();
    }
    // Java's cast to int saturates.
    let whole = f64::from(number as i32);
    if (number - whole).abs() < 1.0e-12 {
        return format!("{whole}");
    }
    let size = number.abs();
    if (1.0e-3..1.0e7).contains(&size) {
        let text = format!("{number}");
        return if text.contains('.') { text } else { format!("{text}.0") };
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => text,
    }
}

/// Text of a number as JavaRosa stores it in a node: whole numbers of 64 bits plain, others as
/// [`java_number`].
pub(super) fn java_stored(number: f64) -> String {
    // Java's cast to long saturates.
    let whole = number as i64;
    if (number - whole as f64).abs() < 1.0e-9 { whole.to_string() } else { java_number(number) }
}

/// XPath's text to number: optional minus, digits, one point; no exponent, no plus.
pub(super) fn from_text(text: &str) -> f64 {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let fits = digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.bytes().filter(|b| *b == b'.').count() <= 1;
    if fits { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

/// Half towards plus infinity, at `digits` decimals, on the number's shortest decimal text: 1.255
/// gives 1.26, −1.5 gives −1, as in JavaRosa and (for whole numbers) XPath 1.0.
pub(super) fn round(number: f64, digits: i32) -> f64 {
    if number.is_nan() || number.is_infinite() {
        return number;
    }
    if !(-30..=30).contains(&digits) {
        return f64::NAN;
    }
    if digits < 0 {
        let unit = 10_f64.powi(-digits);
        return (number / unit + 0.5).floor() * unit;
    }
    let text = format!("{}", number.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let keep = digits as usize;
    if fraction.len() <= keep {
        return number;
    }
    let (kept, rest) = fraction.split_at(keep);
    let mut scaled: Vec<u8> = whole.bytes().chain(kept.bytes()).collect();
    // A tie goes up, which for a negative number is towards zero.
    let tie = rest.starts_with('5') && rest[1..].bytes().all(|b| b == b'0');
    let up = rest.as_bytes()[0] >= b'5' && !(tie && number < 0.0);
    if up {
        let mut i = scaled.len();
        loop {
            if i == 0 {
                scaled.insert(0, b'1');
                break;
            }
            i -= 1;
            if scaled[i] == b'9' {
                scaled[i] = b'0';
            } else {
                scaled[i] += 1;
                break;
            }
        }
    }
    let point = scaled.len() - keep;
    let mut text = String::from(if number < 0.0 { "-" } else { "" });
    for (i, digit) in scaled.iter().enumerate() {
        if i == point {
            text.push('.');
        }
        text.push(char::from(*digit));
    }
    let rounded: f64 = text.parse().unwrap_or(f64::NAN);
    if rounded == 0.0 { 0.0 } else { rounded }
}
