//! The description of the API (OpenAPI 3.1), generated from the handlers and their types.

use std::sync::OnceLock;

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::problem::{Problem, ProblemBody};
use super::{
    answer, devices, fieldwork, forms, grants, keys, log, organisations, progress, projects, quality,
    sessions, snapshots, users,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lắng Nghe",
        description = "Khảo sát dư luận: từ bảng hỏi đến báo cáo (a public-opinion survey, from the questionnaire to the report). Errors are application/problem+json with a stable `code`."
    ),
    components(schemas(ProblemBody)),
    paths(
        find_document,
        sessions::create_session,
        sessions::find_session,
        sessions::delete_session,
        sessions::rotate_session,
        sessions::change_password,
        projects::list_projects,
        projects::create_project,
        projects::find_project,
        projects::update_project,
        users::list_users,
        users::create_user,
        users::find_user,
        users::disable_user,
        users::reset_user,
        organisations::list_organisations,
        log::list_entries,
        log::find_head,
        keys::find_keys,
        snapshots::list_snapshots,
        devices::list_devices,
        devices::create_device,
        devices::update_device,
        devices::revoke_device,
        grants::list_grants,
        grants::create_grant,
        forms::check_form,
        forms::list_forms,
        forms::create_draft,
        forms::find_form,
        forms::delete_draft,
        forms::confirm_draft,
        forms::publish_draft,
        quality::find_quality,
        progress::find_progress,
        fieldwork::list_teams,
        fieldwork::create_assignment,
        fieldwork::release_reserves,
        fieldwork::list_back_checks,
        fieldwork::list_ledger,
    )
)]
struct Description;

/// What every operation may answer beside what it says itself, by what it takes.
fn refusals(path: &str, operation: &Map<String, Value>) -> Vec<(&'static str, &'static str)> {
    let is_open = operation.get("security") == Some(&json!([{}]));
    let takes_body = operation.contains_key("requestBody");
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let takes_query =
        parameters.is_some_and(|all| all.iter().any(|parameter| parameter["in"] == json!("query")));
    let mut known = Vec::new();
    if takes_body || takes_query {
        known.push(("400", "Không đọc được yêu cầu (the request cannot be read)"));
    }
    if !is_open {
        known.push(("401", "Chưa đăng nhập (not signed in)"));
        known.push(("403", "Không có quyền (not allowed)"));
    }
    if path.contains('{') {
        known.push(("404", "Không tìm thấy (not found)"));
    }
    if takes_body {
        known.push(("413", "Yêu cầu quá lớn (too large)"));
        known.push(("415", "Không nhận loại nội dung này (content type not taken)"));
        known.push(("422", "Nội dung không hợp lệ (the content is not valid)"));
    }
    known.push(("503", "Máy chủ chưa phục vụ được (the server cannot serve now)"));
    known
}

/// The description as it is served.
pub fn description() -> Value {
    let mut document = serde_json::to_value(Description::openapi()).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "The token of POST /api/v1/sessions" }
    });
    document["security"] = json!([{ "bearer": [] }]);
    let problem = json!({
        "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } }
    });
    let paths = document["paths"].as_object_mut();
    for (path, item) in paths.into_iter().flatten() {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let Some(operation) = operation.as_object_mut() else { continue };
            let known = refusals(path, operation);
            let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
                continue;
            };
            for (status, description) in known {
                responses
                    .entry(status)
                    .or_insert_with(|| json!({ "description": description, "content": problem }));
            }
            // What a handler names itself is a problem too.
            for (status, response) in responses {
                if status.starts_with(['4', '5']) && response.get("content").is_none() {
                    response["content"] = problem.clone();
                }
            }
        }
    }
    document
}

/// The description of this API.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "description",
    security(()),
    responses(
        (status = 200, description = "OpenAPI 3.1", content_type = "application/json"),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn find_document(request: HttpRequest) -> Result<HttpResponse, Problem> {
    static KNOWN: OnceLock<Value> = OnceLock::new();
    answer::found(&request, KNOWN.get_or_init(description))
}
