//! Accounts: passwords, second factors, lockout, areas of rights, grants by command.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use chrono::{NaiveDate, TimeDelta, Utc};
use langnghe::accounts::AccountError;
use langnghe::people::{Action, AreaRef, Person, Reach, Refusal, Role, Target, decide, secrets};

use crate::databases::TemporaryFolder;
use crate::rights::House;

const PASSWORD: &str = "sông Lô chảy về xuôi";

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn area(text: &str) -> AreaRef {
    AreaRef::read(text, day("2026-11-01")).expect("the unit is there")
}

#[test]
fn a_right_reaches_what_lies_in_its_area_also_after_the_borders_moved() {
    // Bắc Quang was a district of Hà Giang until 2025-06-30; Hà Giang went into Tuyên Quang.
    let supervisor = |root: &str| Person {
        id: 1,
        role: Role::Supervisor,
        reach: Reach { area: Some(area(root)), ..Reach::default() },
        second_factor: false,
    };
    let asks = |root: &str, unit: &str| {
        let unit = area(unit);
        let target = Target { area: Some(&unit), ..Target::default() };
        decide(&supervisor(root), Action::SeeFieldwork, target)
    };
    let tree = surveys::areas::AreaTree::bundled();
    let today = day("2026-11-01");
    let before = day("2025-06-30");
    let province =
        tree.search("Tuyên Quang", today).into_iter().find(|a| a.level == "province").expect("there");
    let commune = tree.children(province, today).into_iter().next().expect("a commune");
    let root = format!("province:{}", province.code);
    assert_eq!(asks(&root, &format!("commune:{}", commune.code)), Ok(()));
    assert_eq!(asks(&root, &root), Ok(()));
    let hanoi = tree.search("Hà Nội", today).into_iter().find(|a| a.level == "province").expect("there");
    assert_eq!(asks(&root, &format!("province:{}", hanoi.code)), Err(Refusal::Area));

    let district =
        tree.search("Bắc Quang", before).into_iter().find(|a| a.level == "district").expect("there");
    let root = format!("district:{}@2025-06-30", district.code);
    let old = tree.children(district, before).into_iter().next().expect("a commune");
    assert_eq!(asks(&root, &format!("commune:{}@2025-06-30", old.code)), Ok(()));
    // A commune of today whose every predecessor lay in the district is in; one of another district is not.
    let inside: BTreeSet<&str> =
        tree.children(district, before).into_iter().map(|commune| commune.code.as_str()).collect();
    let mut seen = (0, 0);
    for commune in tree.children(province, today) {
        let before = tree.predecessors("commune", &commune.code, today);
        let all = !before.is_empty() && before.iter().all(|change| inside.contains(change.old_code.as_str()));
        let asked = asks(&root, &format!("commune:{}", commune.code));
        assert_eq!(asked.is_ok(), all, "{}", commune.full_name);
        if all { seen.0 += 1 } else { seen.1 += 1 }
    }
    assert!(seen.0 >= 3 && seen.1 >= 50, "{seen:?}");
}

#[test]
fn an_area_that_is_not_there_is_refused_with_the_day_it_was_asked_for() {
    let refused = AreaRef::read("district:999", day("2026-11-01")).expect_err("no districts any more");
    assert!(refused.contains("2026-11-01"), "{refused}");
    assert!(AreaRef::read("province", day("2026-11-01")).is_err());
    assert!(AreaRef::read("province:08@soon", day("2026-11-01")).is_err());
}

