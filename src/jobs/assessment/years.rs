//! The same headlines in several waves: each by its own design and through the gate, with the changes between them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use analysis::disclosure::{Cell, Figure, Rules, SafeTable, gate};
use analysis::estimation::plan::Request;
use analysis::estimation::years::{Comparison, Lookup, WavePlan};
use analysis::estimation::{self, Plan, Row, WaveSummary};
use analysis::report::{Change, sentences};
use analysis::table::{Declared, Table};
use anyhow::{Context, anyhow};
use indexmap::IndexMap;
use serde_json::json;
use surveys::questionnaire::Questionnaire;
use surveys::years::Concordance;

use super::view::Names;
use super::{Input, full_plan, rules};
use crate::jobs::releases::Releases;

/// The column of areas that all waves share.
const AREA: &str = "common_area";

/// One wave of a comparison.
pub(super) enum YearWave<'a> {
    Rows {
        name: String,
        input: &'a Input<'a>,
        /// CSV with `area_large` and `common_area`, where this wave's areas are not the common ones.
        areas: Option<PathBuf>,
    },
    /// Only a table of that year exists: `id`, `variable`, `common_area`, `estimate`, `se`, `n`.
    Published { name: String, file: PathBuf, probability: bool },
}

/// The headlines of several waves, for the whole and by area.
pub(super) struct Compared {
    pub waves: Vec<WaveSummary>,
    /// For the analyst.
    pub warnings: Vec<String>,
    pub lines: Vec<Line>,
    /// Headlines that some wave does not have.
    pub missing: Vec<String>,
}

/// One headline of one area over the waves.
pub(super) struct Line {
    pub id: String,
    /// The whole where there is none.
    pub area: Option<String>,
    /// One a wave; absent where the wave has none, or is no probability sample.
    pub figures: Vec<Figure>,
    pub steps: Vec<Step>,
}

/// A change between two waves, by their places.
pub(super) struct Step {
    pub from: usize,
    pub to: usize,
    pub difference: Figure,
    /// It holds among all changes looked at together.
    pub holds: bool,
    pub obstacle: Option<String>,
}

