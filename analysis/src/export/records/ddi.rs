//! Records described in DDI-Codebook 2.5: the study, the file, every variable.
//!
//! The elements stand in the order of the schema of DDI-Codebook 2.5.1; `analysis/tests/output/ddi_rules.rs` holds
//! that order and asks it of what is written here.

use surveys::codebook::{Measure, Missing, Text};

use super::columns::{Cells, Item};
use super::xml::Element;
use super::{Audience, Records};
use crate::estimation::plan::Adjustment;

/// The record's file that the documentation describes.
const FILE: &str = "F1";

/// Writes the documentation. `data_file`: name of the CSV that it describes.
///
/// Counts of answers (`sumStat`) stand in that of released records only ([`Audience::COUNTS`]).
pub fn ddi<A: Audience>(records: &Records<A>, data_file: &str) -> String {
    let language = records.language();
    Element::new("codeBook")
        .with("xmlns", "ddi:codebook:2_5")
        .with("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
        .with(
            "xsi:schemaLocation",
            "ddi:codebook:2_5 https://ddialliance.org/Specification/DDI-Codebook/2.5/XMLSchema/codebook.xsd",
        )
        .with("xml:lang", language)
        .with("version", "2.5")
        .child(document(records))
        .child(study(records))
        .child(file(records, data_file))
        .child(Element::new("dataDscr").children(variables(records)))
        .document()
}

fn paragraphs<'a>(
    name: &'static str,
    texts: impl IntoIterator<Item = &'a String>,
) -> impl Iterator<Item = Element> {
    let texts: Vec<Element> = texts.into_iter().map(|text| Element::text(name, text.as_str())).collect();
    texts.into_iter()
}

/// The element, where there is something to say.
fn some(name: &'static str, text: &str) -> Option<Element> {
    (!text.is_empty()).then(|| Element::text(name, text))
}

fn day((year, month, day): (u16, u8, u8)) -> String {
    format!("{year:04}-{month:02}-{day:02}")
}

/// An element for each language of a text.
fn in_languages(name: &'static str, text: &Text) -> Vec<Element> {
    text.iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(language, text)| Element::text(name, text.as_str()).with("xml:lang", language.as_str()))
        .collect()
}

fn title<A: Audience>(records: &Records<A>) -> Element {
    let parallel = records.codebook.title.iter().filter(|(_, title)| **title != records.notes.title);
    Element::new("titlStmt")
        .child(Element::text("titl", records.notes.title.as_str()))
        .children(records.notices().map(|notice| Element::text("subTitl", notice)))
        .children(parallel.map(|(language, title)| {
            Element::text("altTitl", title.as_str()).with("xml:lang", language.as_str())
        }))
        .children(some("IDNo", &records.codebook.form_id))
}

fn document<A: Audience>(records: &Records<A>) -> Element {
    let date = day(records.notes.created);
    Element::new("docDscr").child(
        Element::new("citation").child(title(records)).child(
            Element::new("prodStmt")
                .children(some("producer", &records.notes.producer))
                .child(Element::text("prodDate", date.as_str()).with("date", date.as_str()))
                .children(some("software", &records.notes.program)),
        ),
    )
}

