//! Files that come with submissions: kept sealed, once, and never as somebody's file who was refused.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use langnghe::db::{Attachment, NewForm, ProjectKind};
use langnghe::files::{FileStore, FilesError};
use langnghe::keys::WaveKey;
use langnghe::people::{Reach, Role};
use surveys::{xform, xlsform};

use crate::databases::{TemporaryFolder, on_both_backends};
use crate::rights::House;
use crate::storage_secrecy::files_with;

const BOUNDARY: &str = "ranh-gioi-7f3a";
/// What no file on the disk may show.
const PICTURE: &[u8] = b"\xff\xd8 anh chup nha van hoa thon Na Ngoa \xff\xd9";

/// A wave with a form that asks for a picture, or one without, and a device.
struct Wave<'a> {
    house: &'a House,
    project: i64,
    path: String,
}

impl<'a> Wave<'a> {
    fn new(house: &'a House, kind: ProjectKind, question: &str) -> Self {
        let workbook = format!(
            "| survey |\n|  | type | name | label |\n|  | text | place | Nơi |\n|  | {question} |\n| settings |\n|  | form_id | version | form_title |\n|  | nha | 1 | Nhà |\n"
        );
        let questionnaire = xlsform::read("nha.md", workbook.as_bytes()).expect("a form").questionnaire;
        let xml = xform::write(&questionnaire).expect("an XForm").into_bytes();
        let workbook = xlsform::write(&questionnaire).expect("a workbook");
        let project = house
            .field
            .transaction(|db| {
                let project = db.create_project(kind.name(), kind, Utc::now())?.id;
                let form = NewForm {
                    project,
                    form_id: "nha".to_owned(),
                    version: "1".to_owned(),
                    title: "Nhà".to_owned(),
                    xml,
                    workbook: Some(workbook),
                    files: Vec::new(),
                    confirmation: None,
                };
                db.publish_form(form, Utc::now())?;
                Ok::<_, langnghe::db::PublishError>(project)
            })
            .expect("a wave");
        house.receiver.make_key(project).expect("a key");
        let token = format!("{project}").repeat(64)[..64].to_owned();
        let device =
            house.field.transaction(|db| db.create_app_user(project, "Máy 1", None, &token, Utc::now()));
        device.expect("a device");
        Self { house, project, path: format!("/v1/key/{token}/projects/{project}/submission") }
    }

    fn send(&self, xml: &str, files: &[(&str, &[u8])]) -> u16 {
        self.send_and_see(xml, files).0
    }

    fn send_and_see(&self, xml: &str, files: &[(&str, &[u8])]) -> (u16, ureq::http::HeaderMap) {
        let mut body = Vec::new();
        let mut put = |name: &str, bytes: &[u8]| {
            body.extend_from_slice(
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n")
                    .as_bytes(),
            );
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        };
        // The order of parts is free: a file before the XML, the others behind it.
        let (first, rest) = files.split_at(files.len().min(1));
        for (name, bytes) in first {
            put(name, bytes);
        }
        put("xml_submission_file", xml.as_bytes());
        for (name, bytes) in rest {
            put(name, bytes);
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let request = ureq::http::Request::builder()
            .method("POST")
            .uri(format!("{}{}", self.house.base, self.path))
            .header("X-OpenRosa-Version", "1.0")
            .header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body)
            .expect("a request");
        let reply = self.house.agent.run(request).expect("an answer");
        (reply.status().as_u16(), reply.headers().clone())
    }

    fn submissions(&self) -> i64 {
        self.house.field.read(|db| db.count_submissions(self.project)).expect("counted")
    }

    fn kept(&self) -> Vec<Attachment> {
        let key = self.house.receiver.key(self.project).expect("the key");
        self.house
            .field
            .read(|db| {
                let mut kept = Vec::new();
                for submission in db.list_submissions(self.project, &key)? {
                    kept.extend(db.list_attachments(submission.id, &key)?);
                }
                Ok::<_, langnghe::db::Error>(kept)
            })
            .expect("files are listed")
    }

    fn bytes(&self, file: &str) -> Result<Vec<u8>, FilesError> {
        let key = self.house.receiver.key(self.project).expect("the key");
        let store = self.house.receiver.files().expect("a place for files");
        waited(store.read(key, file))
    }
}

