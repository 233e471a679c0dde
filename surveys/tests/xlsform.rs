//! What reading a workbook promises: the tree it makes, and every problem at once with its place.

use surveys::question_type::QuestionType;
use surveys::questionnaire::{Body, ChoiceOrder, ChoiceSource, Node, Questionnaire, UNTRANSLATED};
use surveys::xlsform::{self, Problem};

fn form(markdown: &str) -> Questionnaire {
    match xlsform::read("form.md", markdown.as_bytes()) {
        Ok(read) => read.questionnaire,
        Err(problems) => panic!("the form should be readable: {}", lines(&problems)),
    }
}

fn problems(markdown: &str) -> Vec<Problem> {
    xlsform::read("form.md", markdown.as_bytes()).expect_err("the form should be refused")
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn node<'q>(questionnaire: &'q Questionnaire, path: &str) -> &'q Node {
    questionnaire.outline().at(path).expect("the node is there").node
}

fn paths(questionnaire: &Questionnaire) -> Vec<String> {
    questionnaire.outline().places.iter().map(|place| place.path.clone()).collect()
}

#[test]
fn groups_and_repeats_become_a_tree_in_document_order() {
    let form = form(
        "
        | survey |              |       |       |
        |        | type         | name  | label |
        |        | begin_group  | c     | Life  |
        |        | integer      | c1    | Age   |
        |        | begin repeat | child | Child |
        |        | text         | sex   | Sex   |
        |        | end repeat   |       |       |
        |        | end_group    |       |       |
        |        | note         | bye   | Bye   |
        ",
    );
    let expected =
        ["/data/c", "/data/c/c1", "/data/c/child", "/data/c/child/sex", "/data/bye", "/data/meta/instanceID"];
    assert_eq!(paths(&form), expected);
    assert!(node(&form, "/data/c/child").is_repeat());
    assert_eq!(node(&form, "/data/c/c1").kind(), Some(QuestionType::Integer));
    assert_eq!(node(&form, "/data/c/c1").position.to_string(), "survey sheet, row 3");
}

#[test]
fn texts_are_kept_by_language_and_a_bare_column_is_the_default_language() {
    let form = form(
        "
        | survey   |                           |      |       |                     |
        |          | type                      | name | label | label::English (en) |
        |          | text                      | a    | Tuổi  | Age                 |
        |          | text                      | b    | Tên   |                     |
        | settings |                           |
        |          | default_language          |
        |          | Tiếng Việt (vi)           |
        ",
    );
    let label = &node(&form, "/data/a").wording.label;
    assert_eq!(label.get_index(0), Some((&"Tiếng Việt (vi)".to_owned(), &"Tuổi".to_owned())));
    assert_eq!(label["English (en)"], "Age");
    assert_eq!(node(&form, "/data/b").wording.label[UNTRANSLATED], "Tên");
    let tags: Vec<&str> = form.languages.iter().map(|language| language.tag.as_str()).collect();
    assert_eq!(tags, ["vi", "en"]);
}

#[test]
fn selects_carry_their_list_filter_and_order() {
    let form = form(
        "
        | survey  |                            |      |       |                    |                           |
        |         | type                       | name | label | choice_filter      | parameters                |
        |         | integer                    | seed | Seed  |                    |                           |
        |         | select_one yn              | a    | A     | dir = ${seed}      | randomize=true, seed=${seed} |
        |         | select_multiple yn         | b    | B     |                    |                           |
        |         | rank yn                    | c    | C     |                    |                           |
        |         | select_one_from_file x.csv | d    | D     |                    | value=Ma label=Ten        |
        | choices |                            |      |       |                    |
        |         | list_name                  | name | label | dir                |
        |         | yn                         | 1    | Yes   | 1                  |
        |         | yn                         | 2    | No    | 2                  |
        ",
    );
    let choices =
        |path: &str| node(&form, path).question().and_then(|q| q.choices.clone()).expect("a select");
    let a = choices("/data/a");
    assert_eq!(a.source, ChoiceSource::List("yn".to_owned()));
    assert_eq!(a.filter.as_deref(), Some("dir = ${seed}"));
    assert_eq!(a.order, ChoiceOrder::Random { seed: Some("${seed}".to_owned()) });
    assert_eq!(choices("/data/b").order, ChoiceOrder::Given);
    let file = ChoiceSource::File {
        name: "x.csv".to_owned(),
        value: Some("Ma".to_owned()),
        label: Some("Ten".to_owned()),
    };
    assert_eq!(choices("/data/d").source, file);
    assert_eq!(form.choice_lists["yn"].choices[1].columns["dir"], "2");
}

