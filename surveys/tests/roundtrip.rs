//! A questionnaire written as a workbook reads to the same questionnaire.

use serde_json::Value;
use surveys::questionnaire::Questionnaire;
use surveys::xlsform;

/// The questionnaire without the rows that its nodes stood in: shortcuts are written out.
fn without_positions(questionnaire: &Questionnaire) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.shift_remove("position");
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut value = serde_json::to_value(questionnaire).expect("the model is data");
    strip(&mut value);
    value
}

#[track_caller]
fn assert_comes_back(markdown: &str) {
    let form = xlsform::read("form.md", markdown.as_bytes()).expect("a form").questionnaire;
    let workbook = xlsform::write(&form).expect("a workbook");
    let again = xlsform::read("form.xlsx", &workbook).expect("the workbook is a form").questionnaire;
    assert_eq!(without_positions(&again), without_positions(&form));
    assert_eq!(xlsform::write(&form).expect("a workbook"), workbook, "the same form gives the same bytes");
}

#[test]
fn questions_texts_and_logic_come_back() {
    assert_comes_back(
        "
        | survey   |                      |       |                        |                     |      |                |             |          |          |                   |
        |          | type                 | name  | label::Tiếng Việt (vi) | label::English (en) | hint | relevant       | constraint  | required | default  | bind::odk:x       |
        |          | start                | start |                        |                     |      |                |             |          |          |                   |
        |          | integer              | age   | Tuổi                   | Age                 | năm  |                | . >= 18     | yes      | 20       | 1                 |
        |          | text                 | name_ | Tên ${age}             |                     |      | ${age} > 20    |             |          |          |                   |
        |          | note                 |       | Xin chào               | Hello               |      |                |             |          |          |                   |
        |          | date                 | day   | Ngày                   | Day                 |      |                |             |          | today()  |                   |
        |          | phone number         | digit | Số                     | Digits              |      |                |             |          |          |                   |
        |          | audit                |       |                        |                     |      |                |             |          |          |                   |
        | settings |                      |       |                        |                     |
        |          | default_language     | form_title | form_id | version | namespaces                 | attribute::a:b |
        |          | Tiếng Việt (vi)      | Phiếu      | p       | 2       | a=\"http://example.org/a\" | c              |
        ",
    );
}

#[test]
fn groups_repeats_and_our_own_marks_come_back() {
    assert_comes_back(
        "
        | survey |              |      |       |              |                |                 |            |
        |        | type         | name | label | repeat_count | bind::ln:vault | bind::ln:sealed | appearance |
        |        | begin_group  | case | Case  |              | field          |                 |            |
        |        | integer      | n    | N     |              |                |                 |            |
        |        | begin_repeat | r    | R     | ${n} + 1     |                |                 |            |
        |        | text         | x    | X     |              |                |                 |            |
        |        | end_repeat   |      |       |              |                |                 |            |
        |        | end_group    |      |       |              |                |                 |            |
        |        | begin_group  | k    | K     |              |                | yes             | field-list |
        |        | text         | k1   | K1    |              |                |                 |            |
        |        | end_group    |      |       |              |                |                 |            |
        ",
    );
}

#[test]
fn selects_of_every_kind_come_back() {
    assert_comes_back(
        "
        | survey           |                              |       |       |                 |                         |
        |                  | type                         | name  | label | choice_filter   | parameters              |
        |                  | select_one l or_other        | a     | A     |                 |                         |
        |                  | select_multiple l            | b     | B     | x = 1           | randomize=true seed=7   |
        |                  | rank l                       | c     | C     |                 |                         |
        |                  | select_one_from_file f.csv   | d     | D     | y = ${a}        | value=v label=w         |
        |                  | select_one_external e        | f     | F     | state = ${a}    |                         |
        |                  | begin_repeat                 | r     | R     |                 |                         |
        |                  | text                         | who   | Who   |                 |                         |
        |                  | end_repeat                   |       |       |                 |                         |
        |                  | select_one ${who}            | head  | Head  |                 |                         |
        |                  | csv-external                 | towns |       |                 |                         |
        |                  | range                        | g     | G     |                 | start=0 end=1 step=0.1  |
        | choices          |                              |       |       |                 |
        |                  | list_name                    | name  | label | x               | media::image            |
        |                  | l                            | 1     | One   | 1               | one.png                 |
        |                  | l                            | 2     | Two   | 2               |                         |
        | external_choices |                              |       |       |                 |
        |                  | list_name                    | name  | state |
        |                  | e                            | x     | 1     |
        ",
    );
}

#[test]
fn loops_tables_triggers_and_entities_come_back() {
    assert_comes_back(
        "
        | survey   |                   |         |                 |             |         |            |         |
        |          | type              | name    | label           | calculation | trigger | appearance | save_to |
        |          | begin loop over l | each    |                 |             |         |            |         |
        |          | text              | q       | About %(label)s |             |         |            |         |
        |          | end loop          |         |                 |             |         |            |         |
        |          | begin_group       | table   | Table           |             |         | table-list |         |
        |          | select_one l      | t1      | T1              |             |         |            |         |
        |          | select_one l      | t2      | T2              |             |         |            |         |
        |          | end_group         |         |                 |             |         |            |         |
        |          | text              | source  | Source          |             |         |            | what    |
        |          | calculate         | changed |                 | now()       | ${source} |          |         |
        | choices  |                   |         |                 |
        |          | list_name         | name    | label           |
        |          | l                 | one     | One             |
        |          | l                 | two     | Two             |
        | entities |                   |         |                 |
        |          | list_name         | label   |
        |          | things            | ${source} |
        ",
    );
}
