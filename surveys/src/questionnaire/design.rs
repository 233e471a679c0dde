//! What a designer should look at before a form is used: scales without a way out, unbalanced
//! scales, two questions in one, questions that nobody can reach, missing translations, the length
//! of the interview, and expressions that the two engines read differently. Hints, never refusals.

use std::collections::HashSet;

use serde::Serialize;

use super::{Body, Choice, ChoiceSource, Node, Outline, Place, Question, Questionnaire, Text, UNTRANSLATED};
use crate::expression::{Expression, Reference};
use crate::question_type::{QuestionType, Stored};
use crate::xlsform::Problem;

/// Codes from here on are no steps of a scale: 96 does not apply, 97 other, 98 don't know, 99 refused.
const APART: u32 = 90;

/// All hints, in document order.
pub fn hints(questionnaire: &Questionnaire) -> Vec<Problem> {
    let outline = questionnaire.outline();
    let mut hints = Vec::new();
    let mut scales = HashSet::new();
    for (index, place) in outline.places.iter().enumerate() {
        if let Some(question) = place.node.question() {
            scale(questionnaire, place, question, &mut scales, &mut hints);
            two_in_one(questionnaire, place, question, &mut hints);
        }
        for (column, text) in expressions(place.node) {
            let Ok(expression) = Expression::parse(text.trim()) else { continue };
            for trap in expression.traps(column == "calculation") {
                hints.push(hint(place, column, trap.vietnamese, trap.english));
            }
            unknown_codes(&outline, place, column, &expression, &mut hints);
            if column == "relevant" {
                reach(&outline, index, &expression, &mut hints);
            }
        }
    }
    hints
}

fn hint(place: &Place<'_>, column: &str, vietnamese: String, english: String) -> Problem {
    let position = &place.node.position;
    Problem::new(&position.sheet, vietnamese, english).row(position.row).column(column)
}

fn expressions(node: &Node) -> Vec<(&'static str, &str)> {
    let logic = &node.logic;
    let choices = node.question().and_then(|question| question.choices.as_ref());
    let count = match &node.body {
        Body::Repeat(repeat) => repeat.count.as_deref(),
        Body::Question(_) | Body::Group(_) => None,
    };
    let all = [
        ("relevant", logic.relevant.as_deref()),
        ("constraint", logic.constraint.as_deref()),
        ("required", logic.required.as_deref()),
        ("readonly", logic.readonly.as_deref()),
        ("calculation", logic.calculation.as_deref()),
        ("choice_filter", choices.and_then(|choices| choices.filter.as_deref())),
        ("repeat_count", count),
    ];
    all.into_iter().filter_map(|(column, text)| Some((column, text?))).collect()
}

/// The choices that a select offers from a list of the form.
fn listed<'q>(questionnaire: &'q Questionnaire, question: &'q Question) -> Option<(&'q str, &'q [Choice])> {
    match &question.choices.as_ref()?.source {
        ChoiceSource::List(list) => Some((list, &questionnaire.choice_lists.get(list)?.choices)),
        ChoiceSource::External(_) | ChoiceSource::File { .. } | ChoiceSource::Answers(_) => None,
    }
}