fn waited<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn instance(id: &str, picture: &str) -> String {
    format!(
        "<data id=\"nha\" version=\"1\"><place>Nà Ngoạ</place><picture>{picture}</picture><meta><instanceID>uuid:{id}</instanceID></meta></data>"
    )
}

/// Files below a folder, however deep.
fn count(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|e| if e.path().is_dir() { count(&e.path()) } else { 1 }).sum()
}

on_both_backends! {
    fn files_arrive_over_several_posts_in_any_order_and_each_is_kept_once(place) {
        let house = House::on(place);
        let wave = Wave::new(&house, ProjectKind::Practice, "image | picture | Ảnh |");
        let xml = instance("a", "nha-van-hoa-1.jpg");
        let big: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        assert_eq!(wave.send(&xml, &[("nha-van-hoa-1.jpg", PICTURE)]), 201);
        assert_eq!(wave.send(&xml, &[("2.mp4", &big)]), 201, "the same XML with the next file");
        // The answer was lost: everything comes again.
        assert_eq!(wave.send(&xml, &[("2.mp4", &big), ("nha-van-hoa-1.jpg", PICTURE)]), 201);
        let kept = wave.kept();
        assert_eq!(kept.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["nha-van-hoa-1.jpg", "2.mp4"]);
        assert_eq!(wave.bytes(&kept[0].file).expect("opens"), PICTURE);
        assert_eq!(wave.bytes(&kept[1].file).expect("opens"), big);
        let folder = house.folder.path().join("files");
        assert_eq!(count(&folder), 2, "copies that came again are gone");
        assert_eq!(files_with(&folder, b"nha van hoa"), Vec::<String>::new(), "a picture lies there in clear");
        for folder in [house.folder.path(), &place.files] {
            assert_eq!(files_with(folder, b"nha-van-hoa-1.jpg"), Vec::<String>::new(), "a file's name can be read");
        }
    }

    fn other_bytes_under_a_stored_name_are_a_conflict_and_both_are_kept(place) {
        let house = House::on(place);
        let wave = Wave::new(&house, ProjectKind::Inventory, "image | picture | Ảnh |");
        let xml = instance("a", "1.jpg");
        assert_eq!(wave.send(&xml, &[("1.jpg", PICTURE)]), 201);
        assert_eq!(wave.send(&xml, &[("1.jpg", b"other")]), 409);
        assert_eq!(wave.send(&xml, &[("1.jpg", b"other")]), 409, "and again");
        assert_eq!(wave.send(&xml, &[("1.jpg", PICTURE)]), 201);
        let kept = wave.kept();
        assert_eq!(kept.iter().map(|file| file.in_conflict).collect::<Vec<_>>(), [false, true]);
        assert_eq!(wave.bytes(&kept[1].file).expect("opens"), b"other");
        assert_eq!(count(&house.folder.path().join("files")), 2);
        assert_eq!(wave.send(&xml, &[("9.jpg", b"one"), ("9.jpg", b"two")]), 400, "one name twice in one post");
        assert_eq!(count(&house.folder.path().join("files")), 2);
    }

    fn of_a_refused_submission_no_file_stays(place) {
        let house = House::on(place);
        let wave = Wave::new(&house, ProjectKind::Practice, "image | picture | Ảnh |");
        assert_eq!(wave.send("<data", &[("1.jpg", PICTURE)]), 400);
        assert_eq!(wave.send(&instance("a", "1.jpg").replace("\"nha\"", "\"other\""), &[("1.jpg", PICTURE)]), 404);
        assert_eq!(count(&house.folder.path().join("files")), 0);
    }

    fn a_survey_keeps_the_seconds_by_block_of_an_audit_file_and_no_other_file(place) {
        let house = House::on(place);
        let wave = Wave::new(&house, ProjectKind::Survey, "audit | audit | |");
        let xml = "<data id=\"nha\" version=\"1\"><place>Nà Ngoạ</place><meta><audit>audit.csv</audit><instanceID>uuid:a</instanceID></meta></data>";
        let audit = b"event,node,start,end,latitude,longitude\nquestion,/data/opinion/road,1000,9000,22.8231,104.9784\n";
        assert_eq!(wave.send(xml, &[("1.jpg", PICTURE)]), 400);
        assert_eq!(count(&house.folder.path().join("files")), 0);
        assert_eq!(wave.send(xml, &[("audit.csv", audit)]), 201);
        assert_eq!(wave.send(xml, &[("audit.csv", audit)]), 201, "the same bytes are recognised");
        let kept = wave.kept();
        assert_eq!(kept.len(), 1);
        assert_eq!(wave.bytes(&kept[0].file).expect("opens"), b"block,seconds\nopinion,8\n");
    }

    fn a_place_that_cannot_be_written_sends_the_client_away_and_nothing_is_stored(place) {
        let house = House::on(place);
        let wave = Wave::new(&house, ProjectKind::Practice, "image | picture | Ảnh |");
        let folder = house.folder.path().join("files");
        fs::remove_dir_all(&folder).expect("the folder goes");
        fs::write(&folder, "a file stands where the folder was").expect("written");
        let (status, headers) = wave.send_and_see(&instance("a", "1.jpg"), &[("1.jpg", PICTURE)]);
        assert_eq!((status, headers.get("Retry-After").is_some()), (503, true));
        assert_eq!(wave.submissions(), 0, "nothing is there that could be taken for the whole");
        fs::remove_file(&folder).expect("removed");
        fs::create_dir(&folder).expect("made again");
        assert_eq!(wave.send(&instance("a", "1.jpg"), &[("1.jpg", PICTURE)]), 201);
        assert_eq!((wave.submissions(), wave.kept().len()), (1, 1));
    }

    fn names_with_diacritics_come_back_as_they_were(place) {
        let house = House::on(place);
        let wave = Wave::new(&house, ProjectKind::Inventory, "image | picture | Ảnh |");
        assert_eq!(wave.send(&instance("a", "ảnh nhà.jpg"), &[("ảnh nhà.jpg", PICTURE)]), 201);
        assert_eq!(wave.kept()[0].name, "ảnh nhà.jpg");
    }

    fn what_the_device_encrypted_is_kept_as_it_came_and_marked(place) {
        let house = House::on(place);
        for kind in [ProjectKind::Survey, ProjectKind::Practice] {
            let wave = Wave::new(&house, kind, "integer | rooms | Phòng |");
            let xml = "<data id=\"nha\" version=\"1\" encrypted=\"yes\" xmlns=\"http://www.opendatakit.org/xforms/encrypted\">\
                <base64EncryptedKey>QUJD</base64EncryptedKey><meta xmlns=\"http://openrosa.org/xforms\"><instanceID>uuid:e</instanceID></meta>\
                <media><file>1.jpg.enc</file></media><encryptedXmlFile>submission.xml.enc</encryptedXmlFile>\
                <base64EncryptedElementSignature>REVG</base64EncryptedElementSignature></data>";
            assert_eq!(wave.send(xml, &[("submission.xml.enc", b"\x01\x02")]), 201, "{kind:?}");
            assert_eq!(wave.send(xml, &[("1.jpg.enc", b"\x03"), ("submission.xml.enc", b"\x01\x02")]), 201);
            let mut kept = wave.kept();
            kept.sort_by(|a, b| a.name.cmp(&b.name));
            assert_eq!(kept.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["1.jpg.enc", "submission.xml.enc"]);
            assert_eq!(wave.bytes(&kept[1].file).expect("opens"), b"\x01\x02");
            let key = house.receiver.key(wave.project).expect("the key");
            let stored = house.field.read(|db| db.list_submissions(wave.project, &key)).expect("listed");
            assert_eq!(stored[0].flags, ["encrypted"]);
            let answer = house.receiver.answers.read(|db| db.find_answer(wave.project, stored[0].token, &key));
            let answer = answer.expect("read").expect("there");
            let whole = surveys::halves::join(&stored[0].xml, &answer.xml).expect("the halves fit");
            assert_eq!(whole, xml.as_bytes(), "byte for byte");
            if kind == ProjectKind::Survey {
                assert_eq!(wave.send(xml, &[("photo.jpg", PICTURE)]), 400, "no file beside what is encrypted");
                continue;
            }
            let token = house.token("giam-sat", Role::Supervisor, Reach::default());
            let rows = format!("/v1/projects/{}/forms/nha.svc/Submissions", wave.project);
            let (_, rows) = house.send("get", &rows, Some(&token), "");
            let row = &rows["value"][0];
            assert_eq!(row["__system"]["status"], "notDecrypted", "{rows}");
            assert_eq!(row.as_object().expect("a row").len(), 2, "nothing but itself: {row}");
        }
    }

    fn what_a_crash_left_is_removed_after_a_day_and_nothing_else(place) {
        let house = House::on(place);
        let wave = Wave::new(&house, ProjectKind::Practice, "image | picture | Ảnh |");
        assert_eq!(wave.send(&instance("a", "1.jpg"), &[("1.jpg", PICTURE)]), 201);
        let folder = house.folder.path().join("files");
        let key = house.receiver.key(wave.project).expect("the key");
        let store = house.receiver.files().expect("a place for files");
        let loose = |_: u8| {
            let mut writing = store.begin(Arc::clone(&key));
            waited(async {
                writing.push(b"nobody's").await.expect("written");
                writing.finish().await.expect("finished").file
            })
        };
        let (old, _young) = (loose(1), loose(2));
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86_400);
        for file in [&old, &wave.kept()[0].file] {
            let opened = fs::File::options().write(true).open(folder.join(file)).expect("there");
            opened.set_modified(long_ago).expect("its time is set");
        }
        let sweep = Arc::clone(&house.receiver).remove_loose_files(Utc::now() - chrono::TimeDelta::days(1));
        assert_eq!(waited(sweep).expect("swept"), 1);
        assert!(!folder.join(&old).exists());
        assert_eq!(count(&folder), 2);
        assert_eq!(wave.bytes(&wave.kept()[0].file).expect("opens"), PICTURE);
    }

    fn equal_posts_at_once_keep_one_copy(place) {
        let house = House::on(place);
        let wave = Wave::new(&house, ProjectKind::Practice, "image | picture | Ảnh |");
        let xml = instance("a", "1.jpg");
        std::thread::scope(|scope| {
            let posts: Vec<_> = (0..6).map(|_| scope.spawn(|| wave.send(&xml, &[("1.jpg", PICTURE)]))).collect();
            for post in posts {
                assert_eq!(post.join().expect("it ran"), 201);
            }
        });
        assert_eq!((wave.submissions(), wave.kept().len()), (1, 1));
        assert_eq!(count(&house.folder.path().join("files")), 1);
    }
}