/// What waves are called: by year where all years differ, else by their own names.
pub(super) fn names(inputs: &[&Input<'_>]) -> Vec<String> {
    let years: BTreeSet<u16> = inputs.iter().map(|input| input.template.year).collect();
    if years.len() == inputs.len() {
        return inputs.iter().map(|input| format!("năm {}", input.template.year)).collect();
    }
    inputs
        .iter()
        .map(|input| {
            let about = &input.file.about;
            let twice = inputs.iter().filter(|other| other.file.about.wave == about.wave).count() > 1;
            let number = if twice { format!(" (đợt {})", about.project) } else { String::new() };
            format!("{}{number}", about.wave)
        })
        .collect()
}

/// Estimates `ids` in all waves and measures the changes; those for the whole and those by area are two families of
/// tests. Errors: those of the estimates, with the wave's name.
pub(super) fn compare(
    waves: &[YearWave<'_>],
    ids: &[&str],
    comparison: &Comparison,
    releases: &mut Releases,
) -> anyhow::Result<Compared> {
    let scratch = Scratch::new()?;
    let mut wave_plans = Vec::new();
    let mut forms: Vec<Option<Questionnaire>> = Vec::new();
    let mut gates = Vec::new();
    for (place, wave) in waves.iter().enumerate() {
        let (plan, gate) = wave.plan(place, &scratch).with_context(|| wave.name().to_owned())?;
        wave_plans.push(plan);
        gates.push(gate);
        forms.push(match wave {
            YearWave::Rows { input, .. } => Some(input.file.read_questionnaire()?),
            YearWave::Published { .. } => None,
        });
    }
    let has = |id: &str| {
        wave_plans.iter().filter_map(|plan| plan.derive.as_ref()).all(|derive| derive.contains_key(id))
    };
    let (ids, missing): (Vec<&str>, Vec<&str>) = ids.iter().partition(|id| has(id));
    let mut compared = Compared {
        waves: Vec::new(),
        warnings: Vec::new(),
        lines: Vec::new(),
        missing: missing.into_iter().map(str::to_owned).collect(),
    };
    for by_area in [false, true] {
        let requests = ids.iter().map(|id| match by_area {
            false => json!({ "id": id, "statistic": "mean", "of": [id], "missing": "drop" }),
            true => {
                json!({ "id": format!("{id}_by_area"), "statistic": "mean", "of": [id], "by": [AREA], "missing": "drop" })
            }
        });
        let plan = Plan {
            waves: wave_plans.clone(),
            comparison: comparison.clone(),
            requests: requests.map(serde_json::from_value).collect::<Result<_, _>>()?,
            ..Plan::default()
        };
        let tables = waves
            .iter()
            .filter_map(|wave| match wave {
                YearWave::Rows { input, .. } => Some(input.weighted.respondents.clone()),
                YearWave::Published { .. } => None,
            })
            .collect();
        let results = estimation::estimate_waves(tables, &plan, &scratch.0).context("several waves")?;
        let names: Vec<&str> = waves.iter().map(YearWave::name).collect();
        let ended = Ended { names: &names, waves: &results.waves, forms: &forms, requests: &plan.requests };
        compared.lines.extend(ended.lines(&results.results, &gates, releases)?);
        for warning in results.warnings {
            if !compared.warnings.contains(&warning) {
                compared.warnings.push(warning);
            }
        }
        compared.waves = results.waves;
    }
    for line in &mut compared.lines {
        if let Some(id) = line.id.strip_suffix("_by_area").map(str::to_owned) {
            line.id = id;
        }
    }
    Ok(compared)
}

impl YearWave<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Rows { name, .. } | Self::Published { name, .. } => name,
        }
    }

    fn plan(&self, place: usize, scratch: &Scratch) -> anyhow::Result<(WavePlan, WaveGate<'_>)> {
        let (name, input, areas) = match self {
            Self::Published { name, file, probability } => {
                let plan = WavePlan {
                    wave: name.clone(),
                    published: Some(std::path::absolute(file)?.display().to_string()),
                    probability_sample: Some(*probability),
                    ..WavePlan::default()
                };
                return Ok((plan, WaveGate { rules: Rules::default(), own: None }));
            }
            Self::Rows { name, input, areas } => (name, input, areas),
        };
        let full = full_plan(input)?;
        let rules = rules(input, &full);
        let mut plan = input.weighted.plan(&full)?;
        plan.types.insert(AREA.to_owned(), Declared::Category);
        let mut lookup = IndexMap::new();
        let mut own = plan.clone();
        match areas {
            Some(file) => {
                own.derive.insert(AREA.to_owned(), common_areas(file)?);
                let file = std::path::absolute(file)?.display().to_string();
                lookup.insert(AREA.to_owned(), Lookup { from: "area_large".to_owned(), file });
            }
            None => {
                plan.derive.insert(AREA.to_owned(), "area_large".to_owned());
                own.derive.clone_from(&plan.derive);
            }
        }
        Ok((
            WavePlan {
                wave: name.clone(),
                types: Some(plan.types),
                derive: Some(plan.derive),
                indices: Some(plan.indices),
                design: Some(plan.design),
                adjust: Some(plan.adjust),
                r#where: plan.r#where,
                lookup,
                questionnaire: Some(scratch.keep(place, &input.file.questionnaire)?),
                probability_sample: plan.probability_sample,
                ..WavePlan::default()
            },
            WaveGate { rules, own: Some((*input, own)) },
        ))
    }
}

/// How the figures of one wave are judged.
struct WaveGate<'a> {
    rules: Rules,
    /// The wave and its plan without requests; none where only a table exists.
    own: Option<(&'a Input<'a>, Plan)>,
}

/// The lines of a file of common areas as an expression, so that the log of releases can count its areas again without
/// the file.
fn common_areas(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| anyhow!("{}: cannot be read ({e}); check the path in the plan", file.display()))?;
    let columns = ["area_large", AREA];
    let types = columns.iter().map(|name| ((*name).to_owned(), Declared::Category)).collect();
    let table = Table::parse_csv(&text, &file.display().to_string(), &types)?;
    let [from, to] = columns.map(|name| table.column(name));
    let (from, to) = (from?, to?);
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let cases: String = (0..table.height())
        .filter_map(|row| Some((from.text(row)?, to.text(row)?)))
        .map(|(from, to)| format!(" WHEN area_large = {} THEN {}", quoted(&from), quoted(&to)))
        .collect();
    Ok(format!("CASE{cases} END"))
}