#[test]
fn or_other_adds_a_choice_and_a_question() {
    let form = form(
        "
        | survey  |                        |      |       |
        |         | type                   | name | label |
        |         | select_one l or_other  | a    | A     |
        | choices |           |      |                     |
        |         | list_name | name | label::English (en) |
        |         | l         | 1    | One                 |
        ",
    );
    let codes: Vec<&str> = form.choice_lists["l"].choices.iter().map(|choice| choice.name.as_str()).collect();
    assert_eq!(codes, ["1", "other"]);
    let other = node(&form, "/data/a_other");
    assert_eq!(other.logic.relevant.as_deref(), Some("selected(../a, 'other')"));
}

#[test]
fn a_computed_repeat_count_becomes_a_calculate_before_the_repeat() {
    let form = form(
        "
        | survey |              |      |       |              |
        |        | type         | name | label | repeat_count |
        |        | integer      | n    | N     |              |
        |        | begin_repeat | r    | R     | ${n} + 1     |
        |        | text         | x    | X     |              |
        |        | end_repeat   |      |       |              |
        ",
    );
    assert_eq!(node(&form, "/data/r_count").logic.calculation.as_deref(), Some("${n} + 1"));
    let Body::Repeat(repeat) = &node(&form, "/data/r").body else { panic!("a repeat") };
    assert_eq!(repeat.count.as_deref(), Some("${r_count}"));
}

#[test]
fn field_marks_are_inherited_and_metadata_is_field_by_type() {
    let form = form(
        "
        | survey |             |         |       |                 |                  |
        |        | type        | name    | label | bind::ln:vault  | bind::ln:sealed  |
        |        | start       | start   |       |                 |                  |
        |        | begin_group | visit   | Visit | field           |                  |
        |        | text        | village | V     |                 |                  |
        |        | end_group   |         |       |                 |                  |
        |        | begin_group | k       | K     |                 | yes              |
        |        | text        | k1      | K1    |                 |                  |
        |        | end_group   |         |       |                 |                  |
        |        | geopoint    | place   | Place |                 |                  |
        |        | text        | opinion | O     |                 |                  |
        ",
    );
    let outline = form.outline();
    let field: Vec<bool> =
        ["/data/start", "/data/visit", "/data/visit/village", "/data/place", "/data/meta/instanceID"]
            .iter()
            .map(|path| outline.is_field(path))
            .collect();
    assert_eq!(field, [true; 5]);
    for path in ["/data/k", "/data/k/k1", "/data/k/ln_sealed", "/data/opinion", "/data/not_in_the_form"] {
        assert!(!outline.is_field(path), "{path}");
    }
    let sealed: Vec<&str> = outline.sealed_groups().map(|place| place.path.as_str()).collect();
    assert_eq!(sealed, ["/data/k"]);
    assert!(outline.at("/data/k/k1").is_some_and(|place| place.sealed == outline.find("/data/k")));
}

#[test]
fn every_problem_is_told_at_once_with_its_place_and_a_suggestion() {
    let found = problems(
        "
        | survey  |                |      |       |             |
        |         | type           | name | label | relevant    |
        |         | intger         | age  | Age   |             |
        |         | integer        | size | Size  |             |
        |         | text           | a b  | A     |             |
        |         | text           | c    | C     | ${sise} > 1 |
        |         | select_one yna | d    | D     |             |
        |         | text           | e    |       |             |
        |         | end_group      |      |       |             |
        | choices |                |      |       |
        |         | list_name      | name | label |
        |         | yn             | 1    | Yes   |
        |         | yn             | 1    | Ja    |
        ",
    );
    assert_eq!(
        lines(&found),
        "survey sheet, row 2, type: `intger` is not a question type; did you mean `integer`?\n\
         survey sheet, row 4, name: the name `a b` must begin with a letter or `_` and hold no space; \
         did you mean `a_b`?\n\
         survey sheet, row 5, relevant: `${sise}` is not a question; did you mean `${size}`?\n\
         survey sheet, row 6, type: the choices sheet has no list `yna`; did you mean `yn`?\n\
         survey sheet, row 7, label: question `e` has no label, hint or media\n\
         survey sheet, row 8, type: this end of a group has no beginning\n\
         choices sheet, row 3, name: `1` is already in list `yn`; give each choice its own name"
    );
    assert_eq!(
        found[2].vietnamese(),
        "trang survey, dòng 5, cột relevant: `${sise}` không phải là câu hỏi nào; có phải ý bạn là `${size}`?"
    );
}

