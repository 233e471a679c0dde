//! What a report names of its inputs, written into its last table and read from there.

use analysis::table::Table;
use anyhow::anyhow;
use serde::Serialize;

use super::{Kind, Order, sha256};

/// The inputs of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Provenance {
    /// The name of its kind: of [`Kind`], or `review` for one over several years.
    pub kind: String,
    /// The wave itself, then the earlier ones, oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Name and SHA-256, or version, of everything else.
    pub others: Vec<(String, String)>,
}

/// One analysis file.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub project: i64,
    pub number: u32,
    /// Of the file's content.
    pub sha256: String,
}

const KIND: &str = "Loại báo cáo";
const SNAPSHOT: &str = "Tệp phân tích: đợt ";
const NUMBER: &str = ", bản chụp ";
/// The template that a report was made with.
pub const TEMPLATE: &str = "Mẫu báo cáo (report.json)";
/// The plan of a report over several years.
pub const PLAN: &str = "Kế hoạch báo cáo nhiều năm";
pub const PROGRAM: &str = "Chương trình";

impl Provenance {
    pub(super) fn of(order: &Order<'_>, weights: &Table) -> anyhow::Result<Self> {
        let file = order.file;
        let mut others = file.about.provenance.clone();
        let mut add = |name: &str, sha256: String| others.push((name.to_owned(), sha256));
        add("Phiếu hỏi", sha256(&file.questionnaire.1));
        add("Kế hoạch ước lượng (analysis.json)", json_sha256(&file.plan)?);
        add(TEMPLATE, json_sha256(order.template.unwrap_or(&file.template))?);
        add("weights.csv", sha256(weights.to_csv().as_bytes()));
        add(PROGRAM, program());
        let snapshots =
            std::iter::once(file).chain(order.earlier).map(Snapshot::of).collect::<Result<_, _>>()?;
        Ok(Self { kind: order.kind.name().to_owned(), snapshots, others })
    }

    /// As [`analysis::report::provenance`] prints it.
    pub fn rows(&self) -> Vec<(String, String)> {
        let mut rows = vec![(KIND.to_owned(), self.kind.clone())];
        rows.extend(self.snapshots.iter().map(|snapshot| {
            let name = format!("{SNAPSHOT}{}{NUMBER}{}", snapshot.project, snapshot.number);
            (name, snapshot.sha256.clone())
        }));
        rows.extend(self.others.iter().cloned());
        rows
    }

    /// Reads the rows of a report's table.
    pub fn read(rows: &[Vec<String>]) -> anyhow::Result<Self> {
        let pairs = rows.iter().filter_map(|row| Some((row.first()?, row.get(1)?)));
        let mut read = Self { kind: String::new(), snapshots: Vec::new(), others: Vec::new() };
        for (name, value) in pairs {
            let value: String = value.split_whitespace().collect::<Vec<_>>().join(" ");
            let joined: String = value.split_whitespace().collect();
            if name == KIND {
                read.kind = value;
            } else if let Some((project, number)) =
                name.strip_prefix(SNAPSHOT).and_then(|rest| rest.split_once(NUMBER))
            {
                let wrong = || anyhow!("the report's table of sources is damaged at “{name}”");
                read.snapshots.push(Snapshot {
                    project: project.trim().parse().map_err(|_| wrong())?,
                    number: number.trim().parse().map_err(|_| wrong())?,
                    sha256: joined,
                });
            } else {
                let is_hash = joined.len() == 64 && joined.bytes().all(|b| b.is_ascii_hexdigit());
                read.others.push((name.clone(), if is_hash { joined } else { value }));
            }
        }
        if read.kind.is_empty() {
            return Err(anyhow!(
                "the report's table of sources does not say “{KIND}”; was it made by an older version or cut?"
            ));
        }
        Ok(read)
    }

    /// Hash or version of a named source.
    pub fn other(&self, name: &str) -> Option<&str> {
        self.others.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The kind, where the report is on one wave.
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_name(&self.kind)
    }
}

impl Snapshot {
    pub(super) fn of(file: &crate::jobs::analysis_file::AnalysisFile) -> anyhow::Result<Self> {
        Ok(Self { project: file.about.project, number: file.about.snapshot, sha256: file.sha256()? })
    }
}

/// What the program calls itself.
pub(super) fn program() -> String {
    format!("langnghe {}", env!("CARGO_PKG_VERSION"))
}

/// SHA-256 of a value as JSON.
pub fn json_sha256(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(sha256(&serde_json::to_vec(value)?))
}
