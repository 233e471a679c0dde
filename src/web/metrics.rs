//! `GET /metrics` in the text format of Prometheus: how many requests, how long, what became of submissions. No
//! path, no wave, no device, no case and no answer is in it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::{self, Data};
use actix_web::{Error, HttpResponse};

use crate::intake::Receiver;

/// Upper bounds of the histogram of request times, in seconds.
const BOUNDS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// Counted since the start of the program.
#[derive(Debug, Default)]
pub struct Metrics {
    /// By class of status: 1xx … 5xx.
    requests: [AtomicU64; 5],
    within: [AtomicU64; BOUNDS.len()],
    micros: AtomicU64,
}

impl Metrics {
    fn count(&self, status: StatusCode, micros: u64) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.requests[class].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        for (bound, within) in BOUNDS.iter().zip(&self.within) {
            if micros as f64 <= bound * 1e6 {
                within.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn text(&self) -> String {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut out = String::from("# TYPE langnghe_requests_total counter\n");
        for (class, counter) in self.requests.iter().enumerate() {
            out += &format!("langnghe_requests_total{{status=\"{}xx\"}} {}\n", class + 1, read(counter));
        }
        let all: u64 = self.requests.iter().map(read).sum();
        out += "# TYPE langnghe_request_seconds histogram\n";
        for (bound, within) in BOUNDS.iter().zip(&self.within) {
            out += &format!("langnghe_request_seconds_bucket{{le=\"{bound}\"}} {}\n", read(within));
        }
        out += &format!("langnghe_request_seconds_bucket{{le=\"+Inf\"}} {all}\n");
        out += &format!("langnghe_request_seconds_sum {}\n", read(&self.micros) as f64 / 1e6);
        out += &format!("langnghe_request_seconds_count {all}\n");
        out
    }
}

/// Counts a request when its reply is ready.
pub async fn count(
    metrics: Data<Metrics>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let start = Instant::now();
    let response = next.call(request).await;
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    let status = match &response {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    metrics.count(status, micros);
    response
}

pub async fn list_metrics(metrics: Data<Metrics>, receiver: Data<Receiver>) -> HttpResponse {
    let told = web::block(move || {
        let ready = u8::from(receiver.field.is_ready().is_ok() && receiver.answers.is_ready().is_ok());
        let mut text = format!("# TYPE langnghe_ready gauge\nlangnghe_ready {ready}\n");
        if let Ok(Some(backup)) = receiver.field.read(|db| db.last_verified_backup()) {
            text += "# TYPE langnghe_verified_backup_timestamp_seconds gauge\n";
            text += &format!("langnghe_verified_backup_timestamp_seconds {}\n", backup.timestamp());
        }
        text += "# TYPE langnghe_submissions_total counter\n";
        for (outcome, many) in receiver.tally().counts() {
            text += &format!("langnghe_submissions_total{{outcome=\"{outcome}\"}} {many}\n");
        }
        text += "# TYPE langnghe_intake_seconds_total counter\n";
        text + &format!("langnghe_intake_seconds_total {:.6}\n", receiver.tally().seconds())
    });
    match told.await {
        Ok(told) => {
            let text = metrics.text() + &told;
            HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
        }
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}
