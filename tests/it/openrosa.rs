//! What ODK Collect and KoboCollect are promised: the OpenRosa protocol on a running server with the bundled forms.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use langnghe::accounts::Accounts;
use langnghe::db::{AnswerVault, FieldVault, FormState, Standing, Submission};
use langnghe::demo::instrument::{self, Instrument};
use langnghe::demo::wave::{self, Wave};
use langnghe::keys::KeyFolder;
use langnghe::web::{self, Running, Site};
use surveys::answer::{Options, answer};
use surveys::expression::Moment;
use surveys::form::Compiled;
use surveys::halves;

use crate::databases::TemporaryFolder;
use crate::storage_secrecy::files_with;

const BOUNDARY: &str = "collect-4c1e";

/// The instrument is read once for all tests.
fn bundled() -> &'static (Instrument, Compiled) {
    static BUNDLED: OnceLock<(Instrument, Compiled)> = OnceLock::new();
    BUNDLED.get_or_init(|| {
        let instrument = instrument::read().expect("the bundled instrument is read");
        let compiled =
            Compiled::new(&instrument.questionnaire.questionnaire).expect("the questionnaire runs");
        (instrument, compiled)
    })
}

/// A running server on two new vaults with the bundled forms, and one enumerator's device.
struct Office {
    wave: Wave,
    running: Option<Running>,
    address: SocketAddr,
    /// `http://…/v1/key/TOKEN/projects/1`
    base: String,
    agent: ureq::Agent,
    folder: TemporaryFolder,
}

/// What the server said.
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl Office {
    fn new() -> Self {
        let folder = TemporaryFolder::new();
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let field = FieldVault::open(&url("field.db")).expect("the field vault opens");
        let answers = AnswerVault::open(&url("answers.db")).expect("the answer vault opens");
        let keys = KeyFolder::open(folder.path().join("keys")).expect("the key folder opens");
        let wave = wave::prepare(field, answers, &keys, &bundled().0, 7).expect("the wave is prepared");
        let listener = web::listen("127.0.0.1:0").expect("some port is free");
        let seal = Arc::new(keys.installation().expect("the installation has a key"));
        let accounts = Accounts::new(wave.receiver.field.clone(), seal);
        let running = web::start(listener, Arc::clone(&wave.receiver), accounts, Site(None))
            .expect("the server starts");
        let address = running.address;
        let base = wave.device_address(address);
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        Self { wave, running: Some(running), address, base, agent, folder }
    }

    fn ask(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response =
            self.agent.run(request.body(body).expect("a request is made")).expect("the server answers");
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let status = response.status().as_u16();
        Reply { status, headers, body: response.body_mut().read_to_string().expect("the answer is text") }
    }

    fn get(&self, path: &str) -> Reply {
        self.ask("GET", &format!("{}{path}", self.base), &[("X-OpenRosa-Version", "1.0")], b"")
    }

    /// Posts a multipart body.
    fn post(&self, body: &[u8]) -> Reply {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let headers = [("X-OpenRosa-Version", "1.0"), ("Content-Type", kind.as_str())];
        self.ask("POST", &format!("{}/submission?deviceID=collect:x1", self.base), &headers, body)
    }

    fn send(&self, xml: &str) -> Reply {
        self.post(&multipart(&[("xml_submission_file", xml)]))
    }

    /// Versions of interviews in the field vault.
    fn stored(&self) -> Vec<Submission> {
        let receiver = &self.wave.receiver;
        let key = &receiver.key(self.wave.survey).expect("the key is held");
        receiver.field.read(|db| db.list_submissions(self.wave.survey, key)).expect("submissions open")
    }

    /// The bytes as they came, from both halves.
    fn bytes_of(&self, submission: &Submission) -> String {
        let receiver = &self.wave.receiver;
        let key = &receiver.key(self.wave.survey).expect("the key is held");
        let answers =
            receiver.answers.read(|db| db.list_answers(self.wave.survey, key)).expect("answers open");
        let answer = answers.iter().find(|a| a.token == submission.token).expect("the answer half is there");
        let bytes = halves::join(&submission.xml, &answer.xml).expect("the halves fit");
        String::from_utf8(bytes).expect("XML is text")
    }

    fn answers_stored(&self) -> usize {
        let receiver = &self.wave.receiver;
        let key = &receiver.key(self.wave.survey).expect("the key is held");
        receiver.answers.read(|db| db.list_answers(self.wave.survey, key)).expect("answers open").len()
    }

    fn standing(&self) -> Vec<Standing> {
        let mut standing: Vec<Standing> = self.stored().iter().map(|s| s.standing).collect();
        standing.sort_by_key(|s| s.name());
        standing
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.stop();
        }
    }
}

