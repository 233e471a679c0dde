//! What a request carries: who sends it, its body, its query. Read late, so that whoever is not signed in is told so
//! and nothing else.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::web::{self, Bytes, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::Utc;
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use utoipa::IntoParams;

use super::problem::{Code, Problem};
use crate::accounts::Accounts;
use crate::config::LARGEST_FORM;
use crate::db::{FieldVault, Project, Session, User};
use crate::intake::Receiver;
use crate::people::{Action, Person, Target, decide};

/// Largest JSON body, bytes.
const LARGEST_JSON: usize = 64 * 1024;
/// Rows of a page where none are asked for, and the most that may be.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 500;

/// Whoever sent the request: signed in, with a token that lasts.
///
/// Only bearer tokens count. A browser sends no such header by itself, so that no other site can act in a person's name.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user: User,
    pub person: Person,
    pub session: Session,
    pub token: String,
}

impl Caller {
    /// Asks the one function that decides.
    pub fn may(&self, action: Action, target: Target<'_>) -> Result<(), Problem> {
        Ok(decide(&self.person, action, target)?)
    }

    /// The project, if the caller may do this in it. A project that is not there and one that is not theirs look alike.
    pub fn project(&self, field: &FieldVault, id: i64, action: Action) -> Result<Project, Problem> {
        // Asked without the project first: a role that may never do this learns nothing about which projects exist.
        self.may(action, Target::default())?;
        let found = field.read(|db| db.find_project(id))?.ok_or_else(Problem::not_found)?;
        self.may(action, target(&found))?;
        Ok(found)
    }
}

/// A project as the deciding function sees it.
pub fn target(project: &Project) -> Target<'_> {
    Target { project: Some(project.id), organisation: project.organisation.as_deref(), area: None }
}

fn bearer(request: &HttpRequest) -> Option<String> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let accounts = request.app_data::<Data<Accounts>>().cloned();
        let token = bearer(request);
        Box::pin(async move {
            let accounts = accounts.ok_or_else(|| Problem::unavailable(&"accounts are not set up"))?;
            let refused = || Problem::new(Code::NotSignedIn);
            let token = token.ok_or_else(refused)?;
            blocking(move || {
                let found = accounts.find_signed_in(&token, Utc::now())?;
                let (user, person, session) = found.ok_or_else(refused)?;
                Ok(Self { user, person, session, token })
            })
            .await
        })
    }
}

/// The body as it came, at most so many bytes.
pub struct Sent<const LARGEST: usize> {
    /// The content type without its parameters, in lower case.
    pub kind: String,
    bytes: Result<Bytes, Problem>,
}

/// A JSON body.
pub type Body = Sent<LARGEST_JSON>;
/// A form.
pub type FormBody = Sent<LARGEST_FORM>;

impl<const LARGEST: usize> Sent<LARGEST> {
    pub fn bytes(self) -> Result<Bytes, Problem> {
        self.bytes
    }

    /// Reads JSON. Fields that nobody knows are refused: a slip of the pen in a name must not pass for a default.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Problem> {
        if self.kind != "application/json" {
            return Err(Problem::with(
                Code::WrongContentType,
                "hãy gửi application/json (send application/json)",
            ));
        }
        let told = |error: serde_json::Error| match error.classify() {
            Category::Data => Problem::with(Code::InvalidBody, error.to_string()),
            _ => Problem::with(Code::UnreadableRequest, error.to_string()),
        };
        let bytes = self.bytes?;
        // A list would pass for an object whose fields stand in the order of the type.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            serde_json::from_slice::<IgnoredAny>(&bytes).map_err(told)?;
            return Err(Problem::with(Code::InvalidBody, "cần một đối tượng JSON (an object is expected)"));
        }
        serde_json::from_slice(&bytes).map_err(told)
    }
}

