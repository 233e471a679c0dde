//! The roles of people who sign in, and what each role may do at all.

use serde::Deserialize;

use super::rights::Action;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Administrator,
    Designer,
    Supervisor,
    Enumerator,
    Reporter,
    FocalPoint,
    Analyst,
    Custodian,
    Viewer,
}

impl Role {
    pub const ALL: [Self; 9] = [
        Self::Administrator,
        Self::Designer,
        Self::Supervisor,
        Self::Enumerator,
        Self::Reporter,
        Self::FocalPoint,
        Self::Analyst,
        Self::Custodian,
        Self::Viewer,
    ];

    /// As it is written on the command line, in the API and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Designer => "designer",
            Self::Supervisor => "supervisor",
            Self::Enumerator => "enumerator",
            Self::Reporter => "reporter",
            Self::FocalPoint => "focal_point",
            Self::Analyst => "analyst",
            Self::Custodian => "custodian",
            Self::Viewer => "viewer",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// What a person of this role may do somewhere; where, `decide` says.
    ///
    /// An administrator keeps the house and reads nothing of what people said; whoever opens records (rule 7) is an
    /// analyst or a custodian with a grant, and whoever approves that is no administrator.
    pub fn may(self, action: Action) -> bool {
        use Action::*;
        match self {
            Self::Administrator => matches!(
                action,
                SeeProject
                    | CreateProject
                    | ManageUsers
                    | ManageDevices
                    | SeeForms
                    | PublishForm
                    | ReadLog
                    | SeeFigures
            ),
            Self::Designer => matches!(
                action,
                SeeProject
                    | CreateProject
                    | SeeForms
                    | PublishForm
                    | SeeEntities
                    | ManageEntities
                    | SeeRecords
                    | SeeFigures
            ),
            Self::Supervisor => matches!(
                action,
                SeeProject
                    | SeeForms
                    | SeeFieldwork
                    | ManageFieldwork
                    | ManageDevices
                    | SeeEntities
                    | ManageEntities
                    | Submit
                    | SeeRecords
                    | SeeFigures
            ),
            Self::Enumerator => matches!(action, SeeProject | SeeForms | SeeEntities | Submit),
            Self::Reporter => matches!(action, SeeProject | SeeForms | Submit),
            Self::FocalPoint => matches!(action, SeeProject | SeeForms | SeeFieldwork | SeeFigures),
            Self::Analyst => matches!(
                action,
                SeeProject
                    | SeeForms
                    | SeeFigures
                    | SeeRoomFigures
                    | SeeRecords
                    | OpenRecords
                    | ApproveGrant
                    | Freeze
            ),
            Self::Custodian => matches!(
                action,
                SeeProject
                    | SeeForms
                    | SeeFigures
                    | SeeRecords
                    | OpenRecords
                    | ApproveGrant
                    | Freeze
                    | Close
                    | ReadLog
            ),
            Self::Viewer => matches!(action, SeeProject | SeeFigures),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_comes_back_from_its_name() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
            assert_eq!(serde_json::from_value::<Role>(role.name().into()).ok(), Some(role));
        }
        assert_eq!(Role::from_name("Administrator"), None);
    }

    #[test]
    fn administrators_open_no_records_and_approve_no_grants() {
        for action in [Action::OpenRecords, Action::ApproveGrant, Action::SeeRoomFigures, Action::Freeze] {
            assert!(!Role::Administrator.may(action), "{action:?}");
        }
    }
}