/// What the engine answered with.
struct Ended<'a> {
    names: &'a [&'a str],
    waves: &'a [WaveSummary],
    forms: &'a [Option<Questionnaire>],
    requests: &'a [Request],
}

impl Ended<'_> {
    /// Gates each wave by itself and each change with both its ends.
    fn lines(
        &self,
        rows: &[Row],
        gates: &[WaveGate<'_>],
        releases: &mut Releases,
    ) -> anyhow::Result<Vec<Line>> {
        let Self { names, waves, forms, requests } = *self;
        let mut lines: Vec<Line> = Vec::new();
        let area_of = |row: &Row| row.group.get(AREA).cloned();
        for (place, name) in names.iter().enumerate() {
            let published = waves.get(place).is_some_and(|wave| wave.design.is_none());
            let own: Vec<Row> = rows
                .iter()
                .filter(|row| {
                    row.statistic != "change" && row.group.get("wave").is_some_and(|wave| wave == name)
                })
                .map(|row| {
                    let mut row = row.clone();
                    row.group.shift_remove("wave");
                    open(&mut row, published);
                    row
                })
                .collect();
            let WaveGate { rules, own: wave } = &gates[place];
            let safe = match wave {
                Some((input, plan)) => {
                    let plan = Plan { requests: requests.to_vec(), ..plan.clone() };
                    releases.gate(input.file, &input.weighted.respondents, &plan, &own, rules)?
                }
                None => gate(&own, rules)?,
            };
            for (row, safe) in own.iter().zip(safe) {
                let area = area_of(row);
                let known = lines.iter().position(|line| line.id == row.id && line.area == area);
                let at = known.unwrap_or_else(|| {
                    let figures = vec![Figure::absent(); names.len()];
                    lines.push(Line { id: row.id.clone(), area, figures, steps: Vec::new() });
                    lines.len() - 1
                });
                lines[at].figures[place] = safe.figure().clone();
            }
        }
        let strict = gates.iter().map(|gate| &gate.rules).fold(Rules::default(), |mut all, rules| {
            all.sensitive.extend(rules.sensitive.iter().cloned());
            all.ethnicity.extend(rules.ethnicity.iter().cloned());
            all
        });
        let place = |row: &Row, end: &str| {
            let name = row.more.get(end).and_then(|name| name.as_str())?;
            names.iter().position(|known| *known == name)
        };
        let mut changes: Vec<Row> = rows.iter().filter(|row| row.statistic == "change").cloned().collect();
        for row in &mut changes {
            let of_table = [place(row, "from"), place(row, "to")]
                .into_iter()
                .flatten()
                .any(|place| waves.get(place).is_some_and(|wave| wave.design.is_none()));
            open(row, of_table);
        }
        for (row, safe) in changes.iter().zip(gate(&changes, &strict)?) {
            let (Some(from), Some(to)) = (place(row, "from"), place(row, "to")) else { continue };
            let area = area_of(row);
            let Some(line) = lines.iter_mut().find(|line| line.id == row.id && line.area == area) else {
                continue;
            };
            // With one end and the change the other end would be known.
            let ends_seen = [from, to].iter().all(|end| line.figures[*end].estimate().is_some());
            let reason = row.more.get("reason").and_then(|reason| reason.as_str());
            line.steps.push(Step {
                from,
                to,
                difference: if ends_seen { safe.figure().clone() } else { Figure::absent() },
                holds: ends_seen && row.more.get("changed").is_some_and(|changed| changed == &json!(true)),
                obstacle: match reason {
                    Some(reason) => Some(in_words(reason, (&forms[from], &forms[to]))),
                    None if !ends_seen => Some(sentences::NOT_PUBLISHED.to_owned()),
                    None => None,
                },
            });
        }
        Ok(lines)
    }
}

/// What was published once is public: the table of that year does not say from how many villages its figures come.
fn open(row: &mut Row, published: bool) {
    if published {
        row.psus = row.psus.or(Some(Rules::default().min_clusters));
    }
}

