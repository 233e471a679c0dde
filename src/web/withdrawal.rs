//! `/rut-phieu`: the page where a respondent takes an interview back with the receipt code (protection.md rule 14).
//!
//! Plain HTML for any telephone: no script, no cookie. The code is written nowhere: it is in no log, no address and no
//! answer. Every answer comes at a whole second, whatever was found.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::{self, Data, Form};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::api::{Limits, client};
use crate::intake::Receiver;
use crate::jobs::withdrawal::{self, Told};

pub const PATH: &str = "/rut-phieu";

/// Answers come at whole multiples of this.
const STEP: Duration = Duration::from_secs(1);

const STYLE: &str = "body{font:1.15rem/1.6 sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;color:#111;\
background:#fff}input,button{font:inherit;padding:.6rem;width:100%;box-sizing:border-box;margin:.4rem 0}\
button{background:#065f46;color:#fff;border:0;border-radius:.3rem}\
[role=status]{border-left:.4rem solid #065f46;padding:.2rem 1rem;background:#f2f7f5}[lang=en]{color:#444}\
button [lang=en]{color:#fff}";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

#[derive(Deserialize)]
pub struct Typed {
    #[serde(default)]
    code: String,
}

pub async fn find_page() -> HttpResponse {
    page(StatusCode::OK, None)
}

pub async fn withdraw(
    request: HttpRequest,
    receiver: Data<Receiver>,
    limits: Data<Limits>,
    typed: Result<Form<Typed>, actix_web::Error>,
) -> HttpResponse {
    let begun = Instant::now();
    if let Err(wait) = limits.withdrawal.admit(client(&request), begun) {
        let mut response = page(StatusCode::TOO_MANY_REQUESTS, Some(&TOO_OFTEN));
        response.headers_mut().insert(RETRY_AFTER, (wait.as_secs() + 1).into());
        return response;
    }
    let typed = typed.map(|form| form.into_inner().code).unwrap_or_default();
    let work = receiver.clone();
    let asked = web::block(move || match work.key_folder() {
        Some(keys) => withdrawal::withdraw_typed(&work, keys, &typed, "respondent", Utc::now()),
        None => Ok(Told::NothingOpen),
    })
    .await;
    let (status, told) = match asked {
        Ok(Ok(Told::Gone { files })) => {
            remove(&receiver, files).await;
            (StatusCode::OK, &GONE)
        }
        Ok(Ok(Told::NotHere)) => (StatusCode::NOT_FOUND, &NOT_HERE),
        Ok(Ok(Told::NoCode)) => (StatusCode::UNPROCESSABLE_ENTITY, &NO_CODE),
        Ok(Ok(Told::NothingOpen)) => (StatusCode::GONE, &NOTHING_OPEN),
        Ok(Err(error)) => {
            // The reason names waves and files, never the code.
            eprintln!("langnghe: a withdrawal could not be done: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, &NOT_NOW)
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, &NOT_NOW),
    };
    let steps = begun.elapsed().as_secs() / STEP.as_secs() + 1;
    tokio::time::sleep_until((begun + STEP * u32::try_from(steps).unwrap_or(1)).into()).await;
    let mut response = page(status, Some(told));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, 30.into());
    }
    response
}

/// Files of what was withdrawn; what cannot be removed now goes with the loose files at the next start.
async fn remove(receiver: &Receiver, files: Vec<String>) {
    let Some(store) = receiver.files() else { return };
    for file in files {
        if let Err(error) = store.remove(&file).await {
            eprintln!("langnghe: a withdrawn file is still there: {error}");
        }
    }
}

/// What is told: Vietnamese, English.
struct Message(&'static str, &'static str);

const GONE: Message = Message(
    "Đã rút phiếu. Các câu trả lời đã được xóa khỏi máy chủ và sẽ không có trong kết quả sau này.",
    "Withdrawn. The answers are deleted from the server and will not be in later results.",
);
const NOT_HERE: Message = Message(
    "Không tìm thấy phiếu với mã này. Xin xem lại từng chữ. Nếu mới được hỏi gần đây, phiếu có thể chưa gửi về: xin thử lại sau vài ngày. Phiếu đã rút, hoặc của cuộc khảo sát đã kết thúc, không còn tìm được: khi kết thúc, mọi mối liên hệ với người trả lời đã bị hủy.",
    "No interview has this code. Please check each letter. If you were asked recently, it may not have arrived yet: try again in some days. One that was withdrawn, or that belongs to a survey that has ended, cannot be found any more: at its end everything that led to a person was destroyed.",
);
const NO_CODE: Message = Message(
    "Mã có 16 chữ: các chữ số 0–9 và chữ a–f, viết thành bốn nhóm. Xin xem lại thẻ đã nhận.",
    "A code has 16 letters: 0–9 and a–f, in four groups. Please read it again from your card.",
);
const NOTHING_OPEN: Message = Message(
    "Hiện không có cuộc khảo sát nào đang mở. Khi một cuộc khảo sát kết thúc, mọi mối liên hệ giữa câu trả lời và người trả lời đã bị hủy, nên không còn phiếu nào để rút.",
    "No survey is open now. When a survey ends, everything that ties answers to people is destroyed, so that there is nothing left to withdraw.",
);
const TOO_OFTEN: Message = Message(
    "Đã thử nhiều lần. Xin chờ một phút rồi thử lại.",
    "Too many attempts. Please wait a minute and try again.",
);
const NOT_NOW: Message = Message(
    "Máy chủ chưa làm được lúc này, phiếu chưa được rút. Xin thử lại sau.",
    "The server cannot do this now; nothing was withdrawn. Please try again later.",
);

fn page(status: StatusCode, told: Option<&Message>) -> HttpResponse {
    let told = told.map_or_else(String::new, |Message(vietnamese, english)| {
        format!("<div role=\"status\"><p>{vietnamese}</p><p lang=\"en\">{english}</p></div>")
    });
    let body = format!(
        "<!doctype html><html lang=\"vi\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>Rút phiếu trả lời</title><style>{STYLE}</style></head>\
<body><main><h1>Rút phiếu trả lời</h1>{told}\
<p>Nếu không muốn các câu trả lời của mình được dùng nữa, xin nhập mã trên thẻ đã nhận. Không cần tên, không cần lý do.</p>\
<p lang=\"en\">If you no longer want your answers to be used, type the code from your card. No name and no reason is asked.</p>\
<form method=\"post\" action=\"{PATH}\"><label for=\"code\">Mã (16 chữ) <span lang=\"en\">· Code</span></label>\
<input id=\"code\" name=\"code\" required maxlength=\"40\" autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\">\
<button>Rút phiếu <span lang=\"en\">· Withdraw</span></button></form>\
<p>Việc này không hoàn lại được. <span lang=\"en\">This cannot be undone.</span></p></main></body></html>"
    );
    HttpResponse::build(status)
        .insert_header(("Content-Security-Policy", POLICY.as_str()))
        .insert_header(("Cache-Control", "no-store"))
        .content_type("text/html; charset=utf-8")
        .body(body)
}
