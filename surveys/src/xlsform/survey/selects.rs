//! Rows of selects: where the choices come from, `or_other`, `table-list` and chance.

use super::{Reader, SurveyRow, blank};
use crate::question_type::QuestionType;
use crate::questionnaire::references::single_reference;
use crate::questionnaire::{
    Body, Choice, ChoiceOrder, ChoiceSource, Choices, Questionnaire, Text, UNTRANSLATED,
};
use crate::xlsform::types::{self, RowType};
use crate::xlsform::{Problem, parameters};

impl Reader<'_> {
    pub(super) fn select(
        &mut self,
        mut row: SurveyRow,
        name: String,
        kind: QuestionType,
        list: String,
        from_file: bool,
        or_other: bool,
    ) {
        let number = row.number;
        let ending =
            list.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map_or("", |(_, ending)| ending);
        let is_file = matches!(ending, "xml" | "csv" | "geojson");
        let parameters = parameters::parse(&row.parameters).unwrap_or_default();
        let source = if kind == QuestionType::SelectOneExternal {
            self.check_external_list(&row, &list);
            ChoiceSource::External(list.clone())
        } else if from_file && (!is_file || list.matches('.').count() != 1) {
            self.problem(
                number,
                "type",
                format!("`{list}` phải có đuôi .csv, .xml hoặc .geojson"),
                format!("`{list}` must end in .csv, .xml or .geojson"),
            );
            return;
        } else if is_file {
            let column = |key: &str| parameters.get(key).cloned();
            ChoiceSource::File { name: list.clone(), value: column("value"), label: column("label") }
        } else if let Some(question) = single_reference(&list) {
            self.uses.references.push((number, "type".to_owned(), list.clone()));
            ChoiceSource::Answers(question.to_owned())
        } else {
            if !self.check_list(number, &list, kind) {
                return;
            }
            ChoiceSource::List(list.clone())
        };
        if or_other {
            let own_list = matches!(source, ChoiceSource::List(_));
            if row.choice_filter.is_some() {
                self.problem(
                    number,
                    "choice_filter",
                    "or_other không dùng cùng choice_filter được",
                    "or_other cannot stand with a choice_filter",
                );
            } else if !own_list {
                self.problem(
                    number,
                    "type",
                    "or_other cần một danh sách của trang choices",
                    "or_other needs a list of the choices sheet",
                );
            }
        }
        if let Some(table) = self.table_list.clone() {
            match table {
                None => {
                    if row.choice_filter.is_some() {
                        self.problem(
                            number,
                            "choice_filter",
                            "table-list không dùng cùng choice_filter được",
                            "table-list cannot stand with a choice_filter",
                        );
                    }
                    self.table_list = Some(Some(list.clone()));
                    let name = format!("reserved_name_for_field_list_labels_{number}");
                    let mut header = blank(name, kind, number);
                    header.appearance = Some("label".to_owned());
                    header.wording.label = Text::from([(UNTRANSLATED.to_owned(), " ".to_owned())]);
                    if let Body::Question(question) = &mut header.body {
                        let order = ChoiceOrder::Given;
                        question.choices = Some(Choices { source: source.clone(), filter: None, order });
                    }
                    self.push(header);
                }
                Some(table) if table != list => self.problem(
                    number,
                    "type",
                    format!("các câu trong table-list phải dùng chung danh sách `{table}`"),
                    format!("all questions of a table-list share one list, here `{table}`"),
                ),
                Some(_) => {}
            }
            row.appearance = Some("list-nolabel".to_owned());
        }
        let order = match parameters.get("randomize").map(String::as_str) {
            Some("true") => {
                let seed = parameters.get("seed").cloned();
                if let Some(seed) = seed.as_ref().filter(|seed| seed.contains("${")) {
                    self.uses.references.push((number, "parameters".to_owned(), seed.clone()));
                }
                ChoiceOrder::Random { seed }
            }
            _ => ChoiceOrder::Given,
        };
        let choices = Choices { source, filter: row.choice_filter.take(), order };
        let other = or_other.then(|| {
            let mut other = blank(format!("{name}_other"), QuestionType::Text, number);
            other.wording.label = Text::from([(UNTRANSLATED.to_owned(), "Specify other.".to_owned())]);
            other.logic.relevant = Some(format!("selected(../{name}, 'other')"));
            other.field = row.vault.as_deref() == Some("field");
            other
        });
        if let Some(node) = self.question(row, name, kind, Some(choices), from_file) {
            self.push(node);
        }
        if let Some(other) = other {
            self.push(other);
        }
    }

    fn check_external_list(&mut self, row: &SurveyRow, list: &str) {
        if row.choice_filter.is_none() {
            self.warn(
                row.number,
                "choice_filter",
                "select_one_external chỉ có ích khi có choice_filter",
                "select_one_external is meant for filtered selects",
            );
        }
        if !self.questionnaire.external_choice_lists.contains_key(list) {
            self.problem(
                row.number,
                "type",
                format!("trang external_choices không có danh sách `{list}`"),
                format!("the external_choices sheet has no list `{list}`"),
            );
        }
    }

    /// Whether a list is there; for select_multiple also that no code holds a space.
    fn check_list(&mut self, row: u32, list: &str, kind: QuestionType) -> bool {
        let Some(choices) = self.questionnaire.choice_lists.get(list) else {
            let near =
                Questionnaire::nearest(self.questionnaire.choice_lists.keys().map(String::as_str), list);
            let problem = Problem::new(
                "survey",
                format!("trang choices không có danh sách `{list}`"),
                format!("the choices sheet has no list `{list}`"),
            );
            self.problems.push(problem.row(row).column("type").suggest(near));
            return false;
        };
        let spaced: Vec<_> = choices.choices.iter().filter(|choice| choice.name.contains(' ')).collect();
        if kind == QuestionType::SelectMultiple {
            for choice in spaced {
                self.problems.push(
                    Problem::new(
                        "choices",
                        format!("mã `{}` của câu chọn nhiều không được có dấu cách", choice.name),
                        format!("`{}` is used in a select_multiple, so it cannot hold a space", choice.name),
                    )
                    .row(choice.position.row)
                    .column("name")
                    .suggest(Some(choice.name.replace(' ', "_"))),
                );
            }
        }
        true
    }

    /// Adds `other` to the list of a row with `or_other`, in every language of the list. All
    /// questions with that list share it.
    pub(super) fn share_other(&mut self, row: &SurveyRow) {
        let Some(RowType::Select { list, or_other: true, .. }) = row.kind.as_deref().map(types::parse) else {
            return;
        };
        if row.choice_filter.is_some() {
            return;
        }
        let Some(list) = self.questionnaire.choice_lists.get_mut(&list) else { return };
        if list.choices.iter().any(|choice| choice.name == "other") {
            return;
        }
        let mut label = Text::new();
        for language in list.choices.iter().flat_map(|choice| choice.label.keys()) {
            if language != UNTRANSLATED {
                label.insert(language.clone(), "Other".to_owned());
            }
        }
        if label.is_empty() {
            label.insert(UNTRANSLATED.to_owned(), "Other".to_owned());
        }
        let position = list.choices.last().map(|choice| choice.position.clone()).unwrap_or_default();
        list.choices.push(Choice { name: "other".to_owned(), label, position, ..Choice::default() });
    }
}
