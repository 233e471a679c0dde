//! The log of what was released, and the gate that asks it: protection.md rules 17 and 20 over all figures of a data
//! set, whatever was asked for them and when.
//!
//! Whoever keeps all published figures can subtract them. So the gate of estimates ([`super::gate`]), which judges the
//! rows of one answer, is followed by a second look ([`gate_with`]): every figure counts a set of respondents; what is
//! out, today or from the log, makes the numbers of those sets known; and no set of too few may be bounded by them.
//! Filters are compared by the respondents that they hold, so that it does not matter how they are written.

use super::conditions::canonical;
use super::differences::{Differences, Limits};
use super::sets::{Answers, Domain, Respondents};
use super::snapshots::{Interview, SnapshotError, may_follow};
use super::{Figure, GateError, Rules, SafeRow, gate};
use crate::estimation::design::Design;
use crate::estimation::plan::{DesignPlan, Request};
use crate::estimation::result::Row;
use crate::estimation::{EstimationError, Plan, Results, Statistic, prepare};
use crate::sql::Expression;
use crate::table::{Table, Types, number_text};
use crate::weighting;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// The data that figures come from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub id: String,
    /// When it was taken, as the caller writes dates.
    pub date: String,
    /// In the order of the data's rows. Ids are the same in every snapshot and go into the log: give marks that tell
    /// nothing, such as keyed hashes whose key is destroyed when the wave closes.
    pub interviews: Vec<Interview>,
}

/// All that went out of one data set and its successors, in order; a line of JSON each.
#[derive(Clone, Debug, Default)]
pub struct ReleaseLog {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Snapshot(Taken),
    Release(Release),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Taken {
    id: String,
    date: String,
    /// Mark and cluster, sorted: the order of arrival is not kept.
    interviews: BTreeSet<(String, String)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Release {
    snapshot: String,
    date: String,
    /// SHA-256 of what was asked, in its one form.
    query: String,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    types: Types,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    derive: IndexMap<String, String>,
    figures: Vec<Logged>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Logged {
    #[serde(flatten)]
    asked: Asked,
    /// Respondents; none where they were not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<usize>,
    went: Went,
}

/// A figure by what it is, whatever request asked for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Asked {
    statistic: String,
    #[serde(flatten)]
    domain: Domain,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variable: Option<String>,
    /// What else tells two figures of one statistic apart: point, probability, cell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Went {
    Shown,
    /// Shown without the number of its respondents.
    WithoutBase,
    Hidden,
}

/// Why nothing goes out.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    #[error("{0}")]
    Gate(#[from] GateError),
    #[error("snapshot `{snapshot}`: {source}")]
    Snapshot {
        snapshot: String,
        #[source]
        source: SnapshotError,
    },
    #[error("snapshot `{snapshot}` names {interviews} interviews, the data have {rows} rows; name one a row")]
    Rows { snapshot: String, interviews: usize, rows: usize },
    #[error("snapshot `{snapshot}` is in the log with other interviews; give a changed data set a new name")]
    Changed { snapshot: String },
    #[error(
        "the plan has several waves; release the figures of each wave from its own data, so that the log can be asked"
    )]
    Waves,
    #[error("{rows} rows of results do not belong to the plan's requests; give the results of this plan")]
    Foreign { rows: usize },
    #[error("{0}")]
    Estimation(#[from] EstimationError),
    #[error(
        "figures released on {date} cannot be counted again in these data ({source}); give the data with all columns \
         that earlier figures used"
    )]
    Unknown {
        date: String,
        #[source]
        source: EstimationError,
    },
    #[error("the log of releases, line {line}: {reason}; put back the log as it was written")]
    Log { line: usize, reason: String },
}

impl ReleaseLog {
    /// Reads the log's lines. Errors: [`ReleaseError::Log`].
    pub fn parse(text: &str) -> Result<Self, ReleaseError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let lines = lines.map(|(at, line)| {
            serde_json::from_str(line).map_err(|e| ReleaseError::Log { line: at + 1, reason: e.to_string() })
        });
        Ok(Self { lines: lines.collect::<Result<_, _>>()? })
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines from number `from` (0 is the first) on, to be added to what is stored.
    pub fn lines_from(&self, from: usize) -> String {
        let texts = self.lines.iter().skip(from).filter_map(|line| serde_json::to_string(line).ok());
        texts.map(|text| text + "\n").collect()
    }

