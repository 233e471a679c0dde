//! What the area tree promises: dates decide, codes may be reused, names are found as people type them.

use chrono::NaiveDate;
use surveys::areas::{
    AreaError, AreaTree, Carried, ChangeKind, district_population_2019, ethnic_group, ethnic_groups,
    ethnic_population_2019, search_key,
};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

const HEADER: &str = "code,name,full_name,level,parent_code,valid_from,valid_to,unit_type,search_key\n";
const CHANGES: &str = "old_code,new_code,date,kind,level,old_name,new_name,old_district_code,official_note\n";

#[test]
fn the_bundled_lists_are_complete() {
    let tree = AreaTree::bundled();
    assert_eq!(tree.areas().len(), 14_153);
    let today = day("2026-11-22");
    let provinces =
        tree.areas().iter().filter(|area| area.level == "province" && area.is_valid(today)).count();
    assert_eq!(provinces, 34);
    assert_eq!(ethnic_groups().len(), 54);
    assert_eq!(district_population_2019().len(), 11);
}

#[test]
fn a_reused_code_means_another_unit_on_another_day() {
    let tree = AreaTree::bundled();
    let before = tree.find("commune", "00691", day("2025-06-30")).expect("valid before the reform");
    let after = tree.find("commune", "00691", day("2025-07-01")).expect("valid after the reform");
    assert_eq!(before.full_name, "Phường Trần Phú");
    assert_eq!(after.full_name, "Phường Hà Giang 2");
}

#[test]
fn the_unit_above_is_a_district_before_the_reform_and_a_province_after() {
    let tree = AreaTree::bundled();
    let names = |on: NaiveDate| -> Vec<String> {
        let area = tree.find("commune", "00691", on).expect("the commune is there");
        tree.ancestors(area, on).iter().map(|area| area.full_name.clone()).collect()
    };
    assert_eq!(names(day("2025-06-30")), ["Thành phố Hà Giang", "Tỉnh Hà Giang"]);
    assert_eq!(names(day("2025-07-01")), ["Tỉnh Tuyên Quang"]);
}

#[test]
fn the_new_province_has_124_communes() {
    let tree = AreaTree::bundled();
    let on = day("2025-07-01");
    let province = tree.find("province", "08", on).expect("Tuyên Quang");
    let communes = tree.children(province, on);
    assert_eq!(communes.len(), 124);
    assert!(communes.iter().all(|area| tree.parent(area, on) == Some(province)));
}

#[test]
fn successors_tell_what_a_commune_became() {
    let tree = AreaTree::bundled();
    let became = tree.successors("commune", "00691", day("2025-06-30"));
    let lines: Vec<_> = became.iter().map(|change| (change.kind, change.new_name.as_str())).collect();
    assert_eq!(lines, [(ChangeKind::MergedWhole, "Phường Hà Giang 2")]);
    assert!(tree.successors("commune", "00691", day("2025-07-01")).is_empty());
}

/// 1 was divided in 2020 between 2 and 3, and 2 was merged into 4 in 2025.
#[test]
fn successors_take_one_step_in_time() {
    let changes = format!(
        "{CHANGES}1,2,2020-01-01,merged_part,commune,A,B,,\n1,3,2020-01-01,merged_part,commune,A,C,,\n\
         1,4,2025-07-01,merged_whole,commune,Z,D,,\n"
    );
    let tree = AreaTree::read(HEADER, &changes).expect("the lists are well formed");
    let codes = |on: &str| -> Vec<String> {
        tree.successors("commune", "1", day(on)).iter().filter_map(|change| change.new_code.clone()).collect()
    };
    assert_eq!(codes("2019-12-31"), ["2", "3"]);
    assert_eq!(codes("2020-01-01"), ["4"]);
}

#[test]
fn names_are_found_however_they_are_typed() {
    let tree = AreaTree::bundled();
    let on = day("2025-06-30");
    let decomposed: String = unicode_normalization::UnicodeNormalization::nfd("Hòa Bình").collect();
    for typed in ["Hòa Bình", "Hoà Bình", decomposed.as_str(), "hoa binh", "HÒA BÌNH"] {
        let found = tree.search(typed, on);
        assert!(
            found.iter().any(|area| area.full_name == "Tỉnh Hoà Bình" || area.full_name == "Tỉnh Hòa Bình"),
            "{typed}"
        );
    }
    assert_eq!(search_key("Đồng Văn"), "dong-van");
    assert!(tree.search(" ", on).is_empty());
}

/// `Hòa` and `Hoà` are one spelling, `Hoa` another.
#[test]
fn the_right_diacritics_come_first() {
    let units = format!("{HEADER}1,Hoa,Xã Hoa,commune,,,,xa,hoa\n2,Hòa,Xã Hòa,commune,,,,xa,hoa\n");
    let tree = AreaTree::read(&units, CHANGES).expect("the lists are well formed");
    let codes = |text: &str| -> Vec<&str> {
        tree.search(text, day("2026-01-01")).iter().map(|area| area.code.as_str()).collect()
    };
    assert_eq!(codes("Hoà"), ["2", "1"]);
    assert_eq!(codes("Hoa"), ["1", "2"]);
}

