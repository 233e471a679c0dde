//! What Word needs of a document before it opens it without a complaint: the order of elements by ECMA-376 part 1
//! (where Word is strict and other programs are not), ids that are unique, references that lead somewhere.

use crate::report::{large_docx, part, report};
use analysis::report::{Layout, docx};
use resvg::usvg::roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};

/// Parent, and its children in the only order that is allowed. Left out is what no part of ours writes.
const ORDER: &[(&str, &[&str])] = &[
    ("document", &["body"]),
    ("hdr", &["p", "tbl"]),
    ("ftr", &["p", "tbl"]),
    (
        "pPr",
        &[
            "pStyle",
            "keepNext",
            "keepLines",
            "pageBreakBefore",
            "framePr",
            "widowControl",
            "numPr",
            "suppressLineNumbers",
            "pBdr",
            "shd",
            "tabs",
            "suppressAutoHyphens",
            "kinsoku",
            "wordWrap",
            "overflowPunct",
            "topLinePunct",
            "autoSpaceDE",
            "autoSpaceDN",
            "bidi",
            "adjustRightInd",
            "snapToGrid",
            "spacing",
            "ind",
            "contextualSpacing",
            "mirrorIndents",
            "suppressOverlap",
            "jc",
            "textDirection",
            "textAlignment",
            "textboxTightWrap",
            "outlineLvl",
            "divId",
            "cnfStyle",
            "rPr",
            "sectPr",
            "pPrChange",
        ],
    ),
    ("pBdr", &["top", "left", "bottom", "right", "between", "bar"]),
    ("numPr", &["ilvl", "numId"]),
    (
        "rPr",
        &[
            "rStyle",
            "rFonts",
            "b",
            "bCs",
            "i",
            "iCs",
            "caps",
            "smallCaps",
            "strike",
            "dstrike",
            "outline",
            "shadow",
            "emboss",
            "imprint",
            "noProof",
            "snapToGrid",
            "vanish",
            "webHidden",
            "color",
            "spacing",
            "w",
            "kern",
            "position",
            "sz",
            "szCs",
            "highlight",
            "u",
            "effect",
            "bdr",
            "shd",
            "fitText",
            "vertAlign",
            "rtl",
            "cs",
            "em",
            "lang",
            "eastAsianLayout",
            "specVanish",
            "oMath",
        ],
    ),
    ("tbl", &["tblPr", "tblGrid", "tr"]),
    (
        "tblPr",
        &[
            "tblStyle",
            "tblpPr",
            "tblOverlap",
            "bidiVisual",
            "tblStyleRowBandSize",
            "tblStyleColBandSize",
            "tblW",
            "jc",
            "tblCellSpacing",
            "tblInd",
            "tblBorders",
            "shd",
            "tblLayout",
            "tblCellMar",
            "tblLook",
            "tblCaption",
            "tblDescription",
        ],
    ),
    ("tblBorders", &["top", "left", "bottom", "right", "insideH", "insideV"]),
    ("tblCellMar", &["top", "left", "bottom", "right"]),
    ("tr", &["trPr", "tc"]),
    (
        "tcPr",
        &[
            "cnfStyle",
            "tcW",
            "gridSpan",
            "hMerge",
            "vMerge",
            "tcBorders",
            "shd",
            "noWrap",
            "tcMar",
            "textDirection",
            "tcFitText",
            "vAlign",
            "hideMark",
        ],
    ),
    (
        "sectPr",
        &[
            "headerReference",
            "footerReference",
            "footnotePr",
            "endnotePr",
            "type",
            "pgSz",
            "pgMar",
            "paperSrc",
            "pgBorders",
            "lnNumType",
            "pgNumType",
            "cols",
            "formProt",
            "vAlign",
            "noEndnote",
            "titlePg",
            "textDirection",
            "bidi",
            "rtlGutter",
            "docGrid",
        ],
    ),
    ("inline", &["extent", "effectExtent", "docPr", "cNvGraphicFramePr", "graphic"]),
    ("graphic", &["graphicData"]),
    ("pic", &["nvPicPr", "blipFill", "spPr"]),
    ("nvPicPr", &["cNvPr", "cNvPicPr"]),
    ("blipFill", &["blip", "srcRect", "tile", "stretch"]),
    ("spPr", &["xfrm", "custGeom", "prstGeom", "ln"]),
    ("xfrm", &["off", "ext"]),
    ("styles", &["docDefaults", "latentStyles", "style"]),
    ("docDefaults", &["rPrDefault", "pPrDefault"]),
    (
        "style",
        &[
            "name",
            "aliases",
            "basedOn",
            "next",
            "link",
            "autoRedefine",
            "hidden",
            "uiPriority",
            "semiHidden",
            "unhideWhenUsed",
            "qFormat",
            "locked",
            "rsid",
            "pPr",
            "rPr",
            "tblPr",
            "trPr",
            "tcPr",
            "tblStylePr",
        ],
    ),
    ("numbering", &["numPicBullet", "abstractNum", "num"]),
    ("abstractNum", &["nsid", "multiLevelType", "tmpl", "name", "styleLink", "numStyleLink", "lvl"]),
    (
        "lvl",
        &[
            "start",
            "numFmt",
            "lvlRestart",
            "pStyle",
            "isLgl",
            "suff",
            "lvlText",
            "lvlPicBulletId",
            "lvlJc",
            "pPr",
            "rPr",
        ],
    ),
    (
        "settings",
        &[
            "writeProtection",
            "view",
            "zoom",
            "mirrorMargins",
            "defaultTabStop",
            "autoHyphenation",
            "evenAndOddHeaders",
            "characterSpacingControl",
            "updateFields",
            "hdrShapeDefaults",
            "footnotePr",
            "endnotePr",
            "compat",
            "docVars",
            "rsids",
            "mathPr",
            "themeFontLang",
            "clrSchemeMapping",
            "decimalSymbol",
            "listSeparator",
        ],
    ),
];