    /// Hashes of the queries that were answered, in order.
    pub fn queries(&self) -> impl Iterator<Item = &str> {
        self.releases().map(|release| release.query.as_str())
    }

    fn releases(&self) -> impl Iterator<Item = &Release> {
        self.lines.iter().filter_map(|line| match line {
            Line::Release(release) => Some(release),
            Line::Snapshot(_) => None,
        })
    }

    fn snapshots(&self) -> impl Iterator<Item = &Taken> {
        self.lines.iter().filter_map(|line| match line {
            Line::Snapshot(taken) => Some(taken),
            Line::Release(_) => None,
        })
    }

    /// Rule 20: the snapshot as a line of its own where it is new.
    fn admit(&self, snapshot: &Snapshot) -> Result<Option<Taken>, ReleaseError> {
        let interviews: BTreeSet<(String, String)> =
            snapshot.interviews.iter().map(|i| (i.id.clone(), i.cluster.clone())).collect();
        if let Some(known) = self.snapshots().find(|taken| taken.id == snapshot.id) {
            return match known.interviews == interviews {
                true => Ok(None),
                false => Err(ReleaseError::Changed { snapshot: snapshot.id.clone() }),
            };
        }
        let interview =
            |(id, cluster): &(String, String)| Interview { id: id.clone(), cluster: cluster.clone() };
        let released: Vec<Vec<Interview>> =
            self.snapshots().map(|taken| taken.interviews.iter().map(interview).collect()).collect();
        let released: Vec<&[Interview]> = released.iter().map(Vec::as_slice).collect();
        may_follow(&released, &snapshot.interviews)
            .map_err(|source| ReleaseError::Snapshot { snapshot: snapshot.id.clone(), source })?;
        Ok(Some(Taken { id: snapshot.id.clone(), date: snapshot.date.clone(), interviews }))
    }
}

/// The gate with the memory of what is out: decides for every row of a plan's answer, and writes it into the log.
///
/// `data`: what the plan's figures were estimated from; `snapshot.interviews` names its rows. Returned in the order of
/// `results.results`. Beyond [`gate`], with the log and all rows at once, figures are held back
/// - that tell the number of respondents of a domain that was hidden before;
/// - whose number of respondents, minus or within another that is out, leaves a positive count under
///   `rules.min_count`, one from fewer than `rules.min_clusters` clusters, or the mean of fewer than `rules.min_base`;
/// - whose number would let somebody who has all figures bound a hidden count closer than `rules.min_count`;
/// - whose exact count of respondents is unsafe where the weighted share did not show it;
/// - contrasts of hidden figures, and rows that the gate cannot count in the data.
///
/// Where only the number of those who did not answer would come out, the figure is shown without its base and design
/// effect. What was shown of the same snapshot before is shown again, what was hidden stays hidden.
///
/// Errors: [`ReleaseError`]; then nothing is logged and nothing leaves.
pub fn gate_with(
    log: &mut ReleaseLog,
    snapshot: &Snapshot,
    data: &Table,
    plan: &Plan,
    results: &Results,
    rules: &Rules,
) -> Result<Vec<SafeRow>, ReleaseError> {
    if !plan.waves.is_empty() {
        return Err(ReleaseError::Waves);
    }
    if snapshot.interviews.len() != data.height() {
        let (interviews, rows) = (snapshot.interviews.len(), data.height());
        return Err(ReleaseError::Rows { snapshot: snapshot.id.clone(), interviews, rows });
    }
    let taken = log.admit(snapshot)?;
    let plan = plan.with_indices()?;
    let rules = rules.clone().tightened();
    let rows = &results.results;
    let safe = gate(rows, &rules)?;
    let weights = weights(data, &plan)?;
    let respond = Respondents::of(data.height(), |row| weights[row] > 0.0);
    let answers = Answers::of(data, &plan.types, &plan.derive, &respond)?;
    let mut clusters: BTreeMap<&str, usize> = BTreeMap::new();
    let cluster_of: Vec<usize> = snapshot
        .interviews
        .iter()
        .map(|interview| {
            let next = clusters.len();
            *clusters.entry(&interview.cluster).or_insert(next)
        })
        .collect();
    let limits = Limits { count: rules.min_count, clusters: rules.min_clusters, base: rules.min_base };
    let mut search = Search {
        log,
        snapshot,
        known: Differences::new(&cluster_of, limits),
        placed: BTreeMap::new(),
        figures: Vec::with_capacity(rows.len()),
        contrasts: Vec::new(),
        released: BTreeMap::new(),
        equal_weights: are_equal(&weights),
    };
    search.take_rows(rows, &safe, &plan, &rules, &answers)?;
    search.take_log(data, &respond)?;
    search.hold_back();
    let figures = std::mem::take(&mut search.figures);
    let release = Release {
        snapshot: snapshot.id.clone(),
        date: snapshot.date.clone(),
        query: query(&plan),
        types: plan.types.clone(),
        derive: plan.derive.clone(),
        figures: figures.iter().zip(rows).filter_map(|(figure, row)| figure.logged(row)).collect(),
    };
    log.lines.extend(taken.map(Line::Snapshot));
    log.lines.push(Line::Release(release));
    Ok(figures
        .iter()
        .zip(rows)
        .zip(safe)
        .map(|((figure, _), safe)| match figure.went {
            Went::Shown => safe,
            Went::WithoutBase => safe.with(Figure::without_base),
            Went::Hidden => safe.with(|_| Figure::hidden()),
        })
        .collect())
}

