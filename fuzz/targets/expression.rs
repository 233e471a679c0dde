//! Expressions: parsed, looked into, and evaluated in both dialects on a form with repeats and lists.
#![no_main]

use std::cell::RefCell;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use surveys::chance::Chance;
use surveys::expression::{
    Dialect, Environment, Expression, Found, Moment, Purpose, Reference, Scope, Standing, Tree,
};
use surveys::form::Compiled;
use surveys::submission;

const FORM: &str = "
| survey |                  |        |        |                     |                |
|        | type             | name   | label  | choice_filter       | calculation    |
|        | select_one area  | area   | A      |                     |                |
|        | select_one place | place  | P      | area = ${area}      |                |
|        | begin repeat     | member | M      |                     |                |
|        | text             | name   | N      |                     |                |
|        | integer          | age    | A      |                     |                |
|        | begin repeat     | trip   | T      |                     |                |
|        | date             | day    | D      |                     |                |
|        | geopoint         | where  | W      |                     |                |
|        | end repeat       |        |        |                     |                |
|        | end repeat       |        |        |                     |                |
|        | calculate        | total  |        |                     | sum(${age})    |
|        | select_multiple place | many | M   |                     |                |
|        | dateTime         | when   | W      |                     |                |
|        | time             | clock  | C      |                     |                |
| choices |       |      |         |      |
|         | list_name | name | label | area |
|         | area  | a1   | Một     |      |
|         | area  | a2   | Hai     |      |
|         | place | p1   | Xã 1    | a1   |
|         | place | p2   | Xã 2    | a2   |
|         | place | p3   | Xã 3    | a2   |
";

const INSTANCE: &str = "<data id='form'><area>a2</area><place>p3</place>
<member><name>Lan</name><age>34</age><trip><day>2026-01-31</day><where>22.8 104.9 300 5</where></trip>
<trip><day>2026-02-28</day><where>22.9 104.8</where></trip></member>
<member><name>A Páo</name><age/><trip><day/><where/></trip></member>
<total>34</total><many>p1 p2</many><when>2026-03-01T10:20:30.000+07:00</when><clock>08:00:00.000+07:00</clock></data>";

static COMPILED: LazyLock<(Compiled, Tree)> = LazyLock::new(|| {
    let read = surveys::xlsform::read("form.md", FORM.as_bytes()).expect("a form");
    let form = Compiled::new(&read.questionnaire).expect("compiles");
    let tree = submission::read(&form, INSTANCE.as_bytes()).expect("an instance").tree;
    (form, tree)
});

fuzz_target!(|text: &str| {
    let Ok(expression) = Expression::parse(text) else { return };
    let (form, tree) = &*COMPILED;
    let _ = expression.references("/data/member/age");
    let look_up = |reference: &Reference| match format!("{reference:?}").len() % 3 {
        0 => Found::Something,
        1 => Found::Repeat,
        _ => Found::Nothing,
    };
    for purpose in [Purpose::Condition, Purpose::Other] {
        let _ = expression.traps(&Standing { path: "/data/member/age", purpose, look_up: &look_up });
    }
    let _ = (expression.functions(), expression.compared());
    let _ = (expression.is_never(), expression.is_volatile(), expression.bounds(), expression.pattern());
    let nodes = tree.descendants_or_self(tree.root());
    for dialect in [Dialect::JavaRosa, Dialect::WebForms] {
        for node in [nodes[1], nodes[5], nodes[8]] {
            let chance = RefCell::new(Chance::new(1, "fuzz"));
            let now = Moment::parse("2026-08-03T08:00:00+07:00", 420).expect("a moment");
            let environment = Environment { dialect, now, zone: 420, chance: &chance, lookups: form };
            let scope = Scope { main: tree, node, environment: &environment };
            let _ = expression.evaluate_stored(&scope);
            let _ = expression.evaluate_condition(&scope);
            let _ = expression.evaluate_texts(&scope, Some("name"));
        }
    }
});