fn study<A: Audience>(records: &Records<A>) -> Element {
    let notes = &records.notes;
    let series = Element::new("serStmt")
        .child(Element::text("serName", notes.title.as_str()).with("abbr", records.codebook.form_id.as_str()))
        .child(Element::text("serInfo", records.codebook.version.as_str()));
    let citation = Element::new("citation")
        .child(title(records))
        .child(Element::new("rspStmt").children(some("AuthEnty", &notes.producer)))
        .child(Element::new("prodStmt").children(some("producer", &notes.producer)))
        .child(series)
        .child(Element::new("verStmt").children(some("version", &records.codebook.version)));
    let summary = Element::new("sumDscr")
        .children(some("collDate", &notes.period))
        .child(Element::text("anlyUnit", "Người · Individual"))
        .children(some("universe", &notes.population))
        .child(Element::text("dataKind", "Số liệu khảo sát · Survey data"));
    let information =
        Element::new("stdyInfo").children(paragraphs("abstract", &notes.summary)).child(summary);
    let collection = Element::new("dataColl")
        .children(paragraphs("sampProc", &notes.method))
        .children(design_sentence(records).map(|text| Element::text("sampProc", text)))
        .children(weighting_sentence(records).map(|text| Element::text("weight", text)));
    let sources: Vec<String> = notes.sources.iter().map(|(name, hash)| format!("{name}: {hash}")).collect();
    let method = Element::new("method").child(collection).children(paragraphs("notes", &sources));
    let conditions: Vec<&str> =
        records.notices().chain([notes.licence.as_str()]).filter(|text| !text.is_empty()).collect();
    let conditions = conditions.join(" – ");
    let citation_text = format!("{}: {}", notes.producer, notes.title);
    let access = Element::new("dataAccs").child(
        Element::new("useStmt")
            .children(A::NOTICE.map(|notice| Element::text("restrctn", notice)))
            .child(Element::text("citReq", citation_text))
            .child(Element::text("conditions", conditions)),
    );
    Element::new("stdyDscr").child(citation).child(information).child(method).child(access)
}

/// The columns of the design, in words.
fn design_sentence<A>(records: &Records<A>) -> Option<String> {
    let design = &records.design.as_ref()?.plan.design;
    let mut parts = Vec::new();
    if !design.strata.is_empty() {
        parts.push(format!("tầng: {}", design.strata.join(", ")));
    }
    if !design.clusters.is_empty() {
        parts.push(format!("chùm: {}", design.clusters.join(", ")));
    }
    parts.extend(design.weights.as_ref().map(|weights| format!("quyền số trước hiệu chỉnh: {weights}")));
    Some(format!("Cột khai báo thiết kế mẫu – {}.", parts.join("; ")))
}

fn weighting_sentence<A>(records: &Records<A>) -> Option<String> {
    let design = records.design.as_ref()?;
    let margins: Vec<String> = design
        .plan
        .adjust
        .iter()
        .flat_map(|step| match step {
            Adjustment::Rake { margins, .. } => margins.iter().map(|m| m.by.join("×")).collect(),
            Adjustment::Poststratify { by, .. } => vec![by.join("×")],
            Adjustment::Calibrate { terms, .. } => terms.clone(),
            Adjustment::Nonresponse { classes, .. } => classes.clone(),
            Adjustment::Trim { .. } => Vec::new(),
        })
        .collect();
    let margins = if margins.is_empty() {
        String::new()
    } else {
        format!("; hiệu chỉnh theo: {}", margins.join(", "))
    };
    Some(format!("Quyền số cuối: cột {}{margins}.", design.weight))
}

fn file<A: Audience>(records: &Records<A>, data_file: &str) -> Element {
    let text = Element::new("fileTxt")
        .child(Element::text("fileName", data_file).with("ID", "file-name"))
        .child(Element::text("fileCont", "Mỗi dòng một người trả lời · One row a respondent"))
        .child(Element::new("fileStrc").with("type", "rectangular"))
        .child(
            Element::new("dimensns")
                .child(Element::text("caseQnty", records.height.to_string()))
                .child(Element::text("varQnty", records.items.len().to_string())),
        )
        .child(Element::text("fileType", "CSV").with("charset", "UTF-8"))
        .child(Element::text("format", "delimited"))
        .child(Element::text("filePlac", data_file))
        .children(some("software", &records.notes.program));
    Element::new("fileDscr").with("ID", FILE).child(text)
}

