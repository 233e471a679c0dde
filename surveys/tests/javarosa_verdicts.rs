//! Our verdicts beside JavaRosa's (`FormDef.validate`), on random interviews and on mutated ones.

mod javarosa;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use surveys::answer::{Options, answer, escape};
use surveys::chance::Chance;
use surveys::expression::{Dialect, Moment, NodeId, Tree};
use surveys::form::Compiled;
use surveys::question_type::Stored;
use surveys::submission::{Judge, check_with, read, refusal};
use surveys::{xform, xlsform};

/// Forms with every kind of rule, beside those of the corpus.
const FORMS: &str = include_str!("javarosa/forms.md");

/// What is done to an interview.
const MUTATIONS: [&str; 9] = [
    "as answered",
    "answer blank",
    "wrong choice",
    "out of range",
    "answered though not asked",
    "wrong type",
    "calculated value changed",
    "repeat taken away",
    "repeat added",
];

/// What JavaRosa says where it has no verdict, and why.
const WITHOUT_VERDICT: [(&str, &str); 6] = [
    ("SHA256Digest", "the jar lacks the library that hashes a text into a seed"),
    ("cannot handle function", "Collect, not JavaRosa, has the function"),
    ("Cycle detected", "the form is refused: a calculation reads itself"),
    ("not localizable", "the form is refused: no text in the default language"),
    ("<label> node for itemset", "the form is refused: the first choice has no label"),
    ("Instance referenced by", "the list of entities or the file is attached by the server"),
];

fn items(form: &Compiled, tree: &Tree, fits: impl Fn(&surveys::form::Item) -> bool) -> Vec<NodeId> {
    let item = |node: &NodeId| tree.get(*node).place.map(|place| &form.items[place as usize]);
    let nodes = tree.descendants_or_self(tree.root());
    nodes.into_iter().filter(|node| item(node).is_some_and(&fits)).collect()
}

fn pick<T: Copy>(chance: &mut Chance, from: &[T]) -> Option<T> {
    if from.is_empty() { None } else { Some(from[chance.below(from.len())]) }
}

/// Changes the instance; false where the form has nothing of the kind.
fn mutate(form: &Compiled, tree: &mut Tree, kind: &str, chance: &mut Chance) -> bool {
    let number =
        |item: &surveys::form::Item| matches!(item.stored(), Some(Stored::Integer | Stored::Decimal));
    let set = |tree: &mut Tree, node: Option<NodeId>, text: &str| match node {
        Some(node) if tree.get(node).text != text => {
            text.clone_into(&mut tree.get_mut(node).text);
            true
        }
        _ => false,
    };
    match kind {
        "as answered" => true,
        "answer blank" => {
            let nodes = items(form, tree, |item| item.is_answerable() && item.stored().is_some());
            let node = pick(chance, &nodes);
            set(tree, node, "")
        }
        "wrong choice" => {
            let nodes = items(form, tree, |item| item.choices.is_some());
            let node = pick(chance, &nodes);
            set(tree, node, "zzz")
        }
        "out of range" => {
            let nodes = items(form, tree, |item| item.is_answerable() && number(item));
            let node = pick(chance, &nodes);
            let text = ["-7", "0", "999999", "18", "3.5"][chance.below(5)];
            set(tree, node, text)
        }
        "answered though not asked" => {
            let parents = items(form, tree, |item| item.stored().is_none());
            let parent = pick(chance, &[vec![tree.root()], parents].concat()).unwrap_or(tree.root());
            let around = tree.get(parent).place.map(|place| place as usize);
            let absent: Vec<usize> = (0..form.items.len())
                .filter(|i| {
                    form.items[*i].parent == around
                        && form.items[*i].is_answerable()
                        && !form.items[*i].in_meta
                })
                .filter(|i| tree.named(parent, &form.items[*i].name).next().is_none())
                .collect();
            let Some(item) = pick(chance, &absent) else { return false };
            tree.add_text(parent, &form.items[item].name, "1");
            true
        }
        "wrong type" => {
            let typed = |item: &surveys::form::Item| {
                use Stored::{Date, DateTime, Decimal, Integer, Place, Time};
                matches!(item.stored(), Some(Date | DateTime | Decimal | Integer | Place | Time))
            };
            let nodes = items(form, tree, typed);
            let node = pick(chance, &nodes);
            set(tree, node, "abc")
        }
        "calculated value changed" => {
            let nodes = items(form, tree, |item| item.calculation.is_some());
            let node = pick(chance, &nodes);
            set(tree, node, ["1", "99", ""][chance.below(3)])
        }
        _ => {
            let repeats = items(form, tree, |item| item.is_repeat());
            let Some(repeat) = pick(chance, &repeats) else { return false };
            if kind == "repeat taken away" {
                tree.remove(repeat);
                return true;
            }
            let Some(parent) = tree.get(repeat).parent else { return false };
            let last = tree
                .children(parent)
                .iter()
                .rposition(|child| tree.get(*child).name == tree.get(repeat).name);
            copy(tree, repeat, parent, last.map_or(0, |last| last + 1));
            true
        }
    }
}

