//! Tablets send with pictures over HTTP while servers, or PostgreSQL under them, are killed (SIGKILL) at any moment and
//! started again: what was acknowledged is there exactly once, byte for byte, and nothing is half there.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use langnghe::db::Standing;
use surveys::chance::Chance;

use crate::databases::Place;
use crate::postgres::{Server, Syncs};
use crate::station::{PICTURE, Served, Station, Tablet, house};

const TABLETS: usize = 32;
/// A server takes interviews again within this time after a kill, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn kills_of_the_server_lose_and_halve_nothing_on_sqlite() {
    kills_lose_nothing(None, 6);
}

/// Two servers work on the same databases; whichever is drawn is killed, or PostgreSQL itself with all its processes.
#[test]
fn kills_of_servers_and_database_lose_and_halve_nothing_on_postgresql() {
    if Server::is_wanted() {
        kills_lose_nothing(Some(&Server::start(Syncs::LeftOut)), 6);
    }
}

#[test]
#[ignore = "minutes"]
fn two_hundred_kills_of_the_server_lose_and_halve_nothing_on_sqlite() {
    kills_lose_nothing(None, 200);
}

#[test]
#[ignore = "minutes"]
fn two_hundred_kills_of_servers_and_database_lose_and_halve_nothing_on_postgresql() {
    if Server::is_wanted() {
        kills_lose_nothing(Some(&Server::start(Syncs::Real)), 200);
    }
}

/// The tablets stop when this goes, also by a panic: the scope waits for them.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn interview(tablet: usize, number: usize) -> (String, String, Vec<u8>) {
    let id = format!("uuid:{tablet}-{number}");
    let mut chance = Chance::new(7, &id);
    let picture: Vec<u8> = (0..1 + chance.below(40_000)).map(|_| chance.bits() as u8).collect();
    let xml = house(&id, &format!("thôn {}", chance.below(1_000_000)));
    (id, xml, picture)
}

fn kills_lose_nothing(database: Option<&Server>, kills: usize) {
    let station = Station::new(database.map_or_else(Place::on_sqlite, Place::on));
    let servers: Vec<Served> =
        (0..if database.is_some() { 2 } else { 1 }).map(|_| Served::start(&station)).collect();
    let acknowledged = Mutex::new(BTreeSet::new());
    let is_over = AtomicBool::new(false);
    let mut chance = Chance::new(kills as u64, "kills over HTTP");
    let (mut of_servers, mut of_the_database) = (0, 0);
    std::thread::scope(|threads| {
        let over = Over(&is_over);
        for tablet in 0..TABLETS {
            let (station, servers, acknowledged, is_over) = (&station, &servers, &acknowledged, &is_over);
            threads.spawn(move || send_until(station, servers, tablet, acknowledged, is_over));
        }
        for _ in 0..kills {
            // So many replies first, so that work goes on at every kill; the wait lets it fall between any two steps.
            let heard = acknowledged.lock().expect("no tablet failed").len();
            let (until, begun) = (heard + 1 + chance.below(24), Instant::now());
            while acknowledged.lock().expect("no tablet failed").len() < until {
                assert!(begun.elapsed() < PATIENCE, "no more interviews are acknowledged");
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_micros(chance.below(30_000) as u64));
            match database {
                Some(database) if chance.happens(0.4) => {
                    database.kill();
                    std::thread::sleep(Duration::from_millis(chance.below(50) as u64));
                    database.start_again();
                    of_the_database += 1;
                }
                _ => {
                    let server = &servers[chance.below(servers.len())];
                    server.kill();
                    server.start_again();
                    of_servers += 1;
                }
            }
        }
        drop(over);
    });
    servers.iter().for_each(Served::kill);

    let acknowledged = acknowledged.into_inner().expect("no tablet failed");
    println!(
        "{of_servers} kills of a server, {of_the_database} of PostgreSQL, {} interviews acknowledged",
        acknowledged.len()
    );
    assert!(acknowledged.len() > kills, "too little was sent between the kills: {}", acknowledged.len());
    let kept = station.kept();
    let ids: BTreeSet<&str> = kept.iter().map(|kept| kept.instance_id.as_str()).collect();
    assert_eq!(ids.len(), kept.len(), "an interview is there twice");
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !ids.contains(id.as_str())).collect();
    assert_eq!(lost, Vec::<&String>::new(), "acknowledged and lost");
    let mut pictures = 0;
    for one in &kept {
        let (tablet, number) = one.instance_id["uuid:".len()..].split_once('-').expect("an id of ours");
        let (id, xml, picture) =
            interview(tablet.parse().expect("a number"), number.parse().expect("a number"));
        assert_eq!(one.standing, Standing::Current, "{id}");
        assert_eq!(one.xml, xml, "{id}: not as it was sent");
        // Before it is acknowledged an interview may wait for its picture; a picture that is listed is whole.
        let is_acknowledged = acknowledged.contains(&id);
        assert!(
            one.files.len() == 1 || (one.files.is_empty() && !is_acknowledged),
            "{id}: {}",
            one.files.len()
        );
        for (name, bytes) in &one.files {
            assert_eq!(name, PICTURE);
            assert!(*bytes == picture, "{id}: the picture is not as it was sent");
            pictures += 1;
        }
    }
    assert!(pictures >= acknowledged.len());
}

/// Sends one interview after the other, each until it is acknowledged, over whichever server chance gives.
fn send_until(
    station: &Station,
    servers: &[Served],
    tablet: usize,
    acknowledged: &Mutex<BTreeSet<String>>,
    is_over: &AtomicBool,
) {
    let mut chance = Chance::new(tablet as u64, "a tablet");
    let agent = Tablet::new();
    for number in 0.. {
        let (id, xml, picture) = interview(tablet, number);
        loop {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            let server = &servers[chance.below(servers.len())];
            match agent.send(station, server, &xml, &[(PICTURE, &picture)]) {
                Some(reply) if reply.status == 201 => break,
                Some(reply) => {
                    assert_eq!(reply.status, 503, "{id}: {}", reply.body);
                    assert!(reply.retry_after.is_some(), "{id}: 503 says when to come again");
                }
                None => {}
            }
            std::thread::sleep(Duration::from_millis(10 + chance.below(40) as u64));
        }
        acknowledged.lock().expect("no tablet failed").insert(id);
        // Some replies are lost on the way; their tablets send the same again.
        if chance.happens(0.1) {
            let again = agent.send(station, &servers[0], &xml, &[(PICTURE, &picture)]);
            assert!(again.is_none_or(|reply| reply.status == 201 || reply.status == 503));
        }
    }
}