fn weights(data: &Table, plan: &Plan) -> Result<Vec<f64>, EstimationError> {
    let table = prepare(Cow::Borrowed(data), plan)?;
    // Joint probabilities lie in another file and change no weight.
    let design =
        Design::build(&table, &DesignPlan { pps: None, variance: None, ..plan.design.clone() }, None)?;
    let steps = weighting::compile(&table, &design, &plan.adjust)?;
    Ok(weighting::run(&steps, &design.base_weights)?.weights)
}

fn are_equal(weights: &[f64]) -> bool {
    let mut positive = weights.iter().filter(|w| **w > 0.0);
    let first = positive.next().copied().unwrap_or_default();
    positive.all(|w| (w - first).abs() <= 1e-9 * first)
}

/// A row on its way out.
struct Outgoing {
    asked: Option<Asked>,
    /// Sets whose numbers it tells: first its base.
    tells: Vec<usize>,
    went: Went,
    /// Went out like this before.
    settled: bool,
}

impl Outgoing {
    fn logged(&self, row: &Row) -> Option<Logged> {
        let n = row.base().filter(|_| self.went == Went::Shown);
        Some(Logged { asked: self.asked.clone()?, n, went: self.went })
    }

    /// The sets that it tells as it goes out now.
    fn telling(&self) -> &[usize] {
        match self.went {
            Went::Shown => &self.tells,
            Went::WithoutBase => self.tells.get(1..).unwrap_or_default(),
            Went::Hidden => &[],
        }
    }
}

/// A domain in one snapshot; `None` is today's.
type Place = (Option<String>, Domain);

struct Search<'a> {
    log: &'a ReleaseLog,
    snapshot: &'a Snapshot,
    known: Differences<'a>,
    placed: BTreeMap<Place, Option<usize>>,
    figures: Vec<Outgoing>,
    /// Contrasts among them, each with the figures that it compares.
    contrasts: Vec<(usize, Vec<usize>)>,
    /// How figures of this snapshot went out before.
    released: BTreeMap<Asked, Went>,
    /// A share of equal weights is a fraction whose denominator can be read off.
    equal_weights: bool,
}

