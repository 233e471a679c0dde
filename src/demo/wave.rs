//! The wave on the server: projects, forms, devices, listing and interviews over HTTP, and the freeze.
//!
//! Every step can be repeated: what is there already is found, not made again, and resent submissions are recognised
//! by the server. A demo that was killed goes on where it stopped.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use surveys::chance::Chance;
use surveys::form::Compiled;
use surveys::submission;
use uuid::Uuid;

use crate::db::{AnswerVault, Confirmation, FieldVault, Listing, NewForm, Project, ProjectKind};
use crate::demo::enumerators::Visited;
use crate::demo::instrument::{Instrument, PublishedForm};
use crate::demo::interviewing;
use crate::demo::outputs;
use crate::demo::simulation::{Fieldwork, Sample, Truth, draw_dwellings};
use crate::demo::tablet::{Outgoing, Sent, send_all};
use crate::intake::{Receiver, Ties};
use crate::jobs::analysis_file::AnalysisFile;
use crate::jobs::cases::{SampleColumns, cases_of};
use crate::jobs::design;
use crate::jobs::freeze::{self, Joined};
use crate::keys::{Bundle, CustodianPrivate, KeyFolder, WaveKey};

pub const WAVE: &str = "Khảo sát nắm tình hình Nhân dân 2026 (mô phỏng)";
const LISTING: &str = "Bảng kê nhà ở 2026 (mô phỏng)";
const ENUMERATORS: usize = 40;
/// Connections that send at once.
const CONNECTIONS: usize = 8;

/// The two projects of the demo in the vaults, with their devices.
pub struct Wave {
    pub receiver: Arc<Receiver>,
    pub survey: i64,
    pub listing: i64,
    /// Tokens of the enumerators' devices, by project.
    tokens: HashMap<i64, Vec<String>>,
    app_users: Vec<Uuid>,
    custodian: Bundle,
    seed: u64,
}

/// Makes or finds the projects, publishes the forms, adds the devices.
pub fn prepare(
    field: FieldVault,
    answers: AnswerVault,
    keys: &KeyFolder,
    instrument: &Instrument,
    seed: u64,
) -> anyhow::Result<Wave> {
    let now = Utc::now();
    let survey = find_or_create(&field, ProjectKind::Survey, WAVE, now)?;
    let listing = find_or_create(&field, ProjectKind::Inventory, LISTING, now)?;
    let mut wave_keys = HashMap::new();
    for project in [survey, listing] {
        let key = WaveKey::from_seed(seed ^ (project as u64) << 48);
        if !keys.has(project) {
            keys.keep(project, &key)?;
        }
        wave_keys.insert(project, Arc::new(key));
    }
    publish(&field, survey, &instrument.questionnaire, now)?;
    publish(&field, listing, &instrument.listing, now)?;
    let mut tokens = HashMap::new();
    let mut app_users = Vec::new();
    for project in [survey, listing] {
        let known = field.read(|db| db.list_app_users(project))?;
        let mut of_project = Vec::new();
        for number in 1..=ENUMERATORS {
            let token = token(seed, project, number);
            let code = format!("ĐTV-{number:02}");
            let user = match known.iter().find(|user| user.code.as_deref() == Some(&code)) {
                Some(user) => user.id,
                None => {
                    let name = format!("Điều tra viên {number:02} (mô phỏng)");
                    field.transaction(|db| db.create_app_user(project, &name, Some(&code), &token, now))?.id
                }
            };
            if project == survey {
                app_users.push(user);
            }
            of_project.push(token);
        }
        tokens.insert(project, of_project);
    }
    let receiver = Arc::new(Receiver::new(field, answers, wave_keys, Ties::Derived));
    let custodian = CustodianPrivate::from_seed(seed).into();
    Ok(Wave { receiver, survey, listing, tokens, app_users, custodian, seed })
}

