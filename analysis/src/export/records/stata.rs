//! A do-file for Stata 15 or later: declares the design on the dataset of the same records and repeats our figures.

use super::columns::{Cells, Item};
use super::declared::{Declared, Margin, declared};
use super::{Analysts, Records, RecordsError, dta, names};
use crate::estimation::plan::{ColumnOrNumber, SinglePsu};

/// Writes the do-file. `data_file`: the `.dta` of the same records, as the do-file will find it.
///
/// Raking is the option `rake()` of `svyset`. Estimates are asserted to be ours to 1e-6 of their size; our standard
/// errors stand beside Stata's as comments.
///
/// Error: [`RecordsError::Design`] for what the do-file cannot say.
pub fn stata_script(records: &Records<Analysts>, data_file: &str) -> Result<String, RecordsError> {
    let declared = declared(records, "Stata")?;
    let mut out = String::new();
    for line in records.lines() {
        // A comment that holds these two letters would not end with its line.
        out += &format!("* {}\n", super::texts::one_line(&line).replace("/*", "/ *").replace("///", "/ / /"));
    }
    let columns = Columns::of(records);
    out += "\nversion 15\n";
    out += &format!("use {}, clear\n\n", text(data_file));
    out += &design(&declared, &columns)?;
    out += &figures(&declared, &columns)?;
    Ok(out)
}

/// The columns by their names in the records, as the dataset has them.
struct Columns<'a> {
    items: &'a [Item],
    names: Vec<String>,
}

impl<'a> Columns<'a> {
    fn of(records: &'a Records<Analysts>) -> Self {
        let names = names::stata(records.items.iter().map(|item| item.name.as_str()));
        Self { items: &records.items, names }
    }

    fn find(&self, name: &str) -> Result<(&'a Item, &str), RecordsError> {
        let at =
            self.items.iter().position(|item| item.name == name).ok_or_else(|| RecordsError::Design {
                format: "Stata",
                what: format!("`{name}`, which is no column of the records"),
            })?;
        Ok((&self.items[at], &self.names[at]))
    }

    fn name(&self, name: &str) -> Result<&str, RecordsError> {
        self.find(name).map(|(_, name)| name)
    }

    /// A condition that the column has this value.
    fn equals(&self, name: &str, value: &str) -> Result<String, RecordsError> {
        let (item, name) = self.find(name)?;
        Ok(match &item.cells {
            Cells::Text { .. } => format!("{name} == {}", text(value)),
            Cells::Number(_) => format!("{name} == {value}"),
            Cells::Coded(_) => {
                let place = item.values.iter().position(|v| v.code == value);
                let code = place.and_then(|place| match item.values[place].missing {
                    Some(surveys::codebook::Missing::DontKnow) => Some(".a".to_owned()),
                    Some(surveys::codebook::Missing::Refused) => Some(".b".to_owned()),
                    None => dta::code_numbers(item).get(place).map(i32::to_string),
                });
                format!("{name} == {}", code.unwrap_or_else(|| ".".into()))
            }
        })
    }
}

