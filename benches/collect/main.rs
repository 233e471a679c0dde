//! Taking in and giving out: `./dev bench collect [--seconds N] [--stored N] [--rows N] [--only PART]`.
//!
//! The server is a process of its own, the clients share the processors with it. Beside every rate of interviews stand,
//! from the same run, what the disk syncs and what the same client reaches against a route that only answers.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use std::{env, fs};

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use langnghe::db::ProjectKind;

mod client;
mod house;
// The tests ask for more of it.
#[allow(dead_code)]
#[path = "../../tests/it/postgres.rs"]
mod postgres;

use client::{Sent, send};
use house::{House, Process, QUESTIONS};
use postgres::{Server, Syncs};

const CONNECTIONS: usize = 32;
/// Under an address like this one a child answers and does nothing else.
const ANSWER_ONLY: &str = "answer-only";

struct Sizes {
    seconds: u64,
    /// Rows with which intake is compared to an empty store.
    stored: u64,
    /// Submissions that are read.
    rows: u64,
    /// `intake`, `stored` or `reading`; all without it.
    only: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == ANSWER_ONLY) {
        return answer_only();
    }
    let mut sizes = Sizes { seconds: 10, stored: 1_000_000, rows: 100_000, only: None };
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--seconds" => sizes.seconds = value.parse()?,
            [name, value] if name == "--stored" => sizes.stored = value.parse()?,
            [name, value] if name == "--rows" => sizes.rows = value.parse()?,
            [name, value] if name == "--only" => sizes.only = Some(value.clone()),
            _ => {
                return Err(format!(
                    "{pair:?}: --seconds N, --stored N, --rows N, --only intake|stored|reading"
                )
                .into());
            }
        }
    }
    let asked = |part: &str| sizes.only.as_deref().is_none_or(|only| only == part);
    let cores = std::thread::available_parallelism()?;
    println!(
        "{QUESTIONS} questions, {CONNECTIONS} connections over loopback, {cores} cores shared with the clients"
    );
    let postgresql = Server::start(Syncs::Real);
    for (backend, server) in [("SQLite", None), ("PostgreSQL", Some(&postgresql))] {
        if asked("intake") {
            intake(backend, server, &sizes)?;
        }
        if asked("stored") {
            stored(backend, server, &sizes)?;
        }
        if asked("reading") {
            reading(backend, server, &sizes)?;
        }
    }
    Ok(())
}

fn judge(what: &str, is_met: bool, target: &str) {
    println!("   {what:<58} target {target}: {}", if is_met { "met" } else { "MISSED" });
}

/// Interviews acknowledged durably per second.
fn intake(backend: &str, server: Option<&Server>, sizes: &Sizes) -> Result<(), Box<dyn Error>> {
    println!("intake on {backend}");
    let house = House::new(ProjectKind::Survey, server)?;
    println!("   an interview has {} bytes", house.bytes());
    let syncs = syncs_per_second(&house.folder.0)?;
    let numbers = AtomicU64::new(1);
    let ceiling = {
        let mut command = Command::new(env::current_exe()?);
        let answering = Process::start(command.arg(ANSWER_ONLY))?;
        let time = Duration::from_secs(sizes.seconds.div_ceil(2));
        send(answering.address, &house.path, &house.interviews, CONNECTIONS, time, &numbers)?
    };
    let process = Process::serve(&house)?;
    let part = |seconds: f64| -> Result<Sent, Box<dyn Error>> {
        let time = Duration::from_secs_f64(seconds);
        Ok(send(process.address, &house.path, &house.interviews, CONNECTIONS, time, &numbers)?)
    };
    // The first second warms pools and caches.
    part(1.0)?;
    let processor = process.processor_seconds()?;
    let mut sent = part(sizes.seconds as f64 / 3.0)?;
    let (early, _) = process.memory()?;
    sent.add(part(sizes.seconds as f64 * 2.0 / 3.0)?);
    let (late, _) = process.memory()?;
    let processor = process.processor_seconds()? - processor;
    let rate = sent.rate();
    judge(&format!("{rate:.0} interviews/s acknowledged durably"), rate >= 500.0, "at least 500/s");
    judge("", rate >= 2_000.0, "aimed at: 2,000/s");
    let (p50, p99) = (sent.percentile(0.5), sent.percentile(0.99));
    judge(&format!("p50 {p50:.1} ms, p99 {p99:.1} ms"), p99 < 100.0, "p99 under 100 ms");
    judge(
        &format!("peak memory {early:.0} MB after a third, {late:.0} MB at the end"),
        late < 1.2 * early,
        "flat (under 1.2 times)",
    );
    judge(&format!("{} replies other than 201", sent.refused), sent.refused == 0, "none");
    let milliseconds = 1e3 * processor / sent.acknowledged as f64;
    println!("   {milliseconds:.2} ms of processor an interview in the server");
    println!(
        "   the disk: {syncs:.0} fdatasyncs/s alone, so {:.2} interviews a sync; the client against a route that only \
         answers: {:.0}/s, so {:.0} % of its ceiling",
        rate / syncs,
        ceiling.rate(),
        100.0 * rate / ceiling.rate()
    );
    Ok(())
}