#[test]
fn a_file_that_was_cut_short_moved_or_sealed_for_another_wave_does_not_open() {
    let folder = TemporaryFolder::new();
    let store = FileStore::open(&folder.path().display().to_string()).expect("a folder");
    let key = Arc::new(WaveKey::generate().expect("chance"));
    let write = |bytes: &[u8]| {
        waited(async {
            let mut writing = store.begin(Arc::clone(&key));
            writing.push(bytes).await.expect("written");
            writing.finish().await.expect("finished").file
        })
    };
    for size in [0, 1, 1_048_571, 1_048_572, 1_048_573, 2_097_144, 2_500_000] {
        let bytes = vec![7_u8; size];
        let file = write(&bytes);
        assert_eq!(waited(store.read(Arc::clone(&key), &file)).expect("opens"), bytes, "{size}");
        let on_disk = fs::metadata(folder.path().join(&file)).expect("there").len();
        assert!(on_disk % 4096 < 200, "{size}: {on_disk} is near a step of 4 KiB");
    }
    let file = write(&vec![7_u8; 2_500_000]);
    let path = folder.path().join(&file);
    let whole = fs::read(&path).expect("there");
    let opens = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        waited(store.read(Arc::clone(&key), &file)).is_ok()
    };
    assert!(opens(&whole));
    let first = 4 + u32::from_le_bytes(whole[..4].try_into().expect("four bytes")) as usize;
    assert!(!opens(&whole[..first]), "cut after a whole chunk");
    assert!(!opens(&whole[..first + 2]), "cut inside a length");
    assert!(!opens(&whole[first..]), "the first chunk is gone");
    assert!(!opens(b""), "empty");
    let mut grown = whole.clone();
    grown[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(!opens(&grown), "a length beyond the end");
    let other = Arc::new(WaveKey::generate().expect("chance"));
    fs::write(&path, &whole).expect("written");
    assert!(waited(store.read(other, &file)).is_err());
}

#[test]
fn a_place_for_files_that_is_none_is_refused_by_name() {
    for url in ["ftp://host/dir", "file://relative", ""] {
        let refused = FileStore::open(url).expect_err("no place").to_string();
        assert!(refused.contains("file:///dir"), "{refused}");
    }
    assert!(matches!(FileStore::open("s3://bucket/prefix"), Err(FilesError::NoS3 { .. })));
}
