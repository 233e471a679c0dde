//! A disk that fails, stalls, lies or is full and a clock that jumps, under a running server: never a false 201, 503 with
//! Retry-After meanwhile, and everything as before once the fault is gone. A library in C (`fault_shim.c`) is preloaded
//! into the server for it.
//!
//! A disk that lies about syncs and then loses power loses what it said it had: no program can promise anything there.
//! What is held here is that a server that is killed on such a disk leaves nothing half there.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use langnghe::db::intake::{self, Incoming, Interview};
use langnghe::db::{Outcome, Settled, Standing};

use crate::databases::{Place, TemporaryFolder, Wave, execute, minutes, morning, on_both_backends};
use crate::station::{PICTURE, Reply, Served, Station, Tablet, house};

const EIO: i64 = 5;
const ENOSPC: i64 = 28;
const EROFS: i64 = 30;
const BYTES: &[u8] = b"\xff\xd8 anh chup \xff\xd9";

/// The fields of `struct faults` in `fault_shim.c`, in their order.
#[derive(Clone, Copy)]
enum Fault {
    SyncError,
    SyncStallMilliseconds,
    SyncLies,
    WriteError,
    ClockOffset,
    Hits,
}

/// A server whose disk and clock do what the test says.
struct Faulty {
    served: Served,
    station: Station,
    tablet: Tablet,
    control: File,
    _folder: TemporaryFolder,
}

impl Faulty {
    fn on_sqlite() -> Self {
        Self::on(Place::on_sqlite())
    }

    fn on(place: Place) -> Self {
        let station = Station::new(place);
        let folder = TemporaryFolder::new();
        let library = shim(folder.path());
        let named = folder.path().join("faults");
        fs::write(&named, [0; 48]).expect("written");
        let control = File::options().read(true).write(true).open(&named).expect("opened");
        // Vaults and files lie in folders of their own below the temporary one.
        let below = station.folder.path().parent().expect("a parent").join("langnghe-test-");
        let environment = vec![
            ("LD_PRELOAD".to_owned(), library.into_os_string()),
            ("LANGNGHE_FAULTS".to_owned(), named.into_os_string()),
            ("LANGNGHE_FAULTS_BELOW".to_owned(), OsString::from(below)),
        ];
        let served = Served::start_with(&station, environment);
        Self { served, station, tablet: Tablet::new(), control, _folder: folder }
    }

    fn set(&self, fault: Fault, value: i64) {
        self.control.write_all_at(&value.to_le_bytes(), fault as u64 * 8).expect("written");
    }

    fn hits(&self) -> i64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, Fault::Hits as u64 * 8).expect("read");
        i64::from_le_bytes(bytes)
    }

    fn send(&self, id: &str) -> Reply {
        self.post(id, "Nà Ngoạ", &[(PICTURE, BYTES)])
    }

    fn post(&self, id: &str, place: &str, files: &[(&str, &[u8])]) -> Reply {
        let xml = house(&format!("uuid:{id}"), place);
        self.tablet.send(&self.station, &self.served, &xml, files).expect("the server answers")
    }

    /// 503, and when to come again.
    fn is_sent_away(&self, reply: &Reply) {
        assert_eq!(reply.status, 503, "{}", reply.body);
        assert_eq!(reply.retry_after.as_deref(), Some("30"));
        assert!(reply.body.contains("gửi lại sau"), "{}", reply.body);
    }

    /// Ids of what is stored once the server has ended; each is whole, and so is every picture.
    fn kept(&self) -> Vec<String> {
        self.served.kill();
        let mut ids: Vec<String> = self
            .station
            .kept()
            .into_iter()
            .inspect(|kept| {
                assert_eq!(kept.standing, Standing::Current, "{}", kept.instance_id);
                for (name, bytes) in &kept.files {
                    assert_eq!((name.as_str(), bytes.as_slice()), (PICTURE, BYTES));
                }
            })
            .map(|kept| kept.instance_id)
            .collect();
        ids.sort();
        ids
    }
}

