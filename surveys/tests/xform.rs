//! What the XForm of a questionnaire says. Agreement with pyxform is tested in tests/reference.

use surveys::{xform, xlsform};

/// The form as XForm, each element on its own line without indentation.
fn convert(markdown: &str) -> String {
    let read = xlsform::read("form.md", markdown.as_bytes()).expect("a form");
    xform::write(&read.questionnaire).expect("an XForm")
}

/// Whether an element with these attributes and parts is there, whatever else it has.
fn holds(xml: &str, parts: &[&str]) -> bool {
    xml.lines().any(|line| parts.iter().all(|part| line.contains(part)))
}

#[track_caller]
fn assert_holds(xml: &str, parts: &[&str]) {
    assert!(holds(xml, parts), "{parts:?} is missing in\n{xml}");
}

#[test]
fn expressions_are_relative_inside_one_repeat_and_absolute_elsewhere() {
    let xml = convert(
        "
        | survey |              |      |       |            |                  |
        |        | type         | name | label | relevant   | calculation      |
        |        | integer      | n    | N     |            |                  |
        |        | begin_repeat | r    | R     |            |                  |
        |        | integer      | age  | Age   |            |                  |
        |        | begin_group  | g    | G     |            |                  |
        |        | text         | job  | Job   | ${age} > 5 and ${n} > 1 | |
        |        | end_group    |      |       |            |                  |
        |        | end_repeat   |      |       |            |                  |
        |        | calculate    | sum  |       |            | sum(${age})      |
        ",
    );
    assert_holds(
        &xml,
        &["nodeset=\"/data/r/g/job\"", "relevant=\" ../../age  &gt; 5 and  /data/n  &gt; 1\""],
    );
    assert_holds(&xml, &["nodeset=\"/data/sum\"", "calculate=\"sum( /data/r/age )\""]);
}

#[test]
fn choice_filters_start_at_current_inside_a_repeat() {
    let xml = convert(
        "
        | survey  |              |      |       |                             |                            |
        |         | type         | name | label | choice_filter               | parameters                 |
        |         | begin_repeat | r    | R     |                             |                            |
        |         | integer      | p    | P     |                             |                            |
        |         | select_one l | q    | Q     | parent = ${p}               | randomize=true seed=${p}   |
        |         | end_repeat   |      |       |                             |                            |
        | choices |              |      |       |                             |
        |         | list_name    | name | label | parent                      |
        |         | l            | 1    | One   | 7                           |
        ",
    );
    let nodeset = "nodeset=\"randomize(instance('l')/root/item[parent =  current()/../p ], ../p)\"";
    assert_holds(&xml, &["<itemset", nodeset]);
    assert_holds(&xml, &["<parent>7</parent>"]);
}

#[test]
fn a_repeat_has_a_template_and_one_instance() {
    let xml = convert(
        "
        | survey |              |       |       |         |
        |        | type         | name  | label | default |
        |        | begin_repeat | outer | O     |         |
        |        | begin_repeat | inner | I     |         |
        |        | text         | x     | X     | a b     |
        |        | end_repeat   |       |       |         |
        |        | end_repeat   |       |       |         |
        ",
    );
    let flat: String = xml.lines().map(str::trim).collect();
    let expected = "<outer jr:template=\"\"><inner jr:template=\"\"><x>a b</x></inner></outer>\
                    <outer><inner><x>a b</x></inner></outer>";
    assert!(flat.contains(expected), "{flat}");
}

#[test]
fn an_expression_as_default_is_set_at_first_load_and_in_each_new_repeat() {
    let xml = convert(
        "
        | survey |              |      |       |            |
        |        | type         | name | label | default    |
        |        | begin_repeat | r    | R     |            |
        |        | date         | a    | A     | today()    |
        |        | date         | b    | B     | 2026-01-31 |
        |        | end_repeat   |      |       |            |
        ",
    );
    assert_holds(
        &xml,
        &["<setvalue", "event=\"odk-instance-first-load\"", "ref=\"/data/r/a\"", "value=\"today()\""],
    );
    assert_holds(&xml, &["<setvalue", "event=\"odk-new-repeat\"", "ref=\"/data/r/a\""]);
    assert_holds(&xml, &["<b>2026-01-31</b>"]);
    assert!(!holds(&xml, &["<setvalue", "/data/r/b"]));
}

#[test]
fn a_trigger_sets_the_value_where_it_changes() {
    let xml = convert(
        "
        | survey |           |      |       |             |         |
        |        | type      | name | label | calculation | trigger |
        |        | text      | a    | A     |             |         |
        |        | calculate | at   |       | now()       | ${a}    |
        ",
    );
    assert_holds(
        &xml,
        &["<setvalue", "event=\"xforms-value-changed\"", "ref=\"/data/at\"", "value=\"now()\""],
    );
    assert!(!holds(&xml, &["<bind", "/data/at", "calculate="]));
}

#[test]
fn translated_texts_go_to_itext_and_a_missing_one_is_a_hyphen() {
    let xml = convert(
        "
        | survey   |                  |      |                        |                     |                    |
        |          | type             | name | label::Tiếng Việt (vi) | label::English (en) | constraint_message |
        |          | text             | a    | Xin chào ${b}          | Hello ${b}          | Sai                |
        |          | text             | b    | Tên                    |                     |                    |
        | settings |                  |
        |          | default_language |
        |          | Tiếng Việt (vi)  |
        ",
    );
    assert_holds(&xml, &["<translation", "lang=\"Tiếng Việt (vi)\"", "default=\"true()\""]);
    assert_holds(&xml, &["<value>Xin chào <output value=\" /data/b \"/></value>"]);
    assert_holds(&xml, &["<value>-</value>"]);
    assert_holds(&xml, &["<label ref=\"jr:itext('/data/a:label')\"/>"]);
    assert_holds(&xml, &["jr:constraintMsg=\"Sai\""]);
}

