//! One interview in progress: the instance, its relevance and calculations, kept up to date.
//!
//! A change recomputes only the items that read what changed, in dependency order.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::chance::Chance;
use crate::expression::{
    Column, Dialect, Environment, EvaluateError, Expression, Moment, NodeId, Scope, Tree,
};
use crate::question_type::Stored;

use super::{Compiled, Default, Role};

mod restore;

pub use restore::Origins;

/// More rounds than any form without a cycle needs.
const MOST_ROUNDS: u32 = 60;

/// A counted repeat with another number of instances than its form asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Miscounted {
    pub(crate) parent: NodeId,
    pub(crate) item: usize,
    pub(crate) present: usize,
    pub(crate) due: usize,
}

/// The codes that a select offers.
pub(crate) enum Offer {
    Whole(Arc<Column>),
    These(HashSet<String>),
}

impl Offer {
    pub(crate) fn has(&self, code: &str) -> bool {
        match self {
            Self::Whole(column) => column.has(code),
            Self::These(codes) => codes.contains(code),
        }
    }

    /// How many different codes there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Whole(column) => column.len(),
            Self::These(codes) => codes.len(),
        }
    }
}

/// No household has more; it bounds what a wrong `repeat_count` can cost.
const MOST_REPEATS: usize = 1_000;
/// Repeats in repeats multiply; none is added beyond so many nodes.
const MOST_NODES: usize = 200_000;
/// Changes that trigger changes; more come from questions that trigger each other in a circle.
const MOST_TRIGGERED: usize = 50;

/// What an interview takes from the world.
#[derive(Clone, Debug)]
pub struct Setup {
    pub dialect: Dialect,
    pub now: Moment,
    /// Minutes east of UTC; Vietnam is 420.
    pub zone: i32,
    pub chance: Chance,
}

/// An interview in progress.
pub struct Interview<'f> {
    pub form: &'f Compiled,
    pub tree: Tree,
    setup: Setup,
    chance: RefCell<Chance>,
    /// Own relevance by node, apart from what is around it.
    own: Vec<bool>,
    /// Live nodes by item.
    nodes: Vec<Vec<NodeId>>,
    dirty: BTreeSet<(usize, usize)>,
    /// Calculated nodes that keep their value.
    kept: HashSet<NodeId>,
    /// The number of repeats is as given, whatever the form's count says.
    restored: bool,
    /// How many changes deep a trigger has been set off.
    triggered: usize,
    /// Expressions that have no value, by node.
    errors: HashMap<NodeId, String>,
}

impl<'f> Interview<'f> {
    /// A new interview: defaults are set, everything is computed once.
    pub fn new(form: &'f Compiled, setup: Setup) -> Self {
        let mut interview = Self::empty(form, setup);
        let root = interview.tree.root();
        for item in form.top() {
            interview.create(item, root);
        }
        interview.create_meta(root);
        interview.recompute();
        interview.apply_dynamic_defaults(root);
        interview
    }

    fn empty(form: &'f Compiled, setup: Setup) -> Self {
        let (mut tree, root) = Tree::new(&form.root);
        let version = form.version.iter().map(|version| (Arc::from("version"), version.clone()));
        let attributes = std::iter::once((Arc::from("id"), form.form_id.clone())).chain(version);
        tree.get_mut(root).attributes = attributes.collect();
        let chance = RefCell::new(setup.chance.clone());
        Self {
            form,
            tree,
            setup,
            chance,
            own: vec![true; 2],
            nodes: vec![Vec::new(); form.items.len()],
            dirty: BTreeSet::new(),
            kept: HashSet::new(),
            restored: false,
            triggered: 0,
            errors: HashMap::new(),
        }
    }

    fn create_meta(&mut self, root: NodeId) {
        let form = self.form;
        let mut items = form.meta().peekable();
        if items.peek().is_none() {
            return;
        }
        let meta = self.tree.add(root, "meta".into());
        self.own.resize(self.tree.len(), true);
        for item in items {
            self.create(item, meta);
        }
    }

    /// Adds the node of an item with what is under it; a repeat gets its first instance unless the
    /// form counts them.
    fn create(&mut self, item: usize, parent: NodeId) {
        if let Role::Repeat(Some(_)) = self.form.items[item].role {
            self.mark(item);
            return;
        }
        let at = self.tree.children(parent).len();
        self.create_at(item, parent, at);
    }

