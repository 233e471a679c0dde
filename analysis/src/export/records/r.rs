//! A script for R's package `survey`: declares the design on the CSV of the same records, calibrates as we do, and
//! repeats our figures beside ours.

use super::columns::Cells;
use super::declared::{Declared, Margin, declared};
use super::{Analysts, Records, RecordsError};
use crate::estimation::plan::{ColumnOrNumber, SinglePsu};

/// Before 4.5 the package squares the total of a lonely PSU itself, in place of its distance from the mean of all; the
/// two are the same only where the linearised totals add to zero, which they do not after calibration.
const LONELY: &str = "\
units <- rowSums(table(design$strata[[1]], design$cluster[[1]]) > 0)
if (any(units == 1) && packageVersion(\"survey\") < \"4.5\")
  message(\"survey \", packageVersion(\"survey\"), \" does not centre strata with a single PSU as survey 4.5, Stata and \",
          \"Lang Nghe do; expect other standard errors\")

";

/// Writes the script. `data_file`: the CSV, as the script will find it; `Rscript F.R OTHER.csv` takes another.
///
/// Raking is R's `calibrate(…, calfun = "raking")`, whose standard errors take the residuals from the margins with
/// the weights before raking, as ours do; those of R's `rake()` do without weights and stop after ten rounds. The
/// script ends with an error when one of its figures differs from ours by more than 1e-8 of its size.
///
/// Error: [`RecordsError::Design`] for what the script cannot say.
pub fn r_script(records: &Records<Analysts>, data_file: &str) -> Result<String, RecordsError> {
    let declared = declared(records, "R")?;
    let mut out = String::new();
    for line in records.lines() {
        out += &format!("# {}\n", super::texts::one_line(&line));
    }
    out += "#\n# Khai báo thiết kế mẫu cho gói survey của R, chạy: Rscript TỆP.R [SỐ_LIỆU.csv]\n";
    out += "suppressPackageStartupMessages(library(survey))\n";
    let lonely = match declared.single_psu {
        SinglePsu::Error => "fail",
        SinglePsu::Remove => "remove",
        SinglePsu::Certainty => "certainty",
        SinglePsu::Adjust => "adjust",
        SinglePsu::Average => "average",
    };
    out += &format!("options(survey.lonely.psu = {}, digits = 10)\n\n", text(lonely));
    out += &reading(records, data_file);
    out += &design(&declared);
    for (number, margins) in (1..).zip(&declared.calibrations) {
        out += &calibration(number, margins);
    }
    out += &format!(
        "weights_off <- max(abs(weights(design) / data[[{}]] - 1))\n\
         cat(\"Quyen so lech nhieu nhat (tuong doi):\", weights_off, \"\\n\")\n\n",
        text(declared.weight)
    );
    if declared.single_psu == SinglePsu::Adjust && !declared.calibrations.is_empty() {
        out += LONELY;
    }
    out += &figures(&declared);
    Ok(out)
}

/// Every column comes as text; an apostrophe that keeps a spreadsheet from running a cell is taken off.
fn reading(records: &Records<Analysts>, data_file: &str) -> String {
    let numbers = records.items.iter().filter(|item| matches!(item.cells, Cells::Number(_)));
    let numbers: Vec<String> = numbers.map(|item| text(&item.name)).collect();
    format!(
        "arguments <- commandArgs(trailingOnly = TRUE)\n\
         data_file <- if (length(arguments) > 0) arguments[1] else {}\n\
         data <- read.csv(data_file, colClasses = \"character\", na.strings = \"\", encoding = \"UTF-8\",\n\
         \x20                check.names = FALSE)\n\
         names(data)[1] <- sub(\"^\\xef\\xbb\\xbf\", \"\", names(data)[1], useBytes = TRUE)\n\
         data[] <- lapply(data, function(cells) sub(\"^'(\\\\s*[=+@\\t\\r\\n-])\", \"\\\\1\", cells))\n\
         numbers <- c({})\n\
         data[numbers] <- lapply(data[numbers], as.numeric)\n\n",
        text(data_file),
        wrapped(&numbers)
    )
}

fn design(declared: &Declared<'_>) -> String {
    let formula = |names: &[String]| match names {
        [] => "~1".to_owned(),
        names => format!("~{}", names.iter().map(|n| name(n)).collect::<Vec<_>>().join(" + ")),
    };
    let mut out = String::new();
    let mut parts = vec![format!("ids = {}", formula(declared.clusters))];
    // Strata are the combinations of their columns.
    match declared.strata {
        [] => {}
        [one] => parts.push(format!("strata = ~{}", name(one))),
        several => {
            let columns: Vec<String> = several.iter().map(|n| format!("data[[{}]]", text(n))).collect();
            out += &format!("data$design_strata <- interaction({}, drop = TRUE)\n", columns.join(", "));
            parts.push("strata = ~design_strata".into());
        }
    }
    parts.push(format!("weights = ~{}", name(declared.weights)));
    let mut fpc = Vec::new();
    for (stage, entry) in (1..).zip(declared.fpc) {
        fpc.push(match entry {
            ColumnOrNumber::Column(column) => column.clone(),
            ColumnOrNumber::Number(number) => {
                out += &format!("data$design_fpc_{stage} <- {number:?}\n");
                format!("design_fpc_{stage}")
            }
        });
    }
    if !fpc.is_empty() {
        parts.push(format!("fpc = {}", formula(&fpc)));
    }
    if declared.nested {
        parts.push("nest = TRUE".into());
    }
    parts.push("data = data".into());
    out + &format!("design <- svydesign({})\n\n", parts.join(",\n                    "))
}

fn calibration(number: usize, margins: &[Margin]) -> String {
    let mut out = String::new();
    let mut terms = Vec::new();
    let mut totals = Vec::new();
    for (place, margin) in (1..).zip(margins) {
        let term = format!("margin_{number}_{place}");
        let columns: Vec<String> =
            margin.columns.iter().map(|n| format!("design$variables[[{}]]", text(n))).collect();
        let levels: Vec<String> =
            margin.categories.iter().map(|(values, _)| text(&values.join(" | "))).collect();
        out += &format!(
            "design <- update(design, {term} = factor(paste({}, sep = \" | \"),\n    levels = c({})))\n",
            columns.join(", "),
            wrapped(&levels)
        );
        let counts: Vec<String> = margin.categories.iter().map(|(_, total)| format!("{total:?}")).collect();
        totals.push(format!("c({})", wrapped(&counts)));
        terms.push(term);
    }
    let formula = format!("~ {}", terms.join(" + "));
    out + &format!(
        "totals <- list({})\n\
         population <- c(sum(totals[[1]]), unlist(lapply(totals, function(margin) margin[-1])))\n\
         names(population) <- colnames(model.matrix({formula}, design$variables))\n\
         design <- calibrate(design, {formula}, population = population, calfun = \"raking\",\n\
         \x20                   epsilon = 1e-12, maxit = 500)\n\n",
        totals.join(",\n               ")
    )
}

fn figures(declared: &Declared<'_>) -> String {
    let column = |values: Vec<String>| format!("c({})", wrapped(&values));
    let of = &declared.figures;
    if of.is_empty() {
        return String::new();
    }
    let number = |value: f64| if value.is_finite() { format!("{value:?}") } else { "NA".to_owned() };
    format!(
        "# Số của Lắng Nghe\n\
         ours <- data.frame(\n\
         \x20 id = {},\n\
         \x20 variable = {},\n\
         \x20 category = as.character({}),\n\
         \x20 estimate = {},\n\
         \x20 se = {},\n\
         \x20 df = {})\n\
         repeated <- function(variable, category) {{\n\
         \x20 y <- design$variables[[variable]]\n\
         \x20 if (!is.na(category)) y <- as.numeric(y == category)\n\
         \x20 inside <- !is.na(y)\n\
         \x20 y[!inside] <- 0\n\
         \x20 part <- update(design, figure = as.numeric(y))[inside, ]\n\
         \x20 mean <- svymean(~figure, part)\n\
         \x20 c(estimate = as.numeric(coef(mean)), se = as.numeric(SE(mean)), df = degf(design))\n\
         }}\n\
         theirs <- data.frame(t(mapply(repeated, ours$variable, ours$category)), row.names = NULL)\n\
         half <- qt(0.975, theirs$df) * theirs$se\n\
         print(data.frame(ours[c(\"id\", \"category\")], theirs,\n\
         \x20                low = theirs$estimate - half, high = theirs$estimate + half))\n\
         off <- max(abs(theirs$estimate - ours$estimate) / pmax(abs(ours$estimate), 1e-3),\n\
         \x20          abs(theirs$se - ours$se) / pmax(ours$se, 1e-3), abs(theirs$df - ours$df))\n\
         cat(\"Lech nhieu nhat so voi Lang Nghe (tuong doi):\", off, \"\\n\")\n\
         if (!(off < 1e-8)) stop(\"the figures differ from those of Lang Nghe\")\n",
        column(of.iter().map(|f| text(f.id)).collect()),
        column(of.iter().map(|f| text(f.variable)).collect()),
        column(of.iter().map(|f| f.category.map_or("NA".to_owned(), text)).collect()),
        column(of.iter().map(|f| number(f.estimate)).collect()),
        column(of.iter().map(|f| number(f.se)).collect()),
        column(of.iter().map(|f| number(f.df)).collect()),
    )
}

/// A list over lines of moderate length.
fn wrapped(values: &[String]) -> String {
    values.chunks(6).map(|line| line.join(", ")).collect::<Vec<_>>().join(",\n    ")
}

/// A text of R. Letters outside ASCII are written by number, so that the script means the same in every locale.
fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(letter),
            other => out.push_str(&format!("\\U{{{:x}}}", u32::from(other))),
        }
    }
    out.push('"');
    out
}

/// A name of R in a formula.
fn name(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
        && name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "\\`")) }
}
