//! `GET /metrics`: counts since the start for Prometheus. No wave, no device, no person.

use actix_web::HttpResponse;
use actix_web::web::{self, Data};

use crate::intake::Receiver;

pub async fn list_metrics(receiver: Data<Receiver>) -> HttpResponse {
    let told = web::block(move || {
        let ready = receiver.field.is_ready().is_ok() && receiver.answers.is_ready().is_ok();
        text(receiver.tally().counts(), receiver.tally().seconds(), ready)
    });
    match told.await {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

fn text(counts: [(&'static str, u64); 6], seconds: f64, ready: bool) -> String {
    let mut text = String::from(
        "# HELP langnghe_ready Whether both vaults can be written now.\n# TYPE langnghe_ready gauge\n",
    );
    text.push_str(&format!("langnghe_ready {}\n", u8::from(ready)));
    text.push_str(
        "# HELP langnghe_submissions_total Submissions since the start, by what became of them.\n# TYPE langnghe_submissions_total counter\n",
    );
    for (outcome, count) in counts {
        text.push_str(&format!("langnghe_submissions_total{{outcome=\"{outcome}\"}} {count}\n"));
    }
    text.push_str(
        "# HELP langnghe_intake_seconds_total Time from reading a submission to its place on the disk, summed.\n# TYPE langnghe_intake_seconds_total counter\n",
    );
    text.push_str(&format!("langnghe_intake_seconds_total {seconds:.6}\n"));
    text
}
