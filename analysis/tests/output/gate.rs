//! Rules 17, 18 and 19 for estimates.

use analysis::disclosure::{GateError, Rules, SafeRow, Standing, gate, merge_small_groups};
use analysis::estimation::result::Row;
use indexmap::IndexMap;

/// One row a line: group, category, share, n, clusters; `-` for none.
fn rows(text: &str) -> Vec<Row> {
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() == 5)
        .map(|f| Row {
            id: "r".into(),
            statistic: "mean".into(),
            variable: Some("opinion".into()),
            category: (f[1] != "-").then(|| f[1].to_owned()),
            group: f[0]
                .split(',')
                .filter(|g| *g != "-")
                .map(|g| {
                    let (column, value) = g.split_once('=').expect("column=value");
                    (column.to_owned(), value.to_owned())
                })
                .collect(),
            estimate: f[2].parse().ok(),
            n: f[3].parse().ok(),
            psus: f[4].parse().ok(),
            ..Row::default()
        })
        .collect()
}

fn pass(text: &str, rules: &Rules) -> Vec<SafeRow> {
    gate(&rows(text), rules).expect("nothing refused")
}

/// `x` hidden, `o` shown, in row order.
fn marks(text: &str, rules: &Rules) -> String {
    pass(text, rules).iter().map(|r| if r.figure().is_hidden() { 'x' } else { 'o' }).collect()
}

#[test]
fn a_share_needs_thirty_respondents_from_three_clusters() {
    let rules = Rules::default();
    assert_eq!(marks("- - 0.5 30 3", &rules), "o");
    assert_eq!(marks("- - 0.5 29 3", &rules), "x");
    assert_eq!(marks("- - 0.5 30 2", &rules), "x");
}

#[test]
fn what_does_not_say_its_base_or_clusters_does_not_leave() {
    assert_eq!(marks("- - 0.5 - 9", &Rules::default()), "x");
    assert_eq!(marks("- - 0.5 90 -", &Rules::default()), "x");
}

/// 0.05 · 100 = 5 people; 0.95 · 100 leaves 5 on the other side.
#[test]
fn a_share_of_fewer_than_ten_people_is_hidden_from_either_end() {
    let rules = Rules::default();
    assert_eq!(marks("- - 0.05 100 9", &rules), "x");
    assert_eq!(marks("- - 0.95 100 9", &rules), "x");
    assert_eq!(marks("- - 0.10 100 9", &rules), "o");
    assert_eq!(marks("- - 0 100 9", &rules), "o");
}

/// 4 people say `a`: shown beside 36, 60 and 100 of 200 the rest would give it away, so 36 is hidden too.
#[test]
fn one_hidden_answer_takes_the_next_smallest_with_it() {
    let answers = "
        - a 0.02 200 9
        - b 0.18 200 9
        - c 0.30 200 9
        - d 0.50 200 9";
    assert_eq!(marks(answers, &Rules::default()), "xxoo");
}

/// 2 + 3 people are hidden, but together they would be known to be 5.
#[test]
fn hidden_answers_are_together_at_least_the_threshold() {
    let answers = "
        - a 0.01  200 9
        - b 0.015 200 9
        - c 0.375 200 9
        - d 0.60  200 9";
    assert_eq!(marks(answers, &Rules::default()), "xxxo");
}

#[test]
fn one_hidden_group_takes_the_smallest_shown_group_with_it() {
    let groups = "
        area=A - 0.5 20  9
        area=B - 0.5 90  9
        area=C - 0.5 40  9";
    assert_eq!(marks(groups, &Rules::default()), "xox");
}

#[test]
fn two_hidden_groups_under_the_base_together_take_a_third() {
    let groups = "
        area=A - 0.5 10  9
        area=B - 0.5 12  9
        area=C - 0.5 60  9
        area=D - 0.5 80  9";
    assert_eq!(marks(groups, &Rules::default()), "xxxo");
}

