//! Actions: defaults that are expressions, places and sound taken in the background, and what a
//! change of a question sets.

use std::collections::{HashMap, HashSet};

use super::document::Tag;

/// One `setvalue` or `odk:setgeopoint` in the control of a question.
pub(super) struct Triggered {
    /// Path of the question whose change sets the target.
    pub trigger: String,
    pub target: String,
    /// Expression seen from the trigger.
    pub value: Option<String>,
    pub line: u32,
}

/// All actions of a form, by the path of the node that they set.
#[derive(Default)]
pub(super) struct Actions<'t> {
    /// Expressions of values set when an instance or a repeat is made.
    pub first: HashMap<&'t str, &'t str>,
    pub points: HashSet<&'t str>,
    pub recordings: HashMap<&'t str, &'t Tag>,
    pub triggered: Vec<Triggered>,
    /// Targets of [`Triggered`] that take a place.
    pub triggered_points: HashSet<&'t str>,
}

fn target(action: &Tag) -> Option<&str> {
    action.get("ref").or_else(|| action.get("nodeset")).or_else(|| action.get("bind"))
}

impl<'t> Actions<'t> {
    pub fn of(model: &'t Tag) -> Self {
        let mut actions = Self::default();
        for action in model.tags() {
            let Some(target) = target(action) else { continue };
            match action.name.as_str() {
                "setvalue" => {
                    if let Some(value) = action.get("value") {
                        actions.first.insert(target, value);
                    }
                }
                "odk:setgeopoint" => drop(actions.points.insert(target)),
                "odk:recordaudio" => drop(actions.recordings.insert(target, action)),
                _ => {}
            }
        }
        actions
    }

    /// What is set in each new instance of a repeat, where the first one does not set it already.
    pub fn add_repeat(&mut self, repeat: &'t Tag) {
        for action in repeat.all("setvalue") {
            if let (Some(target), Some(value)) = (target(action), action.get("value")) {
                self.first.entry(target).or_insert(value);
            }
        }
    }

    pub fn add_control(&mut self, path: &str, control: &'t Tag) {
        for action in control.tags() {
            let is_point = action.name == "odk:setgeopoint";
            if !is_point && action.name != "setvalue" {
                continue;
            }
            let Some(target) = target(action) else { continue };
            if is_point {
                self.triggered_points.insert(target);
            }
            self.triggered.push(Triggered {
                trigger: path.to_owned(),
                target: target.to_owned(),
                value: action.get("value").map(str::to_owned),
                line: action.line,
            });
        }
    }
}
