//! ODK-encrypted forms (protection.md rule 10): what a device encrypts to the custodian goes through the server closed and
//! is opened at the freeze. The encryption of these tests is OpenSSL's, and the kept vector's is another library's.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use langnghe::db::ProjectState;
use langnghe::keys::{self, EncryptedFormError, FormsPrivate, FormsPublic, open_encrypted};
use md5::{Digest, Md5};
use serde_json::Value;

use crate::databases::{TemporaryFolder, on_both_backends};
use crate::serving::{Client, Served};
use crate::wave::{CUSTODIAN, HOUSE, NAME, Survey, instance, main_cases, text};

fn vector() -> Value {
    serde_json::from_str(include_str!("encrypted_form_vector.json")).expect("JSON")
}

fn of<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}

fn file_of(made: &Value, name: &str) -> Option<Vec<u8>> {
    made["files"][name].as_str().map(|text| STANDARD.decode(text).expect("base64"))
}

#[test]
fn what_another_library_encrypted_by_the_specification_opens() {
    let vector = vector();
    let key = FormsPrivate::from_text(of(&vector, "private")).expect("a key");
    assert_eq!(key.public().to_text().expect("text"), of(&vector, "public"));
    for made in ["collect", "mgf1_with_sha_1"] {
        let made = &vector[made];
        let opened = open_encrypted(&key, of(made, "manifest").as_bytes(), |name| file_of(made, name));
        assert_eq!(text(&opened.expect("it opens")), of(&vector, "xml"));
    }
}

/// What becomes of a file on its way, by name.
type Change<'a> = dyn Fn(&str, Vec<u8>) -> Option<Vec<u8>> + 'a;

#[test]
fn what_was_changed_on_the_way_is_told_by_what_is_wrong() {
    let vector = vector();
    let key = FormsPrivate::from_text(of(&vector, "private")).expect("a key");
    let made = &vector["collect"];
    let manifest = of(made, "manifest");
    let open = |manifest: &str, change: &Change<'_>| {
        open_encrypted(&key, manifest.as_bytes(), |name| {
            file_of(made, name).and_then(|bytes| change(name, bytes))
        })
    };
    let missing = open(manifest, &|name, bytes| (name != "audit.csv.enc").then_some(bytes));
    assert_eq!(missing, Err(EncryptedFormError::MissingFile { file: "audit.csv.enc".to_owned() }));
    // One byte of the text is another letter; the last block is a damaged padding.
    let changed = |at: fn(usize) -> usize| {
        open(manifest, &|name, mut bytes| {
            let at = at(bytes.len());
            if name == "submission.xml.enc" {
                bytes[at] ^= 1;
            }
            Some(bytes)
        })
    };
    assert_eq!(changed(|_| 3), Err(EncryptedFormError::Signature));
    assert_eq!(
        changed(|length| length - 1),
        Err(EncryptedFormError::DamagedFile { file: "submission.xml.enc".to_owned() })
    );
    let cut = open(manifest, &|_, bytes| Some(bytes[..bytes.len() - 3].to_vec()));
    assert_eq!(cut, Err(EncryptedFormError::DamagedFile { file: "audit.csv.enc".to_owned() }));
    // Files that changed places, and the manifest of another interview.
    let swapped = manifest.replace("audit.csv.enc", "ghi chu.txt.enc");
    assert!(open(&swapped, &|_, bytes| Some(bytes)).is_err());
    let renamed = manifest.replace("00000000000a", "00000000000b");
    assert!(open(&renamed, &|_, bytes| Some(bytes)).is_err());
    let other_form = manifest.replace("id=\"hh\"", "id=\"hi\"");
    assert_eq!(open(&other_form, &|_, bytes| Some(bytes)), Err(EncryptedFormError::Signature));
    let keyless = manifest.replace("base64EncryptedKey", "key");
    assert_eq!(open(&keyless, &|_, bytes| Some(bytes)), Err(EncryptedFormError::Unreadable));
    assert_eq!(open("<data/>", &|_, bytes| Some(bytes)), Err(EncryptedFormError::Unreadable));
    let stranger = FormsPrivate::generate().expect("chance");
    let by_stranger = open_encrypted(&stranger, manifest.as_bytes(), |name| file_of(made, name));
    assert_eq!(by_stranger, Err(EncryptedFormError::AnotherKey));
}

/// OpenSSL with this input.
fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut program = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    program.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    let done = program.wait_with_output().expect("it ends");
    assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
    done.stdout
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A device that has a form with this public key.
struct Device {
    folder: TemporaryFolder,
}