/// In a table of two columns both directions must hold.
#[test]
fn a_hidden_cell_is_covered_along_both_columns() {
    let cells = "
        area=A,sex=1 - 0.5 20 9
        area=A,sex=2 - 0.5 80 9
        area=B,sex=1 - 0.5 70 9
        area=B,sex=2 - 0.5 60 9
        area=C,sex=1 - 0.5 90 9
        area=C,sex=2 - 0.5 95 9";
    assert_eq!(marks(cells, &Rules::default()), "xxxxoo");
}

#[test]
fn a_nearly_unanimous_sensitive_answer_hides_the_whole_distribution_with_its_zero() {
    let answers = "
        - a 0.0  90 9
        - b 0.05 90 9
        - c 0.95 90 9";
    let rules = Rules { sensitive: ["opinion".to_owned()].into(), ..Rules::default() };
    assert_eq!(marks(answers, &rules), "xxx");
    assert_eq!(marks(&answers.replace("90 9", "400 9"), &rules), "ooo");
}

#[test]
fn ethnicity_by_commune_is_refused_and_by_former_district_is_not() {
    let rules = Rules {
        ethnicity: ["b3".to_owned()].into(),
        small_areas: ["commune".to_owned()].into(),
        ..Rules::default()
    };
    let refused = gate(&rows("b3=08,commune=1 - 0.5 90 9"), &rules);
    let expected =
        GateError::EthnicityBySmallArea { id: "r".into(), ethnicity: "b3".into(), area: "commune".into() };
    assert_eq!(refused, Err(expected));
    assert!(gate(&rows("b3=08,old_district=1 - 0.5 90 9"), &rules).is_ok());
}

#[test]
fn a_small_ethnic_group_stands_alone_for_the_whole_province_only() {
    let rules = Rules {
        ethnicity: ["b3".to_owned()].into(),
        small_ethnic_groups: ["52".to_owned()].into(),
        ..Rules::default()
    };
    let province = "
        b3=08 - 0.5 900 9
        b3=02 - 0.5 400 9
        b3=52 - 0.5 50 9";
    assert_eq!(marks(province, &rules), "ooo");
    assert_eq!(marks(&province.replace("50 9", "49 9"), &rules), "oxx");
    let by_sex = "
        b3=08,sex=1 - 0.5 450 9
        b3=52,sex=1 - 0.5 60 9
        b3=02,sex=1 - 0.5 200 9";
    assert_eq!(marks(by_sex, &rules), "oxx");
}

/// 900 and 300 stay; 40, 20 and 8 are 68 together.
#[test]
fn small_groups_are_merged_before_estimation() {
    let counts: IndexMap<String, usize> =
        [("08", 900), ("02", 300), ("19", 40), ("44", 20), ("52", 8)].map(|(c, n)| (c.to_owned(), n)).into();
    let merged = merge_small_groups(&counts, &Rules::default(), "other");
    assert_eq!(merged.shown_as["08"], "08");
    assert_eq!(merged.shown_as["52"], "other");
    assert_eq!(merged.together.len(), 3);
}

/// One small group alone under "other" would be that group by another name.
#[test]
fn other_is_never_one_group() {
    let counts: IndexMap<String, usize> =
        [("08", 900), ("02", 300), ("19", 40)].map(|(c, n)| (c.to_owned(), n)).into();
    let merged = merge_small_groups(&counts, &Rules::default(), "other");
    assert_eq!(merged.shown_as["02"], "other");
    assert_eq!(merged.shown_as["08"], "08");
}

#[test]
fn a_hidden_figure_keeps_nothing_beside_it() {
    let safe = pass("- - 0.5 12 9", &Rules::default());
    let figure = safe[0].figure();
    assert_eq!(figure.standing(), Standing::Hidden);
    assert_eq!((figure.estimate(), figure.n(), figure.se(), figure.deff()), (None, None, None, None));
    assert_eq!(figure.interval(), None);
}

#[test]
fn rules_can_be_tightened_but_not_loosened() {
    let loose = Rules { min_base: 1, min_count: 1, min_clusters: 0, ..Rules::default() };
    assert_eq!(marks("- - 0.5 29 3", &loose), "x");
    let tight = Rules { min_base: 100, ..Rules::default() };
    assert_eq!(marks("- - 0.5 90 3", &tight), "x");
}
