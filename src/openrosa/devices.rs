//! What our tablet asks beside OpenRosa, with the same token: its cases, and after each sync where its interviews stand.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path};
use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::{Failure, blocking};
use crate::db::Claim;
use crate::intake::{IntakeError, Receiver, day_of};
use crate::jobs::reserves::of_device;

/// Interviews that a device asks about at once, at most.
const MOST_CLAIMS: usize = 2_000;

#[derive(Debug, Deserialize)]
pub struct Place {
    token: String,
    project: i64,
}

/// What the device believes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// Interviews that it believes sent.
    sent: Vec<Sent>,
    /// Finished interviews that still lie on the device alone.
    #[serde(default)]
    waiting: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    form_id: String,
    instance_id: String,
    /// How many files belong to it.
    #[serde(default)]
    files: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    instance_id: &'a str,
    /// `missing`, `stored`, `backed_up` or `withdrawn`.
    state: &'static str,
}

/// Says of each interview where it stands, in the order asked. Only `backed_up` and `withdrawn` ones may leave the device.
pub async fn compare(
    receiver: Data<Receiver>,
    place: Path<Place>,
    Json(asked): Json<Compared>,
) -> Result<HttpResponse, Failure> {
    // One of the databases cannot store every control character, and no form has one in its name.
    let is_strange = |one: &Sent| one.form_id.chars().any(char::is_control) || one.form_id.len() > 255;
    if asked.sent.len() > MOST_CLAIMS || asked.waiting < 0 || asked.sent.iter().any(is_strange) {
        return Err(Failure::Multipart(format!(
            "nhiều nhất {MOST_CLAIMS} phiếu một lần, mỗi phiếu có tên mẫu phiếu (at most so many interviews at once, each with the \
             id of its form)"
        )));
    }
    let told = blocking(&receiver, move |receiver| {
        let device = receiver.find_app_user(place.project, &place.token)?;
        let key = receiver.key(place.project)?;
        let claims: Vec<Claim> = asked
            .sent
            .into_iter()
            .map(|one| Claim { form_id: one.form_id, instance_id: one.instance_id, files: one.files })
            .collect();
        let held = receiver
            .field
            .transaction(|db| db.compare_with_device(&device, &claims, asked.waiting, Utc::now(), &key))?;
        Ok::<_, IntakeError>((claims, held))
    })
    .await?;
    let (claims, held) = told;
    let interviews: Vec<Told<'_>> = claims
        .iter()
        .zip(&held)
        .map(|(claim, held)| Told { instance_id: &claim.instance_id, state: held.name() })
        .collect();
    Ok(HttpResponse::Ok()
        .insert_header(("Cache-Control", "no-store"))
        .json(serde_json::json!({ "interviews": interviews })))
}

/// The cases of this device alone, and its reserves behind their codes.
pub async fn list_cases(receiver: Data<Receiver>, place: Path<Place>) -> Result<HttpResponse, Failure> {
    let cases = blocking(&receiver, move |receiver| {
        let device = receiver.find_app_user(place.project, &place.token)?;
        let key = receiver.key(place.project)?;
        Ok::<_, IntakeError>(of_device(&receiver.field, &key, &device, day_of(Utc::now()))?)
    })
    .await?;
    Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(cases))
}