/// What it sends: the manifest, and the files with their names.
type Encrypted = (String, Vec<(String, Vec<u8>)>);

impl Device {
    fn with(public: &str) -> Self {
        let folder = TemporaryFolder::new();
        fs::write(folder.path().join("key.der"), STANDARD.decode(public).expect("base64")).expect("written");
        Self { folder }
    }

    fn to_custodian(&self, plain: &[u8]) -> String {
        let key = self.folder.path().join("key.der").display().to_string();
        let oaep = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"]
            .map(|o| ["-pkeyopt", o])
            .concat();
        let arguments = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", &key];
        STANDARD.encode(openssl(&[&arguments[..], &oaep].concat(), plain))
    }

    /// Encrypts an interview of `hh` as Collect does.
    fn encrypt(&self, instance_id: &str, xml: &str, media: &[(&str, &[u8])]) -> Encrypted {
        let secret = openssl(&["rand", "32"], b"");
        let mut seed: [u8; 16] = Md5::digest([instance_id.as_bytes(), &secret].concat()).into();
        let key = self.to_custodian(&secret);
        let mut signed = format!("hh\n1\n{key}\n{instance_id}\n");
        let mut files = Vec::new();
        for (n, (name, plain)) in media.iter().chain(&[("submission.xml", xml.as_bytes())]).enumerate() {
            seed[n] = seed[n].wrapping_add(1);
            let padding = 16 - plain.len() % 16;
            let padded = [plain, &vec![padding as u8; padding][..]].concat();
            let cipher = ["enc", "-aes-256-cfb", "-nopad", "-K", &hex(&secret), "-iv", &hex(&seed)];
            files.push((format!("{name}.enc"), openssl(&cipher, &padded)));
            signed += &format!("{name}::{}\n", hex(&Md5::digest(plain)));
        }
        let signature = self.to_custodian(&Md5::digest(signed));
        let listed: String =
            media.iter().map(|(name, _)| format!("<media><file>{name}.enc</file></media>")).collect();
        let manifest = format!(
            "<data xmlns=\"http://www.opendatakit.org/xforms/encrypted\" encrypted=\"yes\" id=\"hh\" version=\"1\">\
             <base64EncryptedKey>{key}</base64EncryptedKey>\
             <meta xmlns=\"http://openrosa.org/xforms\"><instanceID>{instance_id}</instanceID></meta>{listed}\
             <encryptedXmlFile>submission.xml.enc</encryptedXmlFile>\
             <base64EncryptedElementSignature>{signature}</base64EncryptedElementSignature></data>"
        );
        (manifest, files)
    }
}

/// The `n`th interview in plain, as Collect fills it in.
fn interview(survey: &Survey<'_>, n: usize) -> String {
    let (village, household) = &main_cases(&survey.receiver())[n];
    format!(
        "<data id=\"hh\" version=\"1\"><case><village>{village}</village><household>{household}</household>\
         <attempt>1</attempt></case><roster><adults_n>2</adults_n></roster><b1>{}</b1><c1>1</c1><own><k1>{}</k1></own>\
         <result><disposition>11</disposition></result><meta><instanceID>{}</instanceID></meta></data>",
        1 + n % 2,
        1 + n % 2,
        instance(n),
    )
}

const DEVICE: &str = "/v1/key/token-1/projects/1";

