//! The server: route table, health, pages.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer, web};
use chrono::{TimeDelta, Utc};
use rustls::ServerConfig;

use crate::accounts::Accounts;
use crate::api;
use crate::central;
use crate::intake::Receiver;
use crate::openrosa;

mod health;
mod metrics;
mod pages;
pub mod tls;
mod withdrawal;

/// Folder of finished pages and files, where there is one.
#[derive(Clone, Debug)]
pub struct Site(pub Option<PathBuf>);

/// What an answer may load or do in a browser unless its page says more.
const NOTHING: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Why the server did not start or ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "{address}: cannot listen ({cause}); end the program that uses this port or give another with --listen"
    )]
    Listen { address: String, cause: String },
    #[error("{file}: cannot be used for TLS ({cause}); give PEM files with --tls-cert and --tls-key")]
    Tls { file: String, cause: String },
    #[error("the server ended early: {0}")]
    Ended(String),
}

/// A port that was taken, and what is spoken on it.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<ServerConfig>,
}

impl Listener {
    /// Speaks TLS with this certificate.
    pub fn with_tls(self, config: ServerConfig) -> Self {
        Self { tls: Some(config), ..self }
    }
}

/// Takes the port. Given as `127.0.0.1:8080`; port 0 takes any free one.
pub fn listen(address: &str) -> Result<Listener, ServeError> {
    let wrong = |cause: String| ServeError::Listen { address: address.to_owned(), cause };
    let tcp = TcpListener::bind(address).map_err(|e| wrong(e.to_string()))?;
    tcp.set_nonblocking(true).map_err(|e| wrong(e.to_string()))?;
    Ok(Listener { tcp, tls: None })
}

/// A server in a thread of its own.
pub struct Running {
    pub address: SocketAddr,
    handle: ServerHandle,
    thread: std::thread::JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Ends gracefully: what is being stored is stored and answered first.
    pub fn stop(self) -> Result<(), ServeError> {
        let handle = self.handle.clone();
        let stopping = std::thread::spawn(move || actix_web::rt::System::new().block_on(handle.stop(true)));
        let ended = self.join();
        stopping.join().map_err(|_| ServeError::Ended("stopping failed".into()))?;
        ended
    }

    /// Serves until the process is told to end (SIGINT, SIGTERM).
    pub fn join(self) -> Result<(), ServeError> {
        self.thread.join().map_err(|_| ServeError::Ended("its thread failed".into()))?
    }
}

/// Starts serving on `listener`.
pub fn start(
    listener: Listener,
    receiver: Arc<Receiver>,
    accounts: Accounts,
    site: Site,
) -> Result<Running, ServeError> {
    let Listener { tcp: listener, tls } = listener;
    let ended = |e: std::io::Error| ServeError::Ended(e.to_string());
    let address = listener.local_addr().map_err(ended)?;
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let receiver = Data::from(receiver);
            let settling = Arc::clone(&receiver);
            actix_web::rt::spawn(async move {
                // A day is longer than any post that is still on its way, on this server or another.
                let yesterday = Utc::now() - TimeDelta::days(1);
                if let Err(error) = Arc::clone(&settling).remove_loose_files(yesterday).await {
                    eprintln!("langnghe: files that a crash left could not be removed: {error}");
                }
                loop {
                    let receiver = Arc::clone(&settling);
                    if let Ok(Err(error)) = web::block(move || receiver.settle(Utc::now())).await {
                        eprintln!("langnghe: reservations that a crash left could not be settled: {error}");
                    }
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            });
            let counted = Data::new(metrics::Metrics::default());
            let limits = Data::new(api::Limits::default());
            let strict = tls.is_some();
            let server = HttpServer::new(move || {
                let headers = DefaultHeaders::new()
                    .add(("X-Content-Type-Options", "nosniff"))
                    .add(("Referrer-Policy", "no-referrer"))
                    .add(("X-Frame-Options", "DENY"))
                    .add(("Cache-Control", "no-store"))
                    // A page that needs more says so itself.
                    .add(("Content-Security-Policy", NOTHING))
                    .add(("Cross-Origin-Opener-Policy", "same-origin"))
                    .add(("Cross-Origin-Resource-Policy", "same-origin"));
                let headers = match strict {
                    true => headers.add(("Strict-Transport-Security", "max-age=31536000")),
                    false => headers,
                };
                App::new()
                    .app_data(counted.clone())
                    .app_data(limits.clone())
                    .app_data(receiver.clone())
                    .app_data(Data::new(accounts.clone()))
                    .app_data(Data::new(site.clone()))
                    .wrap(headers)
                    .wrap(from_fn(metrics::count))
                    .service(openrosa::routes())
                    .service(api::routes())
                    .configure(central::routes)
                    .route("/healthz", web::get().to(health::alive))
                    .route("/readyz", web::get().to(health::ready))
                    .route("/metrics", web::get().to(metrics::list_metrics))
                    .service(
                        web::resource(withdrawal::PATH)
                            .route(web::get().to(withdrawal::find_page))
                            .route(web::post().to(withdrawal::withdraw)),
                    )
                    .route("/", web::get().to(pages::find_index))
                    .route("/{path:.*}", web::get().to(pages::find_page))
            })
            .workers(2)
            .shutdown_timeout(20);
            let server = match tls {
                Some(config) => server.listen_rustls_0_23(listener, config),
                None => server.listen(listener),
            };
            let server = server.map_err(ended)?.run();
            let _ = tell.send(server.handle());
            server.await.map_err(ended)
        })
    });
    match told.recv() {
        Ok(handle) => Ok(Running { address, handle, thread }),
        Err(_) => match thread.join() {
            Ok(Err(error)) => Err(error),
            _ => Err(ServeError::Ended("it did not start".into())),
        },
    }
}
