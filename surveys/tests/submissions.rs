//! Submissions judged, answered and split, on small forms written as Markdown tables.

use std::collections::HashMap;

use surveys::answer::{Options, answer};
use surveys::expression::{Dialect, Moment};
use surveys::form::{Compiled, csv_instance};
use surveys::halves::{JoinError, join, split};
use surveys::submission::{AnswerValue, ReadError, Rule, answers, check, content_range, head, read};
use surveys::xlsform;

fn compile(form: &str) -> Compiled {
    let read = xlsform::read("survey.md", form.as_bytes()).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(|p| format!("{p:?}\n")).collect::<String>())
    });
    Compiled::new(&read.questionnaire).unwrap_or_else(|errors| panic!("{errors:?}"))
}

const HOUSEHOLD: &str = "
| survey   |                      |             |                  |                    |                           |          |                        |              |                   |                  |
|          | type                 | name        | label            | relevant           | constraint                | required | calculation            | repeat_count | bind::ln:vault    | bind::ln:sealed  |
|          | start                | started     |                  |                    |                           |          |                        |              |                   |                  |
|          | end                  | ended       |                  |                    |                           |          |                        |              |                   |                  |
|          | deviceid             | device      |                  |                    |                           |          |                        |              |                   |                  |
|          | select_one yn        | consent     | Đồng ý?          |                    |                           | yes      |                        |              | field             |                  |
|          | integer              | adults      | Số người lớn     | ${consent} = '1'   | . >= 1 and . <= 8         | yes      |                        |              | field             |                  |
|          | begin repeat         | adult       | Người            | ${consent} = '1'   |                           |          |                        | ${adults}    | field             |                  |
|          | select_one sex       | sex         | Giới             |                    |                           | yes      |                        |              |                   |                  |
|          | integer              | age         | Tuổi             |                    | . >= 18 and . <= 110      | yes      |                        |              |                   |                  |
|          | end repeat           |             |                  |                    |                           |          |                        |              |                   |                  |
|          | calculate            | draw        |                  |                    |                           |          | once(random())         |              | field             |                  |
|          | calculate            | chosen      |                  |                    |                           |          | int(${draw} * ${adults}) + 1 |        | field             |                  |
|          | calculate            | b_age       |                  |                    |                           |          | indexed-repeat(${age}, ${adult}, ${chosen}) | | field         |                  |
|          | begin group          | c           | Đời sống         | ${consent} = '1'   |                           |          |                        |              |                   |                  |
|          | select_one s5        | c1          | Hài lòng         |                    |                           | yes      |                        |              |                   |                  |
|          | select_multiple why  | c2          | Vì sao           | ${c1} <= 2         | count-selected(.) <= 2    | yes      |                        |              |                   |                  |
|          | text                 | c3          | Ý kiến           |                    | regex(., '^[A-Z]{2}[0-9]{3}$') | |                        |              |                   |                  |
|          | geopoint             | where       | Nơi              |                    |                           |          |                        |              |                   |                  |
|          | end group            |             |                  |                    |                           |          |                        |              |                   |                  |
|          | begin group          | l           | Tự điền          | ${consent} = '1'   |                           |          |                        |              |                   | yes              |
|          | select_one s5        | l1          | Tin tưởng        |                    |                           | yes      |                        |              |                   |                  |
|          | end group            |             |                  |                    |                           |          |                        |              |                   |                  |
| choices  |                      |             |                  |
|          | list_name            | name        | label            |
|          | yn                   | 1           | Có               |
|          | yn                   | 2           | Không            |
|          | sex                  | 1           | Nam              |
|          | sex                  | 2           | Nữ               |
|          | s5                   | 1           | Rất không hài lòng |
|          | s5                   | 2           | Không hài lòng   |
|          | s5                   | 3           | Bình thường      |
|          | s5                   | 4           | Hài lòng         |
|          | s5                   | 5           | Rất hài lòng     |
|          | s5                   | 98          | Không biết       |
|          | s5                   | 99          | Không trả lời    |
|          | why                  | 1           | Thu nhập         |
|          | why                  | 2           | Đường            |
|          | why                  | 3           | Nước             |
|          | why                  | 98          | Không biết       |
| settings |                      |             |                  |
|          | form_id              | version     | form_title       |
|          | hh                   | 2026        | Phiếu            |
";

