//! Tablets: many connections that post interviews over kept-alive HTTP and wait for each reply.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::house::{HOUSEHOLD, household};

const BOUNDARY: &str = "collect-bench-5e0a";

/// An interview that is sent many times, each time under another instance id of the same length.
pub struct Interview {
    before: Vec<u8>,
    between: Vec<u8>,
    after: Vec<u8>,
}

impl Interview {
    /// `xml` holds the household of a sample, and behind it `instance_id` once.
    pub fn new(xml: &str, instance_id: &str) -> Option<Self> {
        let (before, rest) = xml.split_once(HOUSEHOLD)?;
        let (between, after) = rest.split_once(instance_id)?;
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"xml_submission_file\"; filename=\"submission.xml\"\r\nContent-Type: text/xml\r\n\r\n{before}"
        );
        let tail = format!("{after}\r\n--{BOUNDARY}--\r\n");
        Some(Self { before: head.into_bytes(), between: between.into(), after: tail.into_bytes() })
    }

    fn request(&self, path: &str, server: SocketAddr, number: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        let (id, household) = (instance_id(number), household(number));
        let length = self.before.len() + household.len() + self.between.len() + id.len() + self.after.len();
        bytes.clear();
        write!(
            bytes,
            "POST {path} HTTP/1.1\r\nHost: {server}\r\nX-OpenRosa-Version: 1.0\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
        )?;
        bytes.extend_from_slice(&self.before);
        bytes.extend_from_slice(household.as_bytes());
        bytes.extend_from_slice(&self.between);
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(&self.after);
        Ok(())
    }
}

pub fn instance_id(number: u64) -> String {
    format!("uuid:5e0a0000-0000-4000-8000-{number:012x}")
}

/// How a time of sending went.
#[derive(Default)]
pub struct Sent {
    pub acknowledged: usize,
    /// Replies that were no 201.
    pub refused: usize,
    pub seconds: f64,
    /// Microseconds from sending to reply, sorted.
    latencies: Vec<u32>,
}

impl Sent {
    pub fn rate(&self) -> f64 {
        self.acknowledged as f64 / self.seconds
    }

    /// Milliseconds below which this share of the replies came.
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (share * last as f64).round() as usize;
        self.latencies.get(at).map_or(f64::NAN, |us| f64::from(*us) / 1e3)
    }

    pub fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.seconds += other.seconds;
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
    }
}

/// Sends for a time over so many connections; `numbers` gives every interview its own.
pub fn send(
    server: SocketAddr,
    path: &str,
    interviews: &[Interview],
    connections: usize,
    time: Duration,
    numbers: &AtomicU64,
) -> io::Result<Sent> {
    let begun = Instant::now();
    let lanes: Vec<io::Result<Sent>> = std::thread::scope(|scope| {
        let lane = || send_lane(server, path, interviews, begun + time, numbers);
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(lane)).collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|_| Err(io::Error::other("a sender failed"))))
            .collect()
    });
    let mut all = Sent::default();
    for lane in lanes {
        all.add(lane?);
    }
    all.seconds = begun.elapsed().as_secs_f64();
    Ok(all)
}

fn send_lane(
    server: SocketAddr,
    path: &str,
    interviews: &[Interview],
    until: Instant,
    numbers: &AtomicU64,
) -> io::Result<Sent> {
    let mut sent = Sent::default();
    let mut stream = BufReader::new(TcpStream::connect(server)?);
    stream.get_ref().set_nodelay(true)?;
    stream.get_ref().set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut bytes = Vec::new();
    while Instant::now() < until {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let interview = &interviews[number as usize % interviews.len()];
        interview.request(path, server, number, &mut bytes)?;
        let begun = Instant::now();
        stream.get_mut().write_all(&bytes)?;
        let status = read_reply(&mut stream)?;
        if status == 201 {
            sent.acknowledged += 1;
            sent.latencies.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        } else {
            sent.refused += 1;
        }
    }
    Ok(sent)
}

/// The status of one reply, read to its end.
fn read_reply(stream: &mut BufReader<TcpStream>) -> io::Result<u16> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no reply: {line:?}")))?;
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    io::copy(&mut stream.take(length), &mut io::sink())?;
    Ok(status)
}