fn variables<A: Audience>(records: &Records<A>) -> Vec<Element> {
    let weight = records.design.as_ref().map(|design| design.weight.as_str());
    (1..)
        .zip(&records.items)
        .map(|(place, item)| {
            let is_weight = weight == Some(item.name.as_str());
            let weighted = weight.is_some() && !is_weight;
            variable(records, item, place, is_weight, weighted)
        })
        .collect()
}

fn variable<A: Audience>(
    records: &Records<A>,
    item: &Item,
    place: usize,
    is_weight: bool,
    weighted: bool,
) -> Element {
    let continuous = matches!(item.cells, Cells::Number(_));
    let mut var = Element::new("var")
        .with("ID", format!("V{place}"))
        .with("name", item.name.as_str())
        .with("files", FILE)
        .with("intrvl", if continuous { "contin" } else { "discrete" });
    if is_weight {
        var = var.with("wgt", "wgt");
    } else if weighted && let Some(design) = &records.design {
        let at = records.items.iter().position(|other| other.name == design.weight);
        if let Some(at) = at {
            var = var.with("wgt-var", format!("V{}", at + 1));
        }
    }
    let nature = match item.measure {
        Measure::Ordinal => Some("ordinal"),
        Measure::Nominal | Measure::Indicator => Some("nominal"),
        Measure::Number => Some("ratio"),
        Measure::Text | Measure::Other => None,
    };
    if let Some(nature) = nature {
        var = var.with("nature", nature);
    }
    let column = place.to_string();
    // A delimited file has columns in place of positions.
    let location = Element::new("location")
        .with("StartPos", column.as_str())
        .with("EndPos", column)
        .with("width", "1")
        .with("fileid", FILE);
    let labels = match in_languages("labl", &item.label) {
        labels if labels.is_empty() => vec![Element::text("labl", item.name.as_str())],
        labels => labels,
    };
    let questions = item.asked.then(|| in_languages("qstnLit", &item.label)).filter(|q| !q.is_empty());
    let missing: Vec<Element> = item
        .values
        .iter()
        .filter(|value| value.missing.is_some())
        .map(|value| Element::new("item").with("VALUE", value.code.as_str()))
        .collect();
    let universe =
        (!item.universe.is_empty()).then(|| Element::text("universe", item.universe.join(" and ")));
    let (valid, invalid) = item.counts();
    let counts = [("vald", valid), ("invd", invalid)]
        .into_iter()
        .filter(|_| A::COUNTS)
        .map(|(kind, count)| Element::text("sumStat", count.to_string()).with("type", kind));
    let (_, text) = records.languages.first().and_then(|l| item.label.get_key_value(l)).unzip();
    let text = text.map_or(item.name.as_str(), String::as_str);
    let categories = item.values.iter().map(|value| {
        let mut category = Element::new("catgry");
        if let Some(missing) = value.missing {
            category = category.with("missing", "Y").with(
                "missType",
                match missing {
                    Missing::DontKnow => "don't know",
                    Missing::Refused => "refused",
                },
            );
        }
        let labels = match in_languages("labl", &value.label) {
            labels if labels.is_empty() => vec![Element::text("labl", value.code.as_str())],
            labels => labels,
        };
        category.child(Element::text("catValu", value.code.as_str())).children(labels)
    });
    let derivation = item.derivation.as_ref().map(|sql| {
        Element::new("derivation").child(Element::text("drvcmd", sql.as_str()).with("syntax", "SQL"))
    });
    let numeric = continuous || (!item.values.is_empty() && item.whole_codes().is_some());
    let format = Element::new("varFormat")
        .with("type", if numeric { "numeric" } else { "character" })
        .with("schema", "other");
    var.child(location)
        .children(labels)
        .children(questions.map(|q| Element::new("qstn").children(q)))
        .children((!missing.is_empty()).then(|| Element::new("invalrng").children(missing)))
        .children(universe)
        .children(counts)
        .child(Element::text("txt", text))
        .children(categories)
        .child(Element::text("concept", if item.asked { "question" } else { "constructed" }))
        .children(derivation)
        .child(format)
}