    fn create_at(&mut self, item: usize, parent: NodeId, at: usize) -> NodeId {
        let form = self.form;
        let node = self.add_node(item, parent, at);
        if let Some(Default::Static(text)) = &form.items[item].default {
            self.tree.get_mut(node).text.clone_from(text);
        }
        for child in &form.items[item].children {
            self.create(*child, node);
        }
        node
    }

    fn add_node(&mut self, item: usize, parent: NodeId, at: usize) -> NodeId {
        let form = self.form;
        let node = self.tree.insert(parent, at, form.items[item].name.clone());
        let data = self.tree.get_mut(node);
        data.kind = form.items[item].kind;
        data.place = u32::try_from(item).ok();
        self.own.resize(self.tree.len(), true);
        self.nodes[item].push(node);
        self.mark(item);
        node
    }

    /// Evaluates dynamic defaults of blank nodes at and under `top`, in document order.
    fn apply_dynamic_defaults(&mut self, top: NodeId) {
        let form = self.form;
        for node in self.tree.descendants_or_self(top) {
            let Some(item) = self.item(node) else { continue };
            if let Some(Default::Dynamic(expression)) = &form.items[item].default
                && self.tree.get(node).text.is_empty()
            {
                match self.evaluate_stored(expression, node, item) {
                    Ok(text) => self.set(node, &text),
                    Err(error) => {
                        self.errors.insert(node, error.message);
                    }
                }
            }
        }
    }

    /// The item of a node; `None` for the root and `meta`.
    pub fn item(&self, node: NodeId) -> Option<usize> {
        self.tree.get(node).place.map(|place| place as usize)
    }

    /// The live nodes of an item.
    pub fn nodes_of(&self, item: usize) -> &[NodeId] {
        &self.nodes[item]
    }

    /// Expressions that have no value, by node.
    pub fn errors(&self) -> &HashMap<NodeId, String> {
        &self.errors
    }

    /// `/data/roster[2]/age`
    pub fn path(&self, node: NodeId) -> String {
        let form = self.form;
        self.tree.path(node, &|node| node.place.is_some_and(|place| form.items[place as usize].is_repeat()))
    }

