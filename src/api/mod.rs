//! The program's own API under `/api/v1`, for the office pages and for other programs; described at
//! `/api/v1/openapi.json`.
//!
//! Every handler asks [`request::Caller`] before it looks anything up. The table-driven test over routes, roles and
//! areas (`tests/it/rights.rs`) fails for a route without a row and for one that the description does not hold.

use actix_web::dev::{AppService, HttpServiceFactory};
use actix_web::http::Method;
use actix_web::web::{self, PathConfig};
use actix_web::{HttpResponse, Resource, Route};

mod answer;
mod devices;
mod document;
mod fieldwork;
mod forms;
mod grants;
mod keys;
mod limits;
mod log;
mod organisations;
mod problem;
mod progress;
mod projects;
mod quality;
mod request;
mod sessions;
mod snapshots;
mod users;

pub use limits::{Limit, Limits, Rate, client};

/// Name and status of every code that a refusal can carry.
pub fn codes() -> Vec<(&'static str, u16)> {
    problem::Code::ALL.iter().map(|code| (code.name(), code.status().as_u16())).collect()
}

/// Where everything of the API lies.
pub const BASE: &str = "/api/v1";

/// Adds the routes.
pub fn routes() -> impl HttpServiceFactory + 'static {
    Api
}

struct Api;

impl HttpServiceFactory for Api {
    fn register(self, config: &mut AppService) {
        web::scope(BASE)
            .app_data(PathConfig::default().error_handler(|_, _| problem::Problem::not_found().into()))
            .service(at("/openapi.json", [(Method::GET, web::get().to(document::find_document))]))
            .service(at("/sessions", [(Method::POST, web::post().to(sessions::create_session))]))
            .service(at(
                "/sessions/current",
                [
                    (Method::GET, web::get().to(sessions::find_session)),
                    (Method::DELETE, web::delete().to(sessions::delete_session)),
                ],
            ))
            .service(at(
                "/sessions/current/rotation",
                [(Method::POST, web::post().to(sessions::rotate_session))],
            ))
            .service(at("/password", [(Method::PUT, web::put().to(sessions::change_password))]))
            .service(at(
                "/projects",
                [
                    (Method::GET, web::get().to(projects::list_projects)),
                    (Method::POST, web::post().to(projects::create_project)),
                ],
            ))
            .service(at(
                "/projects/{project}",
                [
                    (Method::GET, web::get().to(projects::find_project)),
                    (Method::PATCH, web::patch().to(projects::update_project)),
                ],
            ))
            .service(at(
                "/users",
                [
                    (Method::GET, web::get().to(users::list_users)),
                    (Method::POST, web::post().to(users::create_user)),
                ],
            ))
            .service(at("/users/{user}", [(Method::GET, web::get().to(users::find_user))]))
            .service(at("/users/{user}/disable", [(Method::POST, web::post().to(users::disable_user))]))
            .service(at("/users/{user}/reset", [(Method::POST, web::post().to(users::reset_user))]))
            .service(at("/organisations", [(Method::GET, web::get().to(organisations::list_organisations))]))
            .service(at("/log", [(Method::GET, web::get().to(log::list_entries))]))
            .service(at("/log/head", [(Method::GET, web::get().to(log::find_head))]))
            .service(at("/projects/{project}/keys", [(Method::GET, web::get().to(keys::find_keys))]))
            .service(at(
                "/projects/{project}/snapshots",
                [(Method::GET, web::get().to(snapshots::list_snapshots))],
            ))
            .service(at(
                "/projects/{project}/devices",
                [
                    (Method::GET, web::get().to(devices::list_devices)),
                    (Method::POST, web::post().to(devices::create_device)),
                ],
            ))
            .service(at(
                "/projects/{project}/devices/{device}",
                [
                    (Method::PATCH, web::patch().to(devices::update_device)),
                    (Method::DELETE, web::delete().to(devices::revoke_device)),
                ],
            ))
            .service(at(
                "/projects/{project}/grants",
                [
                    (Method::GET, web::get().to(grants::list_grants)),
                    (Method::POST, web::post().to(grants::create_grant)),
                ],
            ))
            .service(at(
                "/projects/{project}/form-checks",
                [(Method::POST, web::post().to(forms::check_form))],
            ))
            .service(at(
                "/projects/{project}/forms",
                [
                    (Method::GET, web::get().to(forms::list_forms)),
                    (Method::POST, web::post().to(forms::create_draft)),
                ],
            ))
            .service(at("/projects/{project}/forms/{form}", [(Method::GET, web::get().to(forms::find_form))]))
            .service(at(
                "/projects/{project}/forms/{form}/draft",
                [(Method::DELETE, web::delete().to(forms::delete_draft))],
            ))
            .service(at(
                "/projects/{project}/forms/{form}/draft/confirmation",
                [(Method::POST, web::post().to(forms::confirm_draft))],
            ))
            .service(at(
                "/projects/{project}/forms/{form}/draft/publication",
                [(Method::POST, web::post().to(forms::publish_draft))],
            ))
            .service(at(
                "/projects/{project}/forms/{form}/quality",
                [(Method::GET, web::get().to(quality::find_quality))],
            ))
            .service(at(
                "/projects/{project}/progress",
                [(Method::GET, web::get().to(progress::find_progress))],
            ))
            .service(at("/projects/{project}/teams", [(Method::GET, web::get().to(fieldwork::list_teams))]))
            .service(at(
                "/projects/{project}/assignment",
                [(Method::POST, web::post().to(fieldwork::create_assignment))],
            ))
            .service(at(
                "/projects/{project}/reserves",
                [(Method::POST, web::post().to(fieldwork::release_reserves))],
            ))
            .service(at(
                "/projects/{project}/back-checks",
                [(Method::GET, web::get().to(fieldwork::list_back_checks))],
            ))
            .service(at("/projects/{project}/ledger", [(Method::GET, web::get().to(fieldwork::list_ledger))]))
            .default_service(web::to(nowhere))
            .register(config);
    }
}

/// A path with what may be done there; anything else is answered 405 with the methods that are allowed.
fn at<const N: usize>(path: &str, routes: [(Method, Route); N]) -> Resource {
    let allow = routes.each_ref().map(|(method, _)| method.as_str()).join(", ");
    let mut resource = web::resource(path);
    for (_, route) in routes {
        resource = resource.route(route);
    }
    resource.default_service(web::to(move || refuse_method(allow.clone())))
}

async fn refuse_method(allow: String) -> Result<HttpResponse, problem::Problem> {
    Err(problem::Problem { allow: Some(allow), ..problem::Problem::new(problem::Code::MethodNotAllowed) })
}

async fn nowhere() -> Result<HttpResponse, problem::Problem> {
    Err(problem::Problem::not_found())
}
