//! Group commit: submissions that wait while another batch goes to the disk share the next one's fsyncs.
//!
//! There is no thread of its own. The first caller who finds nobody at work takes everything that waits through the
//! three steps of [`super::intake`]; the others sleep until their result is there.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::error::Error;
use super::intake::{self, Incoming, IntakeError, Interview, Next, Stored};
use super::settling::{Settled, settle_expired};
use super::submissions::instance_name;
use super::vault::{AnswerVault, FieldVault};
use super::withdrawals::withdraw;
use crate::keys::WaveKey;

/// At most this many submissions share a commit, so that the first of a flood does not wait for all of it.
const BATCH: usize = 256;
/// After so many submissions the write-ahead logs are carried into the files. One caller waits for it after its own
/// result is on the disk, and nobody else: within a commit all who share it would wait.
const CHECKPOINT_AFTER: usize = 256;
/// Senders that were just answered are back after a moment. A commit that waits for them, at most for this part of the
/// time that the last one took, takes them all along; without it they would miss it and two half-filled batches would
/// take turns. Where the disk is quick the wait is nothing, and a lone sender is never waited for.
const PATIENCE_SHARE: u32 = 4;
const LONGEST_PATIENCE: Duration = Duration::from_millis(8);
/// How often a submission that meets another one in its way is tried again before the client is asked to.
const ROUNDS: usize = 4;

/// The one door through which submissions enter the two vaults. Clones share the queue.
#[derive(Clone)]
pub struct Intake {
    field: FieldVault,
    answers: AnswerVault,
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
    /// Told to the caller who gathers a batch when one more waits.
    came: Condvar,
}

#[derive(Default)]
struct QueueState {
    next_ticket: u64,
    waiting: Vec<(u64, Interview)>,
    results: HashMap<u64, Result<Stored, IntakeError>>,
    at_work: bool,
    since_checkpoint: usize,
    /// How many may come for the next batch, and how long it is worth waiting for them.
    expected: usize,
    patience: Duration,
}

impl Intake {
    pub fn new(field: FieldVault, answers: AnswerVault) -> Self {
        Self { field, answers, queue: Arc::default() }
    }

