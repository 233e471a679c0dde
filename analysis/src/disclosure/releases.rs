//! The gate that remembers: protection.md rules 17 and 20 over all figures of a data set, whatever was asked for them
//! and when.
//!
//! Whoever keeps all published figures can subtract them. So the gate of estimates ([`super::gate`]), which judges the
//! rows of one answer, is followed by a second look ([`gate_with`]): every figure counts a set of respondents; what is
//! out, today or from the log, makes the numbers of those sets known; and no set of too few may be bounded by them.
//! Filters are compared by the respondents that they hold, so that it does not matter how they are written.

use super::differences::{Differences, Limits};
use super::questions::{Asked, asked, frame, query, refuse_crossing};
use super::release_log::{Line, Logged, Release, ReleaseError, ReleaseLog, Snapshot, Went};
use super::sets::{Answers, Domain, Respondents};
use super::snapshots::Interview;
use super::{Figure, Rules, SafeRow, gate};
use crate::estimation::design::Design;
use crate::estimation::plan::{DesignPlan, Request};
use crate::estimation::result::Row;
use crate::estimation::{EstimationError, Plan, Statistic, prepare};
use crate::table::{Table, Types};
use crate::weighting;
use indexmap::IndexMap;
use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The gate with the memory of what is out: decides for every row of a plan's answer, and writes it into the log.
///
/// `data`: what the plan's figures, `rows`, were estimated from; `snapshot.interviews` names its rows. Returned in the order of
/// `rows`. Beyond [`gate`], with the log and all rows at once, figures are held back
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
    rows: &[Row],
    rules: &Rules,
) -> Result<Vec<SafeRow>, ReleaseError> {
    let counted = Counted::of(snapshot, data, plan, rules)?;
    let taken = log.admit(snapshot)?;
    let Counted { plan, rules, .. } = &counted;
    let safe = gate(rows, rules)?;
    let mut search = counted.search(log, snapshot);
    search.take_rows(rows, &safe, plan, rules, &counted.answers)?;
    search.take_log(data, plan, &counted.respond)?;
    search.hold_back();
    let figures = std::mem::take(&mut search.figures);
    // What went out like this before stands in the log already.
    let new = figures.iter().zip(rows).filter(|(figure, _)| !figure.settled);
    let logged: Vec<Logged> = new.filter_map(|(figure, row)| figure.logged(row)).collect();
    let asked_before = logged.is_empty();
    let release = Release {
        snapshot: snapshot.id.clone(),
        date: snapshot.date.clone(),
        query: query(plan),
        types: if asked_before { Types::default() } else { plan.types.clone() },
        derive: if asked_before { IndexMap::default() } else { plan.derive.clone() },
        figures: logged,
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

/// The data of a snapshot with what is needed to count in them.
pub(super) struct Counted {
    pub plan: Plan,
    pub rules: Rules,
    /// With a weight.
    pub respond: Respondents,
    pub answers: Answers,
    cluster_of: Vec<usize>,
    equal_weights: bool,
}

impl Counted {
    pub fn of(snapshot: &Snapshot, data: &Table, plan: &Plan, rules: &Rules) -> Result<Self, ReleaseError> {
        if !plan.waves.is_empty() {
            return Err(ReleaseError::Waves);
        }
        if snapshot.interviews.len() != data.height() {
            let (interviews, rows) = (snapshot.interviews.len(), data.height());
            return Err(ReleaseError::Rows { snapshot: snapshot.id.clone(), interviews, rows });
        }
        let plan = plan.with_indices()?.into_owned();
        let weights = weights(data, &plan)?;
        let respond = Respondents::of(data.height(), |row| weights[row] > 0.0);
        let answers = Answers::of(data, &plan.types, &plan.derive, &respond)?;
        let mut clusters: BTreeMap<&str, usize> = BTreeMap::new();
        let mut cluster_of = Vec::with_capacity(snapshot.interviews.len());
        for interview in &snapshot.interviews {
            let next = clusters.len();
            cluster_of.push(*clusters.entry(&interview.cluster).or_insert(next));
        }
        Ok(Self {
            plan,
            rules: rules.clone().tightened(),
            respond,
            answers,
            cluster_of,
            equal_weights: are_equal(&weights),
        })
    }

    pub fn search<'a>(&'a self, log: &'a ReleaseLog, snapshot: &'a Snapshot) -> Search<'a> {
        let Rules { min_count, min_clusters, min_base, .. } = self.rules;
        let limits = Limits { count: min_count, clusters: min_clusters, base: min_base };
        Search {
            log,
            snapshot,
            known: Differences::new(&self.cluster_of, limits),
            sources: vec![Source::default()],
            placed: HashMap::new(),
            parted: HashSet::new(),
            hidden_before: BTreeMap::new(),
            figures: Vec::new(),
            contrasts: Vec::new(),
            released: BTreeMap::new(),
            equal_weights: self.equal_weights,
        }
    }
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
    /// Sets whose numbers it tells: its base, and who gave the answer.
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
            // A share of unequal weights tells no count without the base.
            Went::WithoutBase | Went::Hidden => &[],
        }
    }
}