#[test]
fn five_wrong_passwords_lock_the_account_for_a_while_and_a_reset_unlocks_it() {
    let house = House::new();
    let now = Utc::now();
    house.accounts.add("lan", Role::Analyst, Reach::default(), PASSWORD, now).expect("added");
    for _ in 0..5 {
        assert!(matches!(house.accounts.sign_in("lan", "wrong", None, now), Err(AccountError::Refused)));
    }
    assert!(matches!(house.accounts.sign_in("lan", PASSWORD, None, now), Err(AccountError::Refused)));
    house.accounts.sign_in("lan", PASSWORD, None, now + TimeDelta::seconds(61)).expect("a minute later");
    for _ in 0..5 {
        let _ = house.accounts.sign_in("lan", "wrong", None, now);
    }
    house.accounts.reset("lan", "một mật khẩu khác hẳn").expect("reset");
    let first = house.accounts.sign_in("lan", "một mật khẩu khác hẳn", None, now);
    assert!(matches!(first, Err(AccountError::MustChange)));
    house
        .accounts
        .change_password("lan", "một mật khẩu khác hẳn", "câu của riêng tôi 77", now)
        .expect("changed");
    house.accounts.sign_in("lan", "câu của riêng tôi 77", None, now).expect("signed in");
}

#[test]
fn a_code_counts_once_and_only_its_session_has_the_second_factor() {
    let house = House::new();
    let now = Utc::now();
    house.accounts.add("lan", Role::Analyst, Reach::default(), PASSWORD, now).expect("added");
    let (secret, address) = house.accounts.renew_second_factor("lan").expect("made");
    assert!(address.contains(&secret));
    let code = code_of(&secret, now.timestamp());
    let signed_in = house.accounts.sign_in("lan", PASSWORD, Some(&code), now).expect("signed in");
    let person = |token: &str| house.accounts.find_person(token, now).expect("read").expect("there").1;
    assert!(person(&signed_in.token).second_factor);
    assert!(matches!(house.accounts.sign_in("lan", PASSWORD, Some(&code), now), Err(AccountError::Refused)));
    let without = house.accounts.sign_in("lan", PASSWORD, None, now).expect("signed in");
    assert!(!person(&without.token).second_factor);
    let room = |person: &Person| decide(person, Action::SeeRoomFigures, Target::default());
    assert_eq!(room(&person(&signed_in.token)), Ok(()));
    assert_eq!(room(&person(&without.token)), Err(Refusal::SecondFactor));
}

