//! PDF by LibreOffice, where it is installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow};

/// Names under which LibreOffice is found.
const PROGRAMS: [&str; 2] = ["soffice", "libreoffice"];

/// Turns a DOCX into a PDF with a profile of its own, so that an office that is open on the desk is left alone.
///
/// Errors: LibreOffice is not installed, or does not convert.
pub fn pdf(docx: &[u8]) -> anyhow::Result<Vec<u8>> {
    let folder = std::env::temp_dir().join(format!("langnghe-pdf-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("{}: cannot be made; is the disk full?", folder.display()))?;
    let made = convert(docx, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    made
}

fn convert(docx: &[u8], folder: &Path) -> anyhow::Result<Vec<u8>> {
    let program = installed().ok_or_else(|| {
        anyhow!(
            "máy này chưa có LibreOffice nên chưa làm được PDF (PDF needs LibreOffice); install it (Debian: libreoffice-writer), \
             or write .docx or .html, which a browser prints"
        )
    })?;
    let source = folder.join("report.docx");
    std::fs::write(&source, docx).with_context(|| format!("{}: cannot be written", source.display()))?;
    let ended = Command::new(&program)
        .arg(format!("-env:UserInstallation=file://{}", folder.join("profile").display()))
        .args(["--headless", "--convert-to", "pdf", "--outdir"])
        .arg(folder)
        .arg(&source)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{}: cannot be started", program.display()))?;
    std::fs::read(folder.join("report.pdf")).map_err(|_| {
        let told = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        anyhow!("{} made no PDF: {told}; write .docx and convert it by hand", program.display())
    })
}

fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| PROGRAMS.map(|program| folder.join(program)))
        .find(|program| program.is_file())
}