const PARTS: [&str; 7] = [
    "word/document.xml",
    "word/styles.xml",
    "word/numbering.xml",
    "word/settings.xml",
    "word/header.xml",
    "word/header-first.xml",
    "word/footer.xml",
];

fn name<'a>(node: &Node<'a, '_>) -> &'a str {
    node.tag_name().name()
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

/// Attribute without regard to its prefix.
fn attribute<'a>(node: &Node<'a, '_>, wanted: &str) -> Option<&'a str> {
    node.attributes().find(|a| a.name() == wanted).map(|a| a.value())
}

/// Children that stand where the order does not allow them.
fn disorder(xml: &str) -> Vec<String> {
    let document = Document::parse(xml).expect("well-formed");
    let mut found = Vec::new();
    for node in document.descendants().filter(Node::is_element) {
        let first_only = match name(&node) {
            "p" => Some("pPr"),
            "r" => Some("rPr"),
            "tc" => Some("tcPr"),
            _ => None,
        };
        if let Some(properties) = first_only {
            for (i, child) in elements(node).enumerate() {
                if name(&child) == properties && i > 0 {
                    found.push(format!("{properties} is not the first in {}", name(&node)));
                }
            }
        }
        let Some((_, order)) = ORDER.iter().find(|(parent, _)| *parent == name(&node)) else { continue };
        let mut reached = 0;
        for child in elements(node) {
            match order.iter().position(|allowed| *allowed == name(&child)) {
                None => found.push(format!("{} may not stand in {}", name(&child), name(&node))),
                Some(place) if place < reached => {
                    found.push(format!("{} stands too late in {}", name(&child), name(&node)));
                }
                Some(place) => reached = place,
            }
        }
    }
    found
}

#[test]
fn elements_stand_in_the_order_that_word_needs() {
    let wrong = "<w:p xmlns:w='w'><w:pPr><w:jc/><w:ind/></w:pPr></w:p>";
    assert_eq!(disorder(wrong), ["ind stands too late in pPr"]);
    assert_eq!(disorder("<w:r xmlns:w='w'><w:t/><w:rPr/></w:r>"), ["rPr is not the first in r"]);
    let state = docx(&report(Layout::State)).expect("a document");
    for bytes in [large_docx(), state.as_slice()] {
        for part_name in PARTS {
            let found = disorder(&part(bytes, part_name));
            assert!(found.is_empty(), "{part_name}: {found:?}");
        }
    }
}

#[test]
fn rows_have_the_cells_of_their_grid_and_every_cell_ends_with_a_paragraph() {
    let text = part(large_docx(), "word/document.xml");
    let document = Document::parse(&text).expect("well-formed");
    let mut tables = 0;
    for table in document.descendants().filter(|n| name(n) == "tbl") {
        tables += 1;
        let grid = elements(table).find(|n| name(n) == "tblGrid").expect("a grid");
        let widths: Vec<&str> = elements(grid).filter_map(|n| attribute(&n, "w")).collect();
        let wide: u32 = widths.iter().map(|w| w.parse::<u32>().expect("twips")).sum();
        assert!(wide <= 15_000, "a table wider than its page: {wide}");
        for row in elements(table).filter(|n| name(n) == "tr") {
            let cells: Vec<Node<'_, '_>> = elements(row).filter(|n| name(n) == "tc").collect();
            assert_eq!(cells.len(), widths.len());
            for cell in cells {
                assert_eq!(elements(cell).last().map(|n| name(&n)), Some("p"));
            }
        }
    }
    assert!(tables > 5);
}

#[test]
fn ids_are_unique_and_references_lead_somewhere() {
    let bytes = large_docx();
    let text = part(bytes, "word/document.xml");
    let document = Document::parse(&text).expect("well-formed");
    let all = |wanted: &str, key: &str| -> Vec<String> {
        let nodes = document.descendants().filter(|n| n.is_element() && name(n) == wanted);
        nodes.filter_map(|n| attribute(&n, key).map(str::to_owned)).collect()
    };
    let unique = |ids: Vec<String>, of: &str| -> BTreeSet<String> {
        let set: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(set.len(), ids.len(), "{of} twice");
        set
    };
    unique(all("docPr", "id"), "picture id");
    let starts = unique(all("bookmarkStart", "id"), "bookmark id");
    assert_eq!(starts, unique(all("bookmarkEnd", "id"), "bookmark end"));
    let names = unique(all("bookmarkStart", "name"), "bookmark");
    let anchors = all("hyperlink", "anchor");
    assert!(anchors.len() > 4 && anchors.iter().all(|a| names.contains(a)));

    let relations = part(bytes, "word/_rels/document.xml.rels");
    let relations = Document::parse(&relations).expect("well-formed");
    let targets: BTreeMap<&str, &str> = relations
        .descendants()
        .filter_map(|n| Some((attribute(&n, "Id")?, attribute(&n, "Target")?)))
        .collect();
    let used = all("blip", "embed")
        .into_iter()
        .chain(all("headerReference", "id"))
        .chain(all("footerReference", "id"));
    for id in used {
        let target = targets.get(id.as_str()).unwrap_or_else(|| panic!("no relation {id}"));
        let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("a zip");
        assert!(archive.index_for_name(&format!("word/{target}")).is_some(), "{target}");
    }
}

/// Every field begins, is parted and ends, one inside the other.
#[test]
fn fields_are_whole() {
    let text = part(large_docx(), "word/document.xml");
    let document = Document::parse(&text).expect("well-formed");
    let mut open: Vec<bool> = Vec::new();
    let mut fields = 0;
    for node in document.descendants().filter(|n| name(n) == "fldChar") {
        match attribute(&node, "fldCharType") {
            Some("begin") => open.push(false),
            Some("separate") => {
                let parted = open.last_mut().expect("a field is open");
                assert!(!*parted, "parted twice");
                *parted = true;
            }
            Some("end") => {
                assert_eq!(open.pop(), Some(true));
                fields += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(open.is_empty() && fields > 10);
}

#[test]
fn every_picture_has_its_words_and_every_table_repeats_its_head() {
    let text = part(large_docx(), "word/document.xml");
    let document = Document::parse(&text).expect("well-formed");
    let pictures: Vec<_> = document.descendants().filter(|n| name(n) == "docPr").collect();
    assert!(pictures.len() >= 4);
    for picture in pictures {
        assert!(attribute(&picture, "descr").is_some_and(|d| d.len() > 20));
    }
    let captioned =
        document.descendants().filter(|n| name(n) == "pStyle" && attribute(n, "val") == Some("Caption"));
    let heads = document.descendants().filter(|n| name(n) == "tblHeader").count();
    assert!(heads > 3 && captioned.count() >= heads);
}
