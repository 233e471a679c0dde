//! `langnghe serve` as a process: TLS by an own certificate, metrics without respondents, a graceful end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::databases::TemporaryFolder;

/// A running server.
pub struct Served {
    program: Child,
    pub address: String,
}

impl Served {
    fn start(data: &Path, options: &[&str]) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_langnghe"));
        Self::start_with(program.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(options))
    }

    pub fn start_with(command: &mut Command) -> Self {
        let mut program = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(program.stderr.take().expect("a pipe")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("://")?.1.to_owned()))
            .expect("it says where it listens");
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).count());
        Self { program, address }
    }

    /// Ends as systemd ends it.
    pub fn end(mut self) {
        let id = self.program.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        assert!(self.program.wait().expect("it ends").success(), "SIGTERM ends it gracefully");
    }
}

/// A client over HTTP.
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

const BOUNDARY: &str = "ranh-gioi-91c4";

impl Client {
    pub fn of(served: &Served) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { agent: config.into(), base: format!("http://{}", served.address) }
    }

    /// Status and body.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.run("GET", path, headers, Vec::new())
    }

    /// Sends a submission to a device's address, with its files.
    pub fn send(&self, device: &str, xml: &str, files: &[(String, Vec<u8>)]) -> (u16, String) {
        let mut body = Vec::new();
        let xml = [("xml_submission_file".to_owned(), xml.as_bytes().to_vec())];
        for (name, bytes) in xml.iter().chain(files) {
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let headers = [("X-OpenRosa-Version", "1.0"), ("Content-Type", &kind)];
        self.run("POST", &format!("{device}/submission"), &headers, body)
    }

    pub fn run(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String) {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut reply = self.agent.run(request.body(body).expect("a request")).expect("an answer");
        (reply.status().as_u16(), reply.body_mut().read_to_string().expect("text"))
    }
}

/// What the server says, also when it hangs up before the whole question is sent.
fn ask(mut stream: impl Read + Write, path: &str) -> String {
    let _ = stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes());
    let mut reply = Vec::new();
    // A server that closes without a TLS goodbye has still said everything.
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

fn openssl(folder: &Path, name: &str) {
    let settings = "[req]\nprompt = no\ndistinguished_name = dn\nx509_extensions = ext\n[dn]\nCN = localhost\n\
                    [ext]\nsubjectAltName = DNS:localhost\nbasicConstraints = critical, CA:FALSE\n";
    std::fs::write(folder.join("openssl.cnf"), settings).expect("it is written");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-config", "openssl.cnf", "-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")])
        .current_dir(folder)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn the_server_speaks_tls_with_its_own_certificate() {
    let folder = TemporaryFolder::new();
    openssl(folder.path(), "own");
    openssl(folder.path(), "other");
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (certificate, key) = (file("own.pem"), file("own.key"));
    let served = Served::start(&folder.path().join("data"), &["--tls-cert", &certificate, "--tls-key", &key]);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate).expect("a certificate")).expect("it is a root");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = TcpStream::connect(&served.address).expect("it listens");
    let reply = ask(StreamOwned::new(client, stream), "/healthz");
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(reply.to_lowercase().contains("strict-transport-security"), "{reply}");
    let plain = ask(TcpStream::connect(&served.address).expect("it listens"), "/healthz");
    assert!(!plain.contains("200 OK"), "nothing is said without TLS: {plain}");
    served.end();

    let wrong = Command::new(env!("CARGO_BIN_EXE_langnghe"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path().join("data"))
        .args(["--tls-cert", &certificate, "--tls-key", &file("other.key")])
        .output()
        .expect("it runs");
    assert_eq!(wrong.status.code(), Some(1));
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(said.contains("other.key") && said.contains("does the key belong to the certificate"), "{said}");
}

#[test]
fn every_answer_tells_browsers_to_run_frame_guess_and_keep_nothing() {
    let folder = TemporaryFolder::new();
    let served = Served::start(folder.path(), &[]);
    for path in ["/healthz", "/v1/projects", "/v1/key/x/projects/1/formList", "/", "/metrics"] {
        let reply = ask(TcpStream::connect(&served.address).expect("it listens"), path).to_lowercase();
        for header in [
            "content-security-policy: default-src 'none'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "x-frame-options: deny",
            "cache-control: no-store",
        ] {
            assert!(reply.contains(header), "{path} {header}: {reply}");
        }
        assert!(!reply.contains("set-cookie") && !reply.contains("access-control-allow-origin"), "{path}");
        assert!(!reply.contains("\nserver:"), "{path}");
    }
    let trace = Client::of(&served).run("TRACE", "/healthz", &[("X-Secret", "bí mật")], Vec::new());
    assert!(trace.0 >= 400 && !trace.1.contains("bí mật"), "{trace:?}");
    served.end();
}

#[test]
fn metrics_count_requests_and_name_no_path_device_or_case() {
    let folder = TemporaryFolder::new();
    let served = Served::start(folder.path(), &[]);
    let get = |path: &str| ask(TcpStream::connect(&served.address).expect("it listens"), path);
    assert!(get("/healthz").starts_with("HTTP/1.1 200"));
    assert!(get("/v1/key/SECRETTOKEN/projects/1/formList").starts_with("HTTP/1.1 4"));
    let metrics = get("/metrics");
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()?.trim().parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    assert_eq!(value("langnghe_requests_total{status=\"2xx\"}"), 1.0, "{metrics}");
    assert_eq!(value("langnghe_requests_total{status=\"4xx\"}"), 1.0);
    assert_eq!(value("langnghe_request_seconds_count"), 2.0);
    assert_eq!(value("langnghe_ready"), 1.0);
    assert!(!metrics.contains("SECRETTOKEN") && !metrics.contains("formList"), "{metrics}");
    served.end();
}