/// A list coded 1…k with three steps or more, beside codes that stand apart.
fn scale(
    questionnaire: &Questionnaire,
    place: &Place<'_>,
    question: &Question,
    seen: &mut HashSet<String>,
    hints: &mut Vec<Problem>,
) {
    let Some((list, choices)) = listed(questionnaire, question) else { return };
    if question.kind != QuestionType::SelectOne || place.field || !seen.insert(list.to_owned()) {
        return;
    }
    let mut codes: Vec<(u32, &Text)> = Vec::new();
    for choice in choices {
        let Ok(code) = choice.name.parse() else { return };
        if !codes.iter().any(|(known, _)| *known == code) {
            codes.push((code, &choice.label));
        }
    }
    let (mut steps, apart): (Vec<_>, Vec<_>) = codes.into_iter().partition(|(code, _)| *code < APART);
    steps.sort_by_key(|(code, _)| *code);
    if steps.len() < 3 || !steps.iter().zip(1..).all(|((code, _), due)| *code == due) {
        return;
    }
    let has = |wanted: u32| apart.iter().any(|(code, _)| *code == wanted);
    let missing: Vec<(&str, &str)> = [
        (!has(98)).then_some(("98 “không biết”", "98 “don't know”")),
        (!has(99)).then_some(("99 “không muốn trả lời”", "99 “refused”")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !missing.is_empty() {
        let (vi, en): (Vec<&str>, Vec<&str>) = missing.into_iter().unzip();
        hints.push(hint(
            place,
            "type",
            format!("danh sách `{list}` thiếu {}; người không có ý kiến sẽ phải chọn bừa", vi.join(" và ")),
            format!("list `{list}` lacks {}; who has no answer must pick one", en.join(" and ")),
        ));
    }
    let signs: Vec<Option<i32>> = steps.iter().map(|(_, label)| sign(label)).collect();
    let count = |wanted: i32| signs.iter().filter(|sign| **sign == Some(wanted)).count();
    let (worse, better) = (count(-1), count(1));
    if worse > 0 && better > 0 && worse != better && signs.iter().all(Option::is_some) {
        hints.push(hint(
            place,
            "type",
            format!("thang đo `{list}` lệch: {worse} mức xấu, {better} mức tốt"),
            format!("scale `{list}` is unbalanced: {worse} negative steps, {better} positive"),
        ));
    }
}

/// -1, 0 or 1 as the label of a step sounds; nothing where its words say nothing.
fn sign(label: &Text) -> Option<i32> {
    const NEUTRAL: [&str; 7] =
        ["bình thường", "trung bình", "trung lập", "như cũ", "neither", "neutral", "average"];
    const WORSE: [&str; 21] = [
        // “Ít tin tưởng” is the lower half of its scale, though it names trust.
        "ít ",
        "chưa ",
        "little ",
        "không hài lòng",
        "không đồng ý",
        "không tốt",
        "không tin",
        "không công bằng",
        "không đáp ứng",
        "kém",
        "tệ",
        "xấu",
        "phản đối",
        "dissatisf",
        "disagree",
        "poor",
        "bad",
        "worse",
        "distrust",
        "unfair",
        "oppose",
    ];
    const BETTER: [&str; 14] = [
        "hài lòng",
        "đồng ý",
        "tốt",
        "tin tưởng",
        "công bằng",
        "đáp ứng",
        "ủng hộ",
        "satisf",
        "agree",
        "good",
        "better",
        "trust",
        "fair",
        "support",
    ];
    label.values().find_map(|text| {
        let text = text.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        match () {
            () if has(&NEUTRAL) => Some(0),
            () if has(&WORSE) => Some(-1),
            () if has(&BETTER) => Some(1),
            () => None,
        }
    })
}

/// A question that joins two things by a word or a stroke; what stands in brackets does not count.
fn two_in_one(
    questionnaire: &Questionnaire,
    place: &Place<'_>,
    question: &Question,
    hints: &mut Vec<Problem>,
) {
    const JOINS: [&str; 4] = [" và ", " hoặc ", " and ", " or "];
    if matches!(question.kind, QuestionType::Note) || !question.kind.is_visible() || place.field {
        return;
    }
    let label = &place.node.wording.label;
    let default = label.get(questionnaire.default_language()).or_else(|| label.get(UNTRANSLATED));
    let Some(label) = default.or_else(|| label.values().next()) else { return };
    let mut depth = 0_i32;
    let spoken: String = label
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth <= 0
        })
        .collect();
    let asked = spoken.split_inclusive(['.', '?', '!', '\n']).filter(|sentence| sentence.contains('?'));
    for sentence in asked {
        if let Some(join) = JOINS.iter().find(|join| sentence.to_lowercase().contains(**join)) {
            hints.push(hint(
                place,
                "label",
                format!(
                    "“{}”: câu này có hỏi hai điều một lúc không? Nếu có, hãy tách thành hai câu",
                    join.trim()
                ),
                format!("“{}”: does this ask two things at once? If so, split it", join.trim()),
            ));
            return;
        }
    }
}

/// Comparisons with a code that the select does not offer: they never hold.
fn unknown_codes(
    outline: &Outline<'_>,
    place: &Place<'_>,
    column: &str,
    expression: &Expression,
    hints: &mut Vec<Problem>,
) {
    for (name, value) in expression.compared() {
        let [target] = outline.named(&name) else { continue };
        let question = outline.places[*target].node.question();
        let Some((list, choices)) = question.and_then(|question| listed(outline.questionnaire, question))
        else {
            continue;
        };
        if !choices.iter().any(|choice| choice.name == value) {
            let codes = choices.iter().map(|choice| choice.name.as_str());
            let near = Questionnaire::nearest(codes, &value);
            hints.push(
                hint(
                    place,
                    column,
                    format!("`{name}` không bao giờ là `{value}`: danh sách `{list}` không có mã ấy"),
                    format!("`{name}` is never `{value}`: list `{list}` has no such code"),
                )
                .suggest(near),
            );
        }
    }
}

