//! The simulated tablets' side of the network: real OpenRosa requests to the running server, with the
//! accidents of mountain villages: late and out-of-order arrival, double sending, replies that are lost.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use surveys::chance::Chance;

/// What one tablet has to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Path of the submission address, `/v1/key/…/projects/1/submission`.
    pub path: String,
    pub xml: String,
    /// Sent in this round; round 1 is the evening of the interview, later rounds come days after.
    pub round: u8,
}

/// How the sending went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Submissions that the server acknowledged.
    pub acknowledged: usize,
    /// Requests made, double sending and resending included.
    pub requests: usize,
    /// Sent again though the first reply had come.
    pub doubled: usize,
    /// The reply never came, so the tablet sent again.
    pub lost_replies: usize,
    /// Sent after the first round.
    pub late: usize,
}

/// Why the demonstration stopped sending.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error(
        "the server at {address} did not answer ({cause}); is another program using the port? Start the demo again"
    )]
    NoAnswer { address: SocketAddr, cause: String },
    #[error("the server at {address} answered {status} to a submission: {body}")]
    Refused { address: SocketAddr, status: u16, body: String },
}

/// Sends all, in an order drawn by seed and over `connections` connections at once; `done` hears of each
/// acknowledged submission.
pub fn send_all(
    server: SocketAddr,
    mut outgoing: Vec<Outgoing>,
    seed: u64,
    connections: usize,
    done: &(impl Fn() + Sync),
) -> Result<Sent, SendError> {
    let mut chance = Chance::new(seed, "tablets");
    chance.shuffle(&mut outgoing);
    outgoing.sort_by_key(|o| o.round);
    let lanes: Vec<Vec<(usize, Outgoing)>> = {
        let mut lanes = vec![Vec::new(); connections.max(1)];
        let n = lanes.len();
        for (i, one) in outgoing.into_iter().enumerate() {
            lanes[i % n].push((i, one));
        }
        lanes
    };
    let results: Vec<Result<Sent, SendError>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            lanes.into_iter().map(|lane| scope.spawn(move || send_lane(server, lane, seed, done))).collect();
        threads
            .into_iter()
            .map(|thread| {
                thread.join().unwrap_or_else(|_| {
                    Err(SendError::NoAnswer {
                        address: server,
                        cause: "the sending thread ended early".into(),
                    })
                })
            })
            .collect()
    });
    let mut sum = Sent::default();
    for result in results {
        let sent = result?;
        sum.acknowledged += sent.acknowledged;
        sum.requests += sent.requests;
        sum.doubled += sent.doubled;
        sum.lost_replies += sent.lost_replies;
        sum.late += sent.late;
    }
    Ok(sum)
}

fn send_lane(
    server: SocketAddr,
    lane: Vec<(usize, Outgoing)>,
    seed: u64,
    done: &impl Fn(),
) -> Result<Sent, SendError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let mut sent = Sent::default();
    for (number, one) in lane {
        let mut chance = Chance::new(seed, &format!("tablet/{number}"));
        sent.late += usize::from(one.round > 1);
        if chance.happens(0.02) {
            lose_the_reply(server, &one)
                .map_err(|cause| SendError::NoAnswer { address: server, cause: cause.to_string() })?;
            sent.requests += 1;
            sent.lost_replies += 1;
        }
        post(&agent, server, &one)?;
        sent.requests += 1;
        sent.acknowledged += 1;
        if chance.happens(0.03) {
            post(&agent, server, &one)?;
            sent.requests += 1;
            sent.doubled += 1;
        }
        done();
    }
    Ok(sent)
}

const BOUNDARY: &str = "langnghe-demo-3f9a1c";

fn body(xml: &str) -> Vec<u8> {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"xml_submission_file\"; filename=\"submission.xml\"\r\nContent-Type: text/xml\r\n\r\n{xml}\r\n--{BOUNDARY}--\r\n"
    )
    .into_bytes()
}

fn post(agent: &ureq::Agent, server: SocketAddr, one: &Outgoing) -> Result<(), SendError> {
    let mut response = agent
        .post(format!("http://{server}{}", one.path))
        .header("X-OpenRosa-Version", "1.0")
        .header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .send(&body(&one.xml)[..])
        .map_err(|e| SendError::NoAnswer { address: server, cause: e.to_string() })?;
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().unwrap_or_default();
    if status == 201 { Ok(()) } else { Err(SendError::Refused { address: server, status, body: text }) }
}

/// Sends the whole request and hangs up when the first byte of the reply comes: the server has it, the tablet
/// does not know.
fn lose_the_reply(server: SocketAddr, one: &Outgoing) -> std::io::Result<()> {
    let body = body(&one.xml);
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "POST {} HTTP/1.1\r\nHost: {server}\r\nX-OpenRosa-Version: 1.0\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n",
        one.path,
        body.len()
    )?;
    stream.write_all(&body)?;
    let mut first = [0_u8; 1];
    stream.read_exact(&mut first)
}
