//! The survey sheet: rows into a tree of nodes.

mod loops;
mod selects;

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::question_type::QuestionType;
use crate::questionnaire::references::{is_dynamic, is_xml_name, references, single_reference};
use crate::questionnaire::{
    Body, Choices, ExternalInstance, Group, Logic, Node, Position, Question, Questionnaire, Repeat, SAVE_TO,
    Text, UNTRANSLATED, Wording,
};
use crate::xlsform::Problem;
use crate::xlsform::cells::Sheet;
use crate::xlsform::columns::{Columns, SURVEY};
use crate::xlsform::parameters;
use crate::xlsform::row::SurveyRow;
use crate::xlsform::types::{self, Block, RowType};

/// Bytes of a name; names become paths.
const LONGEST_NAME: usize = 255;
/// Groups in groups.
const DEEPEST: usize = 60;
/// Nodes that one loop may write out; loops in loops multiply.
const MOST_LOOPED: usize = 50_000;

/// What can only be checked when the whole tree is there.
#[derive(Debug, Default)]
pub struct Uses {
    /// Row, header and text of each survey cell with references.
    pub references: Vec<(u32, String, String)>,
    /// Row and name of each trigger.
    pub triggers: Vec<(u32, String)>,
    /// Row and `reference-geometry`.
    pub geometries: Vec<(u32, String)>,
}

/// A block whose end has not come yet.
struct Open {
    block: Option<Block>,
    node: Option<Node>,
    children: Vec<Node>,
    names: HashSet<String>,
    lower_names: HashSet<String>,
    row: u32,
}

impl Open {
    fn root() -> Self {
        Self {
            block: None,
            node: None,
            children: Vec::new(),
            names: HashSet::new(),
            lower_names: HashSet::new(),
            row: 0,
        }
    }
}

struct Reader<'r> {
    questionnaire: &'r mut Questionnaire,
    stack: Vec<Open>,
    /// The list of the `table-list` group that is being read: `Some(None)` before its first select.
    table_list: Option<Option<String>>,
    meta: Vec<Node>,
    uses: Uses,
    problems: &'r mut Vec<Problem>,
    warnings: &'r mut Vec<Problem>,
}