/// Conditions that never hold, and conditions on answers that are given later.
fn reach(outline: &Outline<'_>, index: usize, expression: &Expression, hints: &mut Vec<Problem>) {
    let place = &outline.places[index];
    if expression.is_never() {
        hints.push(hint(
            place,
            "relevant",
            "điều kiện này không bao giờ đúng: không ai được hỏi".to_owned(),
            "this condition never holds: nobody is asked".to_owned(),
        ));
        return;
    }
    let read: Vec<usize> = expression
        .references(&place.path)
        .into_iter()
        .filter_map(|reference| match reference {
            Reference::Question(name) => outline.resolve(&name).ok(),
            Reference::Path(path) => outline.find(&path),
            Reference::Instance(..) => None,
        })
        .collect();
    let asked = |at: usize| outline.places[at].node.kind().is_some_and(QuestionType::is_visible);
    if !read.is_empty() && read.iter().all(|&at| at > index && asked(at)) {
        let name = &outline.places[read[0]].node.name;
        hints.push(hint(
            place,
            "relevant",
            format!("chỉ đọc `{name}`, được hỏi sau câu này: khi hỏi đến đây điều kiện chưa biết"),
            format!("reads only `{name}`, which is asked later: the condition is not known here"),
        ));
    }
}

/// One text that a language lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingTranslation {
    pub sheet: String,
    pub row: u32,
    /// Name of the node, or `list/code` of a choice.
    pub name: String,
    /// `label`, `hint`, …
    pub column: String,
    /// As the form spells it.
    pub language: String,
}

/// Texts that some language has and another lacks, in document order. A text without a language
/// is the same in all.
pub fn missing_translations(questionnaire: &Questionnaire) -> Vec<MissingTranslation> {
    let mut missing = Vec::new();
    let mut look = |sheet: &str, row: u32, name: &str, column: &str, text: &Text| {
        if text.is_empty() || text.contains_key(UNTRANSLATED) {
            return;
        }
        for language in &questionnaire.languages {
            if text.get(&language.name).is_none_or(|text| text.trim().is_empty()) {
                missing.push(MissingTranslation {
                    sheet: sheet.to_owned(),
                    row,
                    name: name.to_owned(),
                    column: column.to_owned(),
                    language: language.name.clone(),
                });
            }
        }
    };
    for place in &questionnaire.outline().places {
        let (node, wording) = (place.node, &place.node.wording);
        for (column, text) in [
            ("label", &wording.label),
            ("hint", &wording.hint),
            ("guidance_hint", &wording.guidance_hint),
            ("media::image", &wording.media.image),
            ("media::big-image", &wording.media.big_image),
            ("media::audio", &wording.media.audio),
            ("media::video", &wording.media.video),
            ("constraint_message", &wording.constraint_message),
            ("required_message", &wording.required_message),
        ] {
            look(&node.position.sheet, node.position.row, &node.name, column, text);
        }
    }
    for (list, choices) in &questionnaire.choice_lists {
        for choice in &choices.choices {
            let name = format!("{list}/{}", choice.name);
            look(&choice.position.sheet, choice.position.row, &name, "label", &choice.label);
        }
    }
    missing
}

/// How long an interview takes, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Length {
    /// Only what everyone is asked.
    pub shortest: f64,
    /// Everything once; a repeat counts once.
    pub longest: f64,
}

/// Syllables read aloud in a minute, slowly; a rule of thumb to be replaced by timings of a pilot.
const SYLLABLES_A_MINUTE: f64 = 180.0;

/// A rough estimate: reading everything aloud in the default language, and time to answer by type.
/// Choices that stand apart (90 and over) are not read.
pub fn length(questionnaire: &Questionnaire) -> Length {
    let outline = questionnaire.outline();
    let mut length = Length { shortest: 0.0, longest: 0.0 };
    let default = questionnaire.default_language();
    let words = |text: &Text| {
        let text = text.get(default).or_else(|| text.values().next());
        text.map_or(0, |text| text.split_whitespace().count())
    };
    for (index, place) in outline.places.iter().enumerate() {
        let Some(question) = place.node.question().filter(|question| question.kind.is_visible()) else {
            continue;
        };
        let mut spoken = words(&place.node.wording.label) + words(&place.node.wording.hint);
        if let Some((_, choices)) = listed(questionnaire, question) {
            let mut read = HashSet::new();
            for choice in choices {
                let apart = choice.name.parse::<u32>().is_ok_and(|code| code >= APART);
                if !apart && read.insert(choice.name.as_str()) {
                    spoken += words(&choice.label);
                }
            }
        }
        let seconds = match question.kind.row().stored {
            Stored::Nothing => 0.0,
            Stored::Choice | Stored::Tick => 4.0,
            Stored::Choices => 8.0,
            Stored::Ranking => 20.0,
            Stored::Integer | Stored::Decimal | Stored::Date | Stored::Time | Stored::DateTime => 6.0,
            Stored::Text => 20.0,
            Stored::Place | Stored::File => 15.0,
        };
        let minutes = spoken as f64 / SYLLABLES_A_MINUTE + seconds / 60.0;
        length.longest += minutes;
        let mut around = std::iter::once(index).chain(outline.ancestors(index));
        if around.all(|at| outline.places[at].node.logic.relevant.is_none()) {
            length.shortest += minutes;
        }
    }
    length
}