#[test]
fn refused_is_what_pyxform_refuses() {
    let cases = [
        ("| text | a | A |\n| text | a | B |", "stands already in the same group"),
        ("| begin_group | g | G |\n| text | a | A |", "this group has no end"),
        ("| text | meta | A |", "is taken by the form itself"),
        ("| calculate | a | |", "the calculation is missing"),
        ("| select_one | a | A |", "needs the name of its list"),
        ("| begin_repeat | data | R |\n| text | a | A |\n| end_repeat | | |", "cannot have the root's name"),
        ("| | a | A |", "has no type"),
        ("| text | | A |", "has no name"),
        ("| text | a | ${b |", "is not a reference"),
    ];
    for (rows, expected) in cases {
        let rows = rows.lines().map(|row| format!("| {row}")).collect::<Vec<_>>().join("\n");
        let found = lines(&problems(&format!("| survey | | | |\n| | type | name | label |\n{rows}\n")));
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

#[test]
fn a_reference_to_two_questions_is_refused() {
    let found = problems(
        "
        | survey |             |      |       |          |
        |        | type        | name | label | relevant |
        |        | begin_group | g    | G     |          |
        |        | text        | a    | A     |          |
        |        | end_group   |      |       |          |
        |        | text        | a    | A     |          |
        |        | text        | b    | B     | ${a} = 1 |
        ",
    );
    assert_eq!(
        lines(&found),
        "survey sheet, row 6, relevant: `${a}` could mean 2 nodes: give each its own name"
    );
}

#[test]
fn csv_and_markdown_give_the_same_form() {
    let markdown = "
        | survey  |               |      |                |
        |         | type          | name | label          |
        |         | select_one yn | a    | Yes, \"or\" no |
        | choices |               |      |                |
        |         | list_name     | name | label          |
        |         | yn            | 1    | Có             |
        ";
    let csv = "\u{feff}\"survey\",,,\r\n,type,name,label\r\n,select_one yn,a,\"Yes, \"\"or\"\" no\"\r\n\
               choices,,,\r\n,list_name,name,label\r\n,yn,1,Có\r\n";
    let from_csv = xlsform::read("form.csv", csv.as_bytes()).expect("the csv is a form").questionnaire;
    assert_eq!(from_csv, form(markdown));
}

#[test]
fn broken_files_are_refused_with_one_clear_message() {
    let message = |name: &str, bytes: &[u8]| lines(&xlsform::read(name, bytes).expect_err("no form"));
    assert!(message("a.xlsx", b"no workbook").contains("the workbook cannot be opened"));
    assert!(message("a.xls", b"").contains("the workbook cannot be opened"));
    assert!(message("a.csv", b"survey\n\xff").contains("not UTF-8"));
    assert!(message("a.pdf", b"").contains("only .xlsx, .xls, .csv, .md, or an XForm .xml"));
    assert!(
        message("a.md", "| servey | type |\n| | text |\n| other | x |".as_bytes())
            .contains("no sheet `survey`")
    );
}

#[test]
fn warnings_do_not_refuse() {
    let read = xlsform::read(
        "form.md",
        "
        | survey |              |      |                     |                |
        |        | type         | name | label::English (en) | label::Français |
        |        | begin_repeat | r    |                     |                |
        |        | text         | a    | A                   |                |
        |        | end_repeat   |      |                     |                |
        |        | text         | b    | B                   | B              |
        "
        .as_bytes(),
    )
    .expect("warnings are no problems");
    let warnings = lines(&read.warnings);
    assert!(warnings.contains("row 2, label: the repeat has no label"), "{warnings}");
    assert!(warnings.contains("translations into Français are missing: 1"), "{warnings}");
    assert!(warnings.contains("language `Français` has no tag"), "{warnings}");
}

#[test]
fn cells_of_a_workbook_are_read_as_people_see_them() -> Result<(), rust_xlsxwriter::XlsxError> {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet().set_name("Survey")?;
    for (column, header) in (0_u16..).zip(["type", "name", "label", "default", "required"]) {
        sheet.write_string(0, column, header)?;
    }
    for (row, kind) in (1_u32..).zip(["integer", "date", "text"]) {
        sheet.write_string(row, 0, kind)?;
        sheet.write_string(row, 1, format!("q{row}"))?;
        sheet.write_string(row, 2, "A\u{a0}b   c ‘d’ ")?;
    }
    sheet.write_number(1, 3, 7.0)?;
    sheet.write_boolean(1, 4, true)?;
    let day = rust_xlsxwriter::ExcelDateTime::from_ymd(2026, 1, 31)?;
    sheet.write_datetime_with_format(
        2,
        3,
        &day,
        &rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd"),
    )?;
    sheet.write_number(3, 3, 0.5)?;
    // A forgotten cell in the last corner of the sheet costs nothing and means nothing.
    sheet.write_string(1_048_575, 16_383, "x")?;
    let bytes = workbook.save_to_buffer()?;
    let form = xlsform::read("form.xlsx", &bytes).expect("a form").questionnaire;
    let default = |path: &str| node(&form, path).logic.default.clone().unwrap_or_default();
    assert_eq!(default("/data/q1"), "7");
    assert_eq!(default("/data/q2"), "2026-01-31 00:00:00");
    assert_eq!(default("/data/q3"), "0.5");
    assert_eq!(node(&form, "/data/q1").logic.required.as_deref(), Some("true()"));
    assert_eq!(node(&form, "/data/q1").wording.label[UNTRANSLATED], "A b c 'd'");
    assert_eq!(form.settings.form_id, "form");
    Ok(())
}