/// Reads the sheet into `questionnaire`: nodes, meta, external instances.
pub fn read(
    sheet: &Sheet,
    questionnaire: &mut Questionnaire,
    default_language: &str,
    collapse_spaces: bool,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Uses {
    let columns = Columns::of(sheet, &SURVEY, problems);
    if !columns.has("type") {
        problems.push(
            Problem::new("survey", "thiếu cột `type` (kiểu câu hỏi)", "the column `type` is missing").row(1),
        );
        return Uses::default();
    }
    let mut reader = Reader {
        questionnaire,
        stack: vec![Open::root()],
        table_list: None,
        meta: Vec::new(),
        uses: Uses::default(),
        problems,
        warnings,
    };
    let mut rows = Vec::new();
    for row in &sheet.rows {
        let row = SurveyRow::of(&columns, row, default_language, collapse_spaces, reader.warnings);
        if !row.disabled {
            rows.push(row);
        }
    }
    // A loop over a list has a turn for `other` also where a later row adds it.
    for row in &rows {
        reader.share_other(row);
    }
    for row in rows {
        reader.read_row(row);
    }
    reader.finish()
}

impl Reader<'_> {
    fn problem(&mut self, row: u32, column: &str, vietnamese: impl Into<String>, english: impl Into<String>) {
        self.problems.push(Problem::new("survey", vietnamese, english).row(row).column(column));
    }

    fn warn(&mut self, row: u32, column: &str, vietnamese: &str, english: &str) {
        self.warnings.push(Problem::new("survey", vietnamese, english).row(row).column(column));
    }

    fn read_row(&mut self, mut row: SurveyRow) {
        let number = row.number;
        let Some(kind) = row.kind.take() else {
            if row.name.is_none() && row.wording.label.is_empty() {
                self.warn(
                    number,
                    "type",
                    "dòng không có kiểu nên bị bỏ qua",
                    "the row has no type and is left out",
                );
            } else {
                self.problem(number, "type", "câu hỏi không có kiểu", "the question has no type");
            }
            return;
        };
        let row_type = types::parse(&kind);
        if let RowType::Setting(setting) = row_type {
            let value = row.name.unwrap_or_default();
            let settings = &mut self.questionnaire.settings;
            match setting {
                "title" => settings.title = value,
                "id_string" => settings.form_id = value,
                _ => settings.prefix = Some(value),
            }
            return;
        }
        self.uses.references.extend(row.referring.drain(..).map(|(header, text)| (number, header, text)));
        if let RowType::End(block) = row_type {
            return self.end(&row, &block);
        }
        let audit = row_type == RowType::Question(QuestionType::Audit);
        if audit && row.name.as_deref().is_some_and(|name| name != "audit") {
            self.problem(
                number,
                "name",
                "dòng audit phải để trống tên",
                "an audit has no name of its own; leave it empty",
            );
        }
        let name = match row.name.take() {
            _ if audit => "audit".to_owned(),
            Some(name) if name.len() > LONGEST_NAME => {
                self.problem(
                    number,
                    "name",
                    format!("tên dài hơn {LONGEST_NAME} byte; hãy đặt tên ngắn"),
                    format!("the name is longer than {LONGEST_NAME} bytes; give it a short one"),
                );
                format!("unnamed_{number}")
            }
            Some(name) => name,
            None if kind == "note" => format!("generated_note_name_{number}"),
            None => {
                self.problem(
                    number,
                    "name",
                    "câu hỏi hoặc nhóm không có tên",
                    "the question or group has no name",
                );
                // The block is opened all the same, so that its end finds it.
                if !matches!(row_type, RowType::Begin(_)) {
                    return;
                }
                format!("unnamed_{number}")
            }
        };
        if !audit {
            self.check_name(number, &name);
        }
        match row_type {
            RowType::Begin(block) => self.begin(row, name, block),
            RowType::Question(kind) => {
                if let Some(node) = self.question(row, name, kind, None, false) {
                    if kind == QuestionType::Audit { self.meta.push(node) } else { self.push(node) }
                }
            }
            RowType::Select { kind, list, from_file, or_other } => {
                self.select(row, name, kind, list, from_file, or_other);
            }
            RowType::Osm { list } => {
                if let Some(mut node) = self.question(row, name, QuestionType::Osm, None, false) {
                    if let (Some(list), Body::Question(question)) = (list, &mut node.body) {
                        question.parameters.insert("tags".to_owned(), list);
                    }
                    self.push(node);
                }
            }
            RowType::External { prefix, ending } => {
                let source = format!("jr://{prefix}/{name}.{ending}");
                let position = position(number);
                self.questionnaire.external_instances.push(ExternalInstance { name, source, position });
            }
            RowType::SelectWithoutList => self.problem(
                number,
                "type",
                format!("`{kind}` cần tên danh sách, ví dụ `{kind} dan_toc`"),
                format!("`{kind}` needs the name of its list, as in `{kind} yes_no`"),
            ),
            RowType::Unknown => {
                let near =
                    Questionnaire::nearest(types::spellings(), kind.split(' ').next().unwrap_or(&kind))
                        .or_else(|| Questionnaire::nearest(types::spellings(), &kind));
                self.problems.push(
                    Problem::new(
                        "survey",
                        format!("không có kiểu câu hỏi `{kind}`"),
                        format!("`{kind}` is not a question type"),
                    )
                    .row(number)
                    .column("type")
                    .suggest(near),
                );
            }
            RowType::End(_) | RowType::Setting(_) => {}
        }
    }

    /// XML name, not `meta`, no sibling of that name.
    fn check_name(&mut self, row: u32, name: &str) {
        if !is_xml_name(name) {
            let plain: String = name
                .chars()
                .map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' })
                .collect();
            let plain = if plain.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                plain
            } else {
                format!("_{plain}")
            };
            self.problems.push(
                Problem::new(
                    "survey",
                    format!("tên `{name}` phải bắt đầu bằng chữ cái hoặc `_` và không có dấu cách"),
                    format!("the name `{name}` must begin with a letter or `_` and hold no space"),
                )
                .row(row)
                .column("name")
                .suggest(Some(plain)),
            );
        }
        if name == "meta" {
            self.problem(
                row,
                "name",
                "tên `meta` đã dành cho chương trình",
                "the name `meta` is taken by the form itself",
            );
        }
        let Some(open) = self.stack.last_mut() else { return };
        let twice = !open.names.insert(name.to_owned());
        let alike = !open.lower_names.insert(name.to_lowercase());
        if twice {
            self.problem(
                row,
                "name",
                format!("tên `{name}` đã có trong cùng nhóm; hãy đặt tên khác"),
                format!("`{name}` stands already in the same group; give it another name"),
            );
        } else if alike {
            self.warn(
                row,
                "name",
                "tên chỉ khác một tên khác ở chữ hoa, chữ thường",
                "the name differs from another only in capital letters",
            );
        }
    }

    fn push(&mut self, node: Node) {
        if let Some(open) = self.stack.last_mut() {
            open.children.push(node);
        }
    }

    fn begin(&mut self, mut row: SurveyRow, name: String, block: Block) {
        let number = row.number;
        if self.stack.len() == DEEPEST {
            self.problem(
                number,
                "type",
                format!("nhóm lồng nhau quá {DEEPEST} tầng"),
                format!("groups are nested deeper than {DEEPEST}"),
            );
        }
        if block == Block::Repeat {
            let label_missing = row.wording.label.is_empty() && row.wording.media == Default::default();
            if label_missing {
                self.warn(number, "label", "nhóm lặp không có nhãn", "the repeat has no label");
            }
            if name == self.questionnaire.settings.root {
                self.problem(
                    number,
                    "name",
                    "nhóm lặp không được trùng tên nút gốc",
                    "a repeat cannot have the root's name",
                );
            }
        }
        if let Block::Loop { list } = &block {
            let known = list.as_ref().is_some_and(|list| self.questionnaire.choice_lists.contains_key(list));
            if !known {
                self.problem(
                    number,
                    "type",
                    "`begin loop over` cần tên một danh sách của trang choices",
                    "`begin loop over` needs the name of a list of the choices sheet",
                );
            }
        }
        let count = row.count.take().map(|count| {
            if single_reference(&count).is_some() {
                return count;
            }
            let mut counter = blank(format!("{name}_count"), QuestionType::Calculate, number);
            counter.logic.readonly = Some("true()".to_owned());
            counter.logic.calculation = Some(count);
            let reference = format!("${{{}}}", counter.name);
            self.push(counter);
            reference
        });
        let mut children = Vec::new();
        let words: Vec<&str> = row.appearance.as_deref().unwrap_or_default().split_whitespace().collect();
        if words.contains(&"table-list") {
            let others = words.into_iter().filter(|word| *word != "table-list");
            row.appearance = Some(std::iter::once("field-list").chain(others).collect::<Vec<_>>().join(" "));
            self.table_list = Some(None);
            if !row.wording.label.is_empty() || !row.wording.hint.is_empty() {
                let mut heading =
                    blank(format!("generated_table_list_label_{number}"), QuestionType::Note, number);
                heading.logic.readonly = Some("true()".to_owned());
                heading.wording.label = std::mem::take(&mut row.wording.label);
                heading.wording.hint = std::mem::take(&mut row.wording.hint);
                children.push(heading);
            }
        }
        let sealed = self.sealed(&row, block == Block::Group);
        let body = match block {
            Block::Repeat => Body::Repeat(Repeat { count, children: Vec::new() }),
            Block::Group | Block::Loop { .. } => Body::Group(Group { sealed, children: Vec::new() }),
        };
        let node = self.node(row, name, body);
        self.stack.push(Open { block: Some(block), node: Some(node), children, row: number, ..Open::root() });
    }

    fn sealed(&mut self, row: &SurveyRow, may_be: bool) -> bool {
        match row.sealed.as_deref() {
            None | Some("no") => false,
            Some("yes") if may_be => true,
            Some("yes") => {
                self.problem(
                    row.number,
                    "bind::ln:sealed",
                    "chỉ nhóm (begin_group) mới niêm phong được",
                    "only a group (begin_group) can be sealed",
                );
                false
            }
            Some(_) => {
                self.problem(
                    row.number,
                    "bind::ln:sealed",
                    "phải là `yes` hoặc để trống",
                    "must be `yes` or empty",
                );
                false
            }
        }
    }

    fn end(&mut self, row: &SurveyRow, block: &Block) {
        if row.attributes.bind.contains_key(SAVE_TO) {
            self.problem(
                row.number,
                "save_to",
                "nhóm không ghi vào danh sách được",
                "a group cannot be saved to a list",
            );
        }
        let matches =
            self.stack.last().and_then(|open| open.block.as_ref()).map(Block::name) == Some(block.name());
        if !matches || self.stack.len() < 2 {
            let open = self.stack.last().filter(|open| open.block.is_some());
            let (vietnamese, english) = match open
                .and_then(|open| open.block.as_ref().map(|block| (block.name(), open.row)))
            {
                Some((name, at)) => {
                    (format!("; đang mở là {name} ở dòng {at}"), format!("; open is the {name} of row {at}"))
                }
                None => (String::new(), String::new()),
            };
            let name = block.name();
            self.problem(
                row.number,
                "type",
                format!("kết thúc {name} không có mở đầu{vietnamese}"),
                format!("this end of a {name} has no beginning{english}"),
            );
            return;
        }
        self.table_list = None;
        self.close();
    }

    /// Puts the innermost open block into the one around it.
    fn close(&mut self) {
        let Some(Open { block, node: Some(mut node), children, row, .. }) = self.stack.pop() else { return };
        // Refused where it began.
        if self.stack.len() >= DEEPEST {
            return;
        }
        match (&mut node.body, block) {
            (Body::Group(group), Some(Block::Loop { list })) => {
                let list = list.and_then(|list| self.questionnaire.choice_lists.get(&list));
                let mut choices = list.map_or(&[][..], |list| &list.choices);
                let nodes: usize = children.iter().map(count).sum();
                if nodes.saturating_mul(choices.len()) > MOST_LOOPED {
                    self.problems.push(
                        Problem::new(
                            "survey",
                            format!(
                                "vòng lặp này tạo ra hơn {MOST_LOOPED} câu; hãy dùng nhóm lặp (begin_repeat)"
                            ),
                            format!(
                                "this loop makes more than {MOST_LOOPED} questions; use a repeat instead"
                            ),
                        )
                        .row(row)
                        .column("type"),
                    );
                    choices = &[];
                }
                group.children = choices
                    .iter()
                    .filter(|choice| choice.name != "none")
                    .map(|choice| loops::turn(&children, choice))
                    .collect();
            }
            (Body::Group(group), _) => group.children = children,
            (Body::Repeat(repeat), _) => repeat.children = children,
            (Body::Question(_), _) => {}
        }
        self.push(node);
    }

    /// A node with everything of its row that all kinds of nodes have.
    fn node(&mut self, row: SurveyRow, name: String, body: Body) -> Node {
        let field = match row.vault.as_deref() {
            None => false,
            Some("field") => true,
            Some(other) => {
                self.problems.push(
                    Problem::new(
                        "survey",
                        format!("`{other}`: chỉ có giá trị `field`, hoặc để trống"),
                        format!("`{other}`: the only value is `field`; else leave it empty"),
                    )
                    .row(row.number)
                    .column("bind::ln:vault")
                    .suggest(Some("field")),
                );
                false
            }
        };
        let mut trigger = Vec::new();
        if let Some(text) = &row.trigger {
            let names: Result<Vec<_>, _> = text.split(',').map(|part| references(part)).collect();
            match names {
                Ok(names) if text.contains("${") && names.iter().all(|names| names.len() <= 1) => {
                    trigger.extend(names.iter().flatten().map(|reference| reference.name.to_owned()));
                }
                _ => self.problem(
                    row.number,
                    "trigger",
                    format!("`{text}` phải là `${{tên}}`, nhiều câu thì cách nhau bằng dấu phẩy"),
                    format!("`{text}` must be `${{name}}`, several parted by commas"),
                ),
            }
        }
        self.uses.triggers.extend(trigger.iter().map(|name| (row.number, name.clone())));
        let mut expressions = row.expressions;
        let mut take = |name: &str| expressions.shift_remove(name);
        Node {
            name,
            wording: row.wording,
            logic: Logic {
                relevant: take("relevant"),
                constraint: take("constraint"),
                required: take("required"),
                readonly: take("readonly"),
                calculation: take("calculate"),
                default: row.default,
                trigger,
            },
            appearance: row.appearance,
            attributes: row.attributes,
            field,
            position: position(row.number),
            body,
        }
    }

    fn question(
        &mut self,
        mut row: SurveyRow,
        name: String,
        kind: QuestionType,
        choices: Option<Choices>,
        from_file: bool,
    ) -> Option<Node> {
        let number = row.number;
        let parameters = match parameters::parse(&row.parameters) {
            Ok(parameters) => parameters,
            Err((vietnamese, english, _)) => {
                self.problem(number, "parameters", vietnamese, english);
                IndexMap::new()
            }
        };
        let appearance = row.appearance.as_deref().unwrap_or_default();
        let lists = &self.questionnaire.choice_lists;
        for (vietnamese, english, near) in parameters::check(kind, from_file, &parameters, appearance, lists)
        {
            self.problems.push(
                Problem::new("survey", vietnamese, english).row(number).column("parameters").suggest(near),
            );
        }
        if let Some(geometry) = parameters.get("reference-geometry") {
            self.uses.geometries.push((number, geometry.clone()));
        }
        self.sealed(&row, false);
        match kind {
            QuestionType::Image => {
                if let Some(default) =
                    row.default.as_mut().filter(|default| !default.contains("jr://images/"))
                {
                    default.insert_str(0, "jr://images/");
                }
                if !parameters.contains_key("max-pixels") {
                    self.warn(
                        number,
                        "parameters",
                        "nên đặt `max-pixels` để ảnh gửi nhanh hơn",
                        "set `max-pixels`, so that pictures are sent quickly",
                    );
                }
            }
            QuestionType::SimSerial | QuestionType::SubscriberId => self.warn(
                number,
                "type",
                "thiết bị mới không còn cho biết số này",
                "newer devices no longer tell this number",
            ),
            QuestionType::Calculate => {
                let dynamic = row.default.as_deref().is_some_and(|default| is_dynamic(default, kind));
                if !row.expressions.contains_key("calculate") && !dynamic {
                    self.problem(number, "calculation", "thiếu biểu thức tính", "the calculation is missing");
                }
            }
            QuestionType::BackgroundGeopoint => {
                if row.trigger.is_none() {
                    self.problem(
                        number,
                        "trigger",
                        "background-geopoint cần `trigger`",
                        "a background-geopoint needs a `trigger`",
                    );
                }
                if row.expressions.contains_key("calculate") {
                    self.problem(
                        number,
                        "calculation",
                        "background-geopoint không có biểu thức tính",
                        "a background-geopoint cannot have a calculation",
                    );
                }
            }
            _ => {}
        }
        let table = kind.row();
        if let Some(constraint) = table.constraint.filter(|_| !row.expressions.contains_key("constraint")) {
            row.expressions.insert("constraint".to_owned(), constraint.to_owned());
        }
        if let Some(hint) = table.hint.filter(|_| row.wording.hint.is_empty()) {
            row.wording.hint = Text::from([(UNTRANSLATED.to_owned(), hint.to_owned())]);
        }
        if kind == QuestionType::Note && !row.expressions.contains_key("readonly") {
            row.expressions.insert("readonly".to_owned(), "true()".to_owned());
        }
        let mut parameters = parameters;
        if choices.is_some() {
            parameters.clear();
        }
        let unlabelled = row.wording.label.is_empty();
        let filter = row.choice_filter.take().filter(|_| parameters.contains_key("reference-geometry"));
        let mut node = self.node(row, name, Body::Question(Question { kind, choices, parameters, filter }));
        if unlabelled && node.appearance.as_deref() == Some("label") {
            node.wording.label = Text::from([(UNTRANSLATED.to_owned(), " ".to_owned())]);
        }
        Some(node)
    }

    fn finish(mut self) -> Uses {
        while self.stack.len() > 1 {
            if let Some(open) = self.stack.last()
                && let Some(block) = &open.block
            {
                let (name, row) = (block.name(), open.row);
                self.problem(
                    row,
                    "type",
                    format!("{name} này không có dòng kết thúc; hãy thêm `end_{name}`"),
                    format!("this {name} has no end; add `end_{name}`"),
                );
            }
            self.close();
        }
        let nodes = self.stack.pop().map(|root| root.children).unwrap_or_default();
        let settings = &self.questionnaire.settings;
        if !settings.omit_instance_id {
            let mut id = blank("instanceID".to_owned(), QuestionType::InstanceId, 0);
            id.logic.readonly = Some("true()".to_owned());
            self.meta.push(id);
        }
        if let Some(expression) = &settings.instance_name {
            let mut name = blank("instanceName".to_owned(), QuestionType::InstanceName, 0);
            name.logic.calculation = Some(expression.clone());
            self.meta.push(name);
        }
        self.questionnaire.nodes = nodes;
        self.questionnaire.meta = self.meta;
        self.uses
    }
}

fn position(row: u32) -> Position {
    Position { sheet: "survey".to_owned(), row }
}

/// A node and all nodes in it.
fn count(node: &Node) -> usize {
    1 + node.children().iter().map(count).sum::<usize>()
}

/// A question with a name and a type only.
fn blank(name: String, kind: QuestionType, row: u32) -> Node {
    Node {
        name,
        wording: Wording::default(),
        logic: Logic::default(),
        appearance: None,
        attributes: Default::default(),
        field: false,
        position: position(row),
        body: Body::Question(Question { kind, choices: None, parameters: IndexMap::new(), filter: None }),
    }
}
