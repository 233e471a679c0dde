//! The wave key, its folder, and blocks sealed to the custodian.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use langnghe::keys::{
    self, BlockPlace, CustodianPrivate, CustodianPublic, KeyError, KeyFolder, KeyFolderError, Purpose,
    SEAL_STEP, SealedBlockError, WaveKey, is_sealed_block, open_block, seal_block, seal_block_by_chance,
};
use surveys::chance::Chance;

use crate::databases::TemporaryFolder;

const PLACE: BlockPlace<'static> =
    BlockPlace { form_id: "ps", form_version: "2026", block_path: "/data/self", first_instance_id: "uuid:a" };

#[test]
fn what_is_sealed_opens_with_the_same_key_purpose_and_place_only() {
    let key = WaveKey::from_seed(1);
    for plain in [&b""[..], b"yes", &[7; SEAL_STEP], &[0; 3 * SEAL_STEP - 4]] {
        let sealed = key.seal(Purpose::AnswerHalf, b"row 1", plain).expect("sealed");
        assert_eq!(key.open(Purpose::AnswerHalf, b"row 1", &sealed).expect("opens"), plain);
        for (other, purpose, place) in [
            (&WaveKey::from_seed(2), Purpose::AnswerHalf, b"row 1"),
            (&key, Purpose::FieldHalf, b"row 1"),
            (&key, Purpose::AnswerHalf, b"row 2"),
        ] {
            assert_eq!(other.open(purpose, place, &sealed), Err(KeyError::DoesNotOpen));
        }
        for at in [0, 1, 13, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(Purpose::AnswerHalf, b"row 1", &changed), Err(KeyError::DoesNotOpen));
        }
        assert_eq!(key.open(Purpose::AnswerHalf, b"row 1", &sealed[..12]), Err(KeyError::DoesNotOpen));
    }
}

/// 1 byte of form + 12 of nonce + 16 of tag = 29; 4 bytes of length are inside the padded text.
#[test]
fn sealed_lengths_go_in_steps_and_nonces_differ() {
    let key = WaveKey::from_seed(1);
    let length = |plain: usize| key.seal(Purpose::File, b"", &vec![0; plain]).expect("sealed").len();
    assert_eq!([length(0), length(4092), length(4093)], [4096 + 29, 4096 + 29, 8192 + 29]);
    let twice = [0, 0].map(|_| key.seal(Purpose::File, b"", b"yes").expect("sealed"));
    assert_ne!(twice[0], twice[1]);
}

#[test]
fn names_differ_by_key_label_and_parting() {
    let key = WaveKey::from_seed(1);
    let name = key.name("instance", &[b"hh", b"uuid:a"]);
    assert_eq!(name, WaveKey::from_seed(1).name("instance", &[b"hh", b"uuid:a"]));
    assert_ne!(name, WaveKey::from_seed(2).name("instance", &[b"hh", b"uuid:a"]));
    assert_ne!(name, key.name("content", &[b"hh", b"uuid:a"]));
    assert_ne!(name, key.name("instance", &[b"hhu", b"uid:a"]));
}

#[test]
fn a_key_file_is_its_owners_is_never_replaced_and_comes_back() {
    let folder = TemporaryFolder::new();
    let keys = KeyFolder::open(folder.path().join("keys")).expect("made");
    let mode = |path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(keys.path().to_owned()), 0o700);
    let key = keys.create(7).expect("made");
    assert_eq!(mode(keys.file_of(7)), 0o600);
    assert!(keys.has(7) && !keys.has(8));

    let sealed = key.seal(Purpose::FieldHalf, b"", b"yes").expect("sealed");
    let loaded = keys.load(7).expect("read");
    assert_eq!(loaded.open(Purpose::FieldHalf, b"", &sealed).expect("opens"), b"yes");
    assert!(matches!(keys.create(7), Err(KeyFolderError::Exists { .. })));
    assert!(matches!(keys.load(8), Err(KeyFolderError::Missing { wave: 8, .. })));

    fs::set_permissions(keys.file_of(7), fs::Permissions::from_mode(0o644)).expect("changed");
    assert!(matches!(keys.load(7), Err(KeyFolderError::Readable { mode: 0o644, .. })));
    fs::set_permissions(keys.file_of(7), fs::Permissions::from_mode(0o600)).expect("changed");
    let line = fs::read_to_string(keys.file_of(7)).expect("read");
    fs::write(keys.file_of(7), &line[..line.len() / 2]).expect("cut");
    assert!(matches!(keys.load(7), Err(KeyFolderError::NotAKey { .. })));
}

#[test]
fn a_sealed_block_opens_for_its_custodian_in_its_place_only() {
    let custodian = CustodianPrivate::generate().expect("the system gives random numbers");
    let xml = "<self><q1>rất không hài lòng</q1></self>".as_bytes();
    let sealed = seal_block(&custodian.public(), PLACE, xml).expect("sealed");
    assert!(is_sealed_block(&sealed) && !is_sealed_block("<self/>"));
    assert_eq!(open_block(&custodian, PLACE, &sealed).expect("opens"), xml);

    let stranger = CustodianPrivate::from_seed(9);
    assert_eq!(open_block(&stranger, PLACE, &sealed), Err(SealedBlockError::DoesNotOpen));
    for place in [
        BlockPlace { form_id: "other", ..PLACE },
        BlockPlace { form_version: "2027", ..PLACE },
        BlockPlace { block_path: "/data/other", ..PLACE },
        BlockPlace { first_instance_id: "uuid:b", ..PLACE },
    ] {
        assert_eq!(open_block(&custodian, place, &sealed), Err(SealedBlockError::DoesNotOpen));
    }
    assert_eq!(open_block(&custodian, PLACE, "ln1:AAAA"), Err(SealedBlockError::NotABlock));
    assert_eq!(open_block(&custodian, PLACE, "yes"), Err(SealedBlockError::NotABlock));
}

