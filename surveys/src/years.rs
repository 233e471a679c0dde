//! One questionnaire beside that of another year: what was added, dropped, reworded or recoded, and
//! which trends stay comparable. A question is the same over the years by its name.
//!
//! The judgement is strict: a trend is comparable only where the wording in every shared language,
//! the type, who is asked, and the meaning of every code are the same. A person may know better;
//! the concordance says why the program did not.

use indexmap::IndexMap;
use serde::Serialize;

use crate::question_type::Stored;
use crate::questionnaire::{ChoiceSource, Outline, Place, Questionnaire, Text, UNTRANSLATED};

/// What happened to a question, or to a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Added,
    Dropped,
    /// Label or hint in a language that both years have.
    Reworded,
    /// Codes of its choices, or what they mean.
    Recoded,
    /// Another type of question.
    Retyped,
    /// Other people are asked.
    Universe,
    /// Other choices are offered to some.
    Filter,
}

impl Kind {
    /// In Vietnamese and English.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Added => ("thêm", "added"),
            Self::Dropped => ("bỏ", "dropped"),
            Self::Reworded => ("sửa lời", "reworded"),
            Self::Recoded => ("đổi mã", "recoded"),
            Self::Retyped => ("đổi kiểu", "retyped"),
            Self::Universe => ("đổi người được hỏi", "universe changed"),
            Self::Filter => ("đổi lọc lựa chọn", "choice filter changed"),
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub question: String,
    pub kind: Kind,
    pub vietnamese: String,
    pub english: String,
}

/// A line of the concordance: one code of one question, or a question without codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Concordance {
    pub question: String,
    /// `None` where the question has no codes, or the code is new.
    pub old_code: Option<String>,
    /// `None` where the question has no codes, or the code is gone.
    pub new_code: Option<String>,
    /// In the default language of its year.
    pub old_label: String,
    pub new_label: String,
    /// Whether the trend of this question, and for a code of this code, may be drawn on.
    pub comparable: bool,
    /// Why not; empty where comparable.
    pub reason_vi: String,
    pub reason_en: String,
}

/// Both years.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// In the order of the new form; dropped questions last, in the order of the old one.
    pub changes: Vec<Change>,
    pub concordance: Vec<Concordance>,
}

/// Compares an older questionnaire with a newer one. Notes, device facts and `meta` are left out.
pub fn compare(old: &Questionnaire, new: &Questionnaire) -> Comparison {
    let (old_outline, new_outline) = (old.outline(), new.outline());
    let (before, after) = (items(&old_outline), items(&new_outline));
    let mut comparison = Comparison { changes: Vec::new(), concordance: Vec::new() };
    for (name, new) in &after {
        match before.get(name) {
            Some(old) => comparison.pair(name, old, new),
            None => comparison.lone(name, new, Kind::Added),
        }
    }
    for (name, old) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
        comparison.lone(name, old, Kind::Dropped);
    }
    comparison
}

/// A question as far as years compare it.
struct Item<'q> {
    kind: &'static str,
    /// By column and language tag.
    wording: IndexMap<(&'static str, String), String>,
    label: String,
    universe: Vec<String>,
    filter: Option<&'q str>,
    /// Labels by language tag, by code; a code that is listed twice counts once.
    codes: IndexMap<&'q str, IndexMap<String, String>>,
}

impl Item<'_> {
    fn code_label(&self, code: &str) -> String {
        self.codes.get(code).and_then(|labels| labels.values().next()).cloned().unwrap_or_default()
    }
}

/// Questions that store an answer, by name; by path where a name is used twice.
fn items<'q>(outline: &Outline<'q>) -> IndexMap<String, Item<'q>> {
    let mut items = IndexMap::new();
    let questionnaire = outline.questionnaire;
    let meta = format!("/{}/meta/", questionnaire.settings.root);
    for (index, place) in outline.places.iter().enumerate() {
        let Some(question) = place.node.question() else { continue };
        let row = question.kind.row();
        if row.stored == Stored::Nothing || row.preload.is_some() || place.path.starts_with(&meta) {
            continue;
        }
        let mut wording = IndexMap::new();
        for (column, text) in [("label", &place.node.wording.label), ("hint", &place.node.wording.hint)] {
            for (tag, text) in by_tag(questionnaire, text) {
                wording.insert((column, tag), text);
            }
        }
        let mut codes: IndexMap<&str, IndexMap<String, String>> = IndexMap::new();
        let choices = question.choices.as_ref();
        let list = choices.and_then(|choices| match &choices.source {
            ChoiceSource::List(list) => questionnaire.choice_lists.get(list),
            ChoiceSource::External(list) => questionnaire.external_choice_lists.get(list),
            ChoiceSource::File { .. } | ChoiceSource::Answers(_) => None,
        });
        for choice in list.into_iter().flat_map(|list| &list.choices) {
            codes.entry(&choice.name).or_insert_with(|| by_tag(questionnaire, &choice.label));
        }
        let label = by_tag(questionnaire, &place.node.wording.label).into_values().next();
        let around = outline.ancestors(index).map(|at| &outline.places[at]);
        let universe = std::iter::once(place).chain(around).filter_map(condition).collect();
        let name = &place.node.name;
        let key = if outline.named(name).len() > 1 { place.path.clone() } else { name.clone() };
        items.insert(
            key,
            Item {
                kind: row.name,
                wording,
                label: label.unwrap_or_default(),
                universe,
                filter: choices.and_then(|choices| choices.filter.as_deref()),
                codes,
            },
        );
    }
    items
}

