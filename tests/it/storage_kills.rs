//! A program that stores interviews is killed at any moment (SIGKILL) and started again: what it acknowledged is there
//! exactly once, and neither vault holds anything that the other does not know.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use langnghe::db::{AnswerVault, FieldVault, Intake};
use langnghe::keys::WaveKey;
use surveys::chance::Chance;

use crate::databases::{Place, Wave, minutes, morning};
use crate::postgres::Server;

const KILLS: usize = 8;
const SENDERS: usize = 8;
const FIELD: &str = "LANGNGHE_TEST_KILLED_FIELD";
const ANSWERS: &str = "LANGNGHE_TEST_KILLED_ANSWERS";

#[test]
fn kills_lose_and_double_nothing_on_sqlite() {
    kills_lose_and_double_nothing(&Place::on_sqlite());
}

#[test]
fn kills_lose_and_double_nothing_on_postgresql() {
    if let Some(server) = Server::get() {
        kills_lose_and_double_nothing(&Place::on(server));
    }
}

fn kills_lose_and_double_nothing(place: &Place) {
    let wave = Wave { key: Arc::new(WaveKey::from_seed(1)), ..Wave::new(place) };
    let mut chance = Chance::new(1, "kills");
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        let mut program = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["--exact", "storage_kills::the_program_that_is_killed", "--ignored", "--nocapture"])
            .env(FIELD, &place.field_url)
            .env(ANSWERS, &place.answers_url)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let until = SENDERS * kill + 1 + chance.below(40);
        let output = BufReader::new(program.stdout.take().expect("its output is a pipe"));
        let mut heard = 0;
        for line in output.lines() {
            let line = line.expect("its output is text");
            if let Some((_, instance_id)) = line.split_once("acknowledged ") {
                acknowledged.insert(instance_id.to_owned());
                heard += 1;
                if heard == until {
                    // Replies come after the third commit; the wait lets the kill fall between any two.
                    std::thread::sleep(Duration::from_micros(chance.below(20_000) as u64));
                    program.kill().expect("it is killed");
                }
            }
        }
        program.wait().expect("it has ended");
        assert!(heard >= until, "the program ended by itself after {heard} interviews");
    }

    wave.intake.settle_expired(wave.project, &wave.key, morning() + minutes(2)).expect("settled");
    let stored: Vec<String> = wave.current().into_iter().map(|(instance_id, _)| instance_id).collect();
    let distinct: BTreeSet<String> = stored.iter().cloned().collect();
    assert_eq!(stored.len(), distinct.len(), "an interview is there twice");
    assert_eq!(acknowledged.difference(&distinct).collect::<Vec<_>>(), Vec::<&String>::new(), "lost");
    assert_eq!(wave.submissions().len(), stored.len(), "nothing is in conflict or superseded");
    assert_eq!(wave.answers().len(), stored.len(), "an answer belongs to no interview");
}

/// No test by itself: what the tests above start and kill. Its senders begin at the first interview every time, as
/// clients do that never got a reply.
#[test]
#[ignore = "started and killed by the tests of this file"]
fn the_program_that_is_killed() {
    let (Ok(field), Ok(answers)) = (std::env::var(FIELD), std::env::var(ANSWERS)) else { return };
    let field = FieldVault::open(&field).expect("the field vault opens after a kill");
    let answers = AnswerVault::open(&answers).expect("the answer vault opens after a kill");
    let wave = Wave { intake: Intake::new(field, answers), key: Arc::new(WaveKey::from_seed(1)), project: 1 };
    std::thread::scope(|threads| {
        for sender in 0..SENDERS {
            let wave = &wave;
            threads.spawn(move || {
                for n in 0..10_000 {
                    let instance_id = format!("uuid:{sender}-{n}");
                    wave.intake.store(&wave.key, wave.interview(&instance_id, "yes")).expect("stored");
                    let line = format!("\nacknowledged {instance_id}\n");
                    // The pipe closes when the test that listens is gone.
                    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
}