impl<const LARGEST: usize> FromRequest for Sent<LARGEST> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let header = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = header.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let kind = kind.to_ascii_lowercase();
        let mut payload = payload.take();
        // A body in parts that nobody promised to be compressed is read as it is.
        let packed = request.headers().contains_key("content-encoding");
        let broken = request.chunked().is_err();
        Box::pin(async move {
            let mut read = Vec::new();
            let mut bytes = Ok(());
            if packed {
                bytes = Err(Problem::with(
                    Code::WrongContentType,
                    "hãy gửi nội dung không nén (send the body uncompressed)",
                ));
            } else if broken {
                bytes = Err(Problem::new(Code::UnreadableRequest));
            }
            while let (Ok(()), Some(part)) = (&bytes, payload.next().await) {
                match part {
                    Ok(part) if read.len() + part.len() <= LARGEST => read.extend_from_slice(&part),
                    Ok(_) => {
                        bytes = Err(Problem::with(
                            Code::TooLarge,
                            format!("nhiều nhất {LARGEST} byte (at most {LARGEST} bytes)"),
                        ));
                    }
                    Err(error) => bytes = Err(Problem::with(Code::UnreadableRequest, error.to_string())),
                }
            }
            Ok(Self { kind, bytes: bytes.map(|()| Bytes::from(read)) })
        })
    }
}

/// Reads the query; unknown names are refused.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    web::Query::from_query(request.query_string())
        .map(web::Query::into_inner)
        .map_err(|error| Problem::with(Code::InvalidQuery, error.to_string()))
}

/// Which rows of a list.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows after this one; the `next` of the page before.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// At most so many rows, 100 where not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

impl PageQuery {
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let page: Self = query(request)?;
        let wrong = |field: &str, detail: String| Problem {
            field: Some(field.to_owned()),
            ..Problem::with(Code::InvalidQuery, detail)
        };
        if page.limit.is_some_and(|limit| limit == 0 || limit > LARGEST_PAGE) {
            return Err(wrong("limit", format!("từ 1 đến {LARGEST_PAGE} (from 1 to {LARGEST_PAGE})")));
        }
        if page.after.is_some_and(|after| after < 0) {
            return Err(wrong("after", "từ 0 trở lên (from 0 on)".to_owned()));
        }
        Ok(page)
    }

    pub fn after(&self) -> i64 {
        self.after.unwrap_or(0)
    }

    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE)
    }
}

/// A text of one line with `1..=largest` letters, trimmed. Control characters are refused: no name holds them, and one of
/// the databases cannot store all of them.
pub fn text(field: &str, given: &str, largest: usize) -> Result<String, Problem> {
    let given = given.trim();
    let many = given.chars().count();
    if many == 0 || many > largest {
        return Err(Problem::value(field, format!("cần 1–{largest} ký tự (1–{largest} characters)")));
    }
    if given.chars().any(char::is_control) {
        return Err(Problem::value(field, "có ký tự điều khiển (it holds control characters)"));
    }
    Ok(given.to_owned())
}

/// A name in a path. One that could not be stored is one that is not there.
pub fn segment(given: &str) -> Result<&str, Problem> {
    if given.chars().any(char::is_control) || given.len() > 1000 {
        return Err(Problem::not_found());
    }
    Ok(given)
}

/// Runs what waits for disks, or for a slow hash, on a thread made for waiting.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match web::block(work).await {
        Ok(done) => done,
        Err(_) => Err(Problem::unavailable(&"the work was broken off")),
    }
}

/// Works inside a project that the caller may do this in, on a thread made for waiting. Every handler of a project comes
/// through here, so that none forgets to ask.
pub async fn in_project<T: Send + 'static>(
    receiver: Data<Receiver>,
    caller: Caller,
    project: i64,
    action: Action,
    work: impl FnOnce(&Receiver, &Caller, Project) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    blocking(move || {
        let project = caller.project(&receiver.field, project, action)?;
        work(&receiver, &caller, project)
    })
    .await
}
