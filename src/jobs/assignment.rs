//! Gives the cases of a wave to its enumerators: people from a file, teams by the rule, cases dealt by the seed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use analysis::table::{Table, Types};
use anyhow::{Context, anyhow};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use surveys::areas::ethnic_group;
use uuid::Uuid;

use super::cases::{design_of, types_of};
use crate::db::{self, AppUser, Case, CaseRole, CaseStatus, Enumerator, FieldVault, Interpreter, Team};
use crate::fieldwork::assignment::{self, Nobody, Person, Village, Warning};

/// Codes of groups whose villages need no language beside Vietnamese: Kinh, and those whose group is not known.
const VIETNAMESE: [&str; 3] = ["", "01", "99"];

/// What an assignment did.
#[derive(Clone, Debug, Serialize)]
pub struct Assigned {
    pub villages: usize,
    pub cases: usize,
    /// Cases that stay with whoever visited them already.
    pub kept: usize,
    /// Villages with an interpreter.
    pub interpreted: usize,
    pub warnings: Vec<String>,
}

/// Enumerators and interpreters of a file with the columns `code`, `kind` (`enumerator`, `interpreter`), `languages` and
/// `areas` (codes separated by spaces, may be empty), `pledged_on` (a day; interpreters alone, may be missing).
///
/// Errors: every line that cannot be, at once; an enumerator's code must be that of a device of the wave.
pub fn read_people(file: &Path, devices: &[AppUser]) -> anyhow::Result<(Vec<Enumerator>, Vec<Interpreter>)> {
    let plain = Table::read(file, &Types::default())?;
    let table = Table::read(file, &types_of(plain.names()))?;
    for name in ["code", "kind", "languages", "areas"] {
        table.column(name).with_context(|| file.display().to_string())?;
    }
    let text = |name: &str, row: usize| -> String {
        table.get(name).and_then(|column| column.text(row)).unwrap_or_default().trim().to_owned()
    };
    let words = |text: String| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
    let (mut enumerators, mut interpreters) = (Vec::new(), Vec::new());
    let (mut problems, mut seen) = (Vec::new(), HashSet::new());
    for row in 0..table.height() {
        let mut wrong = |what: String| problems.push(format!("line {}: {what}", row + 2));
        let code = text("code", row);
        let languages = words(text("languages", row));
        for language in languages.iter().filter(|language| ethnic_group(language).is_none()) {
            wrong(format!("`{language}` is no code of an ethnic group (01 … 54), whose language is meant"));
        }
        if code.is_empty() || !seen.insert(code.clone()) {
            wrong(format!("the code `{code}` is empty or stands twice"));
        }
        let areas = words(text("areas", row));
        match text("kind", row).as_str() {
            "enumerator" => match devices.iter().find(|device| device.code.as_deref() == Some(&code)) {
                Some(device) => enumerators.push(Enumerator { app_user: device.id, languages, areas }),
                None => wrong(format!("no device of this wave has the code `{code}`; add the device first")),
            },
            "interpreter" => {
                let day = text("pledged_on", row);
                let pledged_on = match day.parse::<NaiveDate>() {
                    Ok(day) => Some(day),
                    Err(_) if day.is_empty() => None,
                    Err(_) => {
                        wrong(format!("pledged_on is `{day}`, not a day such as 2026-08-01"));
                        None
                    }
                };
                interpreters.push(Interpreter { code, languages, areas, pledged_on });
            }
            kind => wrong(format!("kind is `{kind}`, not enumerator or interpreter")),
        }
    }
    anyhow::ensure!(problems.is_empty(), "{}:\n  {}", file.display(), problems.join("\n  "));
    Ok((enumerators, interpreters))
}

