//! `langnghe serve`: the server on the two vaults.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::key::passphrase;
use crate::accounts::Accounts;
use crate::config::{DATA, DataPlace, LISTEN};
use crate::db::{AnswerVault, FieldVault};
use crate::files::FileStore;
use crate::intake::{Receiver, Ties};
use crate::jobs::analysis_files::AnalysisFiles;
use crate::jobs::servers::{self, Identity};
use crate::jobs::withdrawal;
use crate::keys::{KeyFolder, KeyFolderError};
use crate::web::{self, Site};

/// Chạy máy chủ nhận phiếu · The server that tablets send to
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe serve --data /srv/langnghe --listen 127.0.0.1:8080")]
pub struct Args {
    #[command(flatten)]
    place: DataPlace,
    /// Address to listen on
    #[arg(long, env = "LANGNGHE_LISTEN", default_value = LISTEN, value_name = "ADDR")]
    listen: String,
    /// Certificate chain for TLS, PEM, the server's own first; without one a reverse proxy must do it
    #[arg(long, env = "LANGNGHE_TLS_CERT", value_name = "F", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate, PEM
    #[arg(long, env = "LANGNGHE_TLS_KEY", value_name = "F", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let folder = args.place.folder(DATA);
    let mut listener = web::listen(&args.listen)?;
    let mut scheme = "http";
    if let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) {
        listener = listener.with_tls(web::tls::read(certificate, key)?);
        scheme = "https";
    }
    let field = FieldVault::open(&args.place.field_url(&folder))?;
    let answers = AnswerVault::open(&args.place.answers_url(&folder))?;
    let mut key_folder = KeyFolder::open(args.place.keys_folder(&folder))?;
    if key_folder.needs_passphrase()
        && let Some(passphrase) = passphrase()?
    {
        key_folder = key_folder.with_passphrase(passphrase);
    }
    let mut keys = HashMap::new();
    for project in field.read(|db| db.list_projects())? {
        match key_folder.load(project.id) {
            Ok(key) => drop(keys.insert(project.id, Arc::new(key))),
            // A wave without its key takes nothing; the others go on.
            Err(error @ (KeyFolderError::Missing { .. } | KeyFolderError::PassphraseNeeded { .. })) => {
                eprintln!("langnghe: warning: wave {} takes no submissions: {error}", project.id);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let accounts = Accounts::new(field.clone(), Arc::new(key_folder.installation()?));
    let waves: Vec<i64> = keys.keys().copied().collect();
    let files = FileStore::open(&args.place.files_url(&folder))?;
    let receiver = Receiver::new(field, answers, keys, Ties::Random);
    let receiver = Arc::new(receiver.with_key_folder(key_folder.clone()).with_files(files));
    // A backup that was restored may have brought back what was withdrawn.
    for wave in waves {
        receiver.remove_files(&withdrawal::repeat(&receiver, &key_folder, wave)?)?;
    }
    let own = Identity::of(&key_folder, &args.listen)?;
    let analysis = AnalysisFiles::open(folder.join("analysis"))?;
    let attended = Arc::clone(&receiver);
    let running = web::start(listener, receiver, accounts, Site(None))?;
    // Ends with the process.
    std::thread::spawn(move || attend(&attended, &key_folder, &analysis, &own));
    eprintln!("langnghe: {scheme}://{}", running.address);
    Ok(running.join()?)
}

/// How often a server looks whether a wave was closed elsewhere.
const LOOK: Duration = Duration::from_secs(2);
/// How many looks lie between two signs of life, and between two looks at the calendar.
const LOOKS: u32 = 15;

/// What a server does beside answering: it says that it lives, destroys and confirms its copies of closed waves, and
/// closes waves whose day has come.
fn attend(receiver: &Receiver, keys: &KeyFolder, analysis: &AnalysisFiles, own: &Identity) {
    for look in 0_u32.. {
        let now = Utc::now();
        let done = servers::confirm_closed(receiver, keys, own, now).and_then(|_| {
            if look % LOOKS == 0 {
                servers::announce(&receiver.field, own, now)?;
                for wave in servers::close_due(receiver, keys, analysis, own, now)? {
                    eprintln!("langnghe: wave {wave} was closed on its day; print its certificate: langnghe wave close {wave}");
                }
            }
            Ok(())
        });
        if let Err(error) = done {
            eprintln!("langnghe: closing: {error:#}");
        }
        std::thread::sleep(LOOK);
    }
}