    /// Stores a submission exactly once. When this returns `Ok`, what it says is on the disk of both vaults.
    ///
    /// Blocks until then. Errors: [`IntakeError`]; after one that [`IntakeError::is_passing`] the client sends again.
    pub fn store(&self, key: &Arc<WaveKey>, incoming: Incoming) -> Result<Stored, IntakeError> {
        let interview = Interview::prepare(Arc::clone(key), incoming)?;
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push((ticket, interview));
        self.queue.came.notify_one();
        loop {
            if let Some(result) = state.results.remove(&ticket) {
                let is_due = state.since_checkpoint >= CHECKPOINT_AFTER;
                if is_due {
                    state.since_checkpoint = 0;
                }
                drop(state);
                if is_due {
                    // What is stored is stored; a disk that fails now shows itself at the next commit.
                    let _ = self.field.0.checkpoint().and_then(|()| self.answers.0.checkpoint());
                }
                return result;
            }
            if state.at_work {
                state = self.queue.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.at_work = true;
            state = self.gather(state);
            let many = state.waiting.len().min(BATCH);
            let mut turn: Vec<(u64, Interview)> = state.waiting.drain(..many).collect();
            drop(state);
            // Servers that lock the same rows in the same order cannot stand in each other's way.
            turn.sort_by(|(_, a), (_, b)| a.lock_order().cmp(b.lock_order()));
            let (tickets, batch): (Vec<_>, Vec<_>) = turn.into_iter().unzip();
            // Should the work panic, those who wait must not wait for ever.
            let turn = Turn { queue: &self.queue, tickets, begun: Instant::now() };
            let results = store_batch(&self.field, &self.answers, batch);
            turn.hand_out(results);
            state = self.lock();
        }
    }

    /// Settles what a crash left behind in a wave; see [`Settled`]. Call it at start and every minute.
    pub fn settle_expired(&self, project: i64, key: &WaveKey, now: DateTime<Utc>) -> Result<Settled, Error> {
        settle_expired(&self.field, &self.answers, project, key, now)
    }

    /// Withdraws an interview with all its versions: its answers and rows go, a tombstone stays, and the same instance
    /// id is never stored again. Returns the names of attachment files to delete; `None` when it is not here.
    pub fn withdraw(
        &self,
        project: i64,
        form_id: &str,
        instance_id: &str,
        key: &WaveKey,
    ) -> Result<Option<Vec<String>>, Error> {
        let instance = instance_name(key, form_id, instance_id);
        withdraw(&self.field, &self.answers, (project, form_id, &instance), false, key)
    }

    /// The same for an instance that [`instance_name`] named, after a backup was restored: what is not here (yet) is
    /// kept from coming.
    pub fn withdraw_again(
        &self,
        project: i64,
        form_id: &str,
        instance: &[u8; 32],
        key: &WaveKey,
    ) -> Result<Option<Vec<String>>, Error> {
        withdraw(&self.field, &self.answers, (project, form_id, instance), true, key)
    }

    pub fn field(&self) -> &FieldVault {
        &self.field
    }

    pub fn answers(&self) -> &AnswerVault {
        &self.answers
    }

    fn gather<'a>(&self, mut state: MutexGuard<'a, QueueState>) -> MutexGuard<'a, QueueState> {
        let until = Instant::now() + state.patience;
        while state.waiting.len() < state.expected {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self.queue.came.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.queue.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of the caller who does the work for all.
struct Turn<'a> {
    queue: &'a Queue,
    tickets: Vec<u64>,
    begun: Instant,
}

impl Turn<'_> {
    fn hand_out(mut self, results: Vec<Result<Stored, IntakeError>>) {
        let mut state = self.queue.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.since_checkpoint += results.len();
        // Whoever is answered now may come again at once, beside those who wait already.
        state.expected = (results.len() + state.waiting.len()).min(BATCH);
        state.patience = (self.begun.elapsed() / PATIENCE_SHARE).min(LONGEST_PATIENCE);
        state.results.extend(self.tickets.drain(..).zip(results));
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.at_work = false;
        // Only after a panic are tickets left.
        state.results.extend(self.tickets.drain(..).map(|ticket| (ticket, Err(IntakeError::Busy))));
        drop(state);
        self.queue.changed.notify_all();
    }
}

/// Takes submissions through both vaults together; results in the same order.
fn store_batch(
    field: &FieldVault,
    answers: &AnswerVault,
    mut batch: Vec<Interview>,
) -> Vec<Result<Stored, IntakeError>> {
    for round in 1..=ROUNDS {
        match take_through(field, answers, &mut batch) {
            Ok(()) => {}
            Err(error) if error.is_collision() && round < ROUNDS => {}
            // One that breaks a rule of the database must not take the others down with it.
            Err(error) if batch.len() > 1 && !error.is_passing() => {
                return batch
                    .into_iter()
                    .flat_map(|mut interview| {
                        interview.start_again();
                        store_batch(field, answers, vec![interview])
                    })
                    .collect();
            }
            Err(error) => {
                let error = Arc::new(error);
                batch.iter_mut().for_each(|interview| interview.fail(&error));
            }
        }
        if batch.iter().all(|interview| interview.next() == Next::Done) {
            break;
        }
        for interview in &mut batch {
            if interview.next() == Next::SettleFirst {
                let (project, key, now) = interview.wave();
                if let Err(error) = settle_expired(field, answers, project, &key, now) {
                    interview.fail(&Arc::new(error));
                }
            }
            interview.start_again();
        }
    }
    batch.into_iter().map(Interview::into_result).collect()
}

fn take_through(field: &FieldVault, answers: &AnswerVault, batch: &mut [Interview]) -> Result<(), Error> {
    intake::reserve(field, batch)?;
    intake::insert_answers(answers, batch)?;
    intake::confirm(field, batch)
}
