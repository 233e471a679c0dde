//! The one function that decides whether a person may do something somewhere.
//!
//! A right has four sides: the role, the area (a subtree of the administrative units by date), the projects, the
//! organisation. All must allow it. Every route and command asks [`decide`]; none decides by itself.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use surveys::areas::AreaTree;

use super::role::Role;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    SeeProject,
    CreateProject,
    ManageUsers,
    /// Devices (app users): add, list, revoke.
    ManageDevices,
    SeeForms,
    PublishForm,
    Submit,
    /// Cases, visits, dispositions, progress: fieldwork, no answers.
    SeeFieldwork,
    ManageFieldwork,
    SeeEntities,
    ManageEntities,
    /// Records of a project without respondents, as they were sent.
    SeeRecords,
    /// One line a respondent; in a survey under a grant as well (protection.md rule 7).
    OpenRecords,
    ApproveGrant,
    /// Figures that passed the gate.
    SeeFigures,
    /// Figures of the analysts' room: the threshold is 5 there (rule 17).
    SeeRoomFigures,
    Freeze,
    Close,
    ReadLog,
}

impl Action {
    pub const ALL: [Self; 19] = [
        Self::SeeProject,
        Self::CreateProject,
        Self::ManageUsers,
        Self::ManageDevices,
        Self::SeeForms,
        Self::PublishForm,
        Self::Submit,
        Self::SeeFieldwork,
        Self::ManageFieldwork,
        Self::SeeEntities,
        Self::ManageEntities,
        Self::SeeRecords,
        Self::OpenRecords,
        Self::ApproveGrant,
        Self::SeeFigures,
        Self::SeeRoomFigures,
        Self::Freeze,
        Self::Close,
        Self::ReadLog,
    ];

    /// Actions that a password alone does not open.
    fn needs_second_factor(self) -> bool {
        matches!(self, Self::ApproveGrant | Self::SeeRoomFigures | Self::Freeze | Self::Close)
    }

    /// Actions on the installation, which have no place: who is limited to an area or to projects has no such right.
    fn is_everywhere(self) -> bool {
        matches!(self, Self::ManageUsers | Self::ReadLog)
    }
}

/// An administrative unit on a day: codes are reused, so a unit is its level, its code and a date.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AreaRef {
    pub level: String,
    pub code: String,
    pub date: NaiveDate,
}

impl AreaRef {
    /// Reads `LEVEL:CODE` or `LEVEL:CODE@DATE` (today's units without a date) and looks the unit up.
    pub fn read(text: &str, today: NaiveDate) -> Result<Self, String> {
        let (unit, date) = match text.split_once('@') {
            Some((unit, date)) => (
                unit,
                date.parse().map_err(|_| {
                    format!("`{date}` is not a date; write the area as commune:00691@2025-07-01")
                })?,
            ),
            None => (text, today),
        };
        let (level, code) = unit
            .split_once(':')
            .ok_or_else(|| format!("`{text}` is not an area; write LEVEL:CODE, for instance province:08"))?;
        let area = Self { level: level.to_owned(), code: code.to_owned(), date };
        match AreaTree::bundled().find(level, code, date) {
            Some(_) => Ok(area),
            None => Err(format!(
                "there was no {level} with the code {code} on {date}; give the day on which it was valid, as {level}:{code}@2025-06-30"
            )),
        }
    }
}

impl std::fmt::Display for AreaRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}@{}", self.level, self.code, self.date)
    }
}

/// How far a person's rights reach; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    pub area: Option<AreaRef>,
    pub projects: Option<BTreeSet<i64>>,
    pub organisation: Option<String>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: i64,
    pub role: Role,
    pub reach: Reach,
    /// Whether this session proved the second factor.
    pub second_factor: bool,
}

/// What it is about; `None` where that side does not apply.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    pub project: Option<i64>,
    /// The organisation that the project belongs to.
    pub organisation: Option<&'a str>,
    pub area: Option<&'a AreaRef>,
}

/// Why not. The message is for the person who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("vai trò của tài khoản không cho phép việc này (the account's role does not allow this)")]
    Role,
    #[error("tài khoản không phụ trách địa bàn này (the account is not in charge of this area)")]
    Area,
    #[error("tài khoản không được giao đợt khảo sát này (the account was not given this project)")]
    Project,
    #[error(
        "việc này cần mã xác thực thứ hai; hãy đăng nhập lại kèm mã (this needs the second factor; sign in again with the code)"
    )]
    SecondFactor,
}

/// Decides. The project is asked first: who has no part in a project learns nothing about the rest.
pub fn decide(person: &Person, action: Action, target: Target<'_>) -> Result<(), Refusal> {
    if !person.role.may(action) {
        return Err(Refusal::Role);
    }
    let reach = &person.reach;
    if action.is_everywhere() && (reach.area.is_some() || reach.projects.is_some()) {
        return Err(Refusal::Role);
    }
    if let (Some(project), Some(given)) = (target.project, &reach.projects)
        && !given.contains(&project)
    {
        return Err(Refusal::Project);
    }
    if let (Some(_), Some(own)) = (target.project, &reach.organisation)
        && target.organisation != Some(own)
    {
        return Err(Refusal::Project);
    }
    if let (Some(area), Some(root)) = (target.area, &reach.area)
        && !is_within(AreaTree::bundled(), root, area)
    {
        return Err(Refusal::Area);
    }
    if action.needs_second_factor() && !person.second_factor {
        return Err(Refusal::SecondFactor);
    }
    Ok(())
}

/// Decides whether a person keeps an account with this reach: whoever belongs to an organisation keeps its people alone.
pub fn decide_account(person: &Person, reach: &Reach) -> Result<(), Refusal> {
    decide(person, Action::ManageUsers, Target::default())?;
    match &person.reach.organisation {
        Some(own) if reach.organisation.as_ref() != Some(own) => Err(Refusal::Project),
        _ => Ok(()),
    }
}

/// Whether `area` lies in the subtree of `root`, each on its own day.
///
/// A unit younger than the root (after a merger) lies in it when all the units that became it did; where only some of
/// them did, it does not: a right does not grow because borders move.
fn is_within(tree: &AreaTree, root: &AreaRef, area: &AreaRef) -> bool {
    let Some(unit) = tree.find(&area.level, &area.code, area.date) else { return false };
    let is_root = |level: &str, code: &str| level == root.level && code == root.code;
    let same_period =
        tree.find(&root.level, &root.code, area.date).is_some_and(|there| there.is_valid(root.date));
    if same_period {
        return is_root(&unit.level, &unit.code)
            || tree.ancestors(unit, area.date).iter().any(|above| is_root(&above.level, &above.code));
    }
    let before: Vec<AreaRef> = tree
        .predecessors(&area.level, &area.code, area.date)
        .into_iter()
        .filter(|change| change.date > root.date)
        .map(|change| AreaRef {
            level: change.level.clone(),
            code: change.old_code.clone(),
            date: change.date.pred_opt().unwrap_or(change.date),
        })
        .collect();
    !before.is_empty() && before.iter().all(|earlier| is_within(tree, root, earlier))
}
