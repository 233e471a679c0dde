//! An answer that is no success: `application/problem+json` (RFC 9457) with a stable code.
//!
//! Programs look at `code`, people read `title` and `detail`: Vietnamese first, English in brackets.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use surveys::xlsform;
use utoipa::ToSchema;

use crate::accounts::AccountError;
use crate::db::{self, RuleKind};
use crate::intake::IntakeError;
use crate::people::Refusal;

/// What went wrong. A code that was published once keeps its name and its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    UnreadableRequest,
    InvalidQuery,
    NotSignedIn,
    WrongCredentials,
    PasswordMustChange,
    RoleNotAllowed,
    AreaNotAllowed,
    SecondFactorNeeded,
    SecondPersonNeeded,
    NotFound,
    MethodNotAllowed,
    Exists,
    Conflict,
    WaveNotOpen,
    WaveHasNoKey,
    WordingNeedsConfirmation,
    TooLarge,
    WrongContentType,
    InvalidBody,
    InvalidValue,
    FormHasProblems,
    FormRefused,
    TooManyRequests,
    Unavailable,
}

impl Code {
    pub const ALL: [Self; 24] = [
        Self::UnreadableRequest,
        Self::InvalidQuery,
        Self::NotSignedIn,
        Self::WrongCredentials,
        Self::PasswordMustChange,
        Self::RoleNotAllowed,
        Self::AreaNotAllowed,
        Self::SecondFactorNeeded,
        Self::SecondPersonNeeded,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Exists,
        Self::Conflict,
        Self::WaveNotOpen,
        Self::WaveHasNoKey,
        Self::WordingNeedsConfirmation,
        Self::TooLarge,
        Self::WrongContentType,
        Self::InvalidBody,
        Self::InvalidValue,
        Self::FormHasProblems,
        Self::FormRefused,
        Self::TooManyRequests,
        Self::Unavailable,
    ];

    /// Name, status, Vietnamese title, English title.
    fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            Self::UnreadableRequest => {
                ("unreadable_request", 400, "Không đọc được yêu cầu", "The request cannot be read")
            }
            Self::InvalidQuery => {
                ("invalid_query", 400, "Tham số trên địa chỉ không đúng", "A parameter of the query is wrong")
            }
            Self::NotSignedIn => ("not_signed_in", 401, "Chưa đăng nhập", "Not signed in"),
            Self::WrongCredentials => {
                ("wrong_credentials", 401, "Không đăng nhập được", "The sign-in was refused")
            }
            Self::PasswordMustChange => {
                ("password_must_change", 403, "Phải đổi mật khẩu trước", "The password must be changed first")
            }
            Self::RoleNotAllowed => {
                ("role_not_allowed", 403, "Vai trò không cho phép", "The role does not allow this")
            }
            Self::AreaNotAllowed => {
                ("area_not_allowed", 403, "Ngoài địa bàn phụ trách", "Outside the area in charge")
            }
            Self::SecondFactorNeeded => {
                ("second_factor_needed", 403, "Cần mã xác thực thứ hai", "The second factor is needed")
            }
            Self::SecondPersonNeeded => {
                ("second_person_needed", 403, "Cần người thứ hai", "A second person is needed")
            }
            Self::NotFound => ("not_found", 404, "Không tìm thấy", "Not found"),
            Self::MethodNotAllowed => {
                ("method_not_allowed", 405, "Phương thức không dùng được ở đây", "Method not allowed")
            }
            Self::Exists => ("exists", 409, "Đã có", "It is there already"),
            Self::Conflict => ("conflict", 409, "Trái với dữ liệu đang có", "It contradicts what is stored"),
            Self::WaveNotOpen => ("wave_not_open", 409, "Đợt khảo sát không còn mở", "The wave is not open"),
            Self::WaveHasNoKey => {
                ("wave_has_no_key", 409, "Đợt khảo sát chưa có khóa", "The wave has no key on this server")
            }
            Self::WordingNeedsConfirmation => (
                "wording_needs_confirmation",
                409,
                "Cần người thứ hai xác nhận lời câu hỏi",
                "A second person must confirm the wording",
            ),
            Self::TooLarge => ("too_large", 413, "Yêu cầu quá lớn", "The request is too large"),
            Self::WrongContentType => {
                ("wrong_content_type", 415, "Không nhận loại nội dung này", "This content type is not taken")
            }
            Self::InvalidBody => {
                ("invalid_body", 422, "Nội dung không đúng mẫu", "The body does not have the right shape")
            }
            Self::InvalidValue => ("invalid_value", 422, "Giá trị không hợp lệ", "A value is not valid"),
            Self::FormHasProblems => ("form_has_problems", 422, "Phiếu có lỗi", "The form has problems"),
            Self::FormRefused => (
                "form_refused",
                422,
                "Phiếu không được công bố trong cuộc khảo sát",
                "The form may not be published in a survey",
            ),
            Self::TooManyRequests => {
                ("too_many_requests", 429, "Quá nhiều lần, xin chờ", "Too many requests, wait a little")
            }
            Self::Unavailable => (
                "unavailable",
                503,
                "Máy chủ chưa phục vụ được, xin thử lại sau",
                "The server cannot serve now, try again later",
            ),
        }
    }

    pub fn name(self) -> &'static str {
        self.row().0
    }

    pub fn status(self) -> StatusCode {
        // Every status above is one.
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// One problem of a form.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FormProblem {
    /// `survey`, `choices`, `settings` …; empty where the whole file is meant.
    pub sheet: String,
    /// Counted from 1, the header is row 1.
    pub row: Option<u32>,
    pub column: Option<String>,
    pub vietnamese: String,
    pub english: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl From<&xlsform::Problem> for FormProblem {
    fn from(problem: &xlsform::Problem) -> Self {
        Self {
            sheet: problem.sheet.clone(),
            row: problem.row,
            column: problem.column.clone(),
            vietnamese: problem.message_vi.clone(),
            english: problem.message_en.clone(),
            suggestion: problem.suggestion.clone(),
        }
    }
}

/// What is sent (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:langnghe:problem:` and the code.
    r#type: String,
    /// Vietnamese, then English in brackets.
    title: String,
    /// The HTTP status again.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What programs look at; docs/api.md lists them.
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The field of the body or the query that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Every problem of a form that was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    form_problems: Vec<FormProblem>,
}

