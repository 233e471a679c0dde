//! A throw-away PostgreSQL for the tests: made with `initdb` in a temporary folder, gone when the tests end.
//!
//! A small shell runs the server and reads its own standard input. The tests hold the other end of that pipe, so
//! however they end, the shell reads the end of it, stops the server by its process id and removes the folder. The
//! words `kill` and `start` on that pipe end the server at once, with all its processes, and start it again.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

const SCRIPT: &str = r#"
set -e
dir=$(mktemp -d "${TMPDIR:-/tmp}/langnghe-postgres-XXXXXX")
cd "$dir"
trap 'rm -rf "$dir"' EXIT
trap exit INT TERM HUP
"$0/initdb" -D "$dir/data" -A trust -U langnghe --locale=C -E UTF8 --no-sync >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
run() {
    "$0/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync="$1" -c max_connections=200 \
        >>"$dir/log" 2>&1 </dev/null &
    server=$!
}
# Processes of the server, also one that it forked while it was being killed: they work in its folder.
left() {
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/cwd" 2>/dev/null)" != "$dir/data" ] || echo "${process#/proc/}"
    done
}
run "$1"
trap 'kill -INT "$server" 2>/dev/null || true; wait "$server" || true; rm -rf "$dir"' EXIT
echo "$dir"
while read -r word; do
    case $word in
        kill)
            # The children first in the list: none of them may finish what it began.
            kill -KILL $(cat "/proc/$server/task/$server/children" 2>/dev/null) "$server" 2>/dev/null || true
            { wait "$server" || true; } 2>/dev/null
            # A new server does not start while one of the old processes holds its memory.
            while orphans=$(left); [ -n "$orphans" ]; do kill -KILL $orphans 2>/dev/null || true; done
            ;;
        start) run "$1" ;;
    esac
    echo "$word"
done
"#;

pub struct Server {
    folder: PathBuf,
    bin: PathBuf,
    /// Its standard input is the pipe that keeps the server alive.
    _shell: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Server {
    /// The server of this run of the tests; `None`, and a line that says so, where it is to be left out.
    pub fn get() -> Option<&'static Self> {
        static SERVER: OnceLock<Server> = OnceLock::new();
        Self::is_wanted().then(|| SERVER.get_or_init(|| Self::start(Syncs::LeftOut)))
    }

    /// False, and a line that says so, where PostgreSQL is to be left out.
    pub fn is_wanted() -> bool {
        let wanted = std::env::var_os("LANGNGHE_SKIP_POSTGRES").is_none();
        if !wanted {
            println!("left out: LANGNGHE_SKIP_POSTGRES is set, nothing was tried on PostgreSQL");
        }
        wanted
    }

    /// Address of a database of this server for a user of it.
    pub fn url(&self, user: &str, database: &str) -> String {
        let host = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{user}@{host}/{database}")
    }

    /// Address for work on the server itself.
    pub fn maintenance_url(&self) -> String {
        self.url("langnghe", "postgres")
    }

    /// Where everything lies that the server keeps: tables, write-ahead log, its own log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A server of its own, which stops when it is dropped.
    pub fn start(syncs: Syncs) -> Self {
        let bin = find_bin().unwrap_or_else(|| {
            panic!(
                "no PostgreSQL server was found in PATH or /usr/lib/postgresql/*/bin. Install the Debian package \
                 `postgresql` (no service is needed), or set LANGNGHE_SKIP_POSTGRES=1 to leave these tests out"
            )
        });
        let mut shell = shell_of_a_user_who_is_not_root(&bin)
            .arg(match syncs {
                Syncs::LeftOut => "off",
                Syncs::Real => "on",
            })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the shell that runs PostgreSQL starts");
        let mut line = String::new();
        let input = shell.stdin.take().expect("its input is a pipe");
        let mut output = BufReader::new(shell.stdout.take().expect("its output is a pipe"));
        output.read_line(&mut line).expect("its output is text");
        assert!(
            !line.trim().is_empty(),
            "PostgreSQL could not be made with {}/initdb; see above",
            bin.display()
        );
        let folder = PathBuf::from(line.trim());
        let server = Self { folder, bin, _shell: shell, pipes: Mutex::new((input, output)) };
        server.wait_until_ready();
        server
    }

    /// Ends the server and all its processes at once (SIGKILL).
    pub fn kill(&self) {
        self.say("kill");
    }

    /// Starts it again after [`Self::kill`]; it recovers from its write-ahead log first.
    pub fn start_again(&self) {
        self.say("start");
        self.wait_until_ready();
    }

    fn say(&self, word: &str) {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(pipes.0, "{word}").expect("the shell listens");
        let mut line = String::new();
        pipes.1.read_line(&mut line).expect("the shell answers");
        assert_eq!(line.trim(), word, "the shell ended; see the log in {}", self.folder.display());
    }

    fn wait_until_ready(&self) {
        let started = Instant::now();
        let is_ready = || {
            let asked =
                Command::new(self.bin.join("pg_isready")).arg("-q").arg("-h").arg(&self.folder).status();
            asked.is_ok_and(|status| status.success())
        };
        while !is_ready() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(started.elapsed() < Duration::from_secs(60), "PostgreSQL does not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether the server waits for the disk. A killed process loses nothing that it had written without waiting: only a
/// loss of power would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    LeftOut,
    Real,
}

/// The folder with `initdb` and, beside it, `postgres`; the newest version first.
fn find_bin() -> Option<PathBuf> {
    let mut packaged: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    packaged.sort_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        std::cmp::Reverse(version.and_then(|name| name.parse::<u32>().ok()))
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A link in PATH leads to the folder where the rest of the server lies.
    let linked = std::env::split_paths(&path)
        .filter_map(|folder| fs::canonicalize(folder.join("initdb")).ok()?.parent().map(Path::to_owned));
    linked.chain(packaged).find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

/// PostgreSQL refuses to run as root, as which a container's tests often run.
fn shell_of_a_user_who_is_not_root(bin: &Path) -> Command {
    let who = Command::new("id").arg("-u").output().expect("`id -u` runs");
    if who.stdout.trim_ascii() != b"0" {
        let mut command = Command::new("sh");
        command.arg("-c").arg(SCRIPT).arg(bin);
        return command;
    }
    let exists = |user: &str| Command::new("id").arg(user).output().is_ok_and(|id| id.status.success());
    let user = if exists("postgres") { "postgres" } else { "nobody" };
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--", "sh", "-c"]).arg(SCRIPT).arg(bin).env_remove("TMPDIR");
    command
}