fn condition(place: &Place<'_>) -> Option<String> {
    place.node.logic.relevant.as_deref().map(spaced)
}

/// Texts by tag of the language; one without a language belongs to the default one, which is first.
fn by_tag(questionnaire: &Questionnaire, text: &Text) -> IndexMap<String, String> {
    let default = questionnaire.tag(questionnaire.default_language()).to_owned();
    let mut out = IndexMap::new();
    for (language, text) in text {
        let tag =
            if language == UNTRANSLATED { default.clone() } else { questionnaire.tag(language).to_owned() };
        out.insert(tag, text.clone());
    }
    if let Some(at) = out.get_index_of(&default) {
        out.move_index(at, 0);
    }
    out
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What does not count in a wording: spaces, and letters in capitals.
fn plain(text: &str) -> String {
    spaced(text).to_lowercase()
}

/// Whether two labels of a code say the same in every language that both have, at least one.
fn same_meaning(old: &IndexMap<String, String>, new: &IndexMap<String, String>) -> bool {
    let shared: Vec<bool> =
        old.iter().filter_map(|(tag, old)| new.get(tag).map(|new| plain(old) == plain(new))).collect();
    shared.iter().all(|same| *same) && (!shared.is_empty() || (old.is_empty() && new.is_empty()))
}

impl Comparison {
    fn change(&mut self, question: &str, kind: Kind, vietnamese: String, english: String) {
        self.changes.push(Change { question: question.to_owned(), kind, vietnamese, english });
    }

    /// A question of one year only.
    fn lone(&mut self, name: &str, item: &Item<'_>, kind: Kind) {
        self.change(name, kind, format!("“{}”", item.label), format!("“{}”", item.label));
        let added = kind == Kind::Added;
        let (reason_vi, reason_en) = match added {
            true => ("câu hỏi mới", "the question is new"),
            false => ("câu hỏi đã bỏ", "the question was dropped"),
        };
        let codes: Vec<Option<&str>> = if item.codes.is_empty() {
            vec![None]
        } else {
            item.codes.keys().map(|code| Some(*code)).collect()
        };
        for code in codes {
            let label = code.map_or_else(|| item.label.clone(), |code| item.code_label(code));
            let code = code.map(str::to_owned);
            let (old_code, new_code) = if added { (None, code) } else { (code, None) };
            let (old_label, new_label) = if added { (String::new(), label) } else { (label, String::new()) };
            self.concordance.push(Concordance {
                question: name.to_owned(),
                old_code,
                new_code,
                old_label,
                new_label,
                comparable: false,
                reason_vi: reason_vi.to_owned(),
                reason_en: reason_en.to_owned(),
            });
        }
    }

    fn pair(&mut self, name: &str, old: &Item<'_>, new: &Item<'_>) {
        let before = self.changes.len();
        for ((column, tag), was) in &old.wording {
            let Some(is) = new.wording.get(&(*column, tag.clone())) else { continue };
            if plain(was) != plain(is) {
                let text = format!("{column} ({tag}): “{was}” → “{is}”");
                self.change(name, Kind::Reworded, text.clone(), text);
            }
        }
        if old.kind != new.kind {
            let text = format!("{} → {}", old.kind, new.kind);
            self.change(name, Kind::Retyped, text.clone(), text);
        }
        if old.universe != new.universe {
            let told = |universe: &[String], everyone: &str| match universe {
                [] => everyone.to_owned(),
                conditions => format!("`{}`", conditions.join("` `")),
            };
            self.change(
                name,
                Kind::Universe,
                format!("{} → {}", told(&old.universe, "mọi người"), told(&new.universe, "mọi người")),
                format!("{} → {}", told(&old.universe, "everyone"), told(&new.universe, "everyone")),
            );
        }
        if old.filter.map(spaced) != new.filter.map(spaced) {
            let text = format!("`{}` → `{}`", old.filter.unwrap_or_default(), new.filter.unwrap_or_default());
            self.change(name, Kind::Filter, text.clone(), text);
        }
        let whole: Vec<Kind> = self.changes[before..].iter().map(|change| change.kind).collect();
        self.codes(name, old, new, &whole);
    }

    /// Codes of a question of both years. `whole`: what sets the whole question apart.
    fn codes(&mut self, name: &str, old: &Item<'_>, new: &Item<'_>, whole: &[Kind]) {
        let mut told = whole.to_vec();
        told.dedup();
        let words = |pick: fn((&'static str, &'static str)) -> &'static str| {
            told.iter().map(|kind| pick(kind.words())).collect::<Vec<_>>().join("; ")
        };
        let (whole_vi, whole_en) = (words(|(vi, _)| vi), words(|(_, en)| en));
        let line = |old_code: Option<&str>, new_code: Option<&str>, own: Option<(&str, &str)>| {
            let label = |item: &Item<'_>, code: Option<&str>, other: Option<&str>| match (code, other) {
                (Some(code), _) => item.code_label(code),
                (None, Some(_)) => String::new(),
                (None, None) => item.label.clone(),
            };
            let join = |whole: &str, own: Option<&str>| {
                [Some(whole).filter(|whole| !whole.is_empty()), own]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("; ")
            };
            Concordance {
                question: name.to_owned(),
                old_code: old_code.map(str::to_owned),
                new_code: new_code.map(str::to_owned),
                old_label: label(old, old_code, new_code),
                new_label: label(new, new_code, old_code),
                comparable: whole.is_empty() && own.is_none(),
                reason_vi: join(&whole_vi, own.map(|(vi, _)| vi)),
                reason_en: join(&whole_en, own.map(|(_, en)| en)),
            }
        };
        if old.codes.is_empty() && new.codes.is_empty() {
            self.concordance.push(line(None, None, None));
            return;
        }
        // A code that kept its meaning stays; another one goes where its meaning went.
        let mut taken: Vec<&str> = Vec::new();
        let mut lines: Vec<(Option<&str>, Option<&str>)> = Vec::new();
        let kept = |code: &str| matches!((old.codes.get(code), new.codes.get(code)), (Some(a), Some(b)) if same_meaning(a, b));
        for (code, labels) in &old.codes {
            let moved = || {
                let free = new.codes.iter().filter(|(other, _)| !kept(other));
                let mut same = free.filter(|(_, other)| same_meaning(labels, other) && !labels.is_empty());
                same.next().map(|(other, _)| *other)
            };
            let target = if kept(code) { Some(*code) } else { moved() };
            let target = target.filter(|target| !taken.contains(target));
            taken.extend(target);
            lines.push((Some(code), target));
        }
        lines.extend(new.codes.keys().filter(|code| !taken.contains(code)).map(|code| (None, Some(*code))));
        let lost = lines.iter().any(|(old, new)| old.is_none() || new.is_none());
        for (old_code, new_code) in lines {
            match (old_code, new_code) {
                (Some(from), Some(to)) if from != to => {
                    let label = old.code_label(from);
                    let text = format!("{from} → {to} “{label}”");
                    self.change(name, Kind::Recoded, text.clone(), text);
                }
                (Some(from), None) => {
                    let label = old.code_label(from);
                    let reused = new.codes.contains_key(from);
                    let now = new.code_label(from);
                    let (vi, en) = match reused {
                        true => (
                            format!("{from}: “{label}” nay là “{now}”"),
                            format!("{from}: “{label}” is now “{now}”"),
                        ),
                        false => {
                            (format!("bỏ mã {from} “{label}”"), format!("code {from} “{label}” dropped"))
                        }
                    };
                    self.change(name, Kind::Recoded, vi, en);
                }
                (None, Some(to)) if !old.codes.contains_key(to) => {
                    let label = new.code_label(to);
                    self.change(
                        name,
                        Kind::Recoded,
                        format!("thêm mã {to} “{label}”"),
                        format!("code {to} “{label}” added"),
                    );
                }
                _ => {}
            }
            let own = match (old_code, new_code) {
                (Some(_), None) => {
                    Some(("mã này không còn nghĩa ấy ở năm sau", "no code means this in the later year"))
                }
                (None, Some(_)) => {
                    Some(("mã này chưa có nghĩa ấy ở năm trước", "no code meant this in the earlier year"))
                }
                // Where answers have come or gone, the shares of all others move.
                _ if lost => {
                    Some(("các lựa chọn khác đã thêm hoặc bớt", "other choices were added or dropped"))
                }
                _ => None,
            };
            self.concordance.push(line(old_code, new_code, own));
        }
    }
}

/// The concordance as CSV, with a header line; UTF-8, comma, LF.
pub fn concordance_csv(lines: &[Concordance]) -> String {
    let quoted = |text: &str| {
        if text.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let mut out =
        String::from("question,old_code,new_code,old_label,new_label,comparable,reason_vi,reason_en\n");
    for line in lines {
        let cells = [
            line.question.as_str(),
            line.old_code.as_deref().unwrap_or_default(),
            line.new_code.as_deref().unwrap_or_default(),
            &line.old_label,
            &line.new_label,
            if line.comparable { "yes" } else { "no" },
            &line.reason_vi,
            &line.reason_en,
        ];
        out.push_str(&cells.map(quoted).join(","));
        out.push('\n');
    }
    out
}