/// Why a request was not served.
#[derive(Debug, thiserror::Error)]
#[error("{}", .code.name())]
pub struct Problem {
    pub code: Code,
    pub detail: Option<String>,
    pub field: Option<String>,
    pub form_problems: Vec<FormProblem>,
    /// Methods that would be allowed, for 405.
    pub allow: Option<String>,
    /// Seconds to wait, for 429.
    pub wait: Option<u64>,
}

impl Problem {
    pub fn new(code: Code) -> Self {
        Self { code, detail: None, field: None, form_problems: Vec::new(), allow: None, wait: None }
    }

    pub fn with(code: Code, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(code) }
    }

    pub fn not_found() -> Self {
        Self::new(Code::NotFound)
    }

    /// A value that has the right type and is not right.
    pub fn value(field: &str, detail: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::with(Code::InvalidValue, detail) }
    }

    pub fn form(code: Code, problems: &[xlsform::Problem]) -> Self {
        Self { form_problems: problems.iter().map(FormProblem::from).collect(), ..Self::new(code) }
    }

    /// Something does not work now; the reason stays in the server's log.
    pub fn unavailable(reason: &impl std::fmt::Display) -> Self {
        eprintln!("langnghe: a request could not be served: {reason}");
        Self::new(Code::Unavailable)
    }
}

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Missing { .. } => Self::not_found(),
            db::Error::Rule { kind: RuleKind::Unique, .. } => Self::new(Code::Exists),
            db::Error::Rule { rule, .. } => Self::with(Code::Conflict, rule),
            other => Self::unavailable(&other),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Vault(error) => error.into(),
            AccountError::Refused => Self::with(Code::WrongCredentials, error.to_string()),
            AccountError::MustChange => Self::with(Code::PasswordMustChange, error.to_string()),
            AccountError::Unknown { .. } => Self::not_found(),
            AccountError::Exists { .. } => Self::with(Code::Exists, error.to_string()),
            AccountError::Login { .. } => Self::value("login", error.to_string()),
            AccountError::Secret(_) => Self::value("password", error.to_string()),
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::UnknownForm { .. } | IntakeError::UnknownVersion { .. } => Self::not_found(),
            other => Self::unavailable(&other),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Role => Code::RoleNotAllowed,
            Refusal::Area => Code::AreaNotAllowed,
            // A project of others and one that is not there look alike.
            Refusal::Project => return Self::not_found(),
            Refusal::SecondFactor => Code::SecondFactorNeeded,
        };
        Self::with(code, refusal.to_string())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let (name, status, vietnamese, english) = self.code.row();
        let body = ProblemBody {
            r#type: format!("urn:langnghe:problem:{name}"),
            title: format!("{vietnamese} ({english})"),
            status,
            code: name,
            detail: self.detail.clone(),
            field: self.field.clone(),
            form_problems: self.form_problems.clone(),
        };
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header(("Cache-Control", "no-store"));
        match self.code {
            Code::NotSignedIn | Code::WrongCredentials => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"langnghe\""));
            }
            Code::MethodNotAllowed => {
                response.insert_header((ALLOW, self.allow.clone().unwrap_or_default()));
            }
            Code::TooManyRequests => {
                response.insert_header((RETRY_AFTER, self.wait.unwrap_or(1).to_string()));
            }
            Code::Unavailable => {
                response.insert_header((RETRY_AFTER, "30"));
            }
            _ => {}
        }
        let text = serde_json::to_vec(&body).unwrap_or_default();
        response.content_type("application/problem+json").body(text)
    }
}