fn copy(tree: &mut Tree, from: NodeId, parent: NodeId, at: usize) {
    let (name, text, place) =
        (tree.get(from).name.clone(), tree.get(from).text.clone(), tree.get(from).place);
    let node = tree.insert(parent, at, name);
    tree.get_mut(node).text = text;
    tree.get_mut(node).place = place;
    for (i, child) in tree.children(from).to_vec().into_iter().enumerate() {
        copy(tree, child, node, i);
    }
}

fn write(tree: &Tree, node: NodeId, xml: &mut String) {
    let data = tree.get(node);
    let _ = write!(xml, "<{}", data.name);
    if node == tree.root() {
        for (name, value) in data.attributes.iter().filter(|(name, _)| ["id", "version"].contains(&&**name)) {
            let _ = write!(xml, " {name}=\"{}\"", escape(value));
        }
    }
    xml.push('>');
    xml.push_str(&escape(&data.text));
    for child in &data.children {
        write(tree, *child, xml);
    }
    let _ = write!(xml, "</{}>", data.name);
}

/// The forms by name: the survey's own, ours here, and those of the corpus that ask something.
fn forms() -> Vec<(String, Compiled, String)> {
    let mut sources: Vec<(String, String, Vec<u8>)> = vec![(
        "questionnaire 2026".to_owned(),
        "questionnaire.xlsx".to_owned(),
        include_bytes!("../instruments/2026/questionnaire.xlsx").to_vec(),
    )];
    for form in FORMS.split("\n# ").skip(1) {
        let (name, text) = form.split_once('\n').expect("a name and a form");
        sources.push((name.to_owned(), "form.md".to_owned(), text.trim().as_bytes().to_vec()));
    }
    let corpus: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("pyxform/forms.json")).expect("the corpus is JSON");
    for form in &corpus {
        let (name, text) = (form["name"].as_str().expect("a name"), form["form"].as_str().expect("a form"));
        sources.push((name.to_owned(), "form.md".to_owned(), text.as_bytes().to_vec()));
    }
    let mut forms = Vec::new();
    for (name, file, bytes) in sources {
        let Ok(workbook) = xlsform::read(&file, &bytes) else { continue };
        let (Ok(form), Ok(xml)) =
            (Compiled::new(&workbook.questionnaire), xform::write(&workbook.questionnaire))
        else {
            continue;
        };
        forms.push((name, form, xml));
    }
    forms
}

