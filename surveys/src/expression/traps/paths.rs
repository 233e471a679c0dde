//! Paths: which nodes they find in which engine.

use super::{Finder, Found, Purpose, Want};
use crate::expression::Reference;
use crate::expression::function::Function;
use crate::expression::references::{Spot, stepped, written};
use crate::expression::syntax::{Axis, Expr, Path, Start, Step, Test, walk};

impl Finder<'_> {
    fn start(&self, start: &Start, spot: &Spot) -> Spot {
        match start {
            Start::Root => Spot::Main(Vec::new()),
            Start::Here => spot.clone(),
            Start::Expr(base, _) => match &**base {
                Expr::Call(Function::Current, _) => Spot::Main(self.here.clone()),
                Expr::Call(Function::Instance, arguments) => match &arguments[..] {
                    [Expr::Text(id)] => Spot::Instance(id.clone(), Vec::new()),
                    _ => Spot::Unknown,
                },
                Expr::Path(inner) => self.end(inner, spot),
                _ => Spot::Unknown,
            },
        }
    }

    /// Where a path leads.
    pub(super) fn end(&self, path: &Path, spot: &Spot) -> Spot {
        path.steps.iter().fold(self.start(&path.start, spot), stepped)
    }

    fn found(&self, at: &Spot) -> Found {
        match at {
            Spot::Main(names) if names.iter().any(|name| name.is_empty() || name.contains(['*', '@'])) => {
                Found::Something
            }
            Spot::Main(names) => (self.standing.look_up)(&Reference::Path(written(names))),
            Spot::Instance(id, names) => {
                (self.standing.look_up)(&Reference::Instance(id.clone(), names.join("/")))
            }
            Spot::Unknown => Found::Something,
        }
    }

    pub(super) fn path(&mut self, path: &Path, spot: &Spot, want: Want) {
        let mut at = self.start(&path.start, spot);
        if let Start::Expr(base, predicates) = &path.start {
            if !matches!(**base, Expr::Call(Function::Instance | Function::Current, _)) {
                self.visit(base, spot, Want::Nodes);
            }
            self.predicates(predicates, &at);
        }
        let absolute = path.start == Start::Root;
        let (mut several, mut own) = (false, false);
        for (i, step) in path.steps.iter().enumerate() {
            self.step(step, &path.steps[..i]);
            at = stepped(at, step);
            let numbered = step.predicates.iter().any(tells_position);
            match &at {
                Spot::Main(names) if step.axis == Axis::Child && self.found(&at) == Found::Repeat => {
                    let inside = matches!(spot, Spot::Main(from) if from.starts_with(names));
                    if absolute && inside && step.predicates.is_empty() {
                        own = true;
                    } else {
                        several |= !numbered;
                    }
                }
                Spot::Instance(_, names) if names.last().is_some_and(|name| name == "item") => {
                    several |= step.predicates.is_empty();
                }
                _ => {}
            }
            self.predicates(&step.predicates, &at);
        }
        if matches!(self.standing.purpose, Purpose::Answer(_))
            && matches!(&at, Spot::Main(names) if *names == self.here)
        {
            self.add(
                "Collect không nhận phép tính đọc chính nó; hãy dùng câu khác hay once()",
                "Collect refuses a calculation that reads itself; use another question, or once()",
            );
        }
        match (self.found(&at), want) {
            (Found::Nothing, _) if matches!(at, Spot::Main(_)) => self.add(
                format!(
                    "biểu mẫu không có `{}`: trống ở Collect, không có gì trên máy tính bảng; hãy sửa tên",
                    end_name(&at)
                ),
                format!(
                    "the form has no `{}`: blank in Collect, nothing on the tablet; correct the name",
                    end_name(&at)
                ),
            ),
            (Found::Nothing, _) => self.add(
                "Collect dừng lại vì không có danh sách này; hãy sửa tên trong instance('…')",
                "Collect breaks off because there is no such list; correct the name in instance('…')",
            ),
            (Found::Group | Found::Repeat, Want::Value | Want::Days)
                if !path.steps.iter().any(|s| s.axis == Axis::Parent) || !several =>
            {
                self.add(
                    "nhóm không có giá trị ở Collect; hãy đọc một câu trong nhóm",
                    "a group has no value in Collect; read a question inside it",
                )
            }
            _ => {}
        }
        if own && want != Want::Indexed {
            self.add(
                "đường dẫn đầy đủ vào chính vòng lặp: Collect chỉ đọc lần này, máy tính bảng đọc mọi lần; hãy viết ../ hay ${…}",
                "a full path into its own repeat reads this instance in Collect, all on the tablet; write ../ for this one, or put the expression outside",
            );
        }
        if several && matches!(want, Want::Value | Want::Days) {
            self.add(
                "Collect dừng lại khi đường dẫn thấy nhiều lần lặp, máy tính bảng lấy lần đầu; hãy thêm [position() = 1] hay indexed-repeat()",
                "Collect breaks off where a path finds several nodes, the tablet takes the first; add [position() = 1], or use indexed-repeat()",
            );
        }
    }

    fn predicates(&mut self, predicates: &[Expr], at: &Spot) {
        for predicate in predicates {
            if let Expr::Number(_) = predicate {
                self.add(
                    "Collect không nhận [2]; hãy viết [position() = 2]",
                    "Collect finds nothing by [2]; write [position() = 2]",
                );
            } else if self.sort(predicate, at) != super::Sort::Boolean {
                self.add(
                    "Collect chỉ nhận điều kiện đúng/sai trong [ ]; hãy so sánh, như [x != '']",
                    "Collect takes only what is true or false in [ ]; compare, as in [x != '']",
                );
            }
            self.visit(predicate, at, Want::Value);
        }
    }

    fn step(&mut self, step: &Step, before: &[Step]) {
        match (step.axis, &step.test) {
            (Axis::DescendantOrSelf, _) => self.add(
                "Collect không nhận `//`; hãy viết cả đường dẫn",
                "Collect refuses `//`; write the whole path",
            ),
            (Axis::Child, Test::Any) => {
                self.add("Collect dừng lại ở `*`; hãy viết tên", "Collect breaks off at `*`; write the name")
            }
            (Axis::Parent | Axis::Itself, Test::Name(_)) => self.add(
                "Collect chỉ nhận `.` và `..`; hãy viết như vậy",
                "Collect knows only `.` and `..`; write them so",
            ),
            (Axis::Parent, Test::Any) if before.iter().any(|step| step.axis == Axis::Child) => self.add(
                "Collect chỉ nhận `..` ở đầu đường dẫn; hãy viết đường dẫn thẳng",
                "Collect takes `..` only at the beginning of a path; write the path straight",
            ),
            _ => {}
        }
    }
}

fn end_name(at: &Spot) -> String {
    match at {
        Spot::Main(names) => written(names),
        _ => String::new(),
    }
}

/// Whether a predicate picks one node by its number.
fn tells_position(predicate: &Expr) -> bool {
    let mut found = matches!(predicate, Expr::Number(_));
    walk(predicate, &mut |expr| {
        found |= matches!(expr, Expr::Call(Function::Position | Function::Last, arguments) if arguments.is_empty());
    });
    found
}

/// Whether a path may find nothing: it is filtered, or reads a cell of a list.
pub(super) fn may_be_missing(expr: &Expr, spot: &Spot) -> bool {
    let Expr::Path(path) = expr else { return false };
    let filtered = path.steps.iter().any(|step| !step.predicates.is_empty());
    match &path.start {
        Start::Here => filtered || matches!(spot, Spot::Instance(..)),
        Start::Root => filtered,
        Start::Expr(base, _) => filtered || super::is_call(base, Function::Instance),
    }
}
