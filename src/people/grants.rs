//! Who may be given the records of a survey, by whom and how long (protection.md rule 7).

use chrono::{NaiveDate, TimeDelta};

use super::rights::{Action, Person, Refusal, Target, decide};

/// Longest grant.
const LONGEST: TimeDelta = TimeDelta::days(30);

/// Why a grant is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    #[error("ngày {until} đã qua; hãy chọn từ {today} (the day is past; give one from {today} on)")]
    Past { until: NaiveDate, today: NaiveDate },
    #[error(
        "ngày {until} xa hơn 30 ngày; muộn nhất là {last} (the day is more than 30 days off; the last day allowed is {last})"
    )]
    TooLong { until: NaiveDate, last: NaiveDate },
    #[error("người này không được mở bản ghi (this person may not open records): {0}")]
    Opener(Refusal),
    #[error(
        "không ai tự duyệt cho mình; hãy nhờ người khác (nobody approves a grant to themselves; name another person)"
    )]
    SamePerson,
    #[error("người này không được duyệt (this person may not approve): {0}")]
    Approver(Refusal),
}

/// Decides whether somebody may be given the records until a day.
pub fn check_grant(
    opener: &Person,
    target: Target<'_>,
    until: NaiveDate,
    today: NaiveDate,
) -> Result<(), GrantError> {
    let last = today + LONGEST;
    if until < today {
        return Err(GrantError::Past { until, today });
    }
    if until > last {
        return Err(GrantError::TooLong { until, last });
    }
    decide(opener, Action::OpenRecords, target).map_err(GrantError::Opener)
}

/// Decides whether a person who proved both factors may approve it.
pub fn check_approver(opener: &Person, approver: &Person, target: Target<'_>) -> Result<(), GrantError> {
    if opener.id == approver.id {
        return Err(GrantError::SamePerson);
    }
    decide(approver, Action::ApproveGrant, target).map_err(GrantError::Approver)
}