/// Compiles the library; whoever builds the program has a C compiler, because SQLite needs it.
fn shim(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fault_shim.c");
    let library = folder.join("fault_shim.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    let compiled = compiler.output().expect("cc runs");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    library
}

/// While the fault lasts nobody is told 201; when it is gone the same interviews are taken, each once.
fn is_never_acknowledged_while(fault: Fault, value: i64) {
    let faulty = Faulty::on_sqlite();
    assert_eq!(faulty.send("a").status, 201);
    faulty.set(fault, value);
    for id in ["b", "c", "b"] {
        faulty.is_sent_away(&faulty.send(id));
        faulty.is_sent_away(&faulty.post(id, "Nà Ngoạ", &[]));
    }
    assert!(faulty.hits() > 0, "the fault was felt");
    faulty.set(fault, 0);
    for id in ["b", "c", "a"] {
        assert_eq!(faulty.send(id).status, 201, "{id} after the fault");
    }
    assert_eq!(faulty.kept(), ["uuid:a", "uuid:b", "uuid:c"]);
}

#[test]
fn a_disk_that_does_not_sync_is_never_told_as_stored() {
    is_never_acknowledged_while(Fault::SyncError, EIO);
}

#[test]
fn a_full_disk_sends_tablets_away_until_there_is_space() {
    is_never_acknowledged_while(Fault::WriteError, ENOSPC);
}

#[test]
fn a_disk_that_became_read_only_sends_tablets_away() {
    is_never_acknowledged_while(Fault::WriteError, EROFS);
}

#[test]
fn a_disk_that_stalls_makes_tablets_wait_and_loses_nothing() {
    let faulty = Faulty::on_sqlite();
    faulty.set(Fault::SyncStallMilliseconds, 300);
    let begun = Instant::now();
    let replies: Vec<u16> = std::thread::scope(|scope| {
        let ids = ["a", "b", "c", "d"];
        let sent: Vec<_> = ids.map(|id| scope.spawn(|| faulty.post(id, "Nà Ngoạ", &[]).status)).into();
        // Whoever only asks does not wait for the disk.
        let asked = Instant::now();
        let alive = ureq::get(format!("http://{}/healthz", faulty.served.address())).call();
        assert_eq!(alive.expect("it answers").status().as_u16(), 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        sent.into_iter().map(|sent| sent.join().expect("sent")).collect()
    });
    assert_eq!(replies, [201; 4]);
    // Three commits, one after the other.
    assert!(
        begun.elapsed() >= Duration::from_millis(900),
        "a reply came before its syncs: {:?}",
        begun.elapsed()
    );
    // A server that is killed while it waits for the disk has told nobody.
    faulty.set(Fault::SyncStallMilliseconds, 5_000);
    let cut = std::thread::scope(|scope| {
        let xml = house("uuid:e", "Nà Ngoạ");
        let sent = scope.spawn({
            let faulty = &faulty;
            move || faulty.tablet.send(&faulty.station, &faulty.served, &xml, &[])
        });
        std::thread::sleep(Duration::from_millis(700));
        faulty.served.kill();
        sent.join().expect("sent")
    });
    assert!(cut.is_none_or(|reply| reply.status != 201));
    let kept = faulty.kept();
    assert_eq!(kept[..4], ["uuid:a", "uuid:b", "uuid:c", "uuid:d"]);
}

#[test]
fn on_a_disk_that_lies_about_syncs_a_killed_server_leaves_nothing_half() {
    let faulty = Faulty::on_sqlite();
    faulty.set(Fault::SyncLies, 1);
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        for n in 0..5 {
            let id = format!("{round}{n}");
            assert_eq!(faulty.send(&id).status, 201);
            acknowledged.push(format!("uuid:{id}"));
        }
        faulty.served.kill();
        faulty.served.start_again();
    }
    assert!(faulty.hits() > 0, "the disk lied");
    assert_eq!(faulty.kept(), acknowledged);
}

on_both_backends! {
    fn a_clock_that_jumps_neither_loses_nor_doubles_nor_locks_out(place) {
        let faulty = Faulty::on(place.again());
        let day = 86_400;
        for (n, offset) in [0, 3_600, -7 * day, 30 * day, 0].into_iter().enumerate() {
            faulty.set(Fault::ClockOffset, offset);
            assert_eq!(faulty.send(&n.to_string()).status, 201, "{offset} s");
            assert_eq!(faulty.send("always").status, 201, "the same again, {offset} s");
            // What a clock ahead left in the middle does not block its id when the clock is right again.
            assert_eq!(faulty.post("always", "nơi khác", &[]).status, 409, "{offset} s");
        }
        // A token that ends by itself is judged by the clock that the server has.
        faulty.station.token_ends(Utc::now() + TimeDelta::hours(1));
        assert_eq!(faulty.send("5").status, 201);
        faulty.set(Fault::ClockOffset, 2 * 3_600);
        assert_eq!(faulty.send("6").status, 403);
        faulty.set(Fault::ClockOffset, -day);
        assert_eq!(faulty.send("6").status, 201);
        faulty.served.kill();
        let mut kept: Vec<_> = faulty.station.kept().into_iter().map(|kept| (kept.instance_id, kept.standing)).collect();
        kept.sort_by_key(|(id, standing)| (id.clone(), standing.name()));
        let current = kept.iter().filter(|(_, standing)| *standing == Standing::Current).count();
        assert_eq!((current, kept.len()), (8, 9), "one of each, and the other content once beside it: {kept:?}");
    }

    /// A server was killed between its commits while its clock was a day ahead; then the clock was put right.
    fn a_lease_of_a_clock_that_was_ahead_blocks_nobody_until_that_day(place) {
        let wave = Wave::new(place);
        let ahead = Incoming { now: morning() + TimeDelta::days(1), ..wave.interview("uuid:a", "yes") };
        let mut lost = [Interview::prepare(wave.key.clone(), ahead).expect("prepared")];
        intake::reserve(wave.intake.field(), &mut lost).expect("reserved");
        drop(lost);
        let other = wave.intake.store(&wave.key, wave.interview("uuid:a", "no")).expect("stored");
        assert_eq!(other.outcome, Outcome::New);
        assert_eq!(wave.current(), [("uuid:a".to_owned(), "<answers><q1>no</q1></answers>".to_owned())]);
    }

    /// Settling finds what was left in the middle by its lease and by its tombstone, among others that are whole.
    fn settling_finds_reservations_and_withdrawals_among_many(place) {
        let wave = Wave::new(place);
        for n in 0..20 {
            wave.intake.store(&wave.key, wave.interview(&format!("uuid:{n}"), "yes")).expect("stored");
        }
        let mut lost = [Interview::prepare(wave.key.clone(), wave.interview("uuid:lost", "yes")).expect("prepared")];
        intake::reserve(wave.intake.field(), &mut lost).expect("reserved");
        wave.intake.withdraw(wave.project, "hh", "uuid:3", &wave.key).expect("withdrawn");
        // As a withdrawal stands after its first commit.
        let name = wave.key.name("instance", &[b"hh", b"uuid:4"]).map(|byte| format!("{byte:02x}")).concat();
        let bytes = if place.field_url.starts_with("sqlite:") { format!("x'{name}'") } else { format!("'\\x{name}'::bytea") };
        execute(&place.field_url, &format!(
            "insert into withdrawals (project, form_id, instance) values ({}, 'hh', {bytes}); \
             update submissions set state = 'leaving' where instance = {bytes}", wave.project
        ));
        let settled = wave.intake.settle_expired(wave.project, &wave.key, morning() + minutes(2)).expect("settled");
        assert_eq!(settled, Settled { dropped: 1, withdrawn: 1, confirmed: 0 });
        assert_eq!((wave.current().len(), wave.answers().len()), (18, 18));
    }
}

/// A small file system of its own; needs the right to mount.
#[test]
fn a_small_disk_that_fills_up_takes_interviews_again_once_there_is_space() {
    let Some(disk) = SmallDisk::new("size=3m") else {
        println!("left out: a file system in memory cannot be mounted here (root may)");
        return;
    };
    let folder = TemporaryFolder::within(&disk.0);
    let station = Station::within(Place::on_sqlite_in(TemporaryFolder::within(&disk.0)), folder);
    let served = Served::start(&station);
    let tablet = Tablet::new();
    let picture = vec![9_u8; 150_000];
    let send = |n: usize| {
        let xml = house(&format!("uuid:{n:03}"), "Nà Ngoạ");
        tablet.send(&station, &served, &xml, &[(PICTURE, &picture)]).expect("the server answers")
    };
    let mut acknowledged = Vec::new();
    let full = (0..100).find(|n| {
        let reply = send(*n);
        if reply.status == 201 {
            acknowledged.push(format!("uuid:{n:03}"));
            return false;
        }
        assert_eq!((reply.status, reply.retry_after.as_deref()), (503, Some("30")), "{}", reply.body);
        true
    });
    let full = full.expect("3 MB are full before 100 pictures of 150 kB");
    assert!(!acknowledged.is_empty());
    for _ in 0..3 {
        assert_eq!(send(full).status, 503);
    }
    disk.grow("size=64m");
    for n in full..full + 5 {
        assert_eq!(send(n).status, 201, "there is space again");
        acknowledged.push(format!("uuid:{n:03}"));
    }
    served.kill();
    let kept = station.kept();
    let mut ids: Vec<&String> = kept.iter().map(|kept| &kept.instance_id).collect();
    ids.sort();
    assert_eq!(ids, acknowledged.iter().collect::<Vec<_>>());
    assert!(kept.iter().all(|kept| kept.files == [(PICTURE.to_owned(), picture.clone())]));
}

struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(options: &str) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("langnghe-disk-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&path).ok()?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(path));
        }
        let _ = fs::remove_dir(&path);
        None
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,{size}");
        let grown = Command::new("mount").args(["-o", &options]).arg(&self.0).status();
        assert!(grown.expect("mount runs").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there may end first.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}
