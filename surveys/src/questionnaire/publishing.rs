//! What keeps a form of a survey from being published, because it could carry answers across to
//! the field half or out of a sealed block (protection.md rule 8), and what a second person must
//! confirm first.

use std::collections::HashSet;

use super::references::references;
use super::{Body, Node, Outline, Place, Questionnaire, SAVE_TO};
use crate::question_type::QuestionType;
use crate::xlsform::Problem;

/// Names of the groups whose questions may be marked as field facts: the case, its visits, the
/// roster, consent, how the interview went, and the disposition.
pub const FIELD_BLOCKS: [&str; 9] =
    ["case", "visit", "roster", "selection", "consent", "consent_step", "progress", "result", "disposition"];

/// Everything that forbids publishing, in document order.
///
/// Expressions are judged by the names in them, whatever they do with the value: what a person
/// would have to argue about is refused.
pub fn refusals(questionnaire: &Questionnaire) -> Vec<Problem> {
    let outline = questionnaire.outline();
    let judge = Judge::new(&outline);
    let mut problems = Vec::new();
    for (index, place) in outline.places.iter().enumerate() {
        check_type(place, &mut problems);
        check_marks(&outline, index, &mut problems);
        for (column, text) in expressions(place.node) {
            judge.check(index, place, column, text, &mut problems);
        }
        for (column, text) in texts(place.node) {
            judge.check_seal(place, column, text, &mut problems);
        }
    }
    for entity in &questionnaire.entities {
        let expressions = [&entity.label, &entity.entity_id, &entity.create_if, &entity.update_if];
        for text in expressions.into_iter().flatten() {
            for target in judge.mentioned(text) {
                if judge.is_answer(target) {
                    let name = &outline.places[target].node.name;
                    problems.push(
                        Problem::new(
                            "entities",
                            format!("danh sách `{}` không được nhận câu trả lời `{name}`", entity.list_name),
                            format!("list `{}` must not take the answer `{name}`", entity.list_name),
                        )
                        .row(entity.position.row),
                    );
                }
            }
        }
    }
    problems
}

fn refuse(place: &Place<'_>, column: &str, vietnamese: String, english: String) -> Problem {
    let position = &place.node.position;
    if position.row == 0 {
        // Nodes of `meta` come from the settings.
        return Problem::new("settings", vietnamese, english).column(&place.node.name);
    }
    Problem::new(&position.sheet, vietnamese, english).row(position.row).column(column)
}

/// Pictures, sound, files and barcodes; a log of every change of an answer.
fn check_type(place: &Place<'_>, problems: &mut Vec<Problem>) {
    use QuestionType::{Audio, Audit, BackgroundAudio, Barcode, File, Image, Osm, Video};
    let Some(question) = place.node.question() else { return };
    if matches!(question.kind, Image | Audio | Video | File | Osm | Barcode | BackgroundAudio) {
        let name = question.kind.row().name;
        problems.push(refuse(
            place,
            "type",
            format!("cuộc khảo sát không được thu ảnh, âm thanh, tệp hay mã vạch (`{name}`)"),
            format!("a survey must not collect pictures, sound, files or barcodes (`{name}`)"),
        ));
    }
    if question.kind == Audit && question.parameters.get("track-changes").is_some_and(|value| value == "true")
    {
        problems.push(refuse(
            place,
            "parameters",
            "track-changes ghi lại cả câu trả lời; hãy bỏ".to_owned(),
            "track-changes logs the answers themselves; leave it out".to_owned(),
        ));
    }
}

