//! Numbers as Vietnamese readers write them: decimal comma, dot between thousands.

/// `value` with `digits` decimals: `1.234,5`; never `-0`.
pub fn decimal(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let plain = format!("{:.digits$}", value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let is_zero = plain.bytes().all(|b| b == b'0' || b == b'.');
    let mut text = String::new();
    if value < 0.0 && !is_zero {
        text.push('−');
    }
    text.push_str(&grouped(whole));
    if !fraction.is_empty() {
        text.push(',');
        text.push_str(fraction);
    }
    text
}

/// A count: `854.679`.
pub fn whole(value: u64) -> String {
    grouped(&value.to_string())
}

/// A share 0–1 in per cent: `34,2%`, or `34%` without decimals.
pub fn percent(share: f64, digits: usize) -> String {
    decimal(share * 100.0, digits) + "%"
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('.');
        }
        text.push(d);
    }
    text
}