#[test]
fn two_units_with_one_code_at_one_time_are_refused() {
    let units = format!("{HEADER}1,A,Xã A,commune,,,2025-06-30,xa,a\n1,B,Xã B,commune,,2025-06-30,,xa,b\n");
    let error = AreaTree::read(&units, CHANGES).expect_err("both are valid on 30 June 2025");
    assert!(matches!(error, AreaError::Overlap { row: 3, .. }), "{error}");
    let error = AreaTree::read("code,name\n", CHANGES).expect_err("columns are missing");
    assert_eq!(error.to_string(), "units: the column `full_name` is missing; the header must name it");
}

/// Census of 2019: 854,679 persons lived in the former Hà Giang, 6 of them foreign or unstated.
#[test]
fn census_figures_add_up() {
    let in_province = |is_group: fn(&str) -> bool| -> u64 {
        let rows = ethnic_population_2019().iter().filter(|row| row.area_code == "02");
        rows.filter(|row| is_group(&row.ethnic_code)).map(|row| row.persons).sum()
    };
    let by_district: u64 = district_population_2019().iter().map(|row| row.persons).sum();
    assert_eq!(by_district, 854_679);
    assert_eq!(in_province(|_| true), by_district);
    assert_eq!(in_province(|code| code != "98"), 854_673);
    let mong = ethnic_group("08").expect("code 08 of 1979");
    assert_eq!((mong.name.as_str(), mong.population_ha_giang_2019), ("Mông", Some(292_677)));
}

/// The five communes of the two former provinces whose people went to several new ones are these, and no others.
#[test]
fn five_communes_of_the_new_province_have_to_be_decided() {
    let tree = AreaTree::bundled();
    let (from, to) = (day("2025-06-30"), day("2026-11-22"));
    let mut divided = Vec::new();
    let mut whole = 0;
    for province in ["02", "08"] {
        let province = tree.find("province", province, from).expect("a province until then");
        for district in tree.children(province, from) {
            for commune in tree.children(district, from) {
                match tree.carry("commune", &commune.code, from, to) {
                    Carried::Whole(new) => {
                        assert!(new.is_valid(to));
                        whole += 1;
                    }
                    Carried::Divided(new) => {
                        let codes: Vec<&str> = new.iter().map(|area| area.code.as_str()).collect();
                        divided.push(format!("{} {}: {}", commune.code, commune.name, codes.join(" ")));
                    }
                    other => panic!("{}: {other:?}", commune.code),
                }
            }
        }
    }
    divided.sort();
    assert_eq!(
        divided,
        [
            "00688 Quang Trung: 00691 00694",
            "00967 Việt Lâm: 00913 00967",
            "00988 Yên Định: 00700 00994",
            "02494 Thái Bình: 02212 02494",
            "02497 Kim Phú: 02215 02509",
        ]
    );
    assert_eq!(whole, 330 - 5);
}

/// 1 went to 2 in 2020, 2 gave its people to 3 and some land to 4 in 2025; 5 was abolished.
#[test]
fn carrying_goes_from_change_to_change_and_leaves_land_out() {
    let units = format!(
        "{HEADER}1,A,A,commune,,,2019-12-31,xa,\n2,B,B,commune,,,2025-06-30,xa,\n\
         3,C,C,commune,,2025-07-01,,xa,\n4,D,D,commune,,,,xa,\n5,E,E,commune,,,2025-06-30,xa,\n"
    );
    let changes = format!(
        "{CHANGES}1,2,2020-01-01,merged_whole,commune,A,B,,\n\
         2,3,2025-07-01,merged_part_area_all_people,commune,B,C,,\n\
         2,4,2025-07-01,merged_part_area_only,commune,B,D,,\n5,,2025-07-01,abolished,commune,E,,,\n"
    );
    let tree = AreaTree::read(&units, &changes).expect("the lists are well formed");
    let to = |code: &str, from: &str, to: &str| match tree.carry("commune", code, day(from), day(to)) {
        Carried::Whole(area) => area.code.clone(),
        Carried::Divided(areas) => format!("{} units", areas.len()),
        Carried::Gone => "gone".into(),
        Carried::Unknown => "unknown".into(),
    };
    assert_eq!(to("1", "2019-06-01", "2026-01-01"), "3");
    assert_eq!(to("1", "2019-06-01", "2020-01-01"), "2");
    assert_eq!(to("1", "2019-06-01", "2019-07-01"), "1");
    assert_eq!(to("4", "2019-06-01", "2026-01-01"), "4");
    assert_eq!(to("5", "2019-06-01", "2026-01-01"), "gone");
    assert_eq!(to("1", "2020-06-01", "2026-01-01"), "unknown");
}
