//! What an expression reads.

use super::function::Function;
use super::syntax::{Axis, Expr, Path, Start, Step, Test};

/// One thing that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A schema path of the primary instance, `/data/roster/adult/age`. `*` stands for any name; a
    /// path that ends in `//` reads everything below.
    Path(String),
    /// `${name}`.
    Question(String),
    /// `instance('id')`, with the steps after it (`root/item/name`).
    Instance(String, String),
}

/// All references, each once, in order of appearance.
pub(super) fn collect(root: &Expr, context: &str) -> Vec<Reference> {
    let here: Vec<String> = context.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let mut collector = Collector { here: here.clone(), found: Vec::new() };
    collector.expr(root, &Spot::Main(here));
    collector.found
}

/// Where relative paths start.
#[derive(Clone, Debug)]
pub(super) enum Spot {
    /// Names from the root of the primary instance.
    Main(Vec<String>),
    /// Id of a secondary instance, and names from its root.
    Instance(String, Vec<String>),
    Unknown,
}

struct Collector {
    here: Vec<String>,
    found: Vec<Reference>,
}

impl Collector {
    fn add(&mut self, reference: Reference) {
        if !self.found.contains(&reference) {
            self.found.push(reference);
        }
    }

    fn expr(&mut self, expr: &Expr, spot: &Spot) {
        match expr {
            Expr::Number(_) | Expr::Text(_) => {}
            Expr::Question(name) => self.add(Reference::Question(name.clone())),
            Expr::Negate(inner) => self.expr(inner, spot),
            Expr::Binary(_, left, right) => {
                self.expr(left, spot);
                self.expr(right, spot);
            }
            // The second argument names the question whose choices are looked up.
            Expr::Call(Function::Instance, arguments) => {
                if let [Expr::Text(id)] = &arguments[..] {
                    self.add(Reference::Instance(id.clone(), String::new()));
                }
            }
            Expr::Call(Function::PullData, arguments) => {
                if let Some(Expr::Text(id)) = arguments.first() {
                    self.add(Reference::Instance(id.clone(), "root/item".to_owned()));
                }
                arguments.iter().for_each(|argument| self.expr(argument, spot));
            }
            Expr::Call(Function::Once, arguments) => {
                self.add(Reference::Path(written(&self.here)));
                arguments.iter().for_each(|argument| self.expr(argument, spot));
            }
            Expr::Call(_, arguments) => arguments.iter().for_each(|argument| self.expr(argument, spot)),
            Expr::Path(path) => {
                self.path(path, spot);
            }
        }
    }

    fn path(&mut self, path: &Path, spot: &Spot) -> Spot {
        let mut at = match &path.start {
            Start::Root => Spot::Main(Vec::new()),
            Start::Here => spot.clone(),
            Start::Expr(base, predicates) => {
                let at = match &**base {
                    Expr::Call(Function::Current, _) => Spot::Main(self.here.clone()),
                    Expr::Call(Function::Instance, arguments) => match &arguments[..] {
                        [Expr::Text(id)] => Spot::Instance(id.clone(), Vec::new()),
                        _ => Spot::Unknown,
                    },
                    Expr::Call(Function::Randomize, arguments) => match arguments.first() {
                        Some(Expr::Path(inner)) => self.path(inner, spot),
                        _ => Spot::Unknown,
                    },
                    Expr::Path(inner) => self.path(inner, spot),
                    other => {
                        self.expr(other, spot);
                        Spot::Unknown
                    }
                };
                for predicate in predicates {
                    self.expr(predicate, &at);
                }
                at
            }
        };
        for step in &path.steps {
            at = stepped(at, step);
            for predicate in &step.predicates {
                self.expr(predicate, &at);
            }
        }
        match &at {
            Spot::Main(names) => self.add(Reference::Path(written(names))),
            Spot::Instance(id, names) => self.add(Reference::Instance(id.clone(), names.join("/"))),
            Spot::Unknown => {}
        }
        at
    }
}

pub(super) fn written(names: &[String]) -> String {
    format!("/{}", names.join("/"))
}

pub(super) fn stepped(mut at: Spot, step: &Step) -> Spot {
    let (Spot::Main(names) | Spot::Instance(_, names)) = &mut at else { return at };
    match (step.axis, &step.test) {
        (Axis::Child, Test::Name(name)) => names.push(name.clone()),
        (Axis::Child, Test::Any) => names.push("*".to_owned()),
        (Axis::Parent, _) => {
            names.pop();
        }
        (Axis::Itself, _) => {}
        (Axis::Attribute, Test::Name(name)) => names.push(format!("@{name}")),
        (Axis::Attribute, Test::Any) => names.push("@*".to_owned()),
        (Axis::DescendantOrSelf, _) => names.push(String::new()),
    }
    at
}
