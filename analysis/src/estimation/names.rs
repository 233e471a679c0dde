//! Which columns a plan names, so that the others need not be read.

use std::collections::HashSet;

use serde_json::Value;

use super::Plan;

/// Every word of a plan. A word that is no column does no harm; a column that is overlooked would, so no
/// field is left out.
pub(super) struct Named {
    words: HashSet<String>,
    texts: Vec<String>,
}

impl Named {
    pub fn of(plan: &Plan) -> Self {
        let mut named = Self { words: HashSet::new(), texts: Vec::new() };
        // The levels in `types` are values, its keys are columns.
        let whole = serde_json::to_value(Plan { types: Default::default(), ..plan.clone() });
        named.collect(&whole.unwrap_or_default());
        plan.types.keys().for_each(|name| named.text(name));
        named
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.text(name);
                    self.collect(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &str) {
        for word in text.split(|c: char| !is_letter(c)).filter(|word| !word.is_empty()) {
            self.words.insert(word.to_owned());
            // `q1_cat` is the category beside the number `q1`.
            if let Some(base) = word.strip_suffix("_cat") {
                self.words.insert(base.to_owned());
            }
        }
        self.texts.push(text.to_owned());
    }

    /// Whether the plan may read the column of this name.
    pub fn contains(&self, name: &str) -> bool {
        match name.chars().all(is_letter) {
            true => self.words.contains(name),
            false => self.texts.iter().any(|text| text.contains(name)),
        }
    }
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
