//! How often a client may ask, and all of them together. In memory only: no address is written anywhere.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;

use super::problem::{Code, Problem};

/// Clients that are remembered at most; further ones count with all others only.
const CLIENTS: usize = 10_000;

/// So many at once, and one more each `each`.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub burst: u32,
    pub each: Duration,
}

impl Rate {
    /// What is left of `used` after some time.
    fn left(&self, used: f64, since: Duration) -> f64 {
        (used - since.as_secs_f64() / self.each.as_secs_f64()).max(0.0)
    }

    /// How long to wait until one more fits.
    fn wait(&self, used: f64) -> Option<Duration> {
        let over = used + 1.0 - f64::from(self.burst);
        (over > 0.0).then(|| self.each.mul_f64(over))
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    used: f64,
    at: Instant,
}

/// Counts requests by client.
#[derive(Debug)]
pub struct Limit {
    client: Rate,
    all: Rate,
    state: Mutex<(HashMap<IpAddr, Bucket>, Option<Bucket>)>,
}

impl Limit {
    pub fn new(client: Rate, all: Rate) -> Self {
        Self { client, all, state: Mutex::default() }
    }

    /// Counts one request, or says how long to wait.
    pub fn admit(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (clients, all) = &mut *state;
        let used = |rate: &Rate, bucket: Option<&Bucket>| {
            bucket.map_or(0.0, |b| rate.left(b.used, now.saturating_duration_since(b.at)))
        };
        if clients.len() >= CLIENTS {
            clients.retain(|_, bucket| used(&self.client, Some(bucket)) > 0.0);
        }
        let own = used(&self.client, clients.get(&address));
        let everyones = used(&self.all, all.as_ref());
        let waits = [self.client.wait(own), self.all.wait(everyones)];
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(wait);
        }
        if clients.len() < CLIENTS || clients.contains_key(&address) {
            clients.insert(address, Bucket { used: own + 1.0, at: now });
        }
        *all = Some(Bucket { used: everyones + 1.0, at: now });
        Ok(())
    }
}

/// The doors where guessing could pay.
#[derive(Debug)]
pub struct Limits {
    /// Signing in and changing a password: an office behind one address comes to work at eight.
    pub sign_in: Limit,
    /// Receipt codes typed by respondents.
    pub withdrawal: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        let rate = |burst, milliseconds| Rate { burst, each: Duration::from_millis(milliseconds) };
        Self {
            sign_in: Limit::new(rate(30, 2_000), rate(200, 50)),
            withdrawal: Limit::new(rate(5, 60_000), rate(60, 2_000)),
        }
    }
}

impl Limits {
    pub fn sign_in(&self, request: &HttpRequest) -> Result<(), Problem> {
        self.sign_in
            .admit(client(request), Instant::now())
            .map_err(|wait| Problem { wait: Some(wait.as_secs() + 1), ..Problem::new(Code::TooManyRequests) })
    }
}

/// Who asks. Behind a reverse proxy on this machine, whom the proxy names last; of IPv6 the first 64 bits, which belong to
/// one household or office.
pub fn client(request: &HttpRequest) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let named = || {
        let last = request.headers().get_all("X-Forwarded-For").last()?.to_str().ok()?;
        last.rsplit(',').next()?.trim().parse().ok()
    };
    network(if peer.is_loopback() { named().unwrap_or(peer) } else { peer })
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> Limit {
        let rate = |burst| Rate { burst, each: Duration::from_secs(10) };
        Limit::new(rate(2), rate(4))
    }

    fn address(text: &str) -> IpAddr {
        network(text.parse().expect("an address"))
    }

    #[test]
    fn a_client_has_its_burst_and_then_waits_its_turn() {
        let (limit, start, lan) = (limit(), Instant::now(), address("10.0.0.1"));
        assert_eq!(limit.admit(lan, start), Ok(()));
        assert_eq!(limit.admit(lan, start), Ok(()));
        assert_eq!(limit.admit(lan, start), Err(Duration::from_secs(10)));
        assert_eq!(limit.admit(address("10.0.0.2"), start), Ok(()), "another client is not held up");
        let later = start + Duration::from_secs(10);
        assert_eq!(limit.admit(lan, later), Ok(()));
        assert!(limit.admit(lan, later).is_err());
    }

    #[test]
    fn all_clients_together_have_a_limit_too() {
        let (limit, start) = (limit(), Instant::now());
        for last in 1..=4 {
            assert_eq!(limit.admit(address(&format!("10.0.0.{last}")), start), Ok(()));
        }
        assert!(limit.admit(address("10.0.0.5"), start).is_err());
        assert_eq!(limit.admit(address("10.0.0.5"), start + Duration::from_secs(10)), Ok(()));
    }

    #[test]
    fn addresses_of_one_household_are_one_client() {
        assert_eq!(address("2001:db8:1:2:aaaa::1"), address("2001:db8:1:2:bbbb::2"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
    }
}
