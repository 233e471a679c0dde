//! The instance tree that expressions read: the primary instance or a secondary one.

use std::collections::HashMap;
use std::sync::Arc;

use super::columns::{Column, Columns};

/// A node of one [`Tree`]. [`NodeId::DOCUMENT`] is the document, whose only child is the root element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    pub const DOCUMENT: Self = Self(0);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// How JavaRosa types the text of a node; the tablet's engine sees text everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Text,
    Number,
    Date,
    DateTime,
    /// Of the day, without a date.
    Time,
    Boolean,
}

/// One element.
#[derive(Clone, Debug)]
pub struct Node {
    /// Local name.
    pub name: Arc<str>,
    pub parent: Option<NodeId>,
    pub children: Vec<NodeId>,
    pub text: String,
    /// Local names and values.
    pub attributes: Vec<(Arc<str>, String)>,
    /// False where it or something around it is not relevant; it then reads as blank.
    pub relevant: bool,
    pub kind: Kind,
    /// Index of the question, group or repeat in the form that it belongs to.
    pub place: Option<u32>,
}

/// Children from which on a parent finds them by name in a table: forms without groups have
/// thousands of questions side by side.
const WIDE: usize = 64;

/// A tree of elements. Nodes keep their id for the life of the tree.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    /// Children by name, in their order, of each parent that once had more than [`WIDE`].
    wide: HashMap<NodeId, HashMap<Arc<str>, Vec<NodeId>>>,
    columns: Columns,
}

impl Tree {
    /// A document with a root element of that name; the root is the returned node.
    pub fn new(root: &str) -> (Self, NodeId) {
        let document = Node {
            name: Arc::from(""),
            parent: None,
            children: Vec::new(),
            text: String::new(),
            attributes: Vec::new(),
            relevant: true,
            kind: Kind::Text,
            place: None,
        };
        let mut tree = Self { nodes: vec![document], wide: HashMap::new(), columns: Columns::default() };
        let root = tree.add(NodeId::DOCUMENT, Arc::from(root));
        (tree, root)
    }

    /// The root element.
    pub fn root(&self) -> NodeId {
        self.nodes[0].children.first().copied().unwrap_or(NodeId::DOCUMENT)
    }

    /// Adds an element as the last child.
    pub fn add(&mut self, parent: NodeId, name: Arc<str>) -> NodeId {
        let at = self.nodes[parent.index()].children.len();
        self.insert(parent, at, name)
    }

