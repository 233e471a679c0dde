//! The instance tree that expressions read: the primary instance or a secondary one.

use std::sync::Arc;

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

/// A tree of elements. Nodes keep their id for the life of the tree.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Vec<Node>,
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
        let mut tree = Self { nodes: vec![document] };
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
        self.nodes.push(Node {
            name,
            parent: Some(parent),
            children: Vec::new(),
            text: String::new(),
            attributes: Vec::new(),
            relevant,
            kind: Kind::Text,
            place: None,
        });
        let children = &mut self.nodes[parent.index()].children;
        children.insert(at.min(children.len()), id);
        id
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
            self.nodes[parent.index()].children.retain(|child| *child != id);
        }
    }

    pub fn get(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    pub fn get_mut(&mut self, id: NodeId) -> &mut Node {
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
        self.children(id).iter().copied().filter(move |child| &*self.get(*child).name == name)
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