/// Intake on a full store beside intake on an empty one, in turns.
fn stored(backend: &str, server: Option<&Server>, sizes: &Sizes) -> Result<(), Box<dyn Error>> {
    println!("intake on {backend} with {} stored submissions", sizes.stored);
    let (empty, full) = (House::new(ProjectKind::Survey, server)?, House::new(ProjectKind::Survey, server)?);
    full.store(1)?;
    let begun = Instant::now();
    full.fill(sizes.stored)?;
    println!("   filled with rows of the true size in {:.0} s", begun.elapsed().as_secs_f64());
    let numbers = AtomicU64::new(1_000_000);
    let processes = [Process::serve(&empty)?, Process::serve(&full)?];
    let mut rates: [Vec<f64>; 2] = Default::default();
    for round in 0..6 {
        for (house, (process, rates)) in [&empty, &full].into_iter().zip(processes.iter().zip(&mut rates)) {
            let time = Duration::from_secs_f64(sizes.seconds as f64 / 4.0);
            let sent = send(process.address, &house.path, &house.interviews, CONNECTIONS, time, &numbers)?;
            // The first round warms.
            if round > 0 {
                rates.push(sent.rate());
            }
        }
    }
    let [empty, full] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    judge(
        &format!("{full:.0}/s beside {empty:.0}/s on an empty store: {:+.0} %", 100.0 * (full / empty - 1.0)),
        full >= 0.9 * empty,
        "not over 10 % slower",
    );
    println!("   peak memory of the server on the full store {:.0} MB", processes[1].memory()?.0);
    Ok(())
}

/// CSV and one page of OData.
fn reading(backend: &str, server: Option<&Server>, sizes: &Sizes) -> Result<(), Box<dyn Error>> {
    println!("reading {} submissions on {backend}", sizes.rows);
    let house = House::new(ProjectKind::Inventory, server)?;
    let begun = Instant::now();
    house.store(sizes.rows)?;
    println!("   stored through the program in {:.0} s", begun.elapsed().as_secs_f64());
    let token = house.session()?;
    let process = Process::serve(&house)?;
    let page = |path: &str| -> Result<f64, Box<dyn Error>> {
        let mut times = Vec::new();
        for _ in 0..9 {
            let begun = Instant::now();
            get(process.address, path, &token, |_| {})?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    };
    let form = "/v1/projects/1/forms/sixty";
    for top in [50, 250] {
        let milliseconds = page(&format!("{form}.svc/Submissions.item?%24top={top}"))?;
        judge(
            &format!("OData page of {top} repeats: {milliseconds:.1} ms"),
            milliseconds < 100.0,
            "under 100 ms",
        );
    }
    let (before, _) = process.memory()?;
    let (mut lines, mut at_half) = (0, None);
    let begun = Instant::now();
    get(process.address, &format!("{form}/submissions.csv"), &token, |piece| {
        // Answers may hold line feeds; only the end of a line of CSV has a carriage return before it.
        lines += piece.iter().filter(|byte| **byte == b'\r').count() as u64;
        if at_half.is_none() && lines > sizes.rows / 2 {
            at_half = process.memory().ok().map(|(peak, _)| peak);
        }
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    if lines != sizes.rows + 1 {
        return Err(format!("the CSV has {lines} lines").into());
    }
    let rate = sizes.rows as f64 / seconds;
    judge(&format!("CSV: {rate:.0} rows/s"), rate >= 50_000.0, "at least 50,000 rows/s");
    let (half, late) = (at_half.unwrap_or(f64::NAN), process.memory()?.0);
    judge(
        &format!("peak memory {before:.0} MB before, {half:.0} MB at half, {late:.0} MB after"),
        late < 1.05 * half,
        "constant (under 1.05 times from half on)",
    );
    Ok(())
}

/// Reads an answer to its end, piece by piece.
fn get(
    server: SocketAddr,
    path: &str,
    token: &str,
    mut each: impl FnMut(&[u8]),
) -> Result<(), Box<dyn Error>> {
    let mut stream = TcpStream::connect(server)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )?;
    let mut stream = BufReader::with_capacity(256 * 1024, stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.contains(" 200 ") {
        return Err(format!("{path}: {line}").into());
    }
    let mut is_in_pieces = false;
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line)?;
        is_in_pieces |= line.eq_ignore_ascii_case("transfer-encoding: chunked\r\n");
    }
    if !is_in_pieces {
        let mut whole = Vec::new();
        stream.read_to_end(&mut whole)?;
        each(&whole);
        return Ok(());
    }
    let mut piece = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let many = usize::from_str_radix(line.trim(), 16)?;
        piece.resize(many + 2, 0);
        stream.read_exact(&mut piece)?;
        if many == 0 {
            return Ok(());
        }
        each(&piece[..many]);
    }
}

/// How often this disk makes 4 KiB durable in a second, one after the other.
fn syncs_per_second(folder: &Path) -> Result<f64, Box<dyn Error>> {
    let path = folder.join("syncs");
    let mut file = File::create(&path)?;
    let (begun, mut many) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(2) {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        many += 1;
    }
    let rate = f64::from(many) / begun.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// The child's part: reads what comes and answers 201.
fn answer_only() -> Result<(), Box<dyn Error>> {
    actix_web::rt::System::new().block_on(async {
        let answer = |_: Bytes| async { HttpResponse::Created().body("Đã nhận. Received.") };
        let server = HttpServer::new(move || App::new().default_service(web::to(answer))).workers(2);
        let server = server.bind("127.0.0.1:0")?;
        eprintln!("listens on http://{}", server.addrs()[0]);
        server.run().await?;
        Ok(())
    })
}