/// Field marks and `save_to` on answers.
fn check_marks(outline: &Outline<'_>, index: usize, problems: &mut Vec<Problem>) {
    let place = &outline.places[index];
    let node = place.node;
    if node.attributes.bind.contains_key(SAVE_TO) && !place.field {
        problems.push(refuse(
            place,
            "save_to",
            "không được ghi câu trả lời vào danh sách".to_owned(),
            "an answer must not be saved to a list".to_owned(),
        ));
    }
    let mut around = std::iter::once(index).chain(outline.ancestors(index));
    let in_block = around.any(|index| FIELD_BLOCKS.contains(&outline.places[index].node.name.as_str()));
    let by_type = node.kind().is_some_and(QuestionType::is_metadata);
    if node.field && !in_block && !by_type {
        problems.push(refuse(
            place,
            "bind::ln:vault",
            format!(
                "`{}` không thuộc phần thực địa; chỉ các nhóm {} được đánh dấu",
                node.name,
                FIELD_BLOCKS.join(", ")
            ),
            format!(
                "`{}` is no field fact; only the groups {} may be marked",
                node.name,
                FIELD_BLOCKS.join(", ")
            ),
        ));
    }
    if place.field && place.sealed.is_some() && !by_type {
        problems.push(refuse(
            place,
            "bind::ln:vault",
            "phần niêm phong không được đánh dấu là thông tin thực địa".to_owned(),
            "a sealed block must not be marked as field facts".to_owned(),
        ));
    }
}

/// The expressions whose value or effect lands in the node, with their columns.
fn expressions(node: &Node) -> Vec<(&'static str, &str)> {
    let logic = &node.logic;
    let mut found: Vec<(&str, &str)> = Vec::new();
    let named = [
        ("relevant", &logic.relevant),
        ("constraint", &logic.constraint),
        ("required", &logic.required),
        ("readonly", &logic.readonly),
        ("calculation", &logic.calculation),
        ("default", &logic.default),
        ("appearance", &node.appearance),
    ];
    found.extend(named.into_iter().filter_map(|(column, text)| Some((column, text.as_deref()?))));
    if let Body::Repeat(repeat) = &node.body {
        found.extend(repeat.count.as_deref().map(|count| ("repeat_count", count)));
    }
    if let Some(question) = node.question() {
        found.extend(question.filter.as_deref().map(|filter| ("choice_filter", filter)));
        if let Some(choices) = &question.choices {
            found.extend(choices.filter.as_deref().map(|filter| ("choice_filter", filter)));
            if let super::ChoiceOrder::Random { seed: Some(seed) } = &choices.order {
                found.push(("parameters", seed));
            }
        }
    }
    let attributes = &node.attributes;
    for (column, list) in
        [("bind", &attributes.bind), ("control", &attributes.control), ("instance", &attributes.instance)]
    {
        found.extend(list.values().map(|text| (column, text.as_str())));
    }
    found
}

/// Labels, hints and messages.
fn texts(node: &Node) -> impl Iterator<Item = (&'static str, &str)> {
    let wording = &node.wording;
    let all = [
        ("label", &wording.label),
        ("hint", &wording.hint),
        ("guidance_hint", &wording.guidance_hint),
        ("constraint_message", &wording.constraint_message),
        ("required_message", &wording.required_message),
    ];
    all.into_iter().flat_map(|(column, text)| text.values().map(move |text| (column, text.as_str())))
}

struct Judge<'o, 'q> {
    outline: &'o Outline<'q>,
    names: HashSet<&'q str>,
}

impl<'o, 'q> Judge<'o, 'q> {
    fn new(outline: &'o Outline<'q>) -> Self {
        Self { outline, names: outline.places.iter().map(|place| place.node.name.as_str()).collect() }
    }

