//! Sheets of paper on their way in: what two people keyed alike, or a third one decided, goes through the same intake as
//! a tablet's interview.

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use surveys::expression::Moment;
use surveys::paper::{Sheet, fill};
use surveys::submission::Problem;

use crate::db::{Outcome, Sender};
use crate::intake::{ReadForm, Receiver};

/// The device of an interview on paper, by which its mode is known in the field vault.
pub const DEVICE: &str = "paper";

/// What became of each sheet.
#[derive(Debug, Default)]
pub struct Sent {
    pub stored: Vec<String>,
    /// Sent before with the same answers, or withdrawn since.
    pub known: Vec<String>,
    /// Sent before with other answers; both are kept, a person decides.
    pub conflicts: Vec<String>,
    /// Not sent: the form's rules are against it.
    pub refused: Vec<(String, Vec<Problem>)>,
    /// Not in the list of sheets that were printed.
    pub unknown: Vec<String>,
}

/// Sends the sheets of a wave. A sheet with problems is not sent; the others are.
///
/// Errors: those of the intake other than a conflict; what was stored before stays, and is known when it is sent again.
pub fn submit(
    receiver: &Receiver,
    project: i64,
    form: &ReadForm,
    sheets: &[Sheet],
    keyed: &IndexMap<String, IndexMap<String, String>>,
    now: DateTime<Utc>,
) -> anyhow::Result<Sent> {
    let moment = Moment::from_milliseconds(now.timestamp_millis() as f64, 420);
    let moment = moment.ok_or_else(|| anyhow!("the clock of this machine shows no possible time"))?;
    let mut sent = Sent::default();
    for (number, answers) in keyed {
        let Some(sheet) = sheets.iter().find(|sheet| sheet.number == *number) else {
            sent.unknown.push(number.clone());
            continue;
        };
        let filled = fill(&form.compiled, sheet, answers, moment);
        if !filled.problems.is_empty() {
            sent.refused.push((number.clone(), filled.problems));
            continue;
        }
        let sender = Sender { app_user: None, user: None, device: Some(DEVICE.to_owned()) };
        let stored = receiver.receive(project, sender, filled.xml.into_bytes(), now)?;
        match stored.outcome {
            Outcome::New | Outcome::Edited => sent.stored.push(number.clone()),
            // A withdrawn interview is known, and stays gone.
            Outcome::AlreadyStored | Outcome::Superseded | Outcome::Withdrawn => {
                sent.known.push(number.clone())
            }
            Outcome::Conflict => sent.conflicts.push(number.clone()),
        }
    }
    Ok(sent)
}