fn multipart(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (name, content) in parts {
        let file = if *name == "*isIncomplete*" { "" } else { "; filename=\"submission.xml\"" };
        body += &format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\nContent-Type: text/xml\r\n\r\n{content}\r\n"
        );
    }
    body += &format!("--{BOUNDARY}--\r\n");
    body.into_bytes()
}

/// The village of every interview here.
const VILLAGE: &str = "SYN-04711-BI-MAT";
/// What the respondent says in the open question I6.
const MARKER: &str = "đường liên thôn Nà Ngoạ hỏng từ mùa mưa";

/// A complete random interview; all have the same answers and differ in their instance id.
fn interview(number: u64) -> String {
    let given = [
        ("village", VILLAGE),
        ("contact", "1"),
        ("roster_given", "1"),
        ("respondent", "1"),
        ("consent", "1"),
        ("stopped_in", "11"),
        ("i6_given", "1"),
        ("i6", MARKER),
    ];
    let start = Moment::parse("2026-08-03T08:00:00.000+07:00", 420).expect("a moment");
    let options = Options {
        presets: given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        instance_id: Some(instance_id(number)),
        ..Options::at(start)
    };
    let answered = answer(&bundled().1, 1, &options);
    assert!(answered.xml.contains(MARKER) && answered.xml.contains(VILLAGE), "{:?}", answered.rejected);
    answered.xml
}

fn instance_id(number: u64) -> String {
    format!("uuid:7b1e0000-0000-4000-8000-{number:012}")
}

/// The same interview corrected: another id, the former one as `deprecatedID`, another answer.
fn corrected(xml: &str, id: u64, original: u64, words: &str) -> String {
    let meta = format!("<instanceID>{}</instanceID>", instance_id(original));
    assert!(xml.contains(&meta), "the interview has its id in meta");
    let edit = format!(
        "<deprecatedID>{}</deprecatedID><instanceID>{}</instanceID>",
        instance_id(original),
        instance_id(id)
    );
    xml.replace(&meta, &edit).replace(MARKER, words)
}

/// The text between two tags, first occurrence.
fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    let start = text.find(open).unwrap_or_else(|| panic!("{open} is missing in {text}")) + open.len();
    &text[start..start + text[start..].find(close).expect("it is closed")]
}

