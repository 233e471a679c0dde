//! `GET /healthz` answers while the process lives, `GET /readyz` when both vaults can be written.

use actix_web::HttpResponse;
use actix_web::web::{self, Data};

use crate::intake::Receiver;

pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

pub async fn ready(receiver: Data<Receiver>) -> HttpResponse {
    let asked =
        web::block(move || receiver.field.is_ready().and_then(|()| receiver.answers.is_ready())).await;
    match asked {
        Ok(Ok(())) => HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n"),
        Ok(Err(error)) => {
            eprintln!("langnghe: not ready: {error}");
            HttpResponse::ServiceUnavailable()
                .content_type("text/plain; charset=utf-8")
                .body("a vault cannot be written\n")
        }
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}
