//! Headless interviews: fills a form with random valid answers by seed.

mod draw;
mod pattern;
mod write;

use std::collections::{HashMap, HashSet};

use crate::chance::Chance;
use crate::expression::{Dialect, Moment, NodeId, uuid};
use crate::form::{Compiled, Interview, Role, Setup};
use crate::question_type::QuestionType;

pub use write::escape;
pub(crate) use write::instance;

/// How an interview is to go.
#[derive(Clone, Debug)]
pub struct Options {
    /// Given answers by numbered path (`/data/roster/adult[2]/sex`) or by name. They are taken where
    /// the question is asked, also for hidden and metadata nodes; one that breaks a rule of the form
    /// is replaced by a random answer and listed in [`Answered::rejected`]. One on a calculated node
    /// stands in place of the calculation.
    pub presets: HashMap<String, String>,
    /// Share of selects with the code 98 that get it, where there is no preset.
    pub dont_know: f64,
    /// Share of selects with the code 99 that get it, where there is no preset.
    pub refused: f64,
    /// Start of the interview.
    pub start: Moment,
    /// Minutes that it takes; drawn between 20 and 50 where not given.
    pub minutes: Option<f64>,
    /// Minutes east of UTC; Vietnam is 420.
    pub zone: i32,
    pub dialect: Dialect,
    /// `uuid:…`; drawn from the seed where not given.
    pub instance_id: Option<String>,
    pub device_id: String,
    pub username: String,
    /// Latitude and longitude of the interview; drawn within the province where not given.
    pub point: Option<(f64, f64)>,
    /// Most instances of a repeat that the form does not count.
    pub most_repeats: usize,
}

impl Options {
    /// An interview that starts at `start`, without presets, with 4% don't know and 2% refused.
    pub fn at(start: Moment) -> Self {
        Self {
            presets: HashMap::new(),
            dont_know: 0.04,
            refused: 0.02,
            start,
            minutes: None,
            zone: 420,
            dialect: Dialect::default(),
            instance_id: None,
            device_id: "langnghe:synthetic".to_owned(),
            username: "synthetic".to_owned(),
            point: None,
            most_repeats: 3,
        }
    }
}

/// A finished interview.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The instance as ODK Collect sends it: nodes that are not relevant are left out.
    pub xml: String,
    /// `uuid:…`
    pub instance_id: String,
    pub end: Moment,
    /// Paths of required questions for which no valid answer was found.
    pub unanswered: Vec<String>,
    /// Paths of presets that the form's rules do not allow.
    pub rejected: Vec<String>,
}

/// Rounds in which answers are mended that a later answer made invalid.
const MENDING_ROUNDS: usize = 3;

/// Fills the form. The same form, seed and options give the same bytes.
pub fn answer(form: &Compiled, seed: u64, options: &Options) -> Answered {
    let mut chance = Chance::new(seed, "answer");
    let minutes = options.minutes.unwrap_or_else(|| 20.0 + 30.0 * chance.unit());
    let instance_id = options.instance_id.clone().unwrap_or_else(|| format!("uuid:{}", uuid(&mut chance)));
    let end = options.start.milliseconds() as f64 + (minutes * 60_000.0).round();
    let end = Moment::from_milliseconds(end, options.zone).unwrap_or(options.start);
    let setup = Setup {
        dialect: options.dialect,
        now: options.start,
        zone: options.zone,
        chance: Chance::new(seed, "expressions"),
    };
    let mut respondent = Respondent {
        interview: Interview::new(form, setup),
        chance,
        options,
        visited: HashSet::new(),
        rejected: Vec::new(),
        unanswered: Vec::new(),
        instance_id: &instance_id,
        end,
    };
    let root = respondent.interview.tree.root();
    respondent.preload(root);
    respondent.visit_children(root);
    for _ in 0..MENDING_ROUNDS {
        if !respondent.mend(root) {
            break;
        }
    }
    respondent.list_unanswered(root);
    let xml = instance(&respondent.interview);
    let Respondent { unanswered, rejected, .. } = respondent;
    Answered { xml, instance_id, end, unanswered, rejected }
}

struct Respondent<'f, 'o> {
    interview: Interview<'f>,
    chance: Chance,
    options: &'o Options,
    visited: HashSet<NodeId>,
    rejected: Vec<String>,
    unanswered: Vec<String>,
    instance_id: &'o str,
    end: Moment,
}

impl Respondent<'_, '_> {
    /// What the device fills in when the form opens.
    fn preload(&mut self, root: NodeId) {
        let form = self.interview.form;
        for node in self.interview.tree.descendants_or_self(root) {
            let Some(kind) = self.interview.item(node).and_then(|item| form.items[item].question()) else {
                continue;
            };
            let text = match kind {
                QuestionType::Start => self.options.start.date_time_text(),
                QuestionType::End => self.end.date_time_text(),
                QuestionType::Today => self.options.start.date_text(),
                QuestionType::DeviceId | QuestionType::UriDeviceId => self.options.device_id.clone(),
                QuestionType::Username | QuestionType::UriUsername => self.options.username.clone(),
                QuestionType::InstanceId => self.instance_id.to_owned(),
                QuestionType::StartGeopoint | QuestionType::BackgroundGeopoint => self.point(),
                _ => continue,
            };
            self.interview.set(node, &text);
        }
    }