fn md5_hex(bytes: &[u8]) -> String {
    use md5::{Digest, Md5};
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_form_list_has_what_collect_needs_and_the_hash_of_the_bytes_served() {
    let office = Office::new();
    let list = office.get("/formList?deviceID=collect:x1");
    assert_eq!(list.status, 200, "{}", list.body);
    assert_eq!(list.header("Content-Type"), Some("text/xml; charset=utf-8"));
    assert_eq!(list.header("X-OpenRosa-Version"), Some("1.0"));
    assert!(list.header("Date").is_some_and(|date| date.ends_with("GMT")));
    assert!(list.header("Content-Language").is_some());
    assert!(list.header("X-OpenRosa-Accept-Content-Length").is_some_and(|n| n.parse::<u64>().is_ok()));
    assert!(
        list.body.contains("<xforms xmlns=\"http://openrosa.org/xforms/xformsList\"><xform>"),
        "{}",
        list.body
    );
    assert_eq!(between(&list.body, "<formID>", "</formID>"), form_id());
    assert!(!between(&list.body, "<name>", "</name>").is_empty());
    assert!(!list.body.contains("manifestUrl"), "the form has no files");

    let url = between(&list.body, "<downloadUrl>", "</downloadUrl>");
    assert!(url.starts_with(&office.base), "{url} does not lead back the way the client came");
    // Without the protocol's header too: a browser may fetch a form.
    let form = office.ask("GET", url, &[], b"");
    assert_eq!(form.status, 200);
    assert_eq!(form.header("Content-Type"), Some("application/xml; charset=utf-8"));
    let hash = between(&list.body, "<hash>", "</hash>");
    assert_eq!(hash, format!("md5:{}", md5_hex(form.body.as_bytes())));
    assert!(form.body.contains("<h:html") && form.body.contains(&format!("id=\"{}\"", form_id())));
    assert!(form.header("ETag").is_some_and(|tag| hash.contains(tag.trim_matches('"'))));

    let unversioned = office.get(&format!("/forms/{}.xml", form_id()));
    assert_eq!((unversioned.status, unversioned.body == form.body), (200, true));
    assert_eq!(office.get("/formList?formID=other").body.matches("<xform>").count(), 0);
    assert_eq!(office.get(&format!("/formList?formID={}", form_id())).body.matches("<xform>").count(), 1);
    let version = between(&list.body, "<version>", "</version>");
    let manifest = office.get(&format!("/forms/{}/versions/{version}/manifest", form_id()));
    assert_eq!(manifest.status, 200);
    assert!(
        manifest.body.contains("<manifest xmlns=\"http://openrosa.org/xforms/xformsManifest\"></manifest>")
    );
    assert_eq!(office.get("/forms/other.xml").status, 404);
    assert_eq!(office.get(&format!("/forms/{}/versions/1900.xml", form_id())).status, 404);
}

fn form_id() -> &'static str {
    &bundled().0.questionnaire.questionnaire.settings.form_id
}

#[test]
fn a_token_that_is_unknown_or_of_another_project_gets_403_everywhere() {
    let office = Office::new();
    let wrong_token =
        format!("http://{}/v1/key/{}/projects/{}", office.address, "x".repeat(64), office.wave.survey);
    let wrong_project = office
        .base
        .replace(&format!("/projects/{}", office.wave.survey), &format!("/projects/{}", office.wave.listing));
    assert_ne!(wrong_project, office.base);
    let body = multipart(&[("xml_submission_file", &interview(1))]);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    for base in [wrong_token, wrong_project] {
        for (method, path) in [("GET", "/formList"), ("GET", "/submission"), ("HEAD", "/submission")] {
            let reply = office.ask(method, &format!("{base}{path}"), &[("X-OpenRosa-Version", "1.0")], b"");
            assert_eq!(reply.status, 403, "{method} {path}");
            assert_eq!(reply.header("X-OpenRosa-Version"), Some("1.0"));
        }
        let headers = [("X-OpenRosa-Version", "1.0"), ("Content-Type", kind.as_str())];
        let reply = office.ask("POST", &format!("{base}/submission"), &headers, &body);
        assert_eq!(reply.status, 403);
        assert!(reply.body.contains("<message nature=\"error\">"), "{}", reply.body);
    }
    assert_eq!(office.stored().len(), 0);
}

#[test]
fn a_request_without_the_version_header_gets_400() {
    let office = Office::new();
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let body = multipart(&[("xml_submission_file", &interview(1))]);
    for (method, path, body) in
        [("GET", "/formList", &[][..]), ("HEAD", "/submission", &[]), ("POST", "/submission", &body)]
    {
        let reply = office.ask(method, &format!("{}{path}", office.base), &[("Content-Type", &kind)], body);
        assert_eq!(reply.status, 400, "{method} {path}");
        assert_eq!(reply.header("X-OpenRosa-Version"), Some("1.0"), "errors carry the header too");
    }
    assert_eq!(office.stored().len(), 0);
}

