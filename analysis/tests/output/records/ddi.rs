//! DDI-Codebook 2.5: the order of elements and their attributes as its schema (2.5.1) has them, and what is said.

use std::collections::{BTreeMap, BTreeSet};

use analysis::export::records::ddi;

use super::{LONG, records};

/// For each element that may stand in our documentation: its children in order, `?` at most once, `!` exactly once,
/// `*` any number; and its attributes, `!` where they must be there.
const RULES: &[(&str, &str, &str)] = &[
    ("codeBook", "docDscr* stdyDscr! fileDscr* dataDscr* otherMat*", "version"),
    ("docDscr", "citation? guide* docStatus* docSrc* controlledVocabUsed* notes*", ""),
    (
        "stdyDscr",
        "citation! studyAuthorization* stdyInfo* studyDevelopment* method* dataAccs* othrStdyMat* notes*",
        "",
    ),
    ("citation", "titlStmt! rspStmt? prodStmt? distStmt? serStmt* verStmt* biblCit* holdings* notes*", ""),
    ("titlStmt", "titl! subTitl* altTitl* parTitl* IDNo*", ""),
    ("rspStmt", "AuthEnty* othId*", ""),
    ("prodStmt", "producer* copyright* prodDate* prodPlac* software* fundAg* grantNo*", ""),
    ("serStmt", "serName* serInfo*", ""),
    ("verStmt", "version* verResp* notes*", ""),
    ("stdyInfo", "studyBudget* subject* abstract* sumDscr* qualityStatement? notes* exPostEvaluation*", ""),
    (
        "sumDscr",
        "timePrd* collDate* nation* geogCover* geogUnit* geoBndBox? boundPoly* anlyUnit* universe* dataKind*",
        "",
    ),
    ("method", "dataColl* notes* anlyInfo? stdyClas* dataProcessing* codingInstructions*", ""),
    (
        "dataColl",
        "timeMeth* dataCollector* collectorTraining* frequenc* sampProc* sampleFrame* targetSampleSize* deviat* \
         collMode* resInstru* instrumentDevelopment* sources? collSitu* actMin* ConOps* weight* cleanOps*",
        "",
    ),
    ("dataAccs", "setAvail* useStmt* notes*", ""),
    ("useStmt", "confDec* specPerm* restrctn* contact* citReq* deposReq* conditions* disclaimer*", ""),
    ("fileDscr", "fileTxt* locMap? notes*", ""),
    (
        "fileTxt",
        "fileName* fileCitation? dataFingerprint* fileCont? fileStrc? dimensns? fileType* format* filePlac* dataChck* \
         ProcStat* dataMsng* software* verStmt*",
        "",
    ),
    ("fileStrc", "recGrp* notes*", "type"),
    ("dimensns", "caseQnty* varQnty* logRecL* recPrCas* recNumTot*", ""),
    ("dataDscr", "varGrp* nCubeGrp* var* nCube* notes*", ""),
    (
        "var",
        "location* labl* imputation* security* embargo* respUnit* anlysUnit* qstn* valrng* invalrng* undocCod* \
         universe* TotlResp* sumStat* txt* stdCatgry* catgryGrp* catgry* codInstr* verStmt* concept* derivation? \
         varFormat? geoMap* catLevel* notes*",
        "name! wgt wgt-var files intrvl nature",
    ),
    ("location", "", "StartPos EndPos width fileid"),
    ("qstn", "preQTxt* qstnLit* postQTxt* forward* backward* ivuInstr*", ""),
    ("invalrng", "item* range* key* notes*", ""),
    ("item", "", "VALUE! UNITS"),
    ("sumStat", "", "type!"),
    ("catgry", "catValu? labl* txt* catStat* mrow?", "missing missType"),
    ("derivation", "drvdesc* drvcmd*", "var"),
    ("drvcmd", "", "syntax"),
    ("varFormat", "", "type schema formatname"),
    ("serName", "", "abbr"),
    ("fileType", "", "charset"),
    ("prodDate", "", "date"),
];

/// Values that the schema allows.
const WORDS: &[(&str, &str, &str)] = &[
    ("var", "wgt", "wgt not-wgt"),
    ("var", "intrvl", "contin discrete"),
    ("var", "nature", "nominal ordinal interval ratio percent other"),
    ("sumStat", "type", "mean medn mode vald invd min max stdev other"),
    ("catgry", "missing", "Y N"),
    ("varFormat", "type", "numeric character"),
    ("varFormat", "schema", "SAS SPSS IBM ANSI ISO XML-Data other"),
    ("fileStrc", "type", "rectangular hierarchical relational nested other"),
];

