//! Items of a secondary instance by the text of one of their columns, so that a cascade over
//! thousands of communes looks its items up instead of trying each.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::tree::{NodeId, Tree};

/// The name of the elements that are items.
pub(super) const ITEM: &str = "item";

/// One column of `root/item`.
#[derive(Debug, Default)]
pub(crate) struct Column {
    by_text: HashMap<String, Vec<NodeId>>,
    /// Items that lack the column.
    without: Vec<NodeId>,
}

impl Column {
    fn of(tree: &Tree, name: &str) -> Self {
        let mut column = Self::default();
        for item in tree.named(tree.root(), ITEM) {
            match tree.named(item, name).next() {
                Some(cell) => match column.by_text.get_mut(&tree.get(cell).text) {
                    Some(items) => items.push(item),
                    None => drop(column.by_text.insert(tree.get(cell).text.clone(), vec![item])),
                },
                None => column.without.push(item),
            }
        }
        column
    }

    /// Whether some item has that text.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.by_text.contains_key(text)
    }

    /// How many different texts there are.
    pub(crate) fn len(&self) -> usize {
        self.by_text.len()
    }

    /// Items with one of the texts in document order; with `blank` also those without the column.
    pub(super) fn items(&self, texts: &[String], blank: bool) -> Vec<NodeId> {
        let mut found: Vec<NodeId> = Vec::new();
        for text in texts {
            found.extend(self.by_text.get(text).into_iter().flatten());
        }
        if blank {
            found.extend(&self.without);
        }
        if texts.len() > 1 || blank {
            found.sort_unstable();
            found.dedup();
        }
        found
    }
}

/// Columns made so far; a change of the tree forgets them.
#[derive(Debug, Default)]
pub(super) struct Columns(RwLock<HashMap<String, Arc<Column>>>);

impl Columns {
    pub(super) fn get(&self, tree: &Tree, name: &str) -> Arc<Column> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return known.clone();
        }
        let new = Arc::new(Column::of(tree, name));
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), new.clone());
        new
    }

    pub(super) fn forget(&mut self) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Clone for Columns {
    /// A copy makes its own when it is asked.
    fn clone(&self) -> Self {
        Self::default()
    }
}