#[test]
fn head_before_sending_says_how_much_the_server_takes() {
    let office = Office::new();
    for method in ["HEAD", "GET"] {
        let url = format!("{}/submission?deviceID=collect:x1", office.base);
        let reply = office.ask(method, &url, &[("X-OpenRosa-Version", "1.0")], b"");
        assert_eq!((reply.status, reply.body.as_str()), (204, ""));
        let size = reply.header("X-OpenRosa-Accept-Content-Length").expect("the size is told");
        assert!(size.parse::<u64>().expect("a number") >= 10_000_000);
    }
}

#[test]
fn the_same_interview_again_is_acknowledged_again_and_stored_once() {
    let office = Office::new();
    let xml = interview(1);
    let first = office.send(&xml);
    assert_eq!(first.status, 201, "{}", first.body);
    assert_eq!(first.header("Content-Type"), Some("text/xml; charset=utf-8"));
    assert!(first.body.starts_with("<OpenRosaResponse xmlns=\"http://openrosa.org/http/response\""));
    for _ in 0..3 {
        assert_eq!(office.send(&xml).status, 201);
    }
    assert_eq!(office.standing(), [Standing::Current]);
    assert_eq!(office.answers_stored(), 1);
    assert_eq!(office.bytes_of(&office.stored()[0]), xml, "the bytes are kept as they came");
}

#[test]
fn an_instance_id_with_other_content_gets_409_and_both_are_kept() {
    let office = Office::new();
    let xml = interview(1);
    let other = xml.replace(MARKER, "không có gì");
    assert_eq!(office.send(&xml).status, 201);
    let refused = office.send(&other);
    assert_eq!(refused.status, 409);
    assert!(
        refused.body.contains("nature=\"error\"") && refused.body.contains("giám sát viên"),
        "{}",
        refused.body
    );
    assert_eq!(office.send(&other).status, 409, "the answer stays the same");
    assert_eq!(office.send(&xml).status, 201, "the first one keeps its place");
    assert_eq!(office.standing(), [Standing::Conflict, Standing::Current]);
    let mut kept: Vec<String> = office.stored().iter().map(|s| office.bytes_of(s)).collect();
    kept.sort();
    let mut sent = vec![xml, other];
    sent.sort();
    assert_eq!(kept, sent);
}

#[test]
fn requests_that_are_no_submission_get_400_and_store_nothing() {
    let office = Office::new();
    let xml = interview(1);
    let entity =
        xml.replacen("<data ", "<!DOCTYPE data [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><data ", 1);
    assert_ne!(entity, xml);
    let laughs = format!(
        "<!DOCTYPE data [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>{}",
        xml.replacen(MARKER, "&b;", 1)
    );
    let cut = &xml[..xml.rfind("</data>").expect("the root is closed")];
    let whole = multipart(&[("xml_submission_file", &xml)]);
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("two XML parts", multipart(&[("xml_submission_file", &xml), ("xml_submission_file", &xml)])),
        ("no XML part", multipart(&[("*isIncomplete*", "yes")])),
        ("an entity from a file", multipart(&[("xml_submission_file", &entity)])),
        ("entities of its own", multipart(&[("xml_submission_file", &laughs)])),
        ("XML that ends early", multipart(&[("xml_submission_file", cut)])),
        ("no XML", multipart(&[("xml_submission_file", "xin chào")])),
        ("an empty part", multipart(&[("xml_submission_file", "")])),
        ("a file that the form does not take", multipart(&[("xml_submission_file", &xml), ("1.jpg", "ảnh")])),
        ("a body that ends early", whole[..whole.len() / 2].to_vec()),
        ("nothing", Vec::new()),
    ];
    for (what, body) in bodies {
        let reply = office.post(&body);
        assert_eq!(reply.status, 400, "{what}: {}", reply.body);
        assert!(reply.body.contains("nature=\"error\""), "{what}: {}", reply.body);
        assert!(!reply.body.contains("root:"), "{what}: a file of the server is told");
    }
    assert_eq!(office.stored().len(), 0);
    assert_eq!(office.answers_stored(), 0);
    assert_eq!(
        office.post(&multipart(&[("*isIncomplete*", "yes"), ("xml_submission_file", &xml)])).status,
        201
    );
}

