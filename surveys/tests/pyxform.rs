//! Agreement with pyxform 4.5.0 on our own corpus of small forms and on generated ones: the same
//! model instance, itext, binds, actions and body, and the same refusals. `pyxform/make.py` makes the
//! corpus, `pyxform/generate.py` forms by seed; 40 of these are kept in `generated.json`.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;
use surveys::{xform, xlsform};

#[path = "pyxform/environment.rs"]
mod environment;

/// Forms that we treat otherwise than pyxform, and why.
const DIFFERENT: [(&str, &str); 0] = [];

/// An element without what does not count: order of attributes and of itext, spaces at the ends.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    /// Texts and elements in turn, beginning with a text.
    texts: Vec<String>,
    children: Vec<Element>,
}

fn single_spaces(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn opened(start: &BytesStart<'_>) -> Element {
    let mut attributes: Vec<(String, String)> = start
        .attributes()
        .map(|attribute| {
            let attribute = attribute.expect("an attribute");
            let value = quick_xml::escape::unescape(&attribute.value).expect("known entities").into_owned();
            (attribute.key.as_ref().to_owned(), single_spaces(&value))
        })
        .filter(|(name, _)| !name.starts_with("xmlns:"))
        .collect();
    attributes.sort();
    Element {
        name: start.name().as_ref().to_owned(),
        attributes,
        texts: vec![String::new()],
        children: Vec::new(),
    }
}

fn parse(xml: &str) -> Element {
    let mut reader = Reader::from_str(xml);
    let mut stack = vec![Element { texts: vec![String::new()], ..Element::default() }];
    let close = |stack: &mut Vec<Element>| {
        let mut done = stack.pop().expect("an open element");
        done.texts.iter_mut().for_each(|text| *text = single_spaces(text));
        if matches!(done.name.as_str(), "itext" | "translation" | "text") {
            done.children.sort();
        }
        let parent = stack.last_mut().expect("a parent");
        parent.children.push(done);
        parent.texts.push(String::new());
    };
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(start) => stack.push(opened(&start)),
            Event::Empty(start) => {
                stack.push(opened(&start));
                close(&mut stack);
            }
            Event::End(_) => close(&mut stack),
            Event::Text(text) => {
                let open = stack.last_mut().expect("an open element");
                open.texts.last_mut().expect("a text").push_str(text.as_ref());
            }
            Event::GeneralRef(entity) => {
                let entity = format!("&{};", AsRef::<str>::as_ref(&entity));
                let text = quick_xml::escape::unescape(&entity).expect("a known entity").into_owned();
                let open = stack.last_mut().expect("an open element");
                open.texts.last_mut().expect("a text").push_str(&text);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    stack.pop().expect("the document").children.remove(0)
}

/// Where two trees first part.
fn difference(theirs: &Element, ours: &Element) -> String {
    if theirs.name != ours.name || theirs.attributes != ours.attributes || theirs.texts != ours.texts {
        let line =
            |element: &Element| format!("<{} {:?}> {:?}", element.name, element.attributes, element.texts);
        return format!("\n  pyxform {}\n  ours    {}", line(theirs), line(ours));
    }
    let parted = theirs.children.iter().zip(&ours.children).find(|(a, b)| a != b);
    parted.map_or_else(|| format!("children of {}", ours.name), |(a, b)| difference(a, b))
}

/// Compares each form of a corpus; `at_least`: how many there are.
#[track_caller]
fn assert_agree(corpus: &[Value], at_least: usize) {
    let known: HashMap<&str, &str> = DIFFERENT.into_iter().collect();
    let mut different = Vec::new();
    for form in corpus {
        let text = |key: &str| form[key].as_str();
        let name = text("name").expect("each form has a name");
        let ours = xlsform::read("form.md", text("form").expect("a form").as_bytes())
            .and_then(|read| xform::write(&read.questionnaire));
        let parted = match (text("xform"), ours) {
            (Some(theirs), Ok(ours)) => {
                let (theirs, ours) = (parse(theirs), parse(&ours));
                (theirs != ours).then(|| difference(&theirs, &ours))
            }
            (None, Err(_)) => None,
            (None, Ok(_)) => Some("refused by pyxform only".to_owned()),
            (Some(_), Err(problems)) => Some(format!("refused by us only: {}", problems[0])),
        };
        if parted.is_some() != known.contains_key(name) {
            different
                .push(format!("{name}: {}", parted.unwrap_or_else(|| "agrees, though listed".to_owned())));
        }
    }
    assert!(corpus.len() >= at_least, "{} forms, {at_least} are due", corpus.len());
    assert!(different.is_empty(), "{} of {} forms:\n{}", different.len(), corpus.len(), different.join("\n"));
}

fn kept(json: &str) -> Vec<Value> {
    serde_json::from_str(json).expect("the corpus is JSON")
}

#[test]
fn forms_agree_with_pyxform_or_the_reason_is_listed() {
    assert_agree(&kept(include_str!("pyxform/forms.json")), 400);
}

#[test]
fn generated_forms_agree_with_pyxform() {
    assert_agree(&kept(include_str!("pyxform/generated.json")), 40);
}

/// Another 300 forms, with what pyxform makes of them now.
#[test]
#[ignore = "needs Python and the package pyxform 4.5.0; ./dev test --all runs it"]
fn forms_generated_anew_agree_with_pyxform() {
    assert_agree(&environment::generated(&environment::installed(), 20_260_000, 300), 280);
}