impl Search<'_> {
    /// Finds whom every row counts, and hides what today's rows alone decide.
    fn take_rows(
        &mut self,
        rows: &[Row],
        safe: &[SafeRow],
        plan: &Plan,
        rules: &Rules,
        answers: &Answers,
    ) -> Result<(), ReleaseError> {
        for release in self.log.releases().filter(|r| r.snapshot == self.snapshot.id) {
            let went = release.figures.iter().map(|f| (f.asked.clone(), f.went));
            self.released.extend(went);
        }
        let requests: BTreeMap<&str, &Request> = plan.requests.iter().map(|r| (r.id.as_str(), r)).collect();
        let foreign = rows.iter().filter(|row| !requests.contains_key(row.id.as_str())).count();
        if foreign > 0 {
            return Err(ReleaseError::Foreign { rows: foreign });
        }
        let mut frames: BTreeMap<&str, Domain> = BTreeMap::new();
        for request in &plan.requests {
            refuse_crossing(request, plan, rules)?;
        }
        // Everybody: how many took part is in every report.
        let everybody = Domain::default();
        let all = answers.respondents(&everybody)?;
        if let Some(all) = self.place(None, &everybody, all, answers, None)? {
            self.known.sets[all].released = true;
        }
        for (row, safe) in rows.iter().zip(safe) {
            let request = requests[row.id.as_str()];
            let domain = match frames.entry(request.id.as_str()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(frame(request, plan, answers)?),
            };
            let asked = asked(row, request, domain, answers);
            if let (Statistic::Contrast, Some(of)) = (request.statistic, &request.between) {
                let used = |other: &Row| {
                    other.id == *of && request.weights.as_ref().is_none_or(|w| w.contains_key(&other.key()))
                };
                let used =
                    rows.iter().enumerate().filter(|(_, other)| used(other)).map(|(at, _)| at).collect();
                self.contrasts.push((self.figures.len(), used));
            }
            let mut tells = Vec::new();
            let mut went = if safe.figure().is_hidden() { Went::Hidden } else { Went::Shown };
            let mut settled = false;
            if let Some(asked) = &asked {
                let base = asked.domain.base();
                let members = answers.respondents(&base)?;
                let n = members.count();
                tells.extend(self.place(None, &base, members, answers, None)?);
                if row.base() != Some(n) {
                    went = Went::Hidden;
                }
                if asked.domain.answer.is_some() {
                    let with_answer = answers.respondents(&asked.domain)?;
                    tells.extend(self.place(None, &asked.domain, with_answer, answers, None)?);
                }
                if let Some(before) = self.released.get(asked) {
                    settled = true;
                    went = if went == Went::Hidden { went } else { *before };
                }
            } else if request.statistic != Statistic::Contrast {
                went = Went::Hidden;
            }
            if !settled && tells.iter().any(|set| self.known.is_unsafe(*set)) {
                went = Went::Hidden;
            }
            self.figures.push(Outgoing { asked, tells, went, settled });
        }
        Ok(())
    }

    /// Puts in what is out: the numbers told, and the domains that were hidden.
    fn take_log(&mut self, data: &Table, respond: &Respondents) -> Result<(), ReleaseError> {
        let log = self.log;
        let mut hidden_before = BTreeSet::new();
        for release in log.releases() {
            let unknown =
                |source: EstimationError| ReleaseError::Unknown { date: release.date.clone(), source };
            let answers = Answers::of(data, &release.types, &release.derive, respond).map_err(unknown)?;
            let own = release.snapshot == self.snapshot.id;
            let inside = match log.snapshots().find(|taken| taken.id == release.snapshot && !own) {
                Some(taken) => {
                    let of = |i: &Interview| taken.interviews.contains(&(i.id.clone(), i.cluster.clone()));
                    let interviews = &self.snapshot.interviews;
                    Some(Respondents::of(interviews.len(), |row| of(&interviews[row])))
                }
                None => None,
            };
            let snapshot = (!own).then(|| release.snapshot.clone());
            for figure in &release.figures {
                let base = figure.asked.domain.base();
                let domains =
                    [Some(&base), figure.asked.domain.answer.is_some().then_some(&figure.asked.domain)];
                for (at, domain) in domains.into_iter().enumerate() {
                    let Some(domain) = domain else { continue };
                    let members = answers.respondents(domain).map_err(unknown)?;
                    let here = self
                        .place(snapshot.as_ref(), domain, members, &answers, inside.as_ref())
                        .map_err(unknown)?;
                    let Some(here) = here else { continue };
                    // So many went meanwhile that what is left is not what was counted then.
                    let gone =
                        figure.n.filter(|_| at == 0).map_or(0, |n| n.saturating_sub(self.known.sets[here].n));
                    match figure.went {
                        Went::Hidden => {
                            hidden_before.insert(here);
                        }
                        Went::WithoutBase if at == 0 => {}
                        _ if gone < self.known.limits.count => self.known.sets[here].released = true,
                        _ => {}
                    }
                    if gone > 0 && gone < self.known.limits.count {
                        self.hide_domain(domain);
                    }
                }
            }
        }
        // A number that was hidden is not given now, under whatever name.
        for figure in self.figures.iter_mut().filter(|f| !f.settled) {
            let tells_hidden = |set: &usize| hidden_before.contains(set) && !self.known.sets[*set].released;
            if figure.telling().iter().any(tells_hidden) {
                figure.went = Went::Hidden;
            }
        }
        self.tie_releases();
        Ok(())
    }

    /// Of a domain that lost a few respondents since it was released, nothing new is told.
    fn hide_domain(&mut self, domain: &Domain) {
        for figure in self.figures.iter_mut().filter(|f| !f.settled) {
            let same = |asked: &Asked| asked.domain == *domain || asked.domain.base() == *domain;
            if figure.asked.as_ref().is_some_and(same) {
                figure.went = Went::Hidden;
            }
        }
    }

    /// A domain of today is what it was in an earlier snapshot and who came since.
    fn tie_releases(&mut self) {
        let earlier: Vec<(Domain, usize)> = self
            .placed
            .iter()
            .filter_map(|((snapshot, domain), set)| {
                Some((snapshot.as_ref().map(|_| domain.clone())?, (*set)?))
            })
            .collect();
        for (domain, before) in earlier {
            if let Some(Some(now)) = self.placed.get(&(None, domain)).copied()
                && now != before
            {
                let come = self.known.sets[now].members.without(&self.known.sets[before].members);
                if let Some(come) = self.known.insert(come, None) {
                    self.known.part(now, &[before, come]);
                }
            }
        }
    }

    /// The number of a domain's set, with the sums that it stands in: along every column of its group and among the
    /// answers, up to the domain of all.
    fn place(
        &mut self,
        snapshot: Option<&String>,
        domain: &Domain,
        members: Respondents,
        answers: &Answers,
        inside: Option<&Respondents>,
    ) -> Result<Option<usize>, EstimationError> {
        let key = (snapshot.cloned(), domain.clone());
        if let Some(known) = self.placed.get(&key) {
            return Ok(*known);
        }
        let within = |members: Respondents| inside.map_or_else(|| members.clone(), |i| members.and(i));
        let set = self.known.insert(within(members.clone()), Some(domain));
        self.placed.insert(key, set);
        if set.is_none() {
            return Ok(None);
        }
        let mut wider: Vec<(Domain, Vec<(Domain, Respondents)>)> = Vec::new();
        if let Some((variable, answer)) = &domain.answer {
            let parts = answers.parts(variable, answer)?;
            let one = |(level, rows): (&String, &Respondents)| {
                (Domain { answer: Some((variable.clone(), level.clone())), ..domain.clone() }, rows.clone())
            };
            wider.push((domain.base(), parts.iter().map(one).collect()));
        }
        for column in domain.group.keys() {
            let levels = answers.levels(column)?;
            let one = |(level, rows): (&String, &Respondents)| {
                let mut part = domain.clone();
                part.group.insert(column.clone(), level.clone());
                (part, rows.clone())
            };
            wider.push((domain.without(column), levels.iter().map(one).collect()));
        }
        if !domain.condition.is_empty() {
            let whole = Domain { condition: String::new(), ..domain.clone() };
            let outside =
                Domain { condition: format!("NOT COALESCE({}, FALSE)", domain.condition), ..domain.clone() };
            let rest = answers.respondents(&whole)?.without(&members);
            wider.push((whole, vec![(domain.clone(), members.clone()), (outside, rest)]));
        }
        for (whole, parts) in wider {
            let all = answers.respondents(&whole)?;
            let Some(at) = self.place(snapshot, &whole, all.clone(), answers, inside)? else { continue };
            let mut places = Vec::with_capacity(parts.len());
            for (part, rows) in parts {
                let members = within(all.and(&rows));
                places.extend(self.known.insert(members, Some(&part)));
            }
            self.known.part(at, &places);
        }
        Ok(set)
    }

    fn recount(&mut self) {
        self.known.sets.iter_mut().for_each(|set| set.telling = 0);
        for figure in &self.figures {
            for set in figure.telling() {
                self.known.sets[*set].telling += 1;
            }
        }
    }

    fn hold_back(&mut self) {
        self.recount();
        let mut waiting: Vec<usize> = self.known.subtract_known();
        waiting.extend((0..self.known.sets.len()).filter(|set| self.known.is_unsafe(*set)));
        waiting.extend(self.hidden_sets());
        waiting.sort_by_key(|set| (self.known.sets[*set].n, *set));
        let mut done = BTreeSet::new();
        let mut at = 0;
        while let Some(target) = waiting.get(at).copied() {
            at += 1;
            if self.known.sets[target].released || !done.insert(target) {
                continue;
            }
            if self.known.sets[target].telling > 0 {
                if !self.known.is_unsafe(target) {
                    // Hidden in one row, told by another that may.
                    done.remove(&target);
                    continue;
                }
                self.let_go(target, false);
            }
            let before = self.figures.iter().filter(|f| f.went == Went::Shown).count();
            self.known.enclose(target);
            // As long as something of today bounds it.
            while let Some(more) = self.known.cover(target).filter(|more| !more.is_empty()) {
                let gently = self.known.sets[target].unanswered;
                more.into_iter().for_each(|set| self.let_go(set, gently));
            }
            if self.figures.iter().filter(|f| f.went == Went::Shown).count() == before {
                continue;
            }
            let mut hidden = self.hidden_sets();
            hidden.retain(|set| !done.contains(set) && !waiting[at..].contains(set));
            hidden.sort_by_key(|set| (self.known.sets[*set].n, *set));
            waiting.extend(hidden);
        }
        self.hide_contrasts();
    }

    /// Sets of hidden figures whose numbers nothing tells.
    fn hidden_sets(&self) -> Vec<usize> {
        let of_hidden = self.figures.iter().filter(|f| f.went == Went::Hidden).flat_map(|f| &f.tells);
        let unknown: BTreeSet<usize> =
            of_hidden.copied().filter(|set| !self.known.sets[*set].is_known()).collect();
        unknown.into_iter().collect()
    }

    /// Holds back what tells the set's number: the base alone where that is enough, else the figures.
    fn let_go(&mut self, set: usize, gently: bool) {
        for figure in self.figures.iter_mut().filter(|f| !f.settled && f.telling().contains(&set)) {
            let is_base = figure.tells.first() == Some(&set) && !figure.tells[1..].contains(&set);
            let shares =
                figure.tells.len() > 1 || figure.asked.as_ref().is_some_and(|a| a.domain.answer.is_some());
            figure.went = match gently && is_base && !(shares && self.equal_weights) {
                true => Went::WithoutBase,
                false => Went::Hidden,
            };
        }
        self.recount();
    }

    fn hide_contrasts(&mut self) {
        for (contrast, of) in &self.contrasts {
            if of.iter().any(|row| self.figures[*row].went == Went::Hidden) {
                self.figures[*contrast].went = Went::Hidden;
            }
        }
    }
}