/// The client's form gives no ids: the content names the interview, so that a resend finds it.
#[test]
fn an_interview_without_an_instance_id_is_stored_once_by_its_content() {
    let office = Office::new();
    let nameless = interview(41).replace(&format!("<instanceID>{}</instanceID>", instance_id(41)), "");
    assert!(!nameless.contains("<instanceID>"), "{nameless}");
    assert_eq!(office.send(&nameless).status, 201);
    assert_eq!(office.send(&nameless).status, 201);
    assert_eq!(office.stored().len(), 1);
    assert_eq!(office.bytes_of(&office.stored()[0]), nameless);
}

#[test]
fn a_form_or_version_that_is_not_here_gets_404() {
    let office = Office::new();
    let xml = interview(1);
    let id = format!("id=\"{}\"", form_id());
    assert!(xml.contains(&id));
    assert_eq!(office.send(&xml.replacen(&id, "id=\"another\"", 1)).status, 404);
    let version = format!("version=\"{}\"", between(&xml, "version=\"", "\""));
    let refused = office.send(&xml.replacen(&version, "version=\"1900\"", 1));
    assert_eq!(refused.status, 404);
    assert!(refused.body.contains("1900") && refused.body.contains("danh sách phiếu"), "{}", refused.body);
    assert_eq!(office.stored().len(), 0);
}

#[test]
fn a_closed_form_takes_nothing_and_leaves_the_list() {
    let office = Office::new();
    let set = |state| {
        let project = office.wave.survey;
        let done = office.wave.receiver.field.transaction(|db| db.set_form_state(project, form_id(), state));
        done.expect("the state is set");
    };
    let early = interview(1);
    assert_eq!(office.send(&early).status, 201);
    set(FormState::Closing);
    assert!(!office.get("/formList").body.contains("<xform>"), "a closing form is not offered");
    assert_eq!(office.send(&interview(2)).status, 201, "what was begun is taken");
    set(FormState::Closed);
    let refused = office.send(&interview(3));
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("đã đóng"), "{}", refused.body);
    assert_eq!(office.stored().len(), 2);
}

#[test]
fn an_edit_takes_the_place_of_what_it_corrects() {
    let office = Office::new();
    let xml = interview(1);
    let edit = corrected(&xml, 2, 1, "đường đã sửa");
    let unknown = office.send(&edit);
    assert_eq!(unknown.status, 404, "what it corrects is not here yet");
    assert_eq!(office.send(&xml).status, 201);
    assert_eq!(office.send(&edit).status, 201);
    assert_eq!(office.send(&edit).status, 201, "the same edit again");
    assert_eq!(office.send(&xml).status, 201, "the first version gets the answer it got");
    let late = corrected(&xml, 3, 1, "một bản sửa khác");
    assert_eq!(office.send(&late).status, 409, "the original was corrected already");
    assert_eq!(office.standing(), [Standing::Current, Standing::Superseded]);
    let current =
        office.stored().into_iter().find(|s| s.standing == Standing::Current).expect("one is valid");
    assert_eq!(current.instance_id, instance_id(2));
    assert_eq!(current.first_instance_id, instance_id(1));
    assert_eq!(office.bytes_of(&current), edit);
}

/// The head of a raw POST, for requests that do not go as they should.
fn raw_head(office: &Office, length: usize) -> String {
    let path = office.base.split_once(&office.address.to_string()).expect("the base has the address").1;
    format!(
        "POST {path}/submission HTTP/1.1\r\nHost: {}\r\nX-OpenRosa-Version: 1.0\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n",
        office.address
    )
}