fn design(declared: &Declared<'_>, columns: &Columns<'_>) -> Result<String, RecordsError> {
    let mut out = String::new();
    // Units and strata as numbers; `group` numbers the combinations.
    let mut units = Vec::new();
    for (stage, cluster) in (1..).zip(declared.clusters) {
        let column = columns.name(cluster)?;
        let within = match (declared.nested, stage) {
            (true, 1) => {
                declared.strata.iter().map(|s| columns.name(s)).collect::<Result<Vec<_>, _>>()?.join(" ")
            }
            _ => String::new(),
        };
        let all = format!("{within} {column}");
        out += &format!("egen long ln_unit{stage} = group({})\n", all.trim());
        units.push(format!("ln_unit{stage}"));
    }
    if units.is_empty() {
        units.push("_n".into());
    }
    let mut strata = String::new();
    if !declared.strata.is_empty() {
        let names = declared.strata.iter().map(|s| columns.name(s)).collect::<Result<Vec<_>, _>>()?;
        out += &format!("egen long ln_stratum = group({})\n", names.join(" "));
        strata = "strata(ln_stratum) ".into();
    }
    let single = match declared.single_psu {
        SinglePsu::Error => "missing",
        SinglePsu::Remove | SinglePsu::Certainty => "certainty",
        SinglePsu::Adjust => "centered",
        SinglePsu::Average => "scaled",
    };
    let mut fpc = Vec::new();
    for (stage, entry) in (1..).zip(declared.fpc) {
        fpc.push(match entry {
            ColumnOrNumber::Column(column) => columns.name(column)?.to_owned(),
            ColumnOrNumber::Number(number) => {
                out += &format!("generate double ln_fpc{stage} = {number:?}\n");
                format!("ln_fpc{stage}")
            }
        });
    }
    let mut rake = String::new();
    for (number, margins) in (1..).zip(&declared.calibrations) {
        if number > 1 {
            return Err(RecordsError::Design { format: "Stata", what: "more than one calibration".into() });
        }
        for (place, margin) in (1..).zip(margins) {
            out += &margin_column(place, margin, columns)?;
        }
        rake = raking(margins);
    }
    let fpc_of = |stage: usize| fpc.get(stage).map(|name| format!("fpc({name}) ")).unwrap_or_default();
    let later: String =
        (1..units.len()).map(|stage| format!(" || {}, {}", units[stage], fpc_of(stage))).collect();
    out += &format!(
        "svyset {} [pweight = {}], {strata}{}///\n    vce(linearized) singleunit({single}){rake}{}\n\n",
        units[0],
        columns.name(declared.weights)?,
        fpc_of(0),
        later.trim_end()
    );
    Ok(out)
}

/// A number for each category of the margin, in its order from 1.
fn margin_column(place: usize, margin: &Margin, columns: &Columns<'_>) -> Result<String, RecordsError> {
    let mut out = format!("generate int ln_margin{place} = .\n");
    for (number, (values, _)) in (1..).zip(&margin.categories) {
        let conditions = margin
            .columns
            .iter()
            .zip(values)
            .map(|(column, value)| columns.equals(column, value))
            .collect::<Result<Vec<_>, _>>()?;
        out += &format!("replace ln_margin{place} = {number} if {}\n", conditions.join(" & "));
    }
    Ok(out + &format!("assert !missing(ln_margin{place})\n"))
}

fn raking(margins: &[Margin]) -> String {
    let terms: Vec<String> = (1..=margins.len()).map(|place| format!("i.ln_margin{place}")).collect();
    let population: f64 = margins.first().map_or(0.0, |m| m.categories.iter().map(|(_, total)| total).sum());
    let mut totals = vec![format!("_cons={population:?}")];
    for (place, margin) in (1..).zip(margins) {
        for (number, (_, total)) in (1..).zip(&margin.categories).skip(1) {
            totals.push(format!("{number}.ln_margin{place}={total:?}"));
        }
    }
    let totals: Vec<String> = totals.chunks(4).map(|line| line.join(" ")).collect();
    format!(" ///\n    rake({}, ///\n    totals({}))", terms.join(" "), totals.join(" ///\n        "))
}

fn figures(declared: &Declared<'_>, columns: &Columns<'_>) -> Result<String, RecordsError> {
    let mut out = String::new();
    for (number, figure) in (1..).zip(&declared.figures) {
        out += &format!(
            "* {}: Lắng Nghe {:.10}, sai số chuẩn {:.10}, bậc tự do {}\n",
            figure.id, figure.estimate, figure.se, figure.df
        );
        let column = match figure.category {
            None => columns.name(figure.variable)?.to_owned(),
            Some(category) => {
                let made = format!("ln_figure{number}");
                let (item, name) = columns.find(figure.variable)?;
                // Don't know and refused are categories of their own; only `.` was not asked.
                let given = match item.cells {
                    Cells::Text { .. } => format!("{name} != \"\""),
                    _ => format!("{name} != ."),
                };
                let equals = columns.equals(figure.variable, category)?;
                out += &format!("generate byte {made} = ({equals}) if {given}\n");
                made
            }
        };
        out += &format!("svy, subpop(if !missing({column})): mean {column}\n");
        out += &format!("assert reldif(_b[{column}], {:?}) < 1e-6\n\n", figure.estimate);
    }
    Ok(out)
}

/// A text of Stata, in compound quotes where it holds one.
fn text(text: &str) -> String {
    if text.contains(['"', '`', '$']) {
        let safe = text.replace('`', "\\`").replace('$', "\\$");
        return format!("`\"{safe}\"'");
    }
    format!("\"{text}\"")
}