    fn environment(&self) -> Environment<'_> {
        Environment {
            dialect: self.setup.dialect,
            now: self.setup.now,
            zone: self.setup.zone,
            chance: &self.chance,
            lookups: self.form,
        }
    }

    /// Whether a condition holds at a node.
    pub fn holds(&self, condition: &Expression, node: NodeId) -> Result<bool, EvaluateError> {
        let environment = self.environment();
        condition.evaluate_condition(&Scope { main: &self.tree, node, environment: &environment })
    }

    /// Whether a condition would hold if the node had that answer.
    pub fn would_hold(&mut self, condition: &Expression, node: NodeId, text: &str) -> bool {
        let before = std::mem::replace(&mut self.tree.get_mut(node).text, text.to_owned());
        let holds = self.holds(condition, node).unwrap_or(false);
        self.tree.get_mut(node).text = before;
        holds
    }

    /// The node keeps its value from now on, whatever its calculation says.
    pub fn keep(&mut self, node: NodeId) {
        self.kept.insert(node);
    }

    /// The codes that a select offers at a node; `None` where it is no select or its file is absent.
    pub fn codes(&self, node: NodeId) -> Option<Vec<String>> {
        let choices = self.form.items[self.item(node)?].choices.as_ref()?;
        if choices.absent {
            return None;
        }
        let environment = self.environment();
        let scope = Scope { main: &self.tree, node, environment: &environment };
        choices.nodes.evaluate_texts(&scope, choices.value.as_deref()).ok()
    }

    /// What [`Interview::codes`] gives, to be asked for single codes: a list that is offered whole is
    /// not written out.
    pub(crate) fn offer(&self, node: NodeId) -> Option<Offer> {
        let choices = self.form.items[self.item(node)?].choices.as_ref()?;
        if let (true, Some(value)) = (choices.whole, &choices.value)
            && let Some(list) = self.form.instances.get(&choices.list)
        {
            return Some(Offer::Whole(list.column(value)));
        }
        self.codes(node).map(|codes| Offer::These(codes.into_iter().collect()))
    }

    fn evaluate_stored(
        &self,
        expression: &Expression,
        node: NodeId,
        item: usize,
    ) -> Result<String, EvaluateError> {
        let environment = self.environment();
        let scope = Scope { main: &self.tree, node, environment: &environment };
        expression.evaluate_answer(self.form.items[item].stored().unwrap_or(Stored::Text), &scope)
    }

    fn mark(&mut self, item: usize) {
        self.dirty.insert((self.form.rank[item], item));
    }

    fn mark_dependents(&mut self, item: usize) {
        let form = self.form;
        for dependent in &form.dependents[item] {
            self.mark(*dependent);
        }
    }

    /// Gives a node its answer, runs what it triggers, and recomputes.
    pub fn set(&mut self, node: NodeId, text: &str) {
        self.put(node, text);
        self.recompute();
    }

    fn put(&mut self, node: NodeId, text: &str) {
        if self.tree.get(node).text == text {
            return;
        }
        text.clone_into(&mut self.tree.get_mut(node).text);
        if let Some(item) = self.item(node) {
            self.mark_dependents(item);
            if self.triggered < MOST_TRIGGERED {
                self.triggered += 1;
                self.trigger(item, node);
                self.triggered -= 1;
            }
        }
    }

    /// Whether the instance is so large that no repeat is added any more.
    pub(crate) fn is_full(&self) -> bool {
        self.tree.len() > MOST_NODES
    }

    /// Sets the calculations that hang on a change of `node`, in the same repeats.
    fn trigger(&mut self, item: usize, node: NodeId) {
        let form = self.form;
        for &target in &form.triggered[item] {
            let Some(calculation) = &form.items[target].calculation else { continue };
            for other in self.nodes[target].clone() {
                let same = self.tree.ancestors(other).all(|around| {
                    let Some(repeat) = self.item(around).filter(|i| form.items[*i].is_repeat()) else {
                        return true;
                    };
                    let own = self.tree.ancestors(node).find(|a| self.item(*a) == Some(repeat));
                    own.is_none_or(|own| own == around)
                });
                if same && let Ok(text) = self.evaluate_stored(calculation, other, target) {
                    self.put(other, &text);
                }
            }
        }
    }

    /// Brings relevance, calculations and counted repeats up to date.
    pub fn recompute(&mut self) {
        let mut rounds: HashMap<usize, u32> = HashMap::new();
        while let Some((_, item)) = self.dirty.pop_first() {
            let round = rounds.entry(item).or_default();
            *round += 1;
            if *round > MOST_ROUNDS {
                continue;
            }
            self.recompute_item(item);
        }
    }

    fn recompute_item(&mut self, item: usize) {
        let form = self.form;
        let data = &form.items[item];
        if let (Role::Repeat(Some(count)), false) = (&data.role, self.restored) {
            self.recount(item, count);
        }
        if data.relevant.is_none() && data.calculation.is_none() {
            return;
        }
        for node in self.nodes[item].clone() {
            if let Some(relevant) = &data.relevant {
                let own = match self.holds(relevant, node) {
                    Ok(own) => own,
                    Err(error) => {
                        self.errors.insert(node, error.message);
                        true
                    }
                };
                if own != self.own[node.index()] {
                    self.own[node.index()] = own;
                    self.refresh(node);
                }
            }
            let Some(calculation) = data.calculation.as_ref().filter(|_| data.triggers.is_empty()) else {
                continue;
            };
            if !self.tree.get(node).relevant || self.kept.contains(&node) {
                continue;
            }
            match self.evaluate_stored(calculation, node, item) {
                Ok(text) => self.put(node, &text),
                Err(error) => {
                    self.errors.insert(node, error.message);
                }
            }
        }
    }

    /// Passes relevance on to what is inside.
    fn refresh(&mut self, top: NodeId) {
        let form = self.form;
        for node in self.tree.descendants_or_self(top) {
            let around = self.tree.get(node).parent.is_none_or(|parent| self.tree.get(parent).relevant);
            let relevant = around && self.own[node.index()];
            if self.tree.get(node).relevant == relevant {
                continue;
            }
            self.tree.get_mut(node).relevant = relevant;
            if let Some(item) = self.item(node) {
                self.mark_dependents(item);
                if form.items[item].calculation.is_some() {
                    self.mark(item);
                }
            }
        }
    }

    /// Adds or takes away repeats until their number is the form's.
    fn recount(&mut self, item: usize, count: &Expression) {
        let form = self.form;
        let parents = match form.items[item].parent {
            Some(parent) => self.nodes[parent].clone(),
            None => vec![self.tree.root()],
        };
        for parent in parents {
            let mut present: Vec<NodeId> = self.tree.named(parent, &form.items[item].name).collect();
            let due = self.due(item, count, parent).unwrap_or(0);
            if due == present.len() {
                continue;
            }
            while present.len() > due {
                if let Some(last) = present.pop() {
                    self.remove(last);
                }
            }
            while present.len() < due && !self.is_full() {
                let node = self.add_repeat(item, parent);
                present.push(node);
            }
            self.mark_dependents(item);
        }
    }

    /// How many instances of a repeat its count asks for under `parent`, [`MOST_REPEATS`] at most;
    /// nothing where the count is blank or no number, or cannot be computed.
    fn due(&mut self, item: usize, count: &Expression, parent: NodeId) -> Option<usize> {
        let name = &self.form.items[item].name;
        let present = self.tree.named(parent, name).next();
        // The count is read from where a repeat stands, so there has to be one.
        let probe = match present {
            Some(node) => node,
            None => {
                let at = self.place_among(item, parent);
                let node = self.tree.insert(parent, at, name.clone());
                self.own.resize(self.tree.len(), true);
                node
            }
        };
        let environment = self.environment();
        let scope = Scope { main: &self.tree, node: probe, environment: &environment };
        let due = count.evaluate_stored(&scope).ok().and_then(|text| text.parse::<f64>().ok());
        if present.is_none() {
            self.tree.remove(probe);
        }
        due.filter(|n| n.is_finite()).map(|n| if n > 0.0 { (n as usize).min(MOST_REPEATS) } else { 0 })
    }

    /// Counted repeats whose number is not the form's: the node they stand under, the item, how many
    /// there are and how many are due. Repeats that are not relevant are left out.
    pub(crate) fn miscounted(&mut self) -> Vec<Miscounted> {
        let form = self.form;
        let mut found = Vec::new();
        for (item, data) in form.items.iter().enumerate() {
            let Role::Repeat(Some(count)) = &data.role else { continue };
            let parents = match data.parent {
                Some(parent) => self.nodes[parent].clone(),
                None => vec![self.tree.root()],
            };
            for parent in parents {
                if !self.tree.get(parent).relevant {
                    continue;
                }
                let present: Vec<NodeId> = self.tree.named(parent, &data.name).collect();
                if present.first().is_some_and(|first| !self.tree.get(*first).relevant) {
                    continue;
                }
                // Whether a repeat without an instance would be asked is not known: its relevance is
                // read from where it stands.
                if present.is_empty() && data.relevant.is_some() {
                    continue;
                }
                if let Some(due) = self.due(item, count, parent)
                    && due != present.len()
                {
                    found.push(Miscounted { parent, item, present: present.len(), due });
                }
            }
        }
        found
    }

    /// Where the first instance of a repeat belongs among its siblings.
    fn place_among(&self, item: usize, parent: NodeId) -> usize {
        let children = self.tree.children(parent);
        let before = |child: &&NodeId| self.item(**child).is_some_and(|other| other <= item);
        children.iter().take_while(before).count()
    }

    /// Adds an instance of a repeat after those that are there.
    pub fn add_repeat(&mut self, item: usize, parent: NodeId) -> NodeId {
        let at = self.place_among(item, parent);
        let node = self.create_at(item, parent, at);
        self.refresh_new(node);
        self.mark_dependents(item);
        self.apply_dynamic_defaults_later(node);
        node
    }

    fn refresh_new(&mut self, node: NodeId) {
        for inner in self.tree.descendants_or_self(node) {
            if let Some(item) = self.item(inner) {
                self.mark_dependents(item);
            }
        }
    }

    /// `odk-new-repeat` comes before the calculations that read the default.
    fn apply_dynamic_defaults_later(&mut self, node: NodeId) {
        let form = self.form;
        for inner in self.tree.descendants_or_self(node) {
            let Some(item) = self.item(inner) else { continue };
            if let Some(Default::Dynamic(expression)) = &form.items[item].default
                && let Ok(text) = self.evaluate_stored(expression, inner, item)
            {
                self.put(inner, &text);
            }
        }
    }

    fn remove(&mut self, top: NodeId) {
        for node in self.tree.descendants_or_self(top) {
            if let Some(item) = self.item(node) {
                self.nodes[item].retain(|other| *other != node);
                self.mark_dependents(item);
            }
        }
        self.tree.remove(top);
    }
}
