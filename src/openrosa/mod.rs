//! The OpenRosa protocol that ODK Collect and KoboCollect speak: form list, form, manifest, submission.

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HeaderName, HeaderValue};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::Data;
use actix_web::{HttpResponse, ResponseError, web};

use crate::config::ACCEPT_CONTENT_LENGTH;
use crate::intake::{IntakeError, Receiver};

mod devices;
mod documents;
mod entity_lists;
mod forms;
mod parts;
mod qr;
mod submissions;

pub(crate) const VERSION_HEADER: &str = "X-OpenRosa-Version";

/// Routes below `/v1/key/{token}/projects/{project}`, the address that an app user's QR code names.
pub fn routes() -> actix_web::Scope<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse<impl actix_web::body::MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    web::scope("/v1/key/{token}/projects/{project}")
        .wrap(
            DefaultHeaders::new()
                .add((VERSION_HEADER, "1.0"))
                .add(("X-OpenRosa-Accept-Content-Length", ACCEPT_CONTENT_LENGTH.to_string()))
                .add(("Content-Language", "vi")),
        )
        .route("/formList", web::get().to(forms::list_forms))
        .route("/forms/{form}.xml", web::get().to(forms::find_form))
        .route("/forms/{form}/manifest", web::get().to(forms::list_files))
        .route("/forms/{form}/versions/{version}.xml", web::get().to(forms::find_form))
        .route("/forms/{form}/versions/{version}/manifest", web::get().to(forms::list_files))
        .route("/forms/{form}/versions/{version}/files/{name}", web::get().to(forms::find_file))
        .route(
            "/forms/{form}/versions/{version}/integrity/{name}",
            web::get().to(entity_lists::check_entities),
        )
        .route("/cases", web::get().to(devices::list_cases))
        .route("/ledger", web::post().to(devices::compare))
        .route("/qr.svg", web::get().to(qr::find_picture))
        .route("/submission", web::head().to(submissions::prepare))
        .route("/submission", web::get().to(submissions::prepare))
        .route("/submission", web::post().to(submissions::create_submission))
}

/// Why a request was not served. Clients show the message to the enumerator.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("Yêu cầu thiếu tiêu đề X-OpenRosa-Version. (The request lacks the header X-OpenRosa-Version.)")]
    Version,
    #[error("Không đọc được phần gửi lên: {0}. (The request cannot be read.)")]
    Multipart(String),
    #[error("Thiếu phần xml_submission_file. (The part xml_submission_file is missing.)")]
    NoXml,
    #[error("{}", explain(.0))]
    Intake(#[from] IntakeError),
}

impl From<parts::Unreadable> for Failure {
    fn from(unreadable: parts::Unreadable) -> Self {
        match unreadable {
            parts::Unreadable::NoXml => Self::NoXml,
            broken => Self::Multipart(broken.to_string()),
        }
    }
}

fn explain(error: &IntakeError) -> String {
    match error {
        IntakeError::Token => {
            "Mã truy cập của máy này không đúng hoặc đã bị thu hồi; hãy báo giám sát viên. (This device's token is unknown or revoked; tell the supervisor.)".into()
        }
        IntakeError::UnknownForm { form } => {
            format!("Đợt khảo sát này không có phiếu {form}; hãy tải lại danh sách phiếu. (There is no such form in this project.)")
        }
        IntakeError::UnknownVersion { form, version } => {
            format!("Phiếu {form} không có phiên bản {version}; hãy tải lại danh sách phiếu. (The form has no such version; refresh the form list.)")
        }
        IntakeError::ClosedForm { form } => {
            format!("Phiếu {form} đã đóng, không nhận thêm; hãy báo giám sát viên. (The form is closed; tell the supervisor.)")
        }
        IntakeError::Unreadable(why) => format!("Không đọc được phiếu gửi lên: {why}. (The submission cannot be read.)"),
        IntakeError::Conflict => {
            "Mã phiếu này đã có trên máy chủ với nội dung khác; cả hai bản đều được giữ, hãy báo giám sát viên. (This instance id is here with other content; both are kept, tell the supervisor.)".into()
        }
        IntakeError::Original { .. } => {
            "Bản gốc của phiếu sửa chưa có hoặc đã được sửa bằng phiếu khác. (What this submission corrects is not here, or was corrected already.)".into()
        }
        // The reason may name files of the server; it belongs in the log, not on a tablet.
        IntakeError::Unavailable(_) => {
            "Máy chủ chưa lưu được; phiếu vẫn còn trên máy, xin gửi lại sau. (The server cannot store now; the form stays on the device, send it again later.)".into()
        }
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Version | Self::Multipart(_) | Self::NoXml => StatusCode::BAD_REQUEST,
            Self::Intake(error) => match error {
                IntakeError::Unreadable(_) => StatusCode::BAD_REQUEST,
                IntakeError::Token => StatusCode::FORBIDDEN,
                IntakeError::UnknownForm { .. }
                | IntakeError::UnknownVersion { .. }
                | IntakeError::Original { unknown: true } => StatusCode::NOT_FOUND,
                IntakeError::Conflict | IntakeError::ClosedForm { .. } | IntakeError::Original { .. } => {
                    StatusCode::CONFLICT
                }
                IntakeError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            },
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Self::Intake(IntakeError::Unavailable(reason)) = self {
            eprintln!("langnghe: a request could not be served: {reason}");
            response.insert_header(("Retry-After", "30"));
        }
        response.content_type(text_xml()).body(documents::response("error", &self.to_string()))
    }
}

/// Runs what waits for disks on a thread made for waiting.
async fn blocking<T: Send + 'static>(
    receiver: &Data<Receiver>,
    work: impl FnOnce(&Receiver) -> Result<T, IntakeError> + Send + 'static,
) -> Result<T, Failure> {
    let receiver = receiver.clone();
    match web::block(move || work(&receiver)).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(IntakeError::Unavailable("the server is stopping".into()).into()),
    }
}

pub(crate) fn text_xml() -> ContentType {
    ContentType("text/xml; charset=utf-8".parse().unwrap_or(actix_web::mime::TEXT_XML))
}

/// The header `X-OpenRosa-Version: 1.0` that every client of the protocol sends.
fn check_version(request: &actix_web::HttpRequest) -> Result<(), Failure> {
    let header = request.headers().get(HeaderName::from_static("x-openrosa-version"));
    if header.map(HeaderValue::as_bytes) == Some(b"1.0") { Ok(()) } else { Err(Failure::Version) }
}
