//! The scripts that declare the design, looked at line by line; R runs its own in `programs.rs`.

use analysis::export::records::{Design, Records, RecordsError, r_script, stata_script};

use super::{codebook, notes, plan, records, table};

#[test]
fn the_r_script_declares_design_margins_and_our_figures() {
    let script = r_script(&records(), "đợt 1.csv").expect("a script");
    for line in [
        "options(survey.lonely.psu = \"adjust\", digits = 10)",
        "data_file <- if (length(arguments) > 0) arguments[1] else \"\\U{111}\\U{1ee3}t 1.csv\"",
        "numbers <- c(\"tuoi\", \"person_weight\", \"weight\", \"c1_satisfied\")",
        "design <- svydesign(ids = ~psu,",
        "                    strata = ~stratum,",
        "                    weights = ~person_weight,",
        "    levels = c(\"M\\U{f4}ng\", \"kh\\U{e1}c\")))",
        "totals <- list(c(240.0, 310.0),",
        "               c(330.0, 220.0))",
        "design <- calibrate(design, ~ margin_1_1 + margin_1_2, population = population, calfun = \"raking\",",
        "  id = c(\"c1_satisfied\", \"tuoi\", \"kenh\", \"kenh\"),",
        "  category = as.character(c(NA, NA, \"khong_ro\", \"truyen_hinh_tinh\")),",
    ] {
        assert!(script.lines().any(|l| l == line), "{line}\nis not in\n{script}");
    }
    assert!(
        script.lines().all(|line| line.starts_with('#') || line.is_ascii()),
        "code is ASCII in every locale"
    );
}

/// What Stata reads: every line that is no comment begins with a command, texts are closed, names are Stata's, every
/// column that is used is one of the dataset or made before.
#[test]
fn the_do_file_declares_the_same_design_and_uses_nothing_that_is_not_there() {
    let script = stata_script(&records(), "dot-1.dta").expect("a script");
    for line in [
        "version 15",
        "use \"dot-1.dta\", clear",
        "egen long ln_unit1 = group(psu)",
        "egen long ln_stratum = group(stratum)",
        "replace ln_margin1 = 1 if rake_ethnic == \"Mông\"",
        "svyset ln_unit1 [pweight = person_weight], strata(ln_stratum) ///",
        "    vce(linearized) singleunit(centered) ///",
        "    rake(i.ln_margin1 i.ln_margin2, ///",
        "    totals(_cons=550.0 2.ln_margin1=310.0 2.ln_margin2=220.0))",
        "svy, subpop(if !missing(c1_satisfied)): mean c1_satisfied",
        "generate byte ln_figure4 = (kenh == 1) if kenh != .",
        "svy, subpop(if !missing(ln_figure4)): mean ln_figure4",
    ] {
        assert!(script.lines().any(|l| l == line), "{line}\nis not in\n{script}");
    }
    let commands = ["version", "use", "egen", "generate", "replace", "assert", "svyset", "svy,"];
    let mut known: Vec<String> = records().names().map(str::to_owned).collect();
    let mut continued = false;
    for line in script.lines().filter(|line| !line.is_empty() && !line.starts_with("* ")) {
        assert_eq!(line.matches('"').count() % 2, 0, "an open text: {line}");
        assert_eq!(line.contains("///"), line.ends_with("///"), "a line goes on at its end: {line}");
        if !continued {
            let first = line.split(' ').next().unwrap_or_default();
            assert!(commands.contains(&first), "{line}");
        }
        continued = line.ends_with("///");
        let outside: String = line.split('"').step_by(2).collect();
        let used = outside
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("ln_"));
        let made =
            ["egen long ", "generate byte ", "generate int "].iter().find_map(|c| line.strip_prefix(c));
        if let Some(name) = made.and_then(|made| made.split(' ').next()) {
            known.push(name.to_owned());
        }
        for name in used {
            assert!(known.iter().any(|k| k == name), "{name} was not made: {line}");
        }
        for of in ["mean ", "pweight = "] {
            if let Some((_, after)) = outside.split_once(of) {
                let name = after.split([' ', ']', ',']).next().unwrap_or_default();
                assert!(known.iter().any(|k| k == name), "{name} is no column: {line}");
            }
        }
    }
    assert_eq!(script.matches("svy, ").count(), 4);
    assert_eq!(script.matches("assert reldif(").count(), 4);
}

#[test]
fn what_a_script_cannot_say_is_named() {
    let of = |change: &dyn Fn(&mut Design)| {
        let mut design = Design { plan: plan(), weight: "person_weight".into(), answers: Vec::new() };
        change(&mut design);
        let records = Records::new(&table(), &codebook(), notes(), design).expect("records");
        let told = |result: Result<String, RecordsError>| result.expect_err("it is refused").to_string();
        (told(r_script(&records, "a.csv")), told(stata_script(&records, "a.dta")))
    };
    let trimmed = serde_json::json!({ "method": "trim", "upper": 40 });
    let (r, stata) = of(&|design| {
        design.plan.adjust.push(serde_json::from_value(trimmed.clone()).expect("a step"));
    });
    assert_eq!(r, "the design cannot be declared in R: an adjustment other than `rake` and `poststratify`");
    assert!(stata.contains("in Stata: an adjustment other than"));
    let (r, _) = of(&|design| design.plan.design.weights = None);
    assert!(r.ends_with("a design without `weights`"));
}