#[test]
fn sealed_groups_end_in_a_node_for_the_sealed_bytes() {
    let xml = convert(
        "
        | survey |             |      |       |                 |                |
        |        | type        | name | label | bind::ln:sealed | bind::ln:vault |
        |        | text        | v    | V     |                 | field          |
        |        | begin_group | k    | K     | yes             |                |
        |        | text        | k1   | K1    |                 |                |
        |        | end_group   |      |       |                 |                |
        ",
    );
    assert_holds(&xml, &["<h:html", "xmlns:ln=\"urn:langnghe:xform\""]);
    let flat: String = xml.lines().map(str::trim).collect();
    assert!(flat.contains("<k><k1/><ln_sealed/></k>"), "{flat}");
    assert_holds(&xml, &["<bind", "nodeset=\"/data/k\"", "ln:sealed=\"yes\""]);
    assert_holds(&xml, &["<bind", "nodeset=\"/data/k/ln_sealed\"", "type=\"string\""]);
    assert_holds(&xml, &["<bind", "nodeset=\"/data/v\"", "ln:vault=\"field\""]);
    assert!(!holds(&xml, &["ref=\"/data/k/ln_sealed\""]));
}

#[test]
fn settings_reach_the_root_the_head_and_the_meta_block() {
    let xml = convert(
        "
        | survey   |         |            |         |       |               |
        |          | type    | name       | label   |       |               |
        |          | text    | a          | A & <B> |       |               |
        | settings |         |            |         |       |               |
        |          | form_id | form_title | version | style | instance_name |
        |          | ks      | Khảo sát   | 3       | pages | ${a}          |
        ",
    );
    assert_holds(&xml, &["<h:title>Khảo sát</h:title>"]);
    assert_holds(&xml, &["<data", "id=\"ks\"", "version=\"3\""]);
    assert_holds(&xml, &["<h:body class=\"pages\">"]);
    assert_holds(&xml, &["<bind", "nodeset=\"/data/meta/instanceID\"", "jr:preload=\"uid\""]);
    assert_holds(&xml, &["<bind", "nodeset=\"/data/meta/instanceName\"", "calculate=\" /data/a \""]);
    assert_holds(&xml, &["<label>A &amp; &lt;B&gt;</label>"]);
}

#[test]
fn the_same_form_gives_the_same_bytes() {
    let form = "| survey | | | |\n| | type | name | label |\n| | text | a | A |\n";
    assert_eq!(convert(form), convert(form));
}

#[test]
fn a_reference_that_an_edit_has_broken_is_an_error_and_no_form() {
    let markdown = "| survey | | | | |\n| | type | name | label | relevant |\n\
                    | | text | a | A | |\n| | text | b | B | ${a} = 1 |\n";
    let mut form = xlsform::read("form.md", markdown.as_bytes()).expect("a form").questionnaire;
    form.nodes.remove(0);
    let problems = xform::write(&form).expect_err("`a` is gone");
    assert_eq!(problems[0].to_string(), "survey sheet, row 3, relevant: `${a}` is not a question");
}

#[test]
fn an_entity_stands_in_the_repeat_whose_answers_it_saves() {
    let xml = convert(
        "
        | survey   |              |        |       |         |
        |          | type         | name   | label | save_to |
        |          | begin_repeat | tree   | Tree  |         |
        |          | text         | kind   | Kind  | species |
        |          | end_repeat   |        |       |         |
        | entities |              |        |       |         |
        |          | list_name    | label  |       |         |
        |          | trees        | ${kind} |      |         |
        ",
    );
    let flat: String = xml.lines().map(str::trim).collect();
    let entity = "<meta><entity dataset=\"trees\" create=\"1\" id=\"\"><label/></entity></meta>";
    assert!(
        flat.contains(&format!("<tree jr:template=\"\"><kind/>{entity}</tree><tree><kind/>{entity}</tree>")),
        "{flat}"
    );
    assert_holds(&xml, &["<model", "entities:entities-version=\"2025.1.0\""]);
    assert_holds(&xml, &["nodeset=\"/data/tree/kind\"", "entities:saveto=\"species\""]);
    assert_holds(&xml, &["nodeset=\"/data/tree/meta/entity/label\"", "calculate=\" ../../../kind \""]);
    for event in ["odk-instance-first-load", "odk-new-repeat"] {
        assert_holds(&xml, &["<setvalue", "ref=\"/data/tree/meta/entity/@id\"", event, "value=\"uuid()\""]);
    }
}

#[test]
fn external_choices_go_into_itemsets_csv() {
    let form = |external: &str| {
        let text = format!(
            "| survey | | | | |\n| | type | name | label | choice_filter |\n| | text | p | P | |\n{external}"
        );
        xlsform::read("form.md", text.as_bytes()).expect("a form").questionnaire
    };
    assert_eq!(xform::itemsets(&form("")), None);
    let with = form(
        "| | select_one_external xa | x | X | tinh = ${p} |\n\
         | external_choices | | | | |\n| | list_name | name | label | tinh |\n\
         | | xa | 1 | Xã \"A\" | 02 |\n| | xa | 2 | Xã B | 04 |\n",
    );
    assert_eq!(
        xform::itemsets(&with).expect("the form needs one"),
        "\"list_name\",\"name\",\"label\",\"tinh\"\n\"xa\",\"1\",\"Xã \"\"A\"\"\",\"02\"\n\"xa\",\"2\",\"Xã B\",\"04\"\n"
    );
}