/// Assigns all cases that nobody has visited. Without a list of enumerators every device of the wave that was not
/// revoked takes part, everywhere.
pub fn assign(
    field: &FieldVault,
    project: i64,
    seed: u64,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Assigned> {
    let (cases, visited, devices, known, interpreters) = field.read(|db| {
        let visited: HashSet<Uuid> = db.list_visits(project)?.into_iter().map(|visit| visit.case).collect();
        Ok::<_, db::Error>((
            db.list_cases(project)?,
            visited,
            db.list_app_users(project)?,
            db.list_enumerators(project)?,
            db.list_interpreters(project)?,
        ))
    })?;
    anyhow::ensure!(
        !cases.is_empty(),
        "wave {project} has no cases yet; make them with `langnghe wave cases`"
    );
    let at_work: Vec<&AppUser> = devices
        .iter()
        .filter(|device| !device.revoked && device.expires_at.is_none_or(|until| until > now))
        .filter(|device| known.is_empty() || known.iter().any(|one| one.app_user == device.id))
        .collect();
    anyhow::ensure!(
        !at_work.is_empty(),
        "wave {project} has no enumerator with a valid device; add devices, or people with `langnghe fieldwork people`"
    );
    let people: Vec<Person> = at_work
        .iter()
        .map(|device| {
            let can = known.iter().find(|one| one.app_user == device.id);
            Person {
                code: name_of(device),
                languages: can.map(|can| can.languages.clone()).unwrap_or_default(),
                areas: can.map(|can| can.areas.clone()).unwrap_or_default(),
            }
        })
        .collect();
    let pledged: Vec<Person> = interpreters
        .into_iter()
        .filter(|one| one.pledged_on.is_some_and(|day| day <= crate::intake::day_of(now)))
        .map(|one| Person { code: one.code, languages: one.languages, areas: one.areas })
        .collect();

    let mut by_village: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in &cases {
        by_village.entry(&case.village).or_default().push(case);
    }
    let villages: Vec<Village> =
        by_village.iter().map(|(name, cases)| village(name, cases)).collect::<anyhow::Result<_>>()?;
    let (teams, warnings) = assignment::teams(&villages, &people, &pledged, seed).map_err(|Nobody(left)| {
        anyhow!(
            "không có điều tra viên nào phụ trách các thôn sau (no enumerator may go to): {}; add people with `langnghe \
             fieldwork people` or widen their areas. Nothing was assigned",
            left.join(", ")
        )
    })?;
    let (mut given, mut kept) = (Vec::new(), 0);
    for ((village, cases), team) in villages.iter().zip(by_village.values()).zip(&teams) {
        let dealt = assignment::deal(&village.name, cases.len(), seed);
        for (case, to_second) in cases.iter().zip(dealt) {
            let is_fresh = matches!(case.status, CaseStatus::Open | CaseStatus::Waiting);
            if !is_fresh || visited.contains(&case.id) {
                kept += 1;
                continue;
            }
            let one = team.second.filter(|_| to_second).unwrap_or(team.first);
            given.push((case.id, at_work[one].id));
        }
    }
    let assigned = Assigned {
        villages: villages.len(),
        cases: given.len(),
        kept,
        interpreted: teams.iter().filter(|team| team.interpreter.is_some()).count(),
        warnings: warnings.iter().map(told).collect(),
    };
    let detail = serde_json::json!({
        "project": project, "villages": assigned.villages, "cases": assigned.cases, "seed": seed,
        "enumerators": people.len(), "interpreted": assigned.interpreted,
    });
    field.transaction(|db| {
        for (village, team) in villages.iter().zip(&teams) {
            let team = Team {
                village: village.name.clone(),
                first: at_work[team.first].id,
                second: team.second.map(|second| at_work[second].id),
                interpreter: team.interpreter.map(|one| pledged[one].code.clone()),
            };
            db.keep_team(project, &team)?;
        }
        for (case, to) in given {
            db.assign_case(case, Some(to))?;
        }
        db.append_audit(who, "cases assigned", &detail.to_string(), now)?;
        Ok::<_, db::Error>(())
    })?;
    Ok(assigned)
}

fn village(name: &str, cases: &[&Case]) -> anyhow::Result<Village> {
    let first = cases.first().ok_or_else(|| anyhow!("a village without cases"))?;
    let language = design_of(first)?.village_majority;
    Ok(Village {
        name: name.to_owned(),
        areas: vec![name.to_owned(), first.commune.clone(), first.district.clone()],
        language: Some(language).filter(|code| !VIETNAMESE.contains(&code.as_str())),
        cases: cases.iter().filter(|case| case.role == CaseRole::Main).count(),
    })
}

fn told(warning: &Warning) -> String {
    match warning {
        Warning::Alone { village } => {
            format!("thôn {village} chỉ có một điều tra viên, không so sánh được (one enumerator alone)")
        }
        Warning::NoInterpreter { village, language } => {
            let name = ethnic_group(language).map_or(language.as_str(), |group| group.name.as_str());
            format!(
                "thôn {village} cần người nói tiếng {name}: chưa có phiên dịch đã ký cam kết (no pledged interpreter)"
            )
        }
    }
}

/// How a device is called: by its enumerator's code.
pub fn name_of(device: &AppUser) -> String {
    device.code.clone().unwrap_or_else(|| device.display_name.clone())
}

/// Hands the unfinished cases of one enumerator to another; answers how many.
pub fn reassign(
    field: &FieldVault,
    project: i64,
    (from, to): (&str, &str),
    village: Option<&str>,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let devices = field.read(|db| db.list_app_users(project))?;
    let find = |code: &str| -> anyhow::Result<&AppUser> {
        let found = devices.iter().filter(|device| name_of(device) == code).collect::<Vec<_>>();
        // Of a device that was replaced the newest is meant.
        found.last().copied().ok_or_else(|| {
            anyhow!("wave {project} has no device with the code `{code}`; see `langnghe fieldwork ledger {project}`")
        })
    };
    let receiver = find(to)?;
    anyhow::ensure!(!receiver.revoked, "the device `{to}` was revoked; name another one");
    let pair = (find(from)?.id, receiver.id);
    let moved = field.transaction(|db| {
        let moved = db.hand_over_cases(project, pair, village)?;
        let detail = serde_json::json!({ "project": project, "cases": moved }).to_string();
        db.append_audit(who, "cases reassigned", &detail, now)?;
        Ok::<_, db::Error>(moved)
    })?;
    anyhow::ensure!(moved > 0, "`{from}` has no unfinished case there; nothing was changed");
    Ok(moved)
}

/// One village with its team, as a supervisor reads it.
#[derive(Clone, Debug, Serialize)]
pub struct TeamLine {
    pub village: String,
    pub commune: String,
    pub area: String,
    pub enumerators: Vec<String>,
    pub interpreter: Option<String>,
    /// The day of the interpreter's pledge.
    pub pledged_on: Option<NaiveDate>,
    /// Unfinished cases by enumerator, in the order of `enumerators`.
    pub open: Vec<usize>,
}

/// The teams of a wave by village.
pub fn teams(field: &FieldVault, project: i64) -> Result<Vec<TeamLine>, db::Error> {
    let (teams, cases, devices, interpreters) = field.read(|db| {
        Ok::<_, db::Error>((
            db.list_teams(project)?,
            db.list_cases(project)?,
            db.list_app_users(project)?,
            db.list_interpreters(project)?,
        ))
    })?;
    let names: HashMap<Uuid, String> = devices.iter().map(|device| (device.id, name_of(device))).collect();
    let line = |team: Team| {
        let of_village: Vec<&Case> = cases.iter().filter(|case| case.village == team.village).collect();
        let people: Vec<Uuid> = std::iter::once(team.first).chain(team.second).collect();
        let open = |one: &Uuid| {
            let mine = of_village.iter().filter(|case| case.assigned_to.as_ref() == Some(one));
            mine.filter(|case| case.status == CaseStatus::Open).count()
        };
        TeamLine {
            commune: of_village.first().map(|case| case.commune.clone()).unwrap_or_default(),
            area: of_village.first().map(|case| case.district.clone()).unwrap_or_default(),
            open: people.iter().map(open).collect(),
            enumerators: people.iter().map(|id| names.get(id).cloned().unwrap_or_default()).collect(),
            pledged_on: team
                .interpreter
                .as_ref()
                .and_then(|code| interpreters.iter().find(|one| one.code == *code)?.pledged_on),
            interpreter: team.interpreter,
            village: team.village,
        }
    };
    Ok(teams.into_iter().map(line).collect())
}
