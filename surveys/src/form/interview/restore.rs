//! An interview made again from a submission.

use crate::expression::{Expression, NodeId, Tree};
use crate::form::Compiled;

use super::{Interview, Setup};

/// The submission's node for each node of an interview that has one.
#[derive(Debug, Default)]
pub struct Origins(Vec<Option<NodeId>>);

impl Origins {
    fn set(&mut self, node: NodeId, origin: NodeId) {
        if self.0.len() <= node.index() {
            self.0.resize(node.index() + 1, None);
        }
        self.0[node.index()] = Some(origin);
    }

    /// The submission's node, if the interview's came from there.
    pub fn get(&self, node: NodeId) -> Option<NodeId> {
        self.0.get(node.index()).copied().flatten()
    }
}

impl<'f> Interview<'f> {
    /// An interview with the values of a submission, recomputed; with the submission's node for each
    /// node that has one. Calculations that cannot be repeated (chance, the clock, triggers) keep
    /// their value. The submission's nodes carry their item.
    pub fn restore(form: &'f Compiled, setup: Setup, submission: &Tree) -> (Self, Origins) {
        let mut interview = Self::empty(form, setup);
        interview.restored = true;
        let mut origins = Origins::default();
        let (root, theirs) = (interview.tree.root(), submission.root());
        origins.set(root, theirs);
        let top: Vec<usize> = form.top().collect();
        interview.copy(&top, root, submission, Some(theirs), &mut origins);
        interview.create_meta(root);
        let meta = interview.tree.named(root, "meta").next();
        if let (Some(meta), Some(their_meta)) = (meta, submission.named(theirs, "meta").next()) {
            origins.set(meta, their_meta);
            let children = interview.tree.children(meta).to_vec();
            for node in children {
                let name = interview.tree.get(node).name.clone();
                if let Some(origin) = submission.named(their_meta, &name).next() {
                    interview.tree.get_mut(node).text = submission.get(origin).text.clone();
                    origins.set(node, origin);
                }
            }
        }
        interview.recompute();
        (interview, origins)
    }

    /// Copies the nodes of items that lie side by side.
    fn copy(
        &mut self,
        items: &[usize],
        parent: NodeId,
        submission: &Tree,
        theirs: Option<NodeId>,
        origins: &mut Origins,
    ) {
        let form = self.form;
        let children = theirs.map_or(&[][..], |theirs| submission.children(theirs));
        let place = |node: &NodeId| submission.get(*node).place.map(|place| place as usize);
        let mut placed: Vec<(usize, NodeId)> =
            children.iter().filter_map(|node| place(node).map(|place| (place, *node))).collect();
        // Clients write nodes in the form's order, so that there is seldom anything to sort.
        placed.sort_by_key(|(place, _)| *place);
        let mut placed = placed.into_iter().peekable();
        for &item in items {
            let data = &form.items[item];
            while placed.next_if(|(place, _)| *place < item).is_some() {}
            let mut first = true;
            loop {
                let origin = placed.next_if(|(place, _)| *place == item).map(|(_, node)| node);
                // A repeat may have no instance; everything else is there once.
                if origin.is_none() && (data.is_repeat() || !first) {
                    break;
                }
                if first || data.is_repeat() {
                    self.copy_node(item, parent, submission, origin, origins);
                }
                first = false;
            }
        }
    }

    fn copy_node(
        &mut self,
        item: usize,
        parent: NodeId,
        submission: &Tree,
        origin: Option<NodeId>,
        origins: &mut Origins,
    ) {
        let form = self.form;
        let data = &form.items[item];
        let at = self.tree.children(parent).len();
        let node = self.add_node(item, parent, at);
        if let Some(origin) = origin {
            origins.set(node, origin);
            if data.children.is_empty() {
                self.tree.get_mut(node).text = submission.text(origin).into_owned();
            }
            let unrepeatable =
                !data.triggers.is_empty() || data.calculation.as_ref().is_some_and(Expression::is_volatile);
            if unrepeatable && !self.tree.get(node).text.is_empty() {
                self.kept.insert(node);
            }
        }
        self.copy(&data.children, node, submission, origin, origins);
    }
}