fn find_or_create(
    field: &FieldVault,
    kind: ProjectKind,
    name: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<i64> {
    let known = field.read(|db| db.list_projects())?.into_iter().find(|project| project.name == name);
    let project: Project = match known {
        Some(project) => project,
        None => field.transaction(|db| db.create_project(name, kind, now))?,
    };
    Ok(project.id)
}

fn publish(field: &FieldVault, project: i64, form: &PublishedForm, now: DateTime<Utc>) -> anyhow::Result<()> {
    let settings = &form.questionnaire.settings;
    let version = settings.version.clone().unwrap_or_default();
    let known = field.read(|db| db.find_form(project, &settings.form_id, Some(&version)))?;
    if let Some(known) = known {
        if known.xml == form.xform.as_bytes() {
            return Ok(());
        }
        return Err(anyhow!(
            "form {} {version} was published with another content; give the demo a new folder with --data",
            settings.form_id
        ));
    }
    let new = NewForm {
        project,
        form_id: settings.form_id.clone(),
        version,
        title: settings.title.clone(),
        xml: form.xform.clone().into_bytes(),
        workbook: Some(form.workbook.to_vec()),
        files: Vec::new(),
        confirmation: Some(Confirmation {
            by: "Người xác nhận (mô phỏng)".to_owned(),
            reason: "Phiếu chỉ nhắc đến điện thoại, không hỏi số điện thoại".to_owned(),
        }),
    };
    field.transaction(|db| db.publish_form(new, now))?;
    Ok(())
}

/// 64 characters, as ODK Central's app users have.
fn token(seed: u64, project: i64, number: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut chance = Chance::new(seed, &format!("token/{project}/{number}"));
    (0..64).map(|_| char::from(LETTERS[chance.below(LETTERS.len())])).collect()
}

impl Wave {
    fn path(&self, project: i64, enumerator: usize) -> String {
        format!("/v1/key/{}/projects/{project}/submission", self.tokens[&project][enumerator])
    }

    /// The address that an enumerator's ODK Collect would be given.
    pub fn device_address(&self, server: SocketAddr) -> String {
        format!("http://{server}/v1/key/{}/projects/{}", self.tokens[&self.survey][0], self.survey)
    }

    /// Enumerators list the villages; what the server got becomes the list of dwellings.
    pub fn list_dwellings(
        &self,
        instrument: &Instrument,
        sample: &Sample,
        server: SocketAddr,
    ) -> anyhow::Result<()> {
        let form = compile(&instrument.listing)?;
        let outgoing = sample
            .listing
            .iter()
            .enumerate()
            .map(|(i, (village, listed))| {
                let xml = interviewing::listing(&form, village, *listed, self.seed)?;
                Ok(Outgoing { path: self.path(self.listing, i % ENUMERATORS), xml, round: 1 })
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        send_all(server, outgoing, self.seed, CONNECTIONS, &|| {})?;
        self.read_listing(instrument)
    }

    /// The listing project's records, as they came, into the list of dwellings by village.
    fn read_listing(&self, instrument: &Instrument) -> anyhow::Result<()> {
        let key = &self.receiver.key(self.listing)?;
        let stored = self.receiver.field.read(|db| db.list_submissions(self.listing, key))?;
        let answers: HashMap<Uuid, Vec<u8>> = self
            .receiver
            .answers
            .read(|db| db.list_answers(self.listing, key))?
            .into_iter()
            .map(|answer| (answer.token, answer.xml))
            .collect();
        let settings = &instrument.listing.questionnaire.settings;
        let version = settings.version.clone().unwrap_or_default();
        let form = self.receiver.read_form(self.listing, &settings.form_id, &version)?;
        for record in stored {
            let answer_half =
                answers.get(&record.token).ok_or_else(|| anyhow!("a listing has lost its answers"))?;
            let xml =
                surveys::halves::join(&record.xml, answer_half).context("a listing's halves do not fit")?;
            let submission = submission::read(&form.compiled, &xml).context("a listing cannot be read")?;
            let village =
                form.text(&submission, "village").ok_or_else(|| anyhow!("a listing names no village"))?;
            let households = form
                .text(&submission, "households")
                .and_then(|n| n.parse().ok())
                .ok_or_else(|| anyhow!("the listing of {village} has no number of dwellings"))?;
            let listing =
                Listing { village, households, listed_at: record.received_at, listed_by: record.app_user };
            self.receiver.field.transaction(|db| db.record_listing(self.survey, &listing))?;
        }
        Ok(())
    }

    /// Draws the dwellings among the listed ones and stores them as cases.
    pub fn create_cases(
        &self,
        instrument: &Instrument,
        truth: &Truth,
        sample: &Sample,
    ) -> anyhow::Result<()> {
        if !self.receiver.field.read(|db| db.list_cases(self.survey))?.is_empty() {
            return Ok(());
        }
        let listed: HashMap<String, usize> = self
            .receiver
            .field
            .read(|db| db.list_listings(self.survey))?
            .into_iter()
            .map(|listing| (listing.village, listing.households as usize))
            .collect();
        let listing: Vec<(String, usize)> = sample
            .listing
            .iter()
            .map(|(village, _)| {
                let n = listed.get(village).ok_or_else(|| anyhow!("village {village} was not listed"))?;
                Ok((village.clone(), *n))
            })
            .collect::<anyhow::Result<_>>()?;
        let drawn = draw_dwellings(instrument, &listing, &HashMap::new(), self.seed)?;
        let mut chance = Chance::new(self.seed, "assignment");
        let columns = SampleColumns {
            village: "village_id".to_owned(),
            household: "household".to_owned(),
            commune: "commune_code".to_owned(),
            area: "old_district_code".to_owned(),
            trend_areas: Vec::new(),
            majority: None,
        };
        let mut new = cases_of(&drawn.sample, &instrument.frame, &columns)?;
        for case in &mut new {
            let team = truth.village[&case.village] % (ENUMERATORS / 2);
            let enumerator = 2 * team + usize::from(chance.happens(0.5));
            case.assigned_to = Some(self.app_users[enumerator]);
        }
        self.receiver.field.transaction(|db| db.create_cases(self.survey, new))?;
        Ok(())
    }

    /// Fills and sends all interviews, late ones in later rounds; `done` hears of each acknowledged one.
    pub fn send_interviews(
        &self,
        instrument: &Instrument,
        truth: &Truth,
        fieldwork: &Fieldwork,
        server: SocketAddr,
        done: &(impl Fn() + Sync),
    ) -> anyhow::Result<Sent> {
        let form = compile(&instrument.questionnaire)?;
        let custodian = self.custodian.blocks.public();
        let order: BTreeMap<usize, usize> = fieldwork
            .visited
            .iter()
            .map(|visit| visit.village)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .enumerate()
            .map(|(i, village)| (village, i))
            .collect();
        let fill = |visit: &Visited| {
            let village = &truth.population.villages[visit.village].id;
            // Twenty teams, each a village every second day.
            let day = order[&visit.village] / 20 * 2 + visit.serial % 2;
            let xml = interviewing::interview(&form, &custodian, village, visit, day, self.seed)?;
            let team = visit.village % (ENUMERATORS / 2);
            let path = self.path(self.survey, 2 * team + visit.serial % 2);
            let mut chance = Chance::new(self.seed, &format!("network/{village}/{}", visit.serial));
            let round = 1 + chance.weighted(&[0.90, 0.07, 0.03]).unwrap_or(0) as u8;
            Ok(Outgoing { path, xml, round })
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = fieldwork.visited.len().div_ceil(threads).max(1);
        let outgoing = std::thread::scope(|scope| {
            let parts: Vec<_> = fieldwork
                .visited
                .chunks(share)
                .map(|part| scope.spawn(|| part.iter().map(&fill).collect::<anyhow::Result<Vec<_>>>()))
                .collect();
            let mut all = Vec::with_capacity(fieldwork.visited.len());
            for part in parts {
                all.extend(part.join().map_err(|_| anyhow!("a thread that fills interviews failed"))??);
            }
            anyhow::Ok(all)
        })?;
        Ok(send_all(server, outgoing, self.seed, CONNECTIONS, done)?)
    }

    /// Opens everything that was collected and joins it to the design, by village and dwelling.
    pub fn join(&self, instrument: &Instrument) -> anyhow::Result<Vec<Joined>> {
        let form_id = &instrument.questionnaire.questionnaire.settings.form_id;
        Ok(freeze::join(&self.receiver, self.survey, form_id, Some(&self.custodian))?.cases)
    }

    /// Stores what the wave is analysed by, with the margins of the simulated population, and freezes it. The order of
    /// the records comes from the seed.
    pub fn freeze(&self, instrument: &Instrument, truth: &Truth) -> anyhow::Result<AnalysisFile> {
        let files = outputs::design(instrument, truth)?;
        let now = Utc::now();
        self.receiver.field.transaction(|db| design::keep(db, self.survey, &files, now))?;
        let options = freeze::Options {
            custodian: Some(&self.custodian),
            early: false,
            now,
            chance: Chance::new(self.seed, "freeze"),
        };
        Ok(freeze::freeze(&self.receiver, self.survey, options)?.file)
    }
}

fn compile(form: &PublishedForm) -> anyhow::Result<Compiled> {
    Compiled::new(&form.questionnaire).map_err(|errors| {
        anyhow!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}