/// Attributes that any element may have.
const GLOBAL: [&str; 6] = ["ID", "xml:lang", "source", "xmlns", "xmlns:xsi", "xsi:schemaLocation"];

#[derive(Debug, Default)]
struct Node {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
    children: Vec<Node>,
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#13;", "\r")
        .replace("&amp;", "&")
}

/// A reader of well-formed XML without entities, comments or processing instructions.
fn parse(text: &str) -> Node {
    let mut stack = vec![Node::default()];
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("a declaration");
    while let Some(at) = rest.find('<') {
        stack.last_mut().expect("open").text.push_str(&unescaped(&rest[..at]));
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let node = stack.pop().expect("open");
            assert_eq!(node.name, name, "tags are nested");
            stack.last_mut().expect("open").children.push(node);
            continue;
        }
        let (inside, closed) = tag.strip_suffix('/').map_or((tag, false), |inside| (inside, true));
        let (name, mut attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        let mut node = Node { name: name.to_owned(), ..Node::default() };
        while let Some((name, after)) = attributes.trim_start().split_once("=\"") {
            let (value, after) = after.split_once('"').expect("a value ends");
            assert!(
                node.attributes.insert(name.to_owned(), unescaped(value)).is_none(),
                "{name} stands twice"
            );
            attributes = after;
        }
        stack.push(node);
        if closed {
            let node = stack.pop().expect("open");
            stack.last_mut().expect("open").children.push(node);
        }
    }
    assert_eq!(stack.len(), 1, "every element is closed");
    stack.pop().and_then(|mut all| all.children.pop()).expect("a root")
}

fn check(node: &Node, ids: &mut BTreeSet<String>, references: &mut Vec<String>, wrong: &mut Vec<String>) {
    let rule = RULES.iter().find(|(name, ..)| *name == node.name);
    let (children, attributes) = rule.map_or(("", ""), |(_, children, attributes)| (*children, *attributes));
    let mut at = 0;
    let children: Vec<(&str, char)> = children
        .split_whitespace()
        .map(|child| child.split_at(child.len() - 1))
        .map(|(n, c)| (n, c.chars().next().unwrap_or('*')))
        .collect();
    for child in &node.children {
        match children.iter().skip(at).position(|(name, _)| *name == child.name) {
            Some(further) => at += further,
            None => wrong.push(format!("<{}> may not stand there in <{}>", child.name, node.name)),
        }
    }
    for (name, times) in &children {
        let count = node.children.iter().filter(|child| child.name == *name).count();
        if *times == '!' && count != 1 || *times == '?' && count > 1 {
            wrong.push(format!("<{}> has {count} <{name}>", node.name));
        }
    }
    if rule.is_some_and(|(_, children, _)| !children.is_empty())
        && !node.text.trim().is_empty()
        && node.name != "qstn"
    {
        wrong.push(format!("<{}> holds text", node.name));
    }
    let allowed: Vec<&str> = attributes.split_whitespace().map(|a| a.trim_end_matches('!')).collect();
    for (name, value) in &node.attributes {
        if !allowed.contains(&name.as_str()) && !GLOBAL.contains(&name.as_str()) {
            wrong.push(format!("<{}> has the attribute {name}", node.name));
        }
        let words = WORDS.iter().find(|(element, attribute, _)| *element == node.name && attribute == name);
        if words.is_some_and(|(.., words)| !words.split(' ').any(|word| word == value)) {
            wrong.push(format!("<{} {name}=\"{value}\">", node.name));
        }
        match name.as_str() {
            "ID" if !ids.insert(value.clone()) => wrong.push(format!("two elements are {value}")),
            "files" | "wgt-var" => references.extend(value.split(' ').map(str::to_owned)),
            _ => {}
        }
    }
    for needed in attributes.split_whitespace().filter_map(|a| a.strip_suffix('!')) {
        if !node.attributes.contains_key(needed) {
            wrong.push(format!("<{}> has no {needed}", node.name));
        }
    }
    node.children.iter().for_each(|child| check(child, ids, references, wrong));
}

fn all<'a>(node: &'a Node, path: &str) -> Vec<&'a Node> {
    path.split('/').fold(vec![node], |nodes, name| {
        nodes.into_iter().flat_map(|n| n.children.iter().filter(move |c| c.name == name)).collect()
    })
}

