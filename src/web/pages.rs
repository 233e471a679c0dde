//! Finished pages and files of a wave: the report, its charts and tables. All passed the gate when they were made.

use std::path::{Component, Path, PathBuf};

use actix_web::HttpResponse;
use actix_web::web::{self, Data};

use super::Site;

/// Kinds of files that are served; anything else in the folder stays there.
const KINDS: [(&str, &str); 6] = [
    ("html", "text/html; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("csv", "text/csv; charset=utf-8"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
];

/// What these pages may load: their own style, and pictures of this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; form-action 'none'; frame-ancestors 'none'";

pub async fn find_index(site: Data<Site>) -> HttpResponse {
    serve(&site, "index.html").await
}

pub async fn find_page(site: Data<Site>, path: web::Path<String>) -> HttpResponse {
    serve(&site, &path).await
}

async fn serve(site: &Site, path: &str) -> HttpResponse {
    let Some((file, kind)) = site.0.as_deref().and_then(|folder| locate(folder, path)) else {
        return not_found();
    };
    match web::block(move || std::fs::read(file)).await {
        Ok(Ok(bytes)) => HttpResponse::Ok()
            .content_type(kind)
            .insert_header(("Content-Security-Policy", POLICY))
            .body(bytes),
        _ => not_found(),
    }
}

/// The file below `folder` and its kind; nothing outside, nothing hidden, no kind but those above.
fn locate(folder: &Path, path: &str) -> Option<(PathBuf, &'static str)> {
    let path = Path::new(path);
    let plain = path.components().all(|c| match c {
        Component::Normal(name) => !name.to_string_lossy().starts_with('.'),
        _ => false,
    });
    let ending = path.extension()?.to_str()?;
    let (_, kind) = KINDS.iter().find(|(known, _)| *known == ending)?;
    plain.then(|| (folder.join(path), *kind))
}

fn not_found() -> HttpResponse {
    let mut response = HttpResponse::NotFound();
    response.insert_header(("Content-Security-Policy", POLICY));
    response.content_type("text/html; charset=utf-8").body(
        "<!doctype html><html lang=\"vi\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Không có trang này</title><body style=\"font:1.1rem/1.5 sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem\"><h1>Không có trang này</h1><p>Địa chỉ có thể đã gõ nhầm. <a href=\"/\">Về trang đầu</a>.</p><p lang=\"en\">There is no such page. Go back to the <a href=\"/\">first page</a>.</p>",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_folder_is_served() {
        let folder = Path::new("site");
        assert!(locate(folder, "charts/c1.svg").is_some());
        for path in
            ["../keys/wave-1.key", "/etc/passwd", "field.db", "charts/../../x.svg", ".hidden.svg", "weights"]
        {
            assert!(locate(folder, path).is_none(), "{path}");
        }
    }
}