fn options() -> Options {
    let mut options = Options::at(Moment::parse("2026-10-05T08:00:00+07:00", 420).expect("a date"));
    options.presets.insert("consent".to_owned(), "1".to_owned());
    options
}

fn problems(form: &Compiled, xml: &str, dialect: Dialect) -> Vec<(String, Rule)> {
    let submission = read(form, xml.as_bytes()).expect("readable");
    check(form, &submission, dialect).into_iter().map(|p| (p.node, p.rule)).collect()
}

/// The text of the first element of that name.
fn text_of<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let start = xml.find(&format!("<{name}>"))? + name.len() + 2;
    Some(&xml[start..start + xml[start..].find('<')?])
}

/// Replaces the text of the first element of that name.
fn with(xml: &str, name: &str, text: &str) -> String {
    let old = text_of(xml, name).expect("the element is there").to_owned();
    xml.replacen(&format!("<{name}>{old}<"), &format!("<{name}>{text}<"), 1)
}

#[test]
fn every_headless_interview_is_valid_in_both_dialects() {
    let form = compile(HOUSEHOLD);
    for seed in 0..200 {
        let mut options = options();
        if seed % 5 == 0 {
            options.presets.clear();
        }
        let answered = answer(&form, seed, &options);
        assert!(answered.unanswered.is_empty(), "{:?}", answered.unanswered);
        for dialect in [Dialect::WebForms, Dialect::JavaRosa] {
            assert_eq!(problems(&form, &answered.xml, dialect), [], "seed {seed}: {}", answered.xml);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let form = compile(HOUSEHOLD);
    assert_eq!(answer(&form, 7, &options()), answer(&form, 7, &options()));
    assert_ne!(answer(&form, 7, &options()).xml, answer(&form, 8, &options()).xml);
}

#[test]
fn a_respondents_true_attributes_go_into_the_form_where_they_are_asked() {
    let form = compile(HOUSEHOLD);
    let mut options = options();
    for (key, value) in [
        ("adults", "3"),
        ("/data/adult[2]/age", "44"),
        ("/data/adult[2]/sex", "2"),
        ("c1", "2"),
        ("c2", "1 3"),
        ("l1", "7"),
        ("nowhere", "1"),
    ] {
        options.presets.insert(key.to_owned(), value.to_owned());
    }
    let answered = answer(&form, 3, &options);
    assert_eq!(answered.xml.matches("<adult>").count(), 3);
    let second = answered.xml.match_indices("<adult>").nth(1).expect("a second adult").0;
    assert_eq!(text_of(&answered.xml[second..], "age"), Some("44"));
    assert_eq!(text_of(&answered.xml[second..], "sex"), Some("2"));
    assert_eq!(text_of(&answered.xml, "c2"), Some("1 3"));
    assert_eq!(answered.rejected, ["/data/l/l1"], "no such code");
    options.presets.insert("c1".to_owned(), "5".to_owned());
    assert_eq!(text_of(&answer(&form, 3, &options).xml, "c2"), None, "not asked, so the preset is not used");
}

#[test]
fn who_does_not_consent_is_asked_nothing() {
    let form = compile(HOUSEHOLD);
    let mut options = options();
    options.presets.insert("consent".to_owned(), "2".to_owned());
    let answered = answer(&form, 1, &options);
    for absent in ["<adults", "<adult>", "<c>", "<l>"] {
        assert!(!answered.xml.contains(absent), "{absent} in {}", answered.xml);
    }
    assert_eq!(problems(&form, &answered.xml, Dialect::JavaRosa), []);
}

#[test]
fn shares_of_dont_know_and_refused_are_met() {
    let form = compile(HOUSEHOLD);
    let mut options = options();
    (options.dont_know, options.refused) = (0.2, 0.1);
    let mut seen: HashMap<String, u32> = HashMap::new();
    for seed in 0..1_000 {
        let xml = answer(&form, seed, &options).xml;
        *seen.entry(text_of(&xml, "c1").expect("asked").to_owned()).or_default() += 1;
    }
    assert!((160..=240).contains(&seen["98"]), "{seen:?}");
    assert!((70..=130).contains(&seen["99"]), "{seen:?}");
}

#[test]
fn each_broken_rule_is_one_problem_at_its_node() {
    let form = compile(HOUSEHOLD);
    let mut options = options();
    for (key, value) in [("adults", "2"), ("c1", "1"), ("c2", "1"), ("/data/adult[2]/age", "30")] {
        options.presets.insert(key.to_owned(), value.to_owned());
    }
    let good = answer(&form, 5, &options).xml;
    let at = |node: &str, rule| vec![(node.to_owned(), rule)];
    for dialect in [Dialect::WebForms, Dialect::JavaRosa] {
        let judge = |xml: &str| problems(&form, xml, dialect);
        assert_eq!(judge(&good), []);
        assert_eq!(judge(&with(&good, "c1", "0")), at("/data/c/c1", Rule::Choice));
        assert_eq!(judge(&with(&good, "c2", "1 2 3")), at("/data/c/c2", Rule::Constraint));
        assert_eq!(judge(&with(&good, "c2", "1 1")), at("/data/c/c2", Rule::Choice));
        assert_eq!(judge(&with(&good, "c2", "")), at("/data/c/c2", Rule::Required));
        assert_eq!(judge(&with(&good, "c3", "ab")), at("/data/c/c3", Rule::Constraint));
        assert_eq!(judge(&with(&good, "c3", "")), [], "not required");
        assert_eq!(judge(&with(&good, "where", "north")), at("/data/c/where", Rule::Type));
        assert_eq!(judge(&with(&good, "c1", "5")), at("/data/c/c2", Rule::Relevant));
        assert_eq!(judge(&with(&good, "chosen", "9")), at("/data/chosen", Rule::Calculation));
        let second = good.rfind("<age>").expect("an age");
        let young = format!("{}{}", &good[..second], with(&good[second..], "age", "17"));
        let found = judge(&young);
        assert!(found.contains(&("/data/adult[2]/age".to_owned(), Rule::Constraint)), "{found:?}");
        let words = format!("{}{}", &good[..second], with(&good[second..], "age", "3o"));
        assert!(judge(&words).contains(&("/data/adult[2]/age".to_owned(), Rule::Type)));
        let stranger = good.replace("</c>", "<c9>1</c9></c>");
        assert_eq!(judge(&stranger), at("/data/c/c9", Rule::Structure));
        let other = good.replace("id=\"hh\"", "id=\"other\"");
        assert_eq!(judge(&other), at("/data", Rule::Structure));
    }
}

/// Two adults are declared: one of them left out, or a third, is one problem at the repeat; with a
/// blank count nothing is known and nothing is said.
#[test]
fn the_number_of_repeats_is_that_of_the_count() {
    let form = compile(
        "
        | survey |              |      |       |              |
        |        | type         | name | label | repeat_count |
        |        | integer      | n    | N     |              |
        |        | begin repeat | r    | R     | ${n}         |
        |        | text         | x    | X     |              |
        |        | end repeat   |      |       |              |
        ",
    );
    let with_repeats = |n: &str, times: usize| {
        let repeats = "<r><x>a</x></r>".repeat(times);
        format!("<data id=\"survey\"><n>{n}</n>{repeats}<meta><instanceID>uuid:1</instanceID></meta></data>")
    };
    for dialect in [Dialect::WebForms, Dialect::JavaRosa] {
        let judge = |n: &str, times: usize| problems(&form, &with_repeats(n, times), dialect);
        let wrong = vec![("/data/r".to_owned(), Rule::Structure)];
        assert_eq!(judge("2", 2), []);
        assert_eq!(judge("0", 0), []);
        assert_eq!(judge("2", 1), wrong);
        assert_eq!(judge("2", 3), wrong);
        assert_eq!(judge("2", 0), wrong);
        assert_eq!(judge("", 1), []);
    }
}

/// Every question type and every way in which questions hang together.
const EVERYTHING: &str = "
| survey |                     |          |       |                              |                               |          |                           |                          |                             |         |                |
|        | type                | name     | label | relevant                     | constraint                    | required | calculation               | repeat_count             | choice_filter               | default | trigger | parameters     |
|        | start               | started  |       |                              |                               |          |                           |                          |                             |         |         |                |
|        | today               | day      |       |                              |                               |          |                           |                          |                             |         |         |                |
|        | hidden              | village  |       |                              |                               |          |                           |                          |                             | V-01    |         |                |
|        | date                | moved    | D     |                              | . <= today()                  | yes      |                           |                          |                             |         |         |                |
|        | time                | hour     | T     |                              |                               |          |                           |                          |                             |         |         |                |
|        | dateTime            | met      | DT    |                              |                               |          |                           |                          |                             |         |         |                |
|        | decimal             | area     | A     |                              | . > 0.5 and . < 2             | yes      |                           |                          |                             |         |         |                |
|        | range               | temp     | R     |                              |                               | yes      |                           |                          |                             |         |         | start=0 end=1 step=0.1 |
|        | integer             | rooms    | N     |                              | . > 0                         | yes      |                           |                          |                             | 2       |         |                |
|        | integer             | used     | N     |                              | . <= ${rooms}                 | yes      |                           |                          |                             |         |         |                |
|        | text                | phone    | P     |                              | string-length(.) = 10 and regex(., '^0[0-9]+$') | yes |              |                          |                             |         |         |                |
|        | note                | hello    | Hi    |                              |                               |          |                           |                          |                             |         |         |                |
|        | acknowledge         | ok       | OK    |                              |                               | yes      |                           |                          |                             |         |         |                |
|        | select_one big      | region   | R     |                              |                               | yes      |                           |                          |                             |         |         |                |
|        | select_one small    | town     | T     |                              |                               | yes      |                           |                          | of = ${region}              |         |         |                |
|        | rank big            | order    | O     |                              |                               | yes      |                           |                          |                             |         |         |                |
|        | select_multiple why or_other | many | M    |                              |                               | yes      |                           |                          |                             |         |         |                |
|        | begin repeat        | plot     | Plot  |                              |                               |          |                           |                          |                             |         |         |                |
|        | calculate           | number   |       |                              |                               |          | position(..)              |                          |                             |         |         |                |
|        | integer             | size     | S     |                              | . >= 1 and . <= 9             | yes      |                           |                          |                             |         |         |                |
|        | begin repeat        | crop     | Crop  | ${size} > 3                  |                               |          |                           | ${size} - 3              |                             |         |         |                |
|        | text                | sort     | C     |                              |                               | yes      |                           |                          |                             |         |         |                |
|        | integer             | yield    | Y     | ${size} > 4                  | . < ${size}                   | yes      |                           |                          |                             |         |         |                |
|        | end repeat          |          |       |                              |                               |          |                           |                          |                             |         |         |                |
|        | calculate           | harvest  |       |                              |                               |          | sum(${yield})             |                          |                             |         |         |                |
|        | end repeat          |          |       |                              |                               |          |                           |                          |                             |         |         |                |
|        | calculate           | total    |       |                              |                               |          | sum(${size})              |                          |                             |         |         |                |
|        | calculate           | plots    |       |                              |                               |          | count(${plot})            |                          |                             |         |         |                |
|        | select_one ${sort}  | best     | B     | ${harvest} != ''             |                               |          |                           |                          |                             |         |         |                |
|        | calculate           | said     |       |                              |                               |          | concat(jr:choice-name(${region}, '${region}'), ' ', ${total} > 5) |    |            |         |         |                |
|        | integer             | late     | L     | ${total} > 5                 |                               | yes      |                           |                          |                             |         |         |                |
|        | calculate           | noticed  |       |                              |                               |          | now()                     |                          |                             |         | ${late} |                |
|        | geopoint            | point    | G     |                              |                               | yes      |                           |                          |                             |         |         |                |
|        | geotrace            | walk     | G     |                              |                               |          |                           |                          |                             |         |         |                |
|        | geoshape            | field    | G     |                              |                               |          |                           |                          |                             |         |         |                |
|        | image               | photo    | I     |                              |                               |          |                           |                          |                             |         |         |                |
| choices |       |      |       |     |
|        | list_name | name | label | of |
|        | big       | a    | An    |    |
|        | big       | b    | Ba    |    |
|        | why       | x    | Xa    |    |
|        | small     | a1   | An 1  | a  |
|        | small     | a2   | An 2  | a  |
|        | small     | b1   | Ba 1  | b  |
| settings |           |         |               |
|        | form_id   | version | instance_name |
|        | all       | 1       | concat('P-', ${village}) |
";

#[test]
fn every_type_and_dependency_is_answered_validly() {
    // `select_one ${sort}` and a trigger name questions in repeats and groups alike.
    let form = compile(&EVERYTHING.replace("${harvest} != ''", "${plots} > 0"));
    let (mut nested, mut late) = (0, 0);
    for seed in 0..150 {
        let answered = answer(&form, seed, &options());
        assert!(answered.unanswered.is_empty(), "seed {seed}: {:?}\n{}", answered.unanswered, answered.xml);
        nested += answered.xml.matches("<crop>").count();
        late += answered.xml.matches("<late>").count();
        let judged = problems(&form, &answered.xml, Dialect::WebForms);
        assert_eq!(judged, [], "seed {seed}: {}", answered.xml);
        let same = options();
        let xml = answer(&form, seed, &Options { dialect: Dialect::JavaRosa, ..same }).xml;
        assert_eq!(problems(&form, &xml, Dialect::JavaRosa), [], "seed {seed}: {xml}");
    }
    assert!(nested > 100 && (20..150).contains(&late), "{nested} crops, {late} late questions");
    let xml = answer(&form, 4, &options()).xml;
    assert!(xml.contains("<instanceName>P-V-01</instanceName>"), "{xml}");
    assert!(xml.contains("<number>1</number>"), "{xml}");
}

/// One wrong value in a chain of calculations is one problem.
#[test]
fn a_chain_of_calculations_has_one_problem() {
    let form = compile(
        "
| survey |           |      |       |             |
|        | type      | name | label | calculation |
|        | integer   | a    | A     |             |
|        | calculate | b    |       | ${a} + 1    |
|        | calculate | c    |       | ${b} * 2    |
|        | calculate | d    |       | ${c} - 1    |
",
    );
    let xml =
        |b: u32, c: u32, d: u32| format!("<data id=\"survey\"><a>1</a><b>{b}</b><c>{c}</c><d>{d}</d></data>");
    assert_eq!(problems(&form, &xml(2, 4, 3), Dialect::WebForms), []);
    let wrong = problems(&form, &xml(9, 4, 3), Dialect::WebForms);
    assert_eq!(wrong, [("/data/b".to_owned(), Rule::Calculation)]);
    let wrong = problems(&form, &xml(2, 4, 9), Dialect::JavaRosa);
    assert_eq!(wrong, [("/data/d".to_owned(), Rule::Calculation)]);
}

#[test]
fn not_asked_missing_dont_know_and_refused_stay_distinct() {
    let form = compile(HOUSEHOLD);
    let xml =
        "<data id='hh' version='2026'><consent>1</consent><c><c1>98</c1><c3/></c><l><l1>99</l1></l></data>";
    let submission = read(&form, xml.as_bytes()).expect("readable");
    let found: HashMap<String, AnswerValue> =
        answers(&form, &submission).into_iter().map(|answer| (answer.path, answer.value)).collect();
    assert_eq!(found["/data/c/c1"], AnswerValue::DontKnow);
    assert_eq!(found["/data/c/c2"], AnswerValue::NotAsked);
    assert_eq!(found["/data/c/c3"], AnswerValue::Missing);
    assert_eq!(found["/data/l/l1"], AnswerValue::Refused);
    assert_eq!(found["/data/consent"], AnswerValue::Code("1".to_owned()));
    let sealed = "<data id='hh' version='2026'><l><ln_sealed>ln1:AAAA</ln_sealed></l></data>";
    let submission = read(&form, sealed.as_bytes()).expect("readable");
    assert_eq!(submission.unknown, [""; 0]);
    let answers = answers(&form, &submission);
    let l1 = answers.iter().find(|answer| answer.path == "/data/l/l1").expect("listed");
    assert_eq!(l1.value, AnswerValue::Sealed);
}

#[test]
fn a_sealed_block_is_accepted_and_not_looked_into() {
    let form = compile(HOUSEHOLD);
    let good = answer(&form, 11, &options()).xml;
    let range = content_range(good.as_bytes(), "/data/l").expect("readable").expect("there");
    assert!(good[range.clone()].starts_with("<l1>") && good[range.clone()].ends_with("</l1>"));
    let sealed = format!("{}<ln_sealed>ln1:abc</ln_sealed>{}", &good[..range.start], &good[range.end..]);
    assert_eq!(problems(&form, &sealed, Dialect::WebForms), []);
    let halves = split(&form, sealed.as_bytes()).expect("splits");
    assert!(String::from_utf8_lossy(&halves.answers).contains("<ln_sealed>ln1:abc</ln_sealed>"));
}

#[test]
fn files_give_choices_and_a_cascade_is_checked() {
    let read = xlsform::read(
        "places.md",
        "
| survey |                                  |          |       |                          |
|        | type                             | name     | label | choice_filter            |
|        | select_one_from_file district.csv | district | D     |                          |
|        | select_one_from_file commune.csv | commune  | C     | district = ${district}   |
"
        .as_bytes(),
    )
    .expect("a form");
    let files = HashMap::from([
        ("district".to_owned(), csv_instance("name,label\n1,Đồng Văn\n2,\"Mèo Vạc, cũ\"\n")),
        ("commune".to_owned(), csv_instance("name,label,district\n11,A,1\n12,B,1\n21,C,2\n")),
    ]);
    let form = Compiled::with_instances(&read.questionnaire, files).expect("compiles");
    let id = &form.form_id;
    let xml =
        |d: &str, c: &str| format!("<data id='{id}'><district>{d}</district><commune>{c}</commune></data>");
    for dialect in [Dialect::WebForms, Dialect::JavaRosa] {
        assert_eq!(problems(&form, &xml("2", "21"), dialect), []);
        let wrong = problems(&form, &xml("1", "21"), dialect);
        assert_eq!(wrong, [("/data/commune".to_owned(), Rule::Choice)]);
    }
    for seed in 0..50 {
        let answered = answer(&form, seed, &options());
        assert_eq!(problems(&form, &answered.xml, Dialect::WebForms), [], "{}", answered.xml);
    }
}

#[test]
fn the_head_is_read_without_a_form() {
    let xml = "\u{feff}<?xml version='1.0'?><f:x xmlns:f='urn:a' xmlns:orx='urn:o' id='hh' version='3'>\
               <orx:meta><orx:instanceID> uuid:1 </orx:instanceID><orx:deprecatedID>uuid:0</orx:deprecatedID>\
               <orx:instanceName>A &amp; B</orx:instanceName></orx:meta></f:x>";
    let head = head(xml.as_bytes()).expect("readable");
    assert_eq!((head.form_id.as_str(), head.version.as_str()), ("hh", "3"));
    assert_eq!(head.instance_id.as_deref(), Some("uuid:1"));
    assert_eq!(head.deprecated_id.as_deref(), Some("uuid:0"));
    assert_eq!(head.instance_name.as_deref(), Some("A & B"));
}

#[test]
fn unsafe_or_broken_xml_is_refused() {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"b\">]><a>&b;</a>";
    assert!(matches!(head(bomb.as_bytes()), Err(ReadError::EntityDeclaration { .. })));
    assert!(matches!(head(b"<a>&b;</a>"), Err(ReadError::UnknownEntity { .. })));
    assert!(matches!(head(b"<a b='&c;'/>"), Err(ReadError::Malformed { .. })));
    let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
    assert!(matches!(head(deep.as_bytes()), Err(ReadError::TooDeep { .. })));
    let many = format!("<a>{}</a>", "<b/>".repeat(500_001));
    assert!(matches!(head(many.as_bytes()), Err(ReadError::TooManyNodes)));
    assert!(matches!(head(&vec![b' '; 20 * 1024 * 1024 + 1]), Err(ReadError::TooLarge { .. })));
    assert!(matches!(head(b"<a>\xff</a>"), Err(ReadError::NotUtf8 { .. })));
    for broken in ["", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "<a b='1' b='2'/>", "</a>", "<a", "<a b=1/>"] {
        assert!(head(broken.as_bytes()).is_err(), "{broken}");
    }
}

#[test]
fn the_answer_half_holds_answers_only_and_both_rebuild_the_original() {
    let form = compile(HOUSEHOLD);
    for seed in 0..100 {
        let answered = answer(&form, seed, &options());
        let xml = answered.xml.as_bytes();
        let halves = split(&form, xml).expect("splits");
        assert_eq!(join(&halves.field, &halves.answers).expect("joins"), xml);
        let kept = String::from_utf8(halves.answers.clone()).expect("text");
        let c1 = text_of(&answered.xml, "c1").expect("asked");
        assert!(kept.contains(&format!("<c1>{c1}</c1>")), "{kept}");
        assert!(kept.contains("<l1>"), "{kept}");
        assert!(head(kept.as_bytes()).expect("still XML").instance_id.is_none());
        assert!(kept.starts_with("<data id=\"hh\" version=\"2026\"><c>"), "{kept}");
        for secret in
            ["uuid:", "2026-10", "started", "device", "<where", "adult", "age", "consent", "draw", "xmlns"]
        {
            assert!(!kept.contains(secret), "{secret} in {kept}");
        }
        assert_eq!(
            problems(&form, &kept, Dialect::WebForms).iter().filter(|p| p.1 == Rule::Structure).count(),
            0
        );
    }
}

#[test]
fn comments_attributes_strangers_and_layout_leave_the_answer_half() {
    let form = compile(HOUSEHOLD);
    let xml = "\u{feff}<?xml version='1.0' encoding='UTF-8'?><!-- SECRET -->\n<x:data\n  SECRET='SECRET' id='hh' xmlns:x='SECRET'\n version = \"2026\" >\
        SECRET<?pi SECRET?>\n  <c at=\"SECRET\" ><c1 t='SECRET>' >2<!--SECRET--></c1 ><new>SECRET<c1>SECRET</c1></new><c2 x='SECRET'/>\
        <c3><![CDATA[AB<12]]>&lt;3</c3>SECRET</c><meta><instanceID>SECRET</instanceID></meta><c1>SECRET</c1></x:data>\n<!-- SECRET -->\n";
    let halves = split(&form, xml.as_bytes()).expect("splits");
    let kept = String::from_utf8(halves.answers.clone()).expect("text");
    assert_eq!(
        kept,
        "<x:data id='hh'\n version = \"2026\"><c><c1>2</c1 ><c2/><c3><![CDATA[AB<12]]>&lt;3</c3></c></x:data>"
    );
    assert_eq!(join(&halves.field, &halves.answers).expect("joins"), xml.as_bytes());
    assert!(read(&form, kept.as_bytes()).expect("still XML").unknown.is_empty());
}

#[test]
fn entities_and_edits_are_known_and_belong_to_the_field_half() {
    let form = compile(HOUSEHOLD);
    let xml = "<data id='hh' version='2026'><consent>2</consent><c><meta><entity id='SECRET'><label>SECRET</label>\
               </entity></meta></c><meta><instanceID>SECRET</instanceID><deprecatedID>SECRET</deprecatedID>\
               <entity dataset='SECRET'/></meta></data>";
    assert_eq!(read(&form, xml.as_bytes()).expect("readable").unknown, [""; 0]);
    let halves = split(&form, xml.as_bytes()).expect("splits");
    assert_eq!(String::from_utf8_lossy(&halves.answers), "<data id='hh' version='2026'><c></c></data>");
    assert_eq!(join(&halves.field, &halves.answers).expect("joins"), xml.as_bytes());
}

/// Generated documents: elements of the form and strangers, in any order and depth, with every kind
/// of piece; field texts carry a mark that no answer has.
#[test]
fn whatever_comes_is_split_without_loss_or_leak() {
    let form = compile(HOUSEHOLD);
    let names = [
        "started",
        "consent",
        "adults",
        "adult",
        "sex",
        "age",
        "draw",
        "c",
        "c1",
        "c2",
        "c3",
        "where",
        "l",
        "l1",
        "ln_sealed",
        "meta",
        "instanceID",
        "stranger",
        "x:c",
        "data",
    ];
    let open = ["c1", "c2", "c3", "l1", "ln_sealed"];
    let mut chance = surveys::chance::Chance::new(1, "halves");
    let mut kept_something = 0;
    for _ in 0..3_000 {
        let mut xml = String::from("<data id=\"hh\">");
        let mut stack: Vec<&str> = Vec::new();
        for _ in 0..chance.below(40) {
            match chance.below(10) {
                0..4 => {
                    // Half of the elements stand where the form has them.
                    let due: &[&str] = match stack.last() {
                        None => &["c", "l", "meta", "adult"],
                        Some(&"c") => &["c1", "c2", "c3", "where"],
                        Some(&"l") => &["l1", "ln_sealed"],
                        _ => &names,
                    };
                    let among = if chance.happens(0.5) { due } else { &names };
                    let name = among[chance.below(among.len())];
                    if chance.happens(0.2) {
                        xml.push_str(&format!("<{name} a = 'FIELD' />"));
                    } else if stack.len() < 8 {
                        xml.push_str(&format!("<{name} b=\"FIELD\">"));
                        stack.push(name);
                    }
                }
                4..7 => {
                    if let Some(name) = stack.pop() {
                        xml.push_str(&format!("</{name}>"));
                    }
                }
                7 => xml.push_str("<!-- FIELD -->"),
                8 => xml.push_str(" \n\t"),
                _ => {
                    // An answer's text only where an answer of the form stands.
                    let path: Vec<&str> =
                        stack.iter().map(|name| name.rsplit(':').next().unwrap_or(name)).collect();
                    let known = matches!(path[..], ["c", "c1" | "c2" | "c3"] | ["l", "l1" | "ln_sealed"]);
                    xml.push_str(if known { "answer" } else { "FIELD" });
                }
            }
        }
        while let Some(name) = stack.pop() {
            xml.push_str(&format!("</{name}>"));
        }
        xml.push_str("</data>");
        let halves = split(&form, xml.as_bytes()).expect("well-formed");
        assert_eq!(join(&halves.field, &halves.answers).expect("joins"), xml.as_bytes());
        let kept = String::from_utf8(halves.answers).expect("text");
        assert!(!kept.contains("FIELD"), "{kept}\nfrom {xml}");
        let submission = read(&form, kept.as_bytes()).expect("still well-formed");
        assert!(submission.unknown.is_empty(), "{kept}");
        assert_eq!(kept.matches("answer").count(), xml.matches("answer").count(), "{kept}\nfrom {xml}");
        kept_something += u32::from(open.iter().any(|name| kept.contains(&format!("<{name}>"))));
    }
    assert!(kept_something > 100, "the documents are too poor: {kept_something}");
}

/// No bytes, however mangled, make `split` or `join` panic; what splits also joins.
#[test]
fn mangled_bytes_are_refused_or_split_without_loss() {
    let form = compile(HOUSEHOLD);
    let good = answer(&form, 2, &options()).xml.into_bytes();
    let halves = split(&form, &good).expect("splits");
    let mut chance = surveys::chance::Chance::new(2, "mangled");
    let (mut split_again, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let mut bytes = good.clone();
        for _ in 0..=chance.below(3) {
            let at = chance.below(bytes.len());
            match chance.below(3) {
                0 => bytes[at] = b"<>&'\"/ =x!-]["[chance.below(13)],
                1 => bytes.truncate(at.max(1)),
                _ => {
                    let other = chance.below(bytes.len());
                    let (from, to) = (at.min(other), at.max(other));
                    bytes.drain(from..to.min(from + 20).min(bytes.len() - 1));
                }
            }
        }
        match split(&form, &bytes) {
            Ok(halves) => {
                split_again += 1;
                assert_eq!(join(&halves.field, &halves.answers).expect("joins"), bytes);
            }
            Err(_) => refused += 1,
        }
        let mut field = halves.field.clone();
        let at = chance.below(field.len());
        field[at] ^= 1 << chance.below(8);
        if let Ok(joined) = join(&field, &halves.answers) {
            assert_ne!(joined, good);
        }
    }
    assert!(split_again > 100 && refused > 100, "{split_again} split, {refused} refused");
    assert_eq!(join(b"", b"<a/>"), Err(JoinError::Mark));
    assert_eq!(join(&halves.field, b"<a/>"), Err(JoinError::Mismatch));
    assert_eq!(join(&halves.field[..halves.field.len() - 1], &halves.answers), Err(JoinError::Truncated));
}
