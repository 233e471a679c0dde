//! Every dependency's licence is known and fits `MIT OR Apache-2.0`.

use std::process::Command;

/// Licences that may be linked into a program under MIT OR Apache-2.0 and given to a province.
const FITTING: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OFL-1.1",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression can be met with fitting licences: `OR` needs one side, `AND` both.
fn fits(expression: &str) -> bool {
    let expression = expression.trim();
    if let Some((left, right)) = split_outside(expression, " AND ") {
        return fits(left) && fits(right);
    }
    if let Some((left, right)) = split_outside(expression, " OR ").or_else(|| expression.split_once('/')) {
        return fits(left) || fits(right);
    }
    match expression.strip_prefix('(').and_then(|e| e.strip_suffix(')')) {
        Some(inside) => fits(inside),
        None => FITTING.contains(&expression),
    }
}

/// Splits at the first separator that stands outside brackets.
fn split_outside<'a>(expression: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let mut depth = 0;
    for (i, c) in expression.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && expression[i..].starts_with(separator) => {
                return Some((&expression[..i], &expression[i + separator.len()..]));
            }
            _ => {}
        }
    }
    None
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    assert!(fits("MIT OR GPL-3.0-only"));
    assert!(!fits("MIT AND GPL-3.0-only"));
    assert!(fits("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(fits("Unlicense/MIT"));
    assert!(!fits("GPL-3.0-or-later"));
    assert!(!fits(""));
}

#[test]
fn every_dependency_has_a_fitting_licence() {
    // Of this machine's platform: what other platforms need is neither linked nor downloaded here.
    let version = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages are listed");
    assert!(packages.len() > 100, "only {} packages are listed", packages.len());
    let strangers: Vec<String> = packages
        .iter()
        .map(|p| (p["name"].as_str().unwrap_or_default(), p["license"].as_str().unwrap_or_default()))
        .filter(|(_, licence)| !fits(licence))
        .map(|(name, licence)| format!("{name}: `{licence}`"))
        .collect();
    assert!(strangers.is_empty(), "licences that do not fit, or are not stated: {strangers:#?}");
}