/// 65 bytes of point + 12 of nonce + 1024 of padded XML + 16 of tag = 1117 bytes, in base64url without padding 1490
/// letters, and `ln1:` before them. A step more from 1025 bytes of XML on.
#[test]
fn a_sealed_block_has_a_length_in_steps_of_one_kibibyte() {
    let custodian = CustodianPrivate::from_seed(3).public();
    let length = |xml: usize| seal_block(&custodian, PLACE, &vec![b'x'; xml]).expect("sealed").len();
    assert_eq!([length(1), length(1024), length(1025)], [1494, 1494, 4 + (2141_usize * 4).div_ceil(3)]);
}

#[test]
fn the_demo_seals_the_same_bytes_from_the_same_seed() {
    let custodian = CustodianPrivate::from_seed(2026);
    let seal = |seed| {
        let mut chance = Chance::new(seed, "sealed blocks/uuid:a");
        seal_block_by_chance(&custodian.public(), PLACE, b"<self/>", &mut chance).expect("sealed")
    };
    assert_eq!(seal(1), seal(1));
    assert_ne!(seal(1), seal(2));
    assert_eq!(open_block(&custodian, PLACE, &seal(1)).expect("opens"), b"<self/>");
}

#[test]
fn a_custodians_key_goes_through_text() {
    let custodian = CustodianPrivate::generate().expect("the system gives random numbers");
    let public = CustodianPublic::from_text(&custodian.public().to_text()).expect("read");
    let private = CustodianPrivate::from_text(&custodian.to_text()).expect("read");
    let sealed = seal_block(&public, PLACE, b"<self/>").expect("sealed");
    assert_eq!(open_block(&private, PLACE, &sealed).expect("opens"), b"<self/>");
    for text in ["", "AAAA", &"A".repeat(87)] {
        assert!(matches!(CustodianPublic::from_text(text), Err(SealedBlockError::NotAKey { .. })));
    }
}

/// The vector was opened with WebCrypto, so the tablet and this program speak of the same format.
#[test]
fn the_format_of_sealed_blocks_is_fixed() {
    let vector: serde_json::Value =
        serde_json::from_str(include_str!("sealed_block_vector.json")).expect("JSON");
    let text = |name: &str| vector[name].as_str().expect("a text");
    let place = BlockPlace {
        form_id: text("form_id"),
        form_version: text("form_version"),
        block_path: text("block_path"),
        first_instance_id: text("first_instance_id"),
    };
    let custodian = CustodianPrivate::from_text(text("custodian_private")).expect("read");
    assert_eq!(custodian.public().to_text(), text("custodian_public"));
    assert_eq!(open_block(&custodian, place, text("sealed")).expect("opens"), text("xml").as_bytes());

    let mut chance = Chance::new(1, "sealed blocks/uuid:a");
    let public = CustodianPrivate::from_seed(2026).public();
    let sealed = seal_block_by_chance(&public, place, text("xml").as_bytes(), &mut chance).expect("sealed");
    assert_eq!(sealed, text("sealed"));
}

/// Rule 9: three keys under one passphrase, of which a server has the public halves; the third one opens backups.
#[test]
fn a_custodians_bundle_holds_three_keys_under_its_passphrase_and_opens_backups() {
    let folder = TemporaryFolder::new();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let run = |arguments: &[&str], passphrase: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_langnghe"))
            .args(arguments)
            .env("LANGNGHE_DATA", folder.path().join("data"))
            .env("LANGNGHE_KEY_PASSPHRASE", passphrase)
            .env("LANGNGHE_CUSTODIAN_PASSPHRASE", passphrase)
            .output()
            .expect("the program runs")
    };
    let own = "của riêng người giữ khóa";
    assert_eq!(run(&["key", "custodian", "--output", &file("short")], "ngắn").status.code(), Some(1));
    assert!(!folder.path().join("short").exists());
    assert!(run(&["key", "custodian", "--output", &file("custodian")], own).status.success());
    let mode = fs::metadata(file("custodian")).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let private = fs::read_to_string(file("custodian")).expect("read");
    assert!(private.starts_with("langnghe-custodian-key passphrase ") && !private.contains("AGE-SECRET-KEY"));
    let public = fs::read_to_string(file("custodian.pub")).expect("read");
    let lines: Vec<&str> = public.lines().map(|line| line.split(' ').next().expect("a word")).collect();
    assert_eq!(lines, ["langnghe-custodian-public", "rsa", "age"]);
    let bundle =
        keys::load_custodian(file("custodian").as_ref(), &keys::Passphrase::new(own)).expect("it opens");
    let known = keys::load_custodian_public(file("custodian.pub").as_ref()).expect("it is read");
    assert_eq!(bundle.public(), known);
    // 3072 bits, 384 bytes, in X.509: 24 bytes of frame, and a byte and frame of the exponent.
    let rsa = known.forms.expect("a key").to_text().expect("text");
    assert!((390..=430).contains(&(rsa.len() * 3 / 4)), "{}", rsa.len());

    assert!(run(&["project", "add", "Diễn tập", "--kind", "practice"], own).status.success());
    let public = file("custodian.pub");
    let backup = ["backup", &file("backup"), "--recipient-field", &public, "--recipient-answers", &public];
    let made = run(&backup, own);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let verify = ["verify", &file("backup"), "--identity", &file("custodian")];
    let verified = run(&verify, own);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert_eq!(run(&verify, "một câu khác hẳn thế này").status.code(), Some(1));
}
