//! `itemsets.csv`: the lists of `select_one_external`, which ODK Collect reads beside the form.

use indexmap::IndexSet;

use crate::questionnaire::{Choice, Questionnaire, UNTRANSLATED};

/// The file's text where the form needs one: a header, then one line a choice, every cell in
/// quotes, as pyxform writes it. Labels by language stand under `label::Language`.
pub fn itemsets(questionnaire: &Questionnaire) -> Option<String> {
    let lists = &questionnaire.external_choice_lists;
    if lists.is_empty() {
        return None;
    }
    let cells = |list: &str, choice: &Choice| {
        let mut cells =
            vec![("list_name".to_owned(), list.to_owned()), ("name".to_owned(), choice.name.clone())];
        for (language, label) in &choice.label {
            let header =
                if language == UNTRANSLATED { "label".to_owned() } else { format!("label::{language}") };
            cells.push((header, label.clone()));
        }
        cells.extend(choice.columns.iter().map(|(name, value)| (name.clone(), value.clone())));
        cells
    };
    let rows: Vec<Vec<(String, String)>> = lists
        .iter()
        .flat_map(|(list, choices)| choices.choices.iter().map(move |choice| cells(list, choice)))
        .collect();
    let headers: IndexSet<&str> = rows.iter().flatten().map(|(header, _)| header.as_str()).collect();
    let line = |cells: Vec<&str>| {
        let quoted: Vec<String> =
            cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        format!("{}\n", quoted.join(","))
    };
    let mut out = line(headers.iter().copied().collect());
    for row in &rows {
        let cell = |header: &&str| row.iter().find(|(own, _)| own == header).map_or("", |(_, value)| value);
        out.push_str(&line(headers.iter().map(cell).collect()));
    }
    Some(out)
}
