//! Secondary instances: choice lists, and CSV files beside the form.

use std::sync::Arc;

use crate::expression::{NodeId, Tree};
use crate::questionnaire::ChoiceList;

/// The instance of a choice list: `root/item` with `name`, `label` and the list's further columns.
pub(super) fn list_instance(list: &ChoiceList) -> Tree {
    let (mut tree, root) = Tree::new("root");
    let (item_name, name): (Arc<str>, Arc<str>) = (Arc::from("item"), Arc::from("name"));
    for choice in &list.choices {
        let item = tree.add(root, item_name.clone());
        add(&mut tree, item, &name, &choice.name);
        if let Some(label) = choice.label.values().next() {
            tree.add_text(item, "label", label);
        }
        for (column, value) in &choice.columns {
            tree.add_text(item, column, value);
        }
    }
    tree
}

fn add(tree: &mut Tree, parent: NodeId, name: &Arc<str>, text: &str) {
    let node = tree.add(parent, name.clone());
    text.clone_into(&mut tree.get_mut(node).text);
}

/// The instance of a CSV file with a header line: `root/item` with one child a column.
///
/// Cells may stand in double quotes, doubled inside; lines of the wrong length are filled with
/// blanks or cut.
pub fn csv_instance(text: &str) -> Tree {
    let (mut tree, root) = Tree::new("root");
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = csv_lines(text).into_iter();
    let header: Vec<Arc<str>> =
        lines.next().unwrap_or_default().iter().map(|name| Arc::from(name.trim())).collect();
    let item_name: Arc<str> = Arc::from("item");
    for line in lines {
        let item = tree.add(root, item_name.clone());
        for (i, column) in header.iter().enumerate() {
            add(&mut tree, item, column, line.get(i).map_or("", String::as_str));
        }
    }
    tree
}

fn csv_lines(text: &str) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    let (mut line, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            ',' if !quoted => line.push(std::mem::take(&mut cell)),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                line.push(std::mem::take(&mut cell));
                lines.push(std::mem::take(&mut line));
            }
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !line.is_empty() {
        line.push(cell);
        lines.push(line);
    }
    lines.retain(|line| line.iter().any(|cell| !cell.is_empty()));
    lines
}