on_both_backends! {
    fn what_collect_encrypted_is_opened_at_the_freeze_and_what_does_not_open_is_left_out_by_name(place) {
        let survey = Survey::new(place);
        survey.give_design();
        survey.make_cases();
        let served = Served::start_with(&mut survey.serve(&[]));
        let client = Client::of(&served);

        // A client that seals blocks itself gets the form as it is, any other as an encrypted form.
        let (status, own) = client.get(&format!("{DEVICE}/forms/hh.xml"), &[("X-LangNghe-Seals", "ln1")]);
        assert_eq!((status, own.contains("base64RsaPublicKey")), (200, false));
        let (_, form) = client.get(&format!("{DEVICE}/forms/hh/versions/1.xml"), &[]);
        let public = form.split_once("base64RsaPublicKey=\"").expect("a key").1.split_once('"').expect("its end").0;
        let bundle = keys::load_custodian_public(Path::new(&survey.file("custodian.pub"))).expect("a bundle");
        assert_eq!(Some(FormsPublic::from_text(public).expect("a key")), bundle.forms);
        let (_, list) = client.get(&format!("{DEVICE}/formList"), &[("X-OpenRosa-Version", "1.0")]);
        assert!(list.contains(&format!("md5:{}", hex(&Md5::digest(&form)))), "the hash is of these bytes: {list}");

        let device = Device::with(public);
        let stranger = FormsPrivate::generate().expect("chance").public().to_text().expect("a key");
        let strange = Device::with(&stranger);
        let send = |(manifest, files): &Encrypted| client.send(DEVICE, manifest, files);
        let good = device.encrypt(&instance(0), &interview(&survey, 0), &[]);
        let with_media = device.encrypt(&instance(1), &interview(&survey, 1), &[("audit.csv", b"event,node\n")]);
        let (manifest, mut files) = device.encrypt(&instance(2), &interview(&survey, 2), &[]);
        files[0].1[7] ^= 1;
        let damaged = (manifest, files);
        let (manifest, _) = device.encrypt(&instance(3), &interview(&survey, 3), &[]);
        let incomplete = (manifest, Vec::new());
        let of_another = strange.encrypt(&instance(4), &interview(&survey, 4), &[]);
        for sent in [&good, &with_media, &damaged, &incomplete, &of_another] {
            assert_eq!(send(sent).0, 201, "whatever is in it, it is taken");
        }
        survey.send(&survey.receiver(), 5).expect("one from our own tablet");
        served.end();

        let blind = survey.run(&["wave", "freeze", "1"], HOUSE);
        let said = text(&blind.stderr);
        assert!(blind.status.success() && said.contains("6 phỏng vấn có phần niêm phong"), "{said}");
        let key = survey.file("custodian");
        let frozen = survey.run(&["wave", "freeze", "1", "--replace", "--custodian-key", &key], HOUSE);
        let said = text(&frozen.stderr);
        assert!(frozen.status.success(), "{said}");
        for (n, why) in [(2, "signature"), (3, "has not arrived"), (4, "another custodian's key")] {
            let line = said.lines().find(|line| line.contains(&instance(n)));
            assert!(line.is_some_and(|line| line.contains(why)), "{n} {why}: {said}");
        }
        assert!(said.contains("bỏ ra 3 phỏng vấn") && !said.contains("niêm phong"), "{said}");
        let file = survey.analysis(None);
        let answers: Vec<_> = file.records.iter().filter_map(|record| record.answers.as_ref()).collect();
        assert_eq!(answers.len(), 3);
        assert!(answers.iter().all(|answers| answers["k1"] == answers["b1"]));
        let log = place.field().read(|db| db.verify_audit()).expect("the chain is whole");
        assert!(log.iter().all(|entry| !entry.detail.contains("uuid:")), "no instance id in the log");

        // What would be lost for good is not lost by a slip; a closing without the key keeps the file that is there.
        let close = ["wave", "close", "1", "--confirm", NAME];
        let why = survey.refused(&close);
        assert!(why.contains("3 interviews have sealed answers"), "{why}");
        survey.ok(&[&close[..], &["--without-sealed"]].concat(), HOUSE);
        assert_eq!((survey.state(), survey.analysis(None).about.snapshot), (ProjectState::Closed, 2));
    }

    fn another_custodians_key_opens_nothing_and_says_so(place) {
        let survey = Survey::new(place);
        survey.give_design();
        survey.make_cases();
        survey.send(&survey.receiver(), 0).expect("stored");
        survey.ok(&["key", "custodian", "--output", &survey.file("another")], CUSTODIAN);
        let why = survey.refused(&["wave", "freeze", "1", "--custodian-key", &survey.file("another")]);
        assert!(why.contains("another custodian's key"), "{why}");
        assert_eq!(survey.state(), ProjectState::Open, "the wave goes on");
    }

    fn a_wave_whose_custodian_has_no_key_for_encrypted_forms_gives_collect_no_sealed_form(place) {
        let survey = Survey::new(place);
        // As a bundle of the first version: the first line alone.
        let public = survey.folder.path().join("data/keys/wave-1.custodian.pub");
        let first = fs::read_to_string(&public).expect("read").lines().next().expect("a line").to_owned();
        fs::write(&public, format!("{first}\n")).expect("written");
        let served = Served::start_with(&mut survey.serve(&[]));
        let client = Client::of(&served);
        let (_, list) = client.get(&format!("{DEVICE}/formList"), &[("X-OpenRosa-Version", "1.0")]);
        assert!(!list.contains("<formID>"), "{list}");
        assert_eq!(client.get(&format!("{DEVICE}/forms/hh.xml"), &[]).0, 404);
        let seals = [("X-OpenRosa-Version", "1.0"), ("X-LangNghe-Seals", "ln1")];
        assert!(client.get(&format!("{DEVICE}/formList"), &seals).1.contains("<formID>hh</formID>"));
        served.end();
    }
}
