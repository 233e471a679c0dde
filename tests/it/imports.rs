//! Imports run one way (ARCHITECTURE.md, "The rooms"); a line across a wall fails here.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms of src/ and which other rooms each may use.
const ROOMS: [(&str, &[&str]); 16] = [
    ("config", &[]),
    ("keys", &[]),
    ("fieldwork", &[]),
    ("people", &[]),
    ("db", &["fieldwork", "keys", "people"]),
    ("accounts", &["db", "keys", "people"]),
    ("files", &["keys"]),
    ("intake", &["db", "fieldwork", "files", "keys"]),
    ("jobs", &["intake", "files", "db", "fieldwork", "keys"]),
    ("openrosa", &["intake", "files", "db", "fieldwork", "jobs", "keys", "config"]),
    ("central", &["accounts", "files", "intake", "keys", "people", "db", "fieldwork", "jobs", "config"]),
    ("api", &["accounts", "files", "intake", "keys", "people", "db", "fieldwork", "jobs", "config"]),
    ("web", &["accounts", "api", "central", "intake", "openrosa", "db", "fieldwork", "jobs", "config"]),
    ("demo", &["accounts", "files", "intake", "web", "db", "fieldwork", "jobs", "keys", "config"]),
    (
        "cli",
        &[
            "accounts",
            "files",
            "people",
            "demo",
            "intake",
            "web",
            "openrosa",
            "db",
            "fieldwork",
            "jobs",
            "keys",
            "config",
        ],
    ),
    ("main", &["cli"]),
];

/// Libraries that only some rooms may import: library, the folders or files that may.
const LIBRARIES: [(&str, &[&str]); 5] = [
    ("diesel", &["src/db/"]),
    ("diesel_migrations", &["src/db/"]),
    ("actix_web", &["src/web/", "src/openrosa/", "src/central/", "src/api/"]),
    ("utoipa", &["src/api/"]),
    ("polars", &["analysis/src/table/"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Lines of code with their place, comments left out.
fn lines(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    sources(&root().join(folder), &mut files);
    let mut lines = Vec::new();
    for file in files {
        let name =
            file.strip_prefix(root()).expect("it lies below the root").to_string_lossy().replace('\\', "/");
        for (i, line) in fs::read_to_string(&file).expect("it is text").lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                lines.push((format!("{name}:{}", i + 1), line.to_owned()));
            }
        }
    }
    lines
}

fn room(place: &str) -> &str {
    let inside = place.strip_prefix("src/").unwrap_or(place);
    inside.split(['/', '.']).next().unwrap_or(inside)
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let mut crossed = Vec::new();
    for (place, line) in lines("src") {
        let here = room(&place);
        if here == "lib" {
            continue;
        }
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == here) else {
            crossed.push(format!("{place}: `{here}` is no room that this test knows"));
            continue;
        };
        for part in line.split("crate::").skip(1) {
            let used = part.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            if ROOMS.iter().any(|(name, _)| *name == used) && used != here && !allowed.contains(&used) {
                crossed.push(format!("{place}: {}", line.trim()));
            }
        }
    }
    assert!(crossed.is_empty(), "imports across a wall: {crossed:#?}");
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut crossed = Vec::new();
    for folder in ["src", "surveys/src", "analysis/src"] {
        for (place, line) in lines(folder) {
            for (library, places) in LIBRARIES {
                let used =
                    line.contains(&format!("{library}::")) || line.contains(&format!("use {library} "));
                if used && !places.iter().any(|p| place.starts_with(p)) {
                    crossed.push(format!("{place}: {}", line.trim()));
                }
            }
        }
    }
    assert!(crossed.is_empty(), "libraries outside their rooms: {crossed:#?}");
}

#[test]
fn surveys_opens_no_files_and_knows_no_other_crate() {
    let crossed: Vec<String> = lines("surveys/src")
        .into_iter()
        .filter(|(_, line)| {
            ["std::fs", "std::net", "analysis::", "langnghe::"].iter().any(|word| line.contains(word))
        })
        .map(|(place, line)| format!("{place}: {}", line.trim()))
        .collect();
    assert!(crossed.is_empty(), "{crossed:#?}");
}