/// Why two waves are not compared, for readers.
fn in_words(reason: &str, forms: (&Option<Questionnaire>, &Option<Questionnaire>)) -> String {
    let Some(told) = reason.strip_prefix("not comparable: ") else {
        return "một trong hai đợt không có sai số".to_owned();
    };
    let lines: Vec<Concordance> = match forms {
        (Some(old), Some(new)) => surveys::years::compare(old, new).concordance,
        _ => Vec::new(),
    };
    let same = |line: &&Concordance| told == format!("{}: {}", line.question, line.reason_en);
    match lines.iter().find(same) {
        Some(line) => format!("câu {}: {}", line.question.to_uppercase(), line.reason_vi),
        None => "câu hỏi hoặc mã trả lời đã thay đổi".to_owned(),
    }
}

impl Compared {
    /// The change of a headline from the wave before to the last one.
    pub(super) fn last_change(&self, id: &str) -> Option<Change> {
        let last = self.waves.len().checked_sub(1)?;
        if self.missing.iter().any(|missing| missing == id) {
            let obstacle = Some("một đợt không có chỉ tiêu này".to_owned());
            let since = self.waves.get(last.checked_sub(1)?)?.wave.clone();
            return Some(Change { since, difference: Figure::absent(), holds: false, obstacle });
        }
        let line = self.lines.iter().find(|line| line.id == id && line.area.is_none())?;
        let step = line.steps.iter().filter(|step| step.to == last).max_by_key(|step| step.from)?;
        Some(self.change(step))
    }

    /// A step as sentences tell it.
    pub(super) fn change(&self, step: &Step) -> Change {
        Change {
            since: self.waves.get(step.from).map_or_else(String::new, |wave| wave.wave.clone()),
            difference: step.difference.clone(),
            holds: step.holds,
            obstacle: step.obstacle.clone(),
        }
    }

    /// Every change for the whole and, where it holds, by area.
    pub(super) fn table(&self, names: &Names) -> SafeTable {
        // Few columns, so that none is too narrow for its words.
        let columns = ["Chỉ tiêu", "Đợt", "Trước → sau", "Thay đổi (điểm %), KTC 95%", "Kết luận"];
        let mut table =
            SafeTable::new("Thay đổi giữa các đợt: toàn bộ, và địa bàn có thay đổi ngoài sai số", columns);
        let wave = |place: usize| self.waves.get(place).map_or("", |wave| wave.wave.as_str());
        let share = |line: &Line, place: usize| sentences::share(&line.figures[place]);
        for line in &self.lines {
            for step in line.steps.iter().filter(|step| line.area.is_none() || step.holds) {
                let (difference, interval) = sentences::difference(&step.difference);
                let place =
                    line.area.as_deref().map_or(String::new(), |area| format!(" – {}", names.area(area)));
                table.push(vec![
                    Cell::text(format!("{}{place}", names.headline(&line.id))),
                    Cell::text(format!("{} → {}", wave(step.from), wave(step.to))),
                    Cell::text(format!("{} → {}", share(line, step.from), share(line, step.to))),
                    Cell::text(format!("{difference} ({interval})")),
                    Cell::text(sentences::verdict(&self.change(step))),
                ]);
            }
        }
        table
    }

    /// Sentences for the changes that hold: aggregates only, the whole and the large areas, never a ranking.
    pub(super) fn alerts(&self, names: &Names) -> Vec<String> {
        let last = self.waves.len().saturating_sub(1);
        let mut told = Vec::new();
        for line in &self.lines {
            for step in line.steps.iter().filter(|step| step.holds && step.to == last) {
                let place = line.area.as_deref().map_or("toàn bộ địa bàn", |area| names.area(area));
                let change = sentences::change(&self.change(step));
                told.push(format!(
                    "{} – {place}: {}; {change}",
                    names.headline(&line.id),
                    sentences::share(&line.figures[step.to])
                ));
            }
        }
        told
    }
}

/// A folder for questionnaires that the comparison reads, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("langnghe-years-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)
            .map_err(|e| anyhow!("{}: cannot be made ({e}); is the disk full?", folder.display()))?;
        Ok(Self(folder))
    }

    /// Writes a wave's questionnaire; answers its path below the folder.
    fn keep(&self, wave: usize, (name, bytes): &(String, Vec<u8>)) -> anyhow::Result<String> {
        let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
        let below = format!("{wave}-{name}");
        let path = self.0.join(&below);
        std::fs::write(&path, bytes)
            .map_err(|e| anyhow!("{}: cannot be written ({e}); is the disk full?", path.display()))?;
        Ok(below)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