#[test]
fn a_lost_reply_is_made_good_by_sending_again() {
    let office = Office::new();
    let xml = interview(1);
    let body = multipart(&[("xml_submission_file", &xml)]);
    let mut stream = TcpStream::connect(office.address).expect("the server takes the call");
    stream.write_all(raw_head(&office, body.len()).as_bytes()).expect("sent");
    stream.write_all(&body).expect("sent");
    let mut first = [0; 1];
    stream.read_exact(&mut first).expect("the reply begins");
    drop(stream);
    assert_eq!(office.send(&xml).status, 201);
    assert_eq!(office.standing(), [Standing::Current]);
    assert_eq!(office.answers_stored(), 1);
}

#[test]
fn a_request_that_stops_in_the_middle_leaves_nothing() {
    let office = Office::new();
    let xml = interview(1);
    let body = multipart(&[("xml_submission_file", &xml)]);
    // Within the head, at the part's beginning, in the XML, and just before the last boundary ends.
    for sent in [0, 90, body.len() / 2, body.len() - 4] {
        let mut stream = TcpStream::connect(office.address).expect("the server takes the call");
        stream.write_all(raw_head(&office, body.len()).as_bytes()).expect("sent");
        stream.write_all(&body[..sent]).expect("sent");
        stream.shutdown(Shutdown::Write).expect("the tablet loses its network");
        let mut reply = String::new();
        let _ = stream.read_to_string(&mut reply);
        assert!(
            !reply.starts_with("HTTP/1.1 2"),
            "{sent} bytes of {} were acknowledged: {reply}",
            body.len()
        );
    }
    assert_eq!(office.stored().len(), 0);
    assert_eq!(office.answers_stored(), 0);
    assert_eq!(office.send(&xml).status, 201, "the server still takes interviews");
}

#[test]
fn of_sixteen_equal_posts_at_once_all_are_acknowledged_and_one_is_stored() {
    let office = Office::new();
    for round in 1..=3 {
        let body = multipart(&[("xml_submission_file", &interview(round))]);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| office.post(&body).status)).collect();
            threads.into_iter().map(|thread| thread.join().expect("sent")).collect()
        });
        assert_eq!(statuses, [201; 16]);
        assert_eq!(office.standing(), vec![Standing::Current; round as usize]);
        assert_eq!(office.answers_stored(), round as usize);
    }
}

#[test]
fn nothing_of_an_interview_can_be_read_in_the_data_folder() {
    let mut office = Office::new();
    let (xml, other) = (interview(1), interview(2));
    assert_eq!(office.send(&xml).status, 201);
    assert_eq!(office.send(&other).status, 201);
    assert_eq!(office.send(&xml.replace(MARKER, &format!("{MARKER} lắm"))).status, 409);
    assert_eq!(office.send(&corrected(&other, 3, 2, &format!("{MARKER} quá"))).status, 201);
    let secrets = [
        MARKER.to_owned(),
        instance_id(1),
        instance_id(3),
        instance_id(1)[5..].to_owned(),
        VILLAGE.to_owned(),
    ];
    let look = |folder: &Path| {
        // Found if the scan works: the form's title stands in clear.
        let title = bundled().0.questionnaire.questionnaire.settings.title.clone();
        assert!(!files_with(folder, title.as_bytes()).is_empty(), "the scan sees what is stored in clear");
        for secret in &secrets {
            assert_eq!(files_with(folder, secret.as_bytes()), Vec::<String>::new(), "`{secret}` can be read");
        }
    };
    look(office.folder.path());
    assert!(office.folder.path().join("field.db-wal").exists(), "the write-ahead log was looked through");
    if let Some(running) = office.running.take() {
        running.stop().expect("the server ends");
    }
    look(office.folder.path());
}