    /// Nodes that a text may read: by `${name}`, and by a step of a path with their name.
    fn mentioned(&self, text: &str) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut add = |name: &str| {
            for &index in self.outline.named(name) {
                if !found.contains(&index) {
                    found.push(index);
                }
            }
        };
        for reference in references(text).unwrap_or_default() {
            add(reference.name);
        }
        for (at, _) in text.match_indices('/') {
            let step = &text[at + 1..];
            let end = step
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
                .unwrap_or(step.len());
            if self.names.contains(&step[..end]) {
                add(&step[..end]);
            }
        }
        found
    }

    /// A question, or a group of questions, of the answer half.
    fn is_answer(&self, index: usize) -> bool {
        let place = &self.outline.places[index];
        !place.field && place.node.kind() != Some(QuestionType::Note)
    }

    fn check(&self, index: usize, place: &Place<'_>, column: &str, text: &str, problems: &mut Vec<Problem>) {
        if place.field {
            for target in
                self.mentioned(text).into_iter().filter(|&target| target != index && self.is_answer(target))
            {
                let (own, other) = (&place.node.name, &self.outline.places[target].node.name);
                problems.push(refuse(
                    place,
                    column,
                    format!("`{own}` là thông tin thực địa nên không được đọc câu trả lời `{other}`"),
                    format!("`{own}` is a field fact and must not read the answer `{other}`"),
                ));
            }
        }
        self.check_seal(place, column, text, problems);
    }

    /// Nothing outside a sealed block reads inside.
    fn check_seal(&self, place: &Place<'_>, column: &str, text: &str, problems: &mut Vec<Problem>) {
        for target in self.mentioned(text) {
            let target = &self.outline.places[target];
            if target.sealed.is_some() && target.sealed != place.sealed {
                let (own, other) = (&place.node.name, &target.node.name);
                problems.push(refuse(
                    place,
                    column,
                    format!("`{own}` không được đọc `{other}` trong phần niêm phong"),
                    format!("`{own}` must not read `{other}` inside a sealed block"),
                ));
            }
        }
    }
}

/// What wording may ask for that a second person must confirm, with the words that show it.
const PERSONAL: [(&str, &str, &[&str]); 8] = [
    ("họ tên", "a name", &["họ tên", "họ và tên", "tên đầy đủ", "tên của ông/bà", "full name", "your name"]),
    ("số điện thoại", "a telephone number", &["điện thoại", "telephone", "phone number", "mobile number"]),
    (
        "số định danh",
        "an identity number",
        &[
            "căn cước",
            "cccd",
            "cmnd",
            "chứng minh nhân dân",
            "số định danh",
            "identity number",
            "identity card",
            "id number",
        ],
    ),
    (
        "ngày sinh",
        "a birth date",
        &["ngày sinh", "ngày tháng năm sinh", "birth date", "date of birth", "birthday"],
    ),
    (
        "địa chỉ",
        "an exact address",
        &["địa chỉ", "số nhà", "home address", "street address", "exact address"],
    ),
    (
        "tôn giáo của bản thân",
        "one's own religion",
        &["tôn giáo của ông/bà", "theo tôn giáo nào", "theo đạo", "your religion"],
    ),
    ("đảng viên", "party membership", &["đảng viên", "party member"]),
    ("chữ ký", "a signature", &["chữ ký", "ký tên", "signature"]),
];

/// A sentence with these words forbids, and does not ask.
const FORBIDS: [&str; 7] =
    ["không ghi", "không hỏi", "không phải", "do not", "never write", "no names", "not an"];

/// Questions whose wording looks as if it asked for something personal: each needs a second
/// person's confirmation, with the reason kept. No refusal: the words may be harmless.
pub fn confirmations(questionnaire: &Questionnaire) -> Vec<Problem> {
    let outline = questionnaire.outline();
    let mut problems = Vec::new();
    for place in &outline.places {
        let answered = place.node.kind().is_some_and(|kind| kind.is_visible() && kind != QuestionType::Note);
        if !answered {
            continue;
        }
        let wording: String = texts(place.node)
            .filter(|(column, _)| matches!(*column, "label" | "hint"))
            .flat_map(|(_, text)| text.split(['.', ';', '!', '?', '\n']))
            .map(str::to_lowercase)
            .filter(|sentence| !FORBIDS.iter().any(|words| sentence.contains(words)))
            .collect::<Vec<_>>()
            .join("\n");
        for (vietnamese, english, words) in PERSONAL {
            if let Some(word) = words.iter().find(|word| wording.contains(**word)) {
                problems.push(refuse(
                    place,
                    "label",
                    format!("“{word}”: câu này có hỏi {vietnamese} không? Cần người thứ hai xác nhận, có ghi lý do"),
                    format!("“{word}”: does this ask for {english}? A second person must confirm it with a reason"),
                ));
            }
        }
    }
    problems
}