/// The place of today's data among the sources.
const TODAY: usize = 0;

/// The data as they are named: of which snapshot (`None` is today's), by which definitions of derived columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    snapshot: Option<String>,
    definitions: usize,
}

/// Types and derived columns that figures were asked with.
type Definitions = (Types, IndexMap<String, String>);

/// What parts a whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Along {
    /// The answers to a variable; numbers are parted at a limit.
    Answer(String, Option<String>),
    Column(String),
    /// Who is in the filter and who is not.
    Condition(String),
}

pub(super) struct Search<'a> {
    log: &'a ReleaseLog,
    snapshot: &'a Snapshot,
    pub known: Differences<'a>,
    /// Earlier snapshots are few; today's data come first.
    sources: Vec<Source>,
    /// By source and domain.
    placed: HashMap<(usize, Domain), Option<usize>>,
    /// Wholes that were parted, by the column or answer that parts them.
    parted: HashSet<(usize, Domain, Along)>,
    /// Sets that the log hides, and how.
    hidden_before: BTreeMap<usize, Went>,
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
    pub fn take_rows(
        &mut self,
        rows: &[Row],
        safe: &[SafeRow],
        plan: &Plan,
        rules: &Rules,
        answers: &Answers,
    ) -> Result<(), ReleaseError> {
        // The same name may mean another column where it was derived in another way.
        let alike = |release: &&Release| {
            release.snapshot == self.snapshot.id
                && release.types == plan.types
                && release.derive == plan.derive
        };
        for release in self.log.releases().filter(alike) {
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
        if let Some(all) = self.place(TODAY, &everybody, answers, None)? {
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
                let n = answers.respondents(&base)?.count();
                tells.extend(self.place(TODAY, &base, answers, None)?);
                if row.base() != Some(n) {
                    went = Went::Hidden;
                }
                if asked.domain.answer.is_some() {
                    tells.extend(self.place(TODAY, &asked.domain, answers, None)?);
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
    pub fn take_log(
        &mut self,
        data: &Table,
        today: &Plan,
        respond: &Respondents,
    ) -> Result<(), ReleaseError> {
        let log = self.log;
        let mut definitions: Vec<Definitions> = vec![(today.types.clone(), today.derive.clone())];
        let mut answers_of: BTreeMap<usize, Answers> = BTreeMap::new();
        for release in log.releases() {
            let unknown = |source: EstimationError| ReleaseError::Unknown {
                date: release.date.clone(),
                source: Box::new(source),
            };
            let own_definitions = (release.types.clone(), release.derive.clone());
            let defined = definitions.iter().position(|d| *d == own_definitions).unwrap_or(definitions.len());
            if defined == definitions.len() {
                definitions.push(own_definitions);
            }
            let answers: &Answers = match answers_of.entry(defined) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let answers = Answers::of(data, &release.types, &release.derive, respond);
                    new.insert(answers.map_err(unknown)?)
                }
            };
            let own = release.snapshot == self.snapshot.id;
            let inside = match log.snapshots().find(|taken| taken.id == release.snapshot && !own) {
                Some(taken) => {
                    let of = |i: &Interview| taken.interviews.contains(&(i.id.clone(), i.cluster.clone()));
                    let interviews = &self.snapshot.interviews;
                    Some(Respondents::of(interviews.len(), |row| of(&interviews[row])))
                }
                None => None,
            };
            let source = Source { snapshot: (!own).then(|| release.snapshot.clone()), definitions: defined };
            let source = self.sources.iter().position(|known| *known == source).unwrap_or_else(|| {
                self.sources.push(source);
                self.sources.len() - 1
            });
            for figure in &release.figures {
                let base = figure.asked.domain.base();
                let domains =
                    [Some(&base), figure.asked.domain.answer.is_some().then_some(&figure.asked.domain)];
                let mut gone = 0;
                for (at, domain) in domains.into_iter().enumerate() {
                    let Some(domain) = domain else { continue };
                    let here = self.place(source, domain, answers, inside.as_ref()).map_err(unknown)?;
                    let Some(here) = here else { continue };
                    // Withdrawn since. A few of them would be known by subtracting; of many nothing is left to subtract.
                    if at == 0 {
                        gone = figure.n.map_or(0, |n| n.saturating_sub(self.known.sets[here].n));
                    }
                    match figure.went {
                        Went::Shown if gone == 0 => self.known.sets[here].released = true,
                        Went::Shown if gone >= self.known.limits.count => {}
                        Went::Shown | Went::Hidden => {
                            self.hidden_before.insert(here, Went::Hidden);
                        }
                        Went::WithoutBase => {
                            self.hidden_before.entry(here).or_insert(Went::WithoutBase);
                        }
                    }
                    if gone > 0 && gone < self.known.limits.count {
                        self.hide_domain(domain);
                    }
                }
            }
        }
        self.take_files();
        // A number that was hidden is not given now, under whatever name.
        for figure in self.figures.iter_mut().filter(|f| !f.settled && f.went == Went::Shown) {
            let untold = |set: &&usize| !self.known.sets[**set].released;
            let before: Vec<Went> = figure
                .tells
                .iter()
                .filter(untold)
                .filter_map(|set| self.hidden_before.get(set))
                .copied()
                .collect();
            if !before.is_empty() {
                let gently = before.iter().all(|went| *went == Went::WithoutBase);
                figure.went = held_back(gently, self.equal_weights);
            }
        }
        self.tie_releases();
        Ok(())
    }

    /// Who can be counted in files of microdata.
    fn take_files(&mut self) {
        let interviews = &self.snapshot.interviews;
        for file in self.log.files() {
            let rows: HashMap<&str, usize> =
                interviews.iter().enumerate().map(|(row, interview)| (interview.id.as_str(), row)).collect();
            for margin in file.margins() {
                let inside: HashSet<usize> =
                    margin.iter().filter_map(|mark| rows.get(mark).copied()).collect();
                self.known.release_file(Respondents::of(interviews.len(), |row| inside.contains(&row)));
            }
        }
    }

    /// Sets whose numbers the log hides, and which are known or can be bounded all the same.
    pub fn told(&mut self) -> BTreeSet<Respondents> {
        self.known.subtract_known();
        let hidden: Vec<usize> = self
            .hidden_before
            .iter()
            .filter(|(_, went)| **went == Went::Hidden)
            .map(|(set, _)| *set)
            .collect();
        let mut told = BTreeSet::new();
        for set in hidden {
            self.known.enclose(set);
            if self.known.sets[set].released || self.known.cover(set).is_none() {
                told.insert(self.known.sets[set].members.clone());
            }
        }
        told
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
        let mut earlier: Vec<((usize, Domain), usize)> = self
            .placed
            .iter()
            .filter(|((source, _), _)| self.sources[*source].snapshot.is_some())
            .filter_map(|(key, set)| Some((key.clone(), (*set)?)))
            .collect();
        earlier.sort();
        for ((source, domain), before) in earlier {
            let definitions = self.sources[source].definitions;
            let of_today = Source { snapshot: None, definitions };
            let Some(source) = self.sources.iter().position(|known| *known == of_today) else { continue };
            let today = (source, domain);
            if let Some(Some(now)) = self.placed.get(&today).copied()
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
        source: usize,
        domain: &Domain,
        answers: &Answers,
        inside: Option<&Respondents>,
    ) -> Result<Option<usize>, EstimationError> {
        let key = (source, domain.clone());
        if let Some(known) = self.placed.get(&key) {
            return Ok(*known);
        }
        let within = |members: &Respondents| inside.map_or_else(|| members.clone(), |i| members.and(i));
        let members = answers.respondents(domain)?;
        let set = self.known.insert(within(&members), Some(domain));
        self.placed.insert(key, set);
        if set.is_none() {
            return Ok(None);
        }
        if let Some((variable, answer)) = &domain.answer {
            let limit = answer.starts_with(['≤', '>']).then(|| answer.trim_start_matches(['≤', '>', ' ']));
            let along = Along::Answer(variable.clone(), limit.map(str::to_owned));
            if let Some(whole) = self.unparted(source, domain.base(), along) {
                let levels = answers.parts(variable, answer)?;
                let part = |level: &String| Domain {
                    answer: Some((variable.clone(), level.clone())),
                    ..domain.clone()
                };
                let parts = levels.iter().map(|(level, rows)| (part(level), rows));
                self.part(source, &whole, parts, answers, inside)?;
            }
        }
        for column in domain.group.keys() {
            let along = Along::Column(column.clone());
            if let Some(whole) = self.unparted(source, domain.without(column), along) {
                let levels = answers.levels(column)?;
                let part = |level: &String| {
                    let mut part = whole.clone();
                    part.group.insert(column.clone(), level.clone());
                    part
                };
                let parts = levels.iter().map(|(level, rows)| (part(level), rows));
                self.part(source, &whole, parts, answers, inside)?;
            }
        }
        if !domain.condition.is_empty() {
            let all = Domain { condition: String::new(), ..domain.clone() };
            if let Some(whole) = self.unparted(source, all, Along::Condition(domain.condition.clone())) {
                let condition = format!("NOT COALESCE({}, FALSE)", domain.condition);
                let outside = Domain { condition, ..domain.clone() };
                let rest = answers.respondents(&whole)?.without(&members);
                let parts = [(domain.clone(), &*members), (outside, &rest)];
                self.part(source, &whole, parts, answers, inside)?;
            }
        }
        Ok(set)
    }

    /// The whole, where it was not parted so before: the parts along one column come with each of them.
    fn unparted(&mut self, source: usize, whole: Domain, along: Along) -> Option<Domain> {
        self.parted.insert((source, whole.clone(), along)).then_some(whole)
    }

    fn part<'r>(
        &mut self,
        source: usize,
        whole: &Domain,
        parts: impl IntoIterator<Item = (Domain, &'r Respondents)>,
        answers: &Answers,
        inside: Option<&Respondents>,
    ) -> Result<(), EstimationError> {
        let Some(at) = self.place(source, whole, answers, inside)? else { return Ok(()) };
        let all = answers.respondents(whole)?;
        let all = inside.map_or_else(|| (*all).clone(), |inside| all.and(inside));
        let mut places = Vec::new();
        for (part, rows) in parts {
            places.extend(self.known.insert(all.and(rows), Some(&part)));
        }
        self.known.part(at, &places);
        Ok(())
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
        waiting.dedup();
        // Sets that still come.
        let mut ahead: BTreeSet<usize> = waiting.iter().copied().collect();
        let mut done = BTreeSet::new();
        let mut at = 0;
        while let Some(target) = waiting.get(at).copied() {
            at += 1;
            ahead.remove(&target);
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
            let gently = self.known.is_unanswered(target);
            loop {
                // Where no program says what is enough: all that stands in a sum with it.
                let cover = self.known.cover(target);
                let more = cover.unwrap_or_else(|| self.known.beside(target));
                let mut some = false;
                more.into_iter().for_each(|set| some |= self.let_go(set, gently));
                if !some {
                    break;
                }
            }
            if self.figures.iter().filter(|f| f.went == Went::Shown).count() == before {
                continue;
            }
            let mut hidden = self.hidden_sets();
            hidden.retain(|set| !done.contains(set) && ahead.insert(*set));
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

    /// Holds back what tells the set's number: the base alone where that is enough, else the figures. False where nothing
    /// of today tells it.
    fn let_go(&mut self, set: usize, gently: bool) -> bool {
        let mut some = false;
        for figure in self.figures.iter_mut().filter(|f| !f.settled && f.telling().contains(&set)) {
            figure.went = held_back(gently, self.equal_weights);
            some = true;
        }
        self.recount();
        some
    }

    fn hide_contrasts(&mut self) {
        for (contrast, of) in &self.contrasts {
            if of.iter().any(|row| self.figures[*row].went == Went::Hidden) {
                self.figures[*contrast].went = Went::Hidden;
            }
        }
    }
}

/// How a figure goes out that may not tell its counts. The denominator of a share of equal weights can be read off it.
fn held_back(gently: bool, equal_weights: bool) -> Went {
    if gently && !equal_weights { Went::WithoutBase } else { Went::Hidden }
}