    /// Adds an element as child number `at` (from 0).
    pub fn insert(&mut self, parent: NodeId, at: usize, name: Arc<str>) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let relevant = self.nodes[parent.index()].relevant;
        self.columns.forget();
        self.nodes.push(Node {
            name: name.clone(),
            parent: Some(parent),
            children: Vec::new(),
            text: String::new(),
            attributes: Vec::new(),
            relevant,
            kind: Kind::Text,
            place: None,
        });
        let children = &mut self.nodes[parent.index()].children;
        let last = at >= children.len();
        children.insert(at.min(children.len()), id);
        if children.len() > WIDE || self.wide.contains_key(&parent) {
            self.enter(parent, id, &name, last);
        }
        id
    }

    /// Notes a new child of a wide parent under its name.
    fn enter(&mut self, parent: NodeId, id: NodeId, name: &Arc<str>, last: bool) {
        let children = &self.nodes[parent.index()].children;
        let Some(names) = self.wide.get_mut(&parent) else {
            let mut names: HashMap<Arc<str>, Vec<NodeId>> = HashMap::new();
            for child in children {
                names.entry(self.nodes[child.index()].name.clone()).or_default().push(*child);
            }
            self.wide.insert(parent, names);
            return;
        };
        let alike = names.entry(name.clone()).or_default();
        if last || alike.is_empty() {
            alike.push(id);
        } else {
            let same = |child: &&NodeId| self.nodes[child.index()].name == *name;
            *alike = children.iter().filter(same).copied().collect();
        }
    }

    /// Adds an element with a text.
    pub fn add_text(&mut self, parent: NodeId, name: &str, text: &str) -> NodeId {
        let id = self.add(parent, Arc::from(name));
        text.clone_into(&mut self.get_mut(id).text);
        id
    }

    /// Takes an element out of its parent.
    pub fn remove(&mut self, id: NodeId) {
        if let Some(parent) = self.nodes[id.index()].parent.take() {
            self.columns.forget();
            self.nodes[parent.index()].children.retain(|child| *child != id);
            if let Some(names) = self.wide.get_mut(&parent)
                && let Some(alike) = names.get_mut(&self.nodes[id.index()].name)
            {
                alike.retain(|child| *child != id);
            }
        }
    }

    pub fn get(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// A node to be changed: its text, attributes, relevance, kind and place. Its name and children
    /// stay as they are.
    pub fn get_mut(&mut self, id: NodeId) -> &mut Node {
        self.columns.forget();
        &mut self.nodes[id.index()]
    }

    /// Number of nodes ever added, the document included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.len() <= 1
    }

    pub fn children(&self, id: NodeId) -> &[NodeId] {
        &self.nodes[id.index()].children
    }

    /// The children of that name.
    pub fn named<'a>(&'a self, id: NodeId, name: &'a str) -> impl Iterator<Item = NodeId> + 'a {
        let children = self.children(id);
        let names = if children.len() > WIDE { self.wide.get(&id) } else { None };
        let (candidates, all_fit) = match names {
            Some(names) => (names.get(name).map_or(&[][..], Vec::as_slice), true),
            None => (children, false),
        };
        candidates.iter().copied().filter(move |child| all_fit || &*self.get(*child).name == name)
    }

    /// The items (`root/item`) of a secondary instance by the text of their first `column`.
    pub(crate) fn column(&self, column: &str) -> Arc<Column> {
        self.columns.get(self, column)
    }

    /// The nodes around it, innermost first, without the document.
    pub fn ancestors(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.get(id).parent, |parent| self.get(*parent).parent)
            .filter(|ancestor| *ancestor != NodeId::DOCUMENT)
    }

    /// The node and all under it, in document order.
    pub fn descendants_or_self(&self, id: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut open = vec![id];
        while let Some(node) = open.pop() {
            found.push(node);
            open.extend(self.children(node).iter().rev());
        }
        found
    }

    /// Place among the siblings of its name, from 1.
    pub fn position(&self, id: NodeId) -> usize {
        let Some(parent) = self.get(id).parent else { return 1 };
        // Whatever the order of the list, a number that is found stands where it was found.
        let alike = self.wide.get(&parent).and_then(|names| names.get(&self.get(id).name));
        if let Some(Ok(before)) = alike.map(|alike| alike.binary_search(&id)) {
            return before + 1;
        }
        let before = self.children(parent).iter().take_while(|child| **child != id);
        1 + before.filter(|child| self.get(**child).name == self.get(id).name).count()
    }

    /// What the node reads as: blank where it is not relevant, all text under it for a group.
    pub fn text(&self, id: NodeId) -> std::borrow::Cow<'_, str> {
        let node = self.get(id);
        if !node.relevant {
            return "".into();
        }
        if node.children.is_empty() {
            return node.text.as_str().into();
        }
        let mut all = node.text.clone();
        for child in &node.children {
            all.push_str(&self.text(*child));
        }
        all.into()
    }

    /// `/data/roster[2]/age`: positions where `numbered` says that the place repeats.
    pub fn path(&self, id: NodeId, numbered: &dyn Fn(&Node) -> bool) -> String {
        let mut names = vec![id];
        names.extend(self.ancestors(id));
        let mut path = String::new();
        for id in names.into_iter().rev() {
            let node = self.get(id);
            path.push('/');
            path.push_str(&node.name);
            if numbered(node) {
                path.push_str(&format!("[{}]", self.position(id)));
            }
        }
        path
    }
}