    fn visit_children(&mut self, parent: NodeId) {
        let mut i = 0;
        // Answers can add repeats, so the list is read again each time.
        while let Some(&child) = self.interview.tree.children(parent).get(i) {
            i += 1;
            if self.visited.insert(child) {
                self.visit(child);
            }
        }
    }

    fn visit(&mut self, node: NodeId) {
        if !self.interview.tree.get(node).relevant {
            // It may become relevant by a later answer; mending looks again.
            self.visited.remove(&node);
            return;
        }
        let form = self.interview.form;
        let Some(item) = self.interview.item(node) else {
            self.visit_children(node);
            return;
        };
        match form.items[item].role {
            Role::Question { .. } => self.ask(node, item),
            Role::Group | Role::Repeat(Some(_)) => self.visit_children(node),
            Role::Repeat(None) => {
                self.add_repeats(node, item);
                self.visit_children(node);
            }
        }
    }

    /// At the first instance of an uncounted repeat: how many there will be.
    fn add_repeats(&mut self, node: NodeId, item: usize) {
        let Some(parent) = self.interview.tree.get(node).parent else { return };
        if self.interview.tree.position(node) > 1 {
            return;
        }
        let path = self.interview.path(node);
        let stem = path.strip_suffix("[1]").unwrap_or(&path);
        let numbers = self.options.presets.keys().filter_map(|key| {
            let rest = key.strip_prefix(stem)?.strip_prefix('[')?;
            rest.split(']').next()?.parse::<usize>().ok()
        });
        let due = numbers.max().unwrap_or_else(|| 1 + self.chance.below(self.options.most_repeats.max(1)));
        for _ in 1..due {
            if self.interview.is_full() {
                break;
            }
            self.interview.add_repeat(item, parent);
        }
        self.interview.recompute();
    }

    fn preset(&self, node: NodeId, item: usize) -> Option<String> {
        if self.options.presets.is_empty() {
            return None;
        }
        let by_path = self.options.presets.get(&self.interview.path(node));
        by_path.or_else(|| self.options.presets.get(&*self.interview.form.items[item].name)).cloned()
    }

    fn ask(&mut self, node: NodeId, item: usize) {
        let form = self.interview.form;
        let data = &form.items[item];
        if let Some(text) = self.preset(node, item) {
            if data.calculation.is_some() {
                self.interview.keep(node);
            }
            if !data.is_answerable() || self.accepts(node, item, &text) {
                self.interview.set(node, &text);
                return;
            }
            self.rejected.push(self.interview.path(node));
        }
        if data.calculation.is_some() || !data.is_answerable() || self.is_readonly(node, item) {
            return;
        }
        // A default is an answer, unless the form refuses it.
        let default = self.interview.tree.text(node).into_owned();
        if !default.is_empty() && data.default.is_some() && self.accepts(node, item, &default) {
            return;
        }
        if let Some(text) = self.draw(node, item) {
            self.interview.set(node, &text);
        }
    }

    fn is_readonly(&self, node: NodeId, item: usize) -> bool {
        let readonly = self.interview.form.items[item].readonly.as_ref();
        readonly.is_some_and(|condition| self.interview.holds(condition, node).unwrap_or(false))
    }

    /// Whether the form's rules allow a text as the answer.
    fn accepts(&mut self, node: NodeId, item: usize, text: &str) -> bool {
        let form = self.interview.form;
        if form.items[item].choices.is_some()
            && let Some(codes) = self.interview.codes(node)
            && !text.split_whitespace().all(|code| codes.iter().any(|known| known == code))
        {
            return false;
        }
        self.satisfies(node, item, text)
    }

    fn satisfies(&mut self, node: NodeId, item: usize, text: &str) -> bool {
        let form = self.interview.form;
        match &form.items[item].constraint {
            None => true,
            Some(constraint) => self.interview.would_hold(constraint, node, text),
        }
    }

    /// Asks again where later answers have opened a question or broken an answer; true if anything
    /// changed.
    fn mend(&mut self, root: NodeId) -> bool {
        let form = self.interview.form;
        let mut changed = false;
        for node in self.interview.tree.descendants_or_self(root) {
            let Some(item) = self.interview.item(node) else { continue };
            if !form.items[item].is_answerable() || !self.interview.tree.get(node).relevant {
                continue;
            }
            if form.items[item].calculation.is_some() || self.is_readonly(node, item) {
                continue;
            }
            let text = self.interview.tree.text(node).into_owned();
            let fresh = self.visited.insert(node);
            if fresh {
                self.ask(node, item);
            } else if !text.is_empty() && !self.accepts(node, item, &text) {
                let other = self.draw(node, item).unwrap_or_default();
                self.interview.set(node, &other);
            } else {
                continue;
            }
            changed |= *self.interview.tree.text(node) != text;
        }
        changed
    }

    fn list_unanswered(&mut self, root: NodeId) {
        let form = self.interview.form;
        for node in self.interview.tree.descendants_or_self(root) {
            let Some(item) = self.interview.item(node) else { continue };
            let data = &form.items[item];
            let blank = self.interview.tree.get(node).relevant && self.interview.tree.text(node).is_empty();
            if blank
                && data.is_answerable()
                && data.required.as_ref().is_some_and(|due| self.interview.holds(due, node).unwrap_or(false))
            {
                self.unanswered.push(self.interview.path(node));
            }
        }
    }
}