/// Rule 19 where the ethnic group or the area stands in a filter.
fn refuse_crossing(request: &Request, plan: &Plan, rules: &Rules) -> Result<(), ReleaseError> {
    let mut columns: BTreeSet<String> = request.by.iter().chain(&request.of).cloned().collect();
    columns.extend(request.rows.iter().chain(&request.cols).chain(&request.groups).cloned());
    for condition in plan.r#where.iter().chain(&request.r#where) {
        let read = Expression::parse(condition).map_err(EstimationError::from)?;
        columns.extend(read.columns().into_iter().map(str::to_owned));
    }
    let of = |names: &BTreeSet<String>| columns.iter().find(|c| names.contains(*c)).cloned();
    match (of(&rules.ethnicity), of(&rules.small_areas)) {
        (Some(ethnicity), Some(area)) => {
            Err(GateError::EthnicityBySmallArea { id: request.id.clone(), ethnicity, area }.into())
        }
        _ => Ok(()),
    }
}

/// The domain of a request before its groups: its conditions and the plan's, in their one form.
fn frame(request: &Request, plan: &Plan, answers: &Answers) -> Result<Domain, EstimationError> {
    let conditions: Vec<&str> = plan.r#where.iter().chain(&request.r#where).map(String::as_str).collect();
    let condition = canonical(conditions.iter().copied());
    let as_written = Domain {
        condition: conditions.iter().map(|c| format!("({c})")).collect::<Vec<_>>().join(" AND "),
        ..Domain::default()
    };
    let all_levels = condition.equal.iter().all(|(column, level)| answers.has_level(column, level));
    if !all_levels {
        return Ok(as_written);
    }
    let canonical = Domain { condition: condition.rest, group: condition.equal, ..Domain::default() };
    // A column's text may equal a number without being its level.
    let same = match answers.respondents(&canonical) {
        Ok(found) => found == answers.respondents(&as_written)?,
        Err(_) => false,
    };
    Ok(if same { canonical } else { as_written })
}

