//! The picture that sets up ODK Collect: scanned once, the device knows the server, its own token and the project.
//!
//! A token is kept only as its hash, so the picture is made for whoever has the token in hand and is kept nowhere.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;
use serde_json::json;

use super::{Failure, blocking, forms::base_address};
use crate::intake::{IntakeError, Receiver};

#[derive(Debug, Deserialize)]
pub struct Place {
    token: String,
    project: i64,
}

pub async fn find_picture(
    request: HttpRequest,
    receiver: Data<Receiver>,
    place: Path<Place>,
) -> Result<HttpResponse, Failure> {
    let address = base_address(&request, &place.token, place.project);
    let picture = blocking(&receiver, move |receiver| {
        receiver.find_app_user(place.project, &place.token)?;
        let project = receiver.field.read(|db| db.find_project(place.project))?;
        let name = project.map(|project| project.name).unwrap_or_default();
        picture(&settings(&address, &name)).map_err(IntakeError::Unavailable)
    })
    .await?;
    Ok(HttpResponse::Ok()
        .content_type("image/svg+xml")
        .insert_header(("Cache-Control", "no-store"))
        .body(picture))
}

/// Collect's settings as its QR codes carry them: JSON, packed with zlib, in base64.
pub fn settings(address: &str, project: &str) -> String {
    let settings = json!({
        "general": {
            "server_url": address, "form_update_mode": "match_exactly", "autosend": "wifi_and_cellular",
        },
        "project": { "name": project, "icon": "📋", "color": "#3e9fcc" },
        "admin": {},
    });
    STANDARD.encode(zlib(settings.to_string().as_bytes()))
}

/// The code as SVG, black on white with its quiet zone.
pub fn picture(settings: &str) -> Result<String, String> {
    let code = QrCode::with_error_correction_level(settings, EcLevel::L)
        .map_err(|error| format!("the settings do not fit a QR code: {error}"))?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(480, 480).build())
}

/// zlib with one stored block (RFC 1950, RFC 1951): a few hundred bytes, half of them a random token, hardly shrink.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        // A block has at most 65,535 bytes.
        let length = block.len() as u16;
        packed.push(u8::from(blocks.peek().is_none()));
        packed.extend_from_slice(&length.to_le_bytes());
        packed.extend_from_slice(&(!length).to_le_bytes());
        packed.extend_from_slice(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    packed.extend_from_slice(&((b << 16) | a).to_be_bytes());
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packing_is_zlibs() {
        // Adler-32 of `Wikipedia`, as in its article of that name.
        assert_eq!(zlib(b"Wikipedia")[..7], [0x78, 0x01, 0x01, 9, 0, 0xf6, 0xff]);
        assert_eq!(zlib(b"Wikipedia")[16..], [0x11, 0xe6, 0x03, 0x98]);
    }

    #[test]
    fn the_settings_carry_what_collect_needs() {
        let packed = STANDARD.decode(settings("https://h/v1/key/T/projects/7", "Khảo sát")).expect("base64");
        let json: serde_json::Value = serde_json::from_slice(&packed[7..packed.len() - 4]).expect("JSON");
        assert_eq!(json["general"]["server_url"], "https://h/v1/key/T/projects/7");
        assert_eq!(json["general"]["form_update_mode"], "match_exactly");
        assert_eq!(json["project"]["name"], "Khảo sát");
        assert!(json["admin"].is_object());
    }

    #[test]
    fn the_picture_shows_the_code_of_these_settings() {
        let settings = settings("https://h/v1/key/T/projects/7", "Khảo sát");
        let code = QrCode::with_error_correction_level(&settings, EcLevel::L).expect("it fits");
        let dark = code.to_colors().iter().filter(|color| **color == qrcode::Color::Dark).count();
        let drawn = picture(&settings).expect("drawn");
        assert_eq!(drawn.matches('M').count(), dark, "one square a dark module");
    }
}