#[test]
#[ignore = "needs a JDK, Python and the package pyxform 4.5.0, and takes minutes; ./dev test --all runs it"]
fn verdicts_are_those_of_javarosa() {
    let build = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let jar = javarosa::jar(&build);
    let folder = build.join("javarosa-verdicts");
    std::fs::create_dir_all(&folder).expect("a folder in the build folder");
    // JavaRosa knows no other clock than the machine's.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as f64;
    let now = Moment::from_milliseconds(now, 420).expect("a moment");
    let judge = Judge { dialect: Dialect::JavaRosa, now: Some(now), zone: 420 };
    let options = Options { minutes: Some(0.0), ..Options::at(now) };
    let mut list = String::new();
    let mut ours = Vec::new();
    let forms = forms();
    for (f, (name, form, xml)) in forms.iter().enumerate() {
        std::fs::write(folder.join(format!("form{f}.xml")), xml).expect("the build folder can be written");
        let rounds = match f {
            0 => 30,
            _ if name.starts_with("form of ") => 12,
            _ => 1,
        };
        for (m, kind) in MUTATIONS.iter().enumerate() {
            for round in 0..rounds {
                let seed = (round * MUTATIONS.len() + m) as u64;
                let mut chance = Chance::new(seed, &format!("{name} {kind}"));
                let filled = answer(form, seed, &options);
                let mut tree = read(form, filled.xml.as_bytes()).expect("well-formed").tree;
                if !mutate(form, &mut tree, kind, &mut chance) {
                    continue;
                }
                let mut xml = String::new();
                write(&tree, tree.root(), &mut xml);
                let submission = read(form, xml.as_bytes()).expect("well-formed");
                let (problems, refusal) =
                    (check_with(form, &submission, judge), refusal(form, &submission, judge));
                let file = format!("{}.xml", ours.len());
                std::fs::write(folder.join(&file), &xml).expect("the build folder can be written");
                let _ = writeln!(list, "form{f}.xml {file}");
                ours.push((name.as_str(), *kind, problems, refusal));
            }
        }
    }
    std::fs::write(folder.join("list.txt"), list).expect("the build folder can be written");
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/javarosa/Verdicts.java");
    let theirs = javarosa::java(&jar, &source, [&folder, &folder.join("list.txt")]);
    assert_eq!(theirs.len(), ours.len(), "one verdict an interview");
    let mut left_out = [0; WITHOUT_VERDICT.len()];
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut apart: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let (mut judged, mut agreed, mut refused, mut with_instances) =
        (0, 0, 0, std::collections::BTreeSet::new());
    for (i, ((name, kind, problems, refusal), verdict)) in ours.iter().zip(&theirs).enumerate() {
        if let Some(reason) = WITHOUT_VERDICT.iter().position(|(words, _)| verdict.contains(words)) {
            left_out[reason] += 1;
            continue;
        }
        judged += 1;
        with_instances.insert(*name);
        let theirs = verdict != "accepted";
        refused += u32::from(theirs);
        let count = counts.entry(*kind).or_default();
        count.1 += 1;
        if refusal.is_some() == theirs {
            agreed += 1;
            count.0 += 1;
            continue;
        }
        let rules: Vec<&str> = problems.iter().map(|problem| problem.rule.name()).collect();
        let words: Vec<&str> = verdict.split(' ').take(2).collect();
        apart.entry(format!("{kind}: ours {rules:?}, JavaRosa {}", words.join(" "))).or_default().push(i);
    }
    for (kind, (same, all)) in &counts {
        println!("{kind}: {same} of {all}");
    }
    for (what, where_) in &apart {
        let (name, _, problems, _) = &ours[where_[0]];
        println!(
            "{} × {what}; as {}.xml of {name}: {:?} | {}",
            where_.len(),
            where_[0],
            problems.first(),
            theirs[where_[0]]
        );
    }
    for (count, (_, reason)) in left_out.iter().zip(WITHOUT_VERDICT) {
        println!("left out: {count} interviews, {reason}");
    }
    let with_verdict = with_instances.len();
    println!("{agreed} of {judged} verdicts agree, {refused} refused by JavaRosa, {with_verdict} forms");
    assert!(judged >= 1_000 && with_instances.len() > 20 && refused > 200, "{judged} {refused}");
    assert!(f64::from(agreed) >= 0.97 * f64::from(judged), "{agreed} of {judged}");
}