fn variable<'a>(root: &'a Node, name: &str) -> &'a Node {
    let found = all(root, "dataDscr/var").into_iter().find(|var| var.attributes["name"] == name);
    found.unwrap_or_else(|| panic!("no variable {name}"))
}

#[test]
fn elements_and_attributes_stand_as_the_schema_has_them() {
    let root = parse(&ddi(&records(), "records.csv"));
    assert_eq!(root.attributes["xmlns"], "ddi:codebook:2_5");
    let (mut ids, mut references, mut wrong) = (BTreeSet::new(), Vec::new(), Vec::new());
    check(&root, &mut ids, &mut references, &mut wrong);
    wrong.extend(references.iter().filter(|id| !ids.contains(*id)).map(|id| format!("{id} is nowhere")));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!references.is_empty());
}

#[test]
fn the_rules_notice_what_is_wrong() {
    let text = ddi(&records(), "records.csv");
    for (was, becomes) in [
        ("<titlStmt>", "<titlStmt><IDNo>x</IDNo>"),
        ("intrvl=\"contin\"", "intrvl=\"continuous\""),
        ("ID=\"V2\"", "ID=\"V1\""),
        ("files=\"F1\"", "files=\"F2\""),
        (" name=\"c1\"", ""),
    ] {
        assert!(text.contains(was), "{was}");
        let root = parse(&text.replacen(was, becomes, 1));
        let (mut ids, mut references, mut wrong) = (BTreeSet::new(), Vec::new(), Vec::new());
        check(&root, &mut ids, &mut references, &mut wrong);
        wrong.extend(references.into_iter().filter(|id| !ids.contains(id)));
        assert!(!wrong.is_empty(), "{becomes} is not noticed");
    }
}

#[test]
fn variables_carry_questions_codes_missing_values_and_who_was_asked() {
    let root = parse(&ddi(&records(), "records.csv"));
    assert_eq!(all(&root, "dataDscr/var").len(), 15);
    let c1 = variable(&root, "c1");
    let labels: Vec<(&str, &str)> =
        all(c1, "labl").iter().map(|l| (l.attributes["xml:lang"].as_str(), l.text.as_str())).collect();
    assert_eq!(labels, [("vi", LONG), ("en", "How satisfied?")]);
    assert_eq!(all(c1, "qstn/qstnLit")[0].text, LONG);
    let missing: Vec<&str> =
        all(c1, "invalrng/item").iter().map(|i| i.attributes["VALUE"].as_str()).collect();
    assert_eq!(missing, ["98", "99"]);
    let categories = all(c1, "catgry");
    assert_eq!(categories.len(), 4);
    assert_eq!(all(categories[3], "catValu")[0].text, "99");
    assert_eq!(categories[3].attributes["missType"], "refused");
    assert_eq!(c1.attributes["nature"], "ordinal");
    assert_eq!(all(variable(&root, "nguon"), "universe")[0].text, "${c1} != ''");
    let derived = variable(&root, "c1_satisfied");
    assert!(all(derived, "derivation/drvcmd")[0].text.starts_with("CASE WHEN c1 = '2'"));
    assert!(all(derived, "qstn").is_empty(), "nobody was asked for it");
    let weight = variable(&root, "weight");
    assert_eq!(weight.attributes["wgt"], "wgt");
    assert_eq!(c1.attributes["wgt-var"], weight.attributes["ID"]);
}

#[test]
fn the_study_says_who_how_and_for_whom_and_no_counts_of_answers() {
    let root = parse(&ddi(&records(), "records.csv"));
    let text = |path: &str| all(&root, path).iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join("|");
    assert_eq!(text("stdyDscr/citation/titlStmt/titl"), "Khảo sát thử năm 2026");
    assert!(text("stdyDscr/citation/titlStmt/subTitl").contains("DỮ LIỆU MÔ PHỎNG"));
    assert_eq!(text("stdyDscr/stdyInfo/abstract"), "Nắm tình hình Nhân dân.");
    assert!(text("stdyDscr/method/dataColl/sampProc").contains("tầng: stratum; chùm: psu"));
    assert!(text("stdyDscr/method/dataColl/weight").contains("rake_ethnic, rake_age"));
    assert!(text("stdyDscr/dataAccs/useStmt/restrctn").contains("PHÒNG PHÂN TÍCH"));
    assert_eq!(text("fileDscr/fileTxt/dimensns/caseQnty"), "40");
    assert!(all(&root, "dataDscr/var/sumStat").is_empty());
}
