//! Interviews read back with both halves: one by its instance id, or the valid ones of a wave for the freeze.

use std::collections::HashMap;

use uuid::Uuid;

use super::answers::Answer;
use super::error::Error;
use super::group_commit::Intake;
use super::submissions::{LEAVING, Standing, Submission};
use crate::keys::WaveKey;

/// A stored interview; `surveys::halves::join` makes its bytes again from `submission.xml` and `answer.xml`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredInterview {
    pub submission: Submission,
    pub answer: Answer,
}

impl Intake {
    /// The interview under an instance id, current or superseded.
    pub fn find_interview(
        &self,
        project: i64,
        form_id: &str,
        instance_id: &str,
        key: &WaveKey,
    ) -> Result<Option<StoredInterview>, Error> {
        let found = self.field().read(|db| db.find_submission(project, form_id, instance_id, key))?;
        let Some(submission) = found else { return Ok(None) };
        match self.answers().read(|db| db.find_answer(project, submission.token, key))? {
            Some(answer) => Ok(Some(StoredInterview { submission, answer })),
            None => self.was_withdrawn(&submission).map(|()| None),
        }
    }

    /// The valid version of every interview of a wave, in the order of their tokens, which chance gave: the order of
    /// arrival does not show. All in memory, decrypted.
    pub fn list_interviews(&self, project: i64, key: &WaveKey) -> Result<Vec<StoredInterview>, Error> {
        let mut submissions: HashMap<Uuid, Submission> = HashMap::new();
        self.field().read(|db| {
            db.each_submission(project, key, |submission| {
                if submission.standing == Standing::Current {
                    submissions.insert(submission.token, submission);
                }
                Ok::<(), Error>(())
            })
        })?;
        let mut interviews = Vec::with_capacity(submissions.len());
        self.answers().read(|db| {
            db.each_answer(project, key, |answer| {
                if let Some(submission) = submissions.remove(&answer.token) {
                    interviews.push(StoredInterview { submission, answer });
                }
                Ok::<(), Error>(())
            })
        })?;
        submissions.values().try_for_each(|submission| self.was_withdrawn(submission))?;
        Ok(interviews)
    }

    /// An interview without answers was withdrawn between the two reads, or else something is wrong.
    fn was_withdrawn(&self, submission: &Submission) -> Result<(), Error> {
        match self.field().read(|db| db.state_of(&submission.id.to_string()))?.as_deref() {
            None | Some(LEAVING) => Ok(()),
            Some(_) => Err(Error::contradiction(
                "an interview has no answers; the answer vault is older than the field vault",
            )),
        }
    }
}
