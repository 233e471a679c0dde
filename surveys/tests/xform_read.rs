//! An XForm read and written again is the same document; what a questionnaire cannot hold is refused.

use serde_json::Value;
use surveys::form::Compiled;
use surveys::question_type::QuestionType;
use surveys::{xform, xlsform};

/// Forms whose documents do not come back byte for byte, and why.
const DIFFERENT: [(&str, &str); 0] = [];

/// What a questionnaire in Markdown gives after XForm → model → XForm, beside the first document.
fn there_and_back(name: &str, bytes: &[u8]) -> Option<(String, Result<String, String>)> {
    let form = xlsform::read(name, bytes).ok()?.questionnaire;
    let first = xform::write(&form).ok()?;
    let told = |problems: Vec<xlsform::Problem>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let again = xform::read(first.as_bytes())
        .map_err(told)
        .and_then(|read| xform::write(&read.questionnaire).map_err(told));
    Some((first, again))
}

fn parted(first: &str, again: &Result<String, String>) -> Option<String> {
    let again = match again {
        Err(problems) => return Some(problems.clone()),
        Ok(again) => again,
    };
    if first == again {
        return None;
    }
    let lines = first.lines().zip(again.lines()).find(|(a, b)| a != b);
    Some(lines.map_or_else(|| "one is longer".to_owned(), |(a, b)| format!("\n  first {a}\n  again {b}")))
}

#[test]
fn the_corpus_comes_back_byte_for_byte_or_the_reason_is_listed() {
    let corpus: Vec<Value> =
        serde_json::from_str(include_str!("pyxform/forms.json")).expect("the corpus is JSON");
    let mut compared = 0;
    let mut different = Vec::new();
    for form in &corpus {
        let name = form["name"].as_str().expect("each form has a name");
        let Some((first, again)) =
            there_and_back("form.md", form["form"].as_str().expect("a form").as_bytes())
        else {
            continue;
        };
        compared += 1;
        let parted = parted(&first, &again);
        if parted.is_some() != DIFFERENT.iter().any(|(listed, _)| *listed == name) {
            different.push(format!(
                "{name}: {}",
                parted.unwrap_or_else(|| "comes back, though listed".to_owned())
            ));
        }
    }
    assert!(compared > 400, "the corpus is there");
    assert!(different.is_empty(), "{} of {compared} forms:\n{}", different.len(), different.join("\n"));
}

#[test]
fn the_bundled_questionnaires_come_back_and_run() {
    for (name, bytes) in [
        ("questionnaire.xlsx", &include_bytes!("../instruments/2026/questionnaire.xlsx")[..]),
        ("listing.xlsx", &include_bytes!("../instruments/2026/listing.xlsx")[..]),
    ] {
        let (first, again) = there_and_back(name, bytes).expect("the form is valid");
        assert_eq!(parted(&first, &again), None, "{name}");
        let from_xlsform = xlsform::read(name, bytes).expect("valid").questionnaire;
        let from_xform = xform::read(first.as_bytes()).expect("valid").questionnaire;
        let compiled = |form| Compiled::new(form).expect("it runs").items.len();
        assert_eq!(compiled(&from_xform), compiled(&from_xlsform), "{name}");
        let fields = |form: &surveys::questionnaire::Questionnaire| {
            form.outline().places.iter().map(|place| (place.path.clone(), place.field)).collect::<Vec<_>>()
        };
        assert_eq!(fields(&from_xform), fields(&from_xlsform), "{name}: the same halves");
    }
}

/// A form with this model behind its primary instance and this body.
fn form(instance: &str, rest: &str, body: &str) -> String {
    format!(
        "<h:html xmlns=\"http://www.w3.org/2002/xforms\" xmlns:h=\"http://www.w3.org/1999/xhtml\" \
         xmlns:jr=\"http://openrosa.org/javarosa\"><h:head><h:title>T</h:title><model>\
         <instance><data id=\"f\">{instance}</data></instance>{rest}</model></h:head>\
         <h:body>{body}</h:body></h:html>"
    )
}

#[test]
fn paths_in_texts_become_names() {
    let read = xform::read(
        form(
            "<age/><q/>",
            "<bind nodeset=\"/data/age\" type=\"int\"/><bind nodeset=\"/data/q\" type=\"string\" relevant=\" /data/age  > 17\"/>",
            "<input ref=\"/data/age\"><label>Age</label></input>\
             <input ref=\"/data/q\"><label>At <output value=\"/data/age\"/>?</label></input>",
        )
        .as_bytes(),
    )
    .expect("a form")
    .questionnaire;
    assert_eq!(read.nodes[0].kind(), Some(QuestionType::Integer));
    assert_eq!(read.nodes[1].logic.relevant.as_deref(), Some("${age} > 17"));
    assert_eq!(read.nodes[1].wording.label[""], "At ${age}?");
}

#[track_caller]
fn assert_refused(xml: &str, words: &str) {
    let problems = xform::read(xml.as_bytes()).expect_err("refused");
    assert!(problems.iter().any(|problem| problem.to_string().contains(words)), "{problems:?}");
}

#[test]
fn what_a_questionnaire_cannot_hold_is_refused_with_its_line() {
    assert_refused("<a>", "not closed");
    assert_refused("<!DOCTYPE a [<!ENTITY b \"c\">]><a/>", "refused");
    assert_refused("<a/>", "no ODK XForm");
    assert_refused(
        &form("<q/>", "", "<input ref=\"/data/q\"><label>A <output value=\"1 + 1\"/></label></input>"),
        "xform sheet, row 1: the text shows the expression `1 + 1`",
    );
    assert_refused(
        &form(
            "<q/>",
            "",
            "<select1 ref=\"/data/q\"><label>A</label><itemset nodeset=\"instance('a')/b/c\"><value ref=\"v\"/><label ref=\"l\"/></itemset></select1>",
        ),
        "choices come from nowhere",
    );
    assert_refused(&form("<q/>", "", "<input ref=\"/data/q\"/><input ref=\"/data/q\"/>"), "two controls");
}