#[test]
fn the_codes_are_those_of_rfc_6238() {
    // Appendix B, SHA-1, the last six of its eight digits.
    let secret = b"12345678901234567890";
    for (time, code) in
        [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
    {
        let step = secrets::check_second_factor(secret, code, 0, time).expect("a secret");
        assert_eq!(step, Some(time / 30), "{time}");
    }
    assert_eq!(secrets::check_second_factor(secret, "287083", 0, 59), Ok(None));
}

#[test]
fn a_disabled_account_loses_its_sessions() {
    let house = House::new();
    let now = Utc::now();
    house.accounts.add("lan", Role::Viewer, Reach::default(), PASSWORD, now).expect("added");
    let token = house.accounts.sign_in("lan", PASSWORD, None, now).expect("signed in").token;
    house.accounts.disable("lan").expect("disabled");
    assert_eq!(house.accounts.find_person(&token, now).expect("read"), None);
    assert!(house.accounts.sign_in("lan", PASSWORD, None, now).is_err());
}

#[test]
fn weak_passwords_and_odd_logins_are_refused() {
    let house = House::new();
    let add = |login: &str, password: &str| {
        house.accounts.add(login, Role::Viewer, Reach::default(), password, Utc::now()).map(drop)
    };
    for password in ["ngắn quá", "aaaaaaaaaaaaaaa", "password123456", "lan.nguyen va me"] {
        assert!(add("lan.nguyen@so.vn", password).is_err(), "{password}");
    }
    assert!(add("la n", PASSWORD).is_err());
    add("lan.nguyen@so.vn", PASSWORD).expect("added");
    assert!(matches!(add("LAN.nguyen@so.vn", PASSWORD), Err(AccountError::Exists { .. })));
}

/// The code of an authenticator that was given this base32 secret.
pub fn code_of(secret: &str, now: i64) -> String {
    let totp = totp_rs::Builder::new()
        .with_secret(totp_rs::Secret::try_from_base32(secret).expect("base32"))
        .build()
        .expect("a secret of 160 bits");
    totp.generate(now as u64).to_string()
}

/// A command of the program on a data folder.
fn langnghe(folder: &TemporaryFolder, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_langnghe"))
        .args(arguments)
        .env("LANGNGHE_DATA", folder.path())
        .envs(variables.iter().copied())
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn users_waves_and_grants_are_made_by_command_and_stand_in_the_log() {
    let folder = TemporaryFolder::new();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| langnghe(&folder, arguments, variables);
    let password = ("LANGNGHE_PASSWORD", PASSWORD);
    let wave = run(&["project", "add", "Khảo sát 2026"], &[]);
    assert_eq!(text(&wave.stdout), "1\n", "{}", text(&wave.stderr));
    assert!(text(&wave.stderr).contains("key create 1"), "{}", text(&wave.stderr));
    assert!(run(&["project", "add", "Diễn tập", "--kind", "practice"], &[]).status.success());
    let analyst = run(&["user", "add", "an", "--role", "analyst"], &[password]);
    assert!(analyst.status.success(), "{}", text(&analyst.stderr));
    let custodian = run(&["user", "add", "binh", "--role", "custodian", "--second-factor"], &[password]);
    let secret = text(&custodian.stdout).lines().nth(1).expect("the secret").to_owned();
    assert!(run(&["user", "add", "chi", "--role", "administrator"], &[password]).status.success());

    let until = (Utc::now() + TimeDelta::days(20)).date_naive().to_string();
    let grant = |login: &str, approver: &str, until: &str, code: &str| {
        let arguments = [
            "grant",
            "records",
            login,
            "--project",
            "1",
            "--until",
            until,
            "--purpose",
            "Mã hóa câu mở",
            "--approver",
            approver,
        ];
        let approval = [("LANGNGHE_APPROVER_PASSWORD", PASSWORD), ("LANGNGHE_APPROVER_TOTP", code)];
        let output = run(&arguments, &approval);
        (output.status.code(), text(&output.stderr))
    };
    let code = code_of(&secret, Utc::now().timestamp());
    let far = (Utc::now() + TimeDelta::days(31)).date_naive().to_string();
    assert!(grant("an", "binh", &far, &code).1.contains("30 days"));
    assert!(grant("an", "an", &until, &code).1.contains("another person"));
    assert!(grant("chi", "binh", &until, &code).1.contains("may not open records"), "no administrator");
    assert_eq!(grant("an", "binh", &until, "000000").0, Some(1));
    let (status, why) = grant("an", "binh", &until, &code_of(&secret, Utc::now().timestamp()));
    assert_eq!(status, Some(0), "{why}");

    let log = run(&["audit", "verify"], &[]);
    assert!(text(&log.stdout).starts_with("6 "), "{} {}", text(&log.stdout), text(&log.stderr));
}

#[test]
fn commands_for_people_say_what_is_wrong() {
    let folder = TemporaryFolder::new();
    let run = |arguments: &[&str], password: &str| {
        let output = langnghe(&folder, arguments, &[("LANGNGHE_PASSWORD", password)]);
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!(run(&["user", "add", "an", "--role", "king"], PASSWORD).0, Some(2));
    let (status, why) = run(&["user", "add", "an", "--role", "viewer", "--area", "district:024"], PASSWORD);
    assert!(status == Some(1) && why.contains("--area"), "{why}");
    let (status, why) = run(&["user", "add", "an", "--role", "viewer"], "ngắn");
    assert!(status == Some(1) && why.contains("12"), "{why}");
    let (status, why) = run(&["user", "disable", "ai"], PASSWORD);
    assert!(status == Some(1) && why.contains("user list"), "{why}");
    let (status, why) = run(&["user", "add", "an", "--role", "viewer", "--project", "9"], PASSWORD);
    assert!(status == Some(1) && why.contains("project list"), "{why}");
}

#[test]
fn the_keys_of_a_survey_are_made_under_a_passphrase_and_come_back_from_the_custodians_copy() {
    let folder = TemporaryFolder::new();
    let own = TemporaryFolder::new();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| langnghe(&folder, arguments, variables);
    let file = |name: &str| own.path().join(name).display().to_string();
    let house = ("LANGNGHE_KEY_PASSPHRASE", "bốn từ không liền nhau");
    let custodian = ("LANGNGHE_KEY_PASSPHRASE", "của riêng người giữ khóa");

    let short = run(&["key", "custodian", "--output", &file("c")], &[("LANGNGHE_KEY_PASSPHRASE", "ngắn")]);
    assert!(!short.status.success() && text(&short.stderr).contains("16"), "{}", text(&short.stderr));
    let made = run(&["key", "custodian", "--output", &file("c")], &[custodian]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(
        !run(&["key", "custodian", "--output", &file("c")], &[custodian]).status.success(),
        "never replaced"
    );

    assert!(run(&["project", "add", "Khảo sát 2026"], &[]).status.success());
    assert!(run(&["project", "add", "Kê nhà", "--kind", "inventory"], &[]).status.success());
    let create = |wave: &str, public: &str| run(&["key", "create", wave, "--custodian", public], &[house]);
    assert!(text(&create("9", &file("c.pub")).stderr).contains("project list"));
    assert!(text(&create("2", &file("c.pub")).stderr).contains("no respondents"));
    assert!(!create("1", &file("c")).status.success(), "the private half is no public one");
    let done = create("1", &file("c.pub"));
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(!create("1", &file("c.pub")).status.success(), "a key is never replaced");

    let keys = langnghe::keys::KeyFolder::open(folder.path().join("keys")).expect("the folder opens");
    assert!(keys.needs_passphrase());
    assert!(keys.load(1).expect_err("locked").to_string().contains("LANGNGHE_KEY_PASSPHRASE"));
    let wrong = keys.clone().with_passphrase(langnghe::keys::Passphrase::new("nhầm nhầm nhầm nhầm"));
    assert!(wrong.load(1).is_err());
    let open = keys.clone().with_passphrase(langnghe::keys::Passphrase::new(house.1));
    let before = open.load(1).expect("opens").name("test", &[b"a"]);
    let tablet = open.load_tablet(1).expect("opens").public();
    // The key of one file under the name of another does not open.
    let swapped = folder.path().join("keys/wave-7.key");
    std::fs::copy(folder.path().join("keys/wave-1.key"), &swapped).expect("copied");
    assert!(open.load(7).is_err());
    std::fs::remove_file(swapped).expect("removed");

    // The server's folder burns down; the custodian's copy was kept elsewhere.
    let escrow = file("wave-1.escrow");
    std::fs::copy(folder.path().join("keys/wave-1.escrow"), &escrow).expect("copied");
    for name in ["wave-1.key", "tablet-1.key", "wave-1.escrow"] {
        std::fs::remove_file(folder.path().join("keys").join(name)).expect("removed");
    }
    let own_passphrase = ("LANGNGHE_CUSTODIAN_PASSPHRASE", custodian.1);
    let restore = |wave: &str, variables: &[(&str, &str)]| {
        run(&["key", "restore", wave, "--escrow", &escrow, "--custodian-key", &file("c")], variables)
    };
    assert!(!restore("3", &[house, own_passphrase]).status.success(), "the copy is of another wave");
    assert!(
        !restore("1", &[house, ("LANGNGHE_CUSTODIAN_PASSPHRASE", "nhầm nhầm nhầm nhầm")]).status.success()
    );
    let restored = restore("1", &[house, own_passphrase]);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    assert_eq!(open.load(1).expect("opens").name("test", &[b"a"]), before);
    assert!(open.load_tablet(1).expect("opens").public() == tablet);
    let log = text(&run(&["audit", "verify"], &[]).stdout);
    assert!(log.starts_with("4 "), "{log}");
}