/// What a row tells of whom; `None` for what counts nobody of its own (contrasts, regressions).
fn asked(row: &Row, request: &Request, frame: &Domain, answers: &Answers) -> Option<Asked> {
    if matches!(request.statistic, Statistic::Contrast | Statistic::Regression) {
        return None;
    }
    let mut domain = frame.clone();
    for (column, level) in &row.group {
        domain.group.insert(column.clone(), level.clone());
    }
    let named = request.of.iter().chain(&request.numerator).chain(&request.denominator);
    domain.answered.extend(named.chain(&request.rows).chain(&request.cols).chain(&request.groups).cloned());
    let more = |name: &str| row.more.get(name).and_then(serde_json::Value::as_str);
    let mut detail = String::new();
    match request.statistic {
        Statistic::Table => {
            for (column, field) in [(&request.rows, "row"), (&request.cols, "col")] {
                if let (Some(column), Some(level)) = (column, more(field)) {
                    domain.group.insert(column.clone(), level.to_owned());
                }
            }
            detail.push_str(more("measure").unwrap_or_default());
        }
        Statistic::Cdf => {
            let at = row.more.get("at").and_then(serde_json::Value::as_f64)?;
            domain.answer = Some((row.variable.clone()?, format!("≤ {}", number_text(at))));
        }
        Statistic::Mean | Statistic::Total | Statistic::Proportion => {
            let variable = row.variable.clone()?;
            domain.answer = match &row.category {
                Some(category) => Some((variable, category.clone())),
                None if answers.is_indicator(&variable) => Some((variable, "1".to_owned())),
                None => None,
            };
        }
        _ => detail = row.more.get("prob").map(ToString::to_string).unwrap_or_default(),
    }
    Some(Asked { statistic: row.statistic.clone(), domain, variable: row.variable.clone(), detail })
}

/// SHA-256 of what a plan asks, the same for plans that ask the same in other words or another order.
fn query(plan: &Plan) -> String {
    let one_form = |request: &Request| {
        let mut request = request.clone();
        request.id = String::new();
        request.of.sort();
        request.by.sort();
        let conditions = plan.r#where.iter().chain(&request.r#where).map(String::as_str);
        let condition = canonical(conditions);
        request.r#where = Some(format!("{:?} {}", condition.equal, condition.rest));
        serde_json::to_string(&request).unwrap_or_default()
    };
    let requests: BTreeSet<String> = plan.requests.iter().map(one_form).collect();
    let mut hash = Sha256::new();
    for text in requests.into_iter().chain(plan.derive.iter().map(|(name, sql)| format!("{name} = {sql}"))) {
        hash.update(text.as_bytes());
        hash.update(b"\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
