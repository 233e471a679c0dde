//! The documentation of a drawn sample as a report: plan in words, strata, probabilities, expected precision, map,
//! AAPOR items. Vietnamese with the English terms. It names villages, so every page says that it is internal; it
//! names no household.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use surveys::areas::AreaTree;

use super::allocate::{Allocation, Rule};
use super::document::DesignDocument;
use super::plan::{Plan, Stage};
use super::precision::{Assumptions, DrawnUnit, Expected, expected};
use super::selection::Method;
use crate::charts::numerals::{decimal, percent, whole};
use crate::charts::{AreaMap, Caption, Outline};
use crate::disclosure::{Cell, SafeTable};
use crate::report::{Block, Drawing, Front, Report};
use crate::table::Table;

/// Printed on every page.
pub const INTERNAL: &str =
    "NỘI BỘ (internal) · nêu thôn được chọn: chỉ dùng trong tổ khảo sát, không công bố";

/// What the page shows beside the sample itself.
#[derive(Clone, Debug)]
pub struct DesignPage<'a> {
    pub design: &'a DesignDocument,
    /// The sample that the design describes.
    pub sample: &'a Table,
    /// Name of its file.
    pub file: &'a str,
    pub assumptions: Assumptions,
    /// Areas for the map, by the sample's column `commune_code`.
    pub outlines: &'a [Outline],
}

impl DesignPage<'_> {
    /// The document. The same input gives the same document.
    pub fn report(&self) -> Report {
        let whole_sample = self.expected(&self.main_rows());
        let mut blocks = vec![Block::Heading(1, "1. Kế hoạch chọn mẫu (sampling plan)".into())];
        blocks.push(Block::Items(in_words(&self.design.plan)));
        blocks.push(Block::Table(self.identity()));
        blocks.push(Block::Heading(1, "2. Tầng và xác suất chọn (strata, inclusion probabilities)".into()));
        blocks.push(Block::Table(self.strata(&whole_sample)));
        blocks.push(Block::Table(self.probabilities()));
        blocks.push(Block::Items(self.particulars()));
        blocks.push(Block::Heading(1, "3. Độ chính xác dự kiến (expected precision)".into()));
        blocks.push(Block::Table(self.precision(&whole_sample)));
        if let Some(map) = self.map() {
            blocks.push(Block::Heading(1, "4. Bản đồ thôn được chọn (map)".into()));
            blocks.push(Block::Figure(Drawing::of(&map)));
        }
        let number = if self.map().is_some() { 5 } else { 4 };
        blocks.push(Block::Heading(1, format!("{number}. Các mục công khai phương pháp (AAPOR)")));
        blocks.push(Block::Table(self.disclosure(&whole_sample)));
        Report {
            front: Front::sheet("THIẾT KẾ MẪU", format!("Sample design · {}", self.file), Some(INTERNAL)),
            blocks,
        }
    }

    fn text(&self, column: &str, row: usize) -> String {
        self.sample.get(column).and_then(|c| c.text(row)).unwrap_or_default().into_owned()
    }

    fn number(&self, column: &str, row: usize) -> f64 {
        self.sample.numbers(column).ok().and_then(|all| all.get(row).copied()).unwrap_or(f64::NAN)
    }

    fn main_rows(&self) -> Vec<usize> {
        (0..self.sample.height()).filter(|row| self.text("role", *row) == "main").collect()
    }

    /// Main rows by their value in a column, in the order of the values.
    fn by(&self, column: &str) -> BTreeMap<String, Vec<usize>> {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in self.main_rows() {
            groups.entry(self.text(column, row)).or_default().push(row);
        }
        groups
    }

    fn expected(&self, rows: &[usize]) -> Expected {
        let rows: Vec<(f64, String, String)> = rows
            .iter()
            .map(|row| {
                let weight = self.number("weight", *row);
                (weight, self.text("variance_stratum", *row), self.text("variance_psu", *row))
            })
            .collect();
        let units = rows.iter().map(|(weight, stratum, psu)| DrawnUnit { weight: *weight, stratum, psu });
        expected(units, &self.assumptions)
    }

    fn identity(&self) -> SafeTable {
        let design = self.design;
        let mut table =
            SafeTable::new("Nhận dạng mẫu (what it takes to repeat the draw)", ["Mục", "Giá trị"]);
        let units = &design.plan.stages[0].unit;
        let first: u64 = design.strata.iter().map(|s| s.n).sum();
        let mut line = |name: &str, value: String| table.push(vec![Cell::text(name), Cell::text(value)]);
        line("Dàn mẫu (frame)", format!("{}: {} dòng", design.frame.file, whole(design.frame.rows as u64)));
        line("SHA-256 của dàn mẫu", in_groups(&design.frame.sha256));
        line(
            "Tệp mẫu (sample)",
            format!(
                "{}: {} dòng; {} {units} ở giai đoạn 1",
                self.file,
                whole(design.rows as u64),
                whole(first)
            ),
        );
        line("SHA-256 của mẫu", in_groups(&design.sample_sha256));
        line("Hạt giống (seed)", design.seed.to_string());
        line("Chương trình (program)", format!("{} {}", design.program, design.version));
        table
    }

    fn strata(&self, whole_sample: &Expected) -> SafeTable {
        let groups = self.by("stratum");
        let by_size = self.design.strata.iter().any(|s| s.size != s.units as f64);
        let mut columns = vec!["Tầng (stratum)", "Đơn vị N"];
        if by_size {
            columns.push("Quy mô (size)");
        }
        columns.extend(["Chọn n", "Dự phòng", "Chắc chắn", "Đơn vị cuối", "Biên sai số ± (điểm %)"]);
        let mut table = SafeTable::new("Các tầng", columns);
        let mut push =
            |name: &str, units: usize, size: f64, n: u64, spare: u64, certain: u64, e: &Expected| {
                let mut row = vec![Cell::text(name), Cell::Fieldwork(units as u64)];
                if by_size {
                    row.push(Cell::PublicNumber(size, 0));
                }
                row.extend([Cell::Fieldwork(n), Cell::Fieldwork(spare), Cell::Fieldwork(certain)]);
                row.extend([Cell::Fieldwork(e.drawn as u64), margin(e)]);
                table.push(row);
            };
        let mut total = (0, 0.0, 0, 0, 0);
        for s in &self.design.strata {
            let expected = self.expected(groups.get(&s.stratum).map_or(&[][..], Vec::as_slice));
            push(&s.stratum, s.units, s.size, s.n, s.reserve, s.certain, &expected);
            total = (
                total.0 + s.units,
                total.1 + s.size,
                total.2 + s.n,
                total.3 + s.reserve,
                total.4 + s.certain,
            );
        }
        push("Cả mẫu (total)", total.0, total.1, total.2, total.3, total.4, whole_sample);
        table.note(format!(
            "Đơn vị cuối: số {} của mẫu chính. “–”: tầng có quá ít đơn vị giai đoạn 1 để công bố riêng.",
            last_unit(&self.design.plan)
        ))
    }

    fn probabilities(&self) -> SafeTable {
        let mut table =
            SafeTable::new("Xác suất chọn và quyền số", ["Đại lượng", "Nhỏ nhất", "Trung vị", "Lớn nhất"]);
        let rows = self.main_rows();
        let mut line = |name: String, column: &str, digits: usize| {
            let mut values: Vec<f64> = rows.iter().map(|row| self.number(column, *row)).collect();
            values.retain(|v| v.is_finite());
            values.sort_by(f64::total_cmp);
            let (Some(first), Some(last)) = (values.first(), values.last()) else { return };
            let middle = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
            let numbers = [*first, middle, *last].map(|v| Cell::PublicNumber(v, digits));
            table.push([Cell::text(name)].into_iter().chain(numbers).collect());
        };
        for (k, stage) in self.design.plan.stages.iter().enumerate() {
            line(format!("Giai đoạn {}: {} (p_{})", k + 1, stage.unit, k + 1), &format!("p_{}", k + 1), 4);
        }
        line("Chung (probability)".into(), "probability", 5);
        line("Quyền số thiết kế (design weight)".into(), "weight", 1);
        table
    }

    fn particulars(&self) -> Vec<String> {
        let design = self.design;
        let mut items = Vec::new();
        let certain: Vec<String> =
            design.certainty.iter().map(|c| format!("{} (tầng {})", c.unit, c.stratum)).collect();
        items.push(if certain.is_empty() {
            "Đơn vị chọn chắc chắn (certainty units): không có.".to_owned()
        } else {
            format!("Đơn vị chọn chắc chắn (certainty units): {}.", certain.join("; "))
        });
        let merged: Vec<String> = design
            .strata
            .iter()
            .filter(|s| !s.merged_from.is_empty())
            .map(|s| format!("{} → {}", s.merged_from.join(" + "), s.stratum))
            .collect();
        items.push(if merged.is_empty() {
            "Tầng gộp (merged strata): không có.".to_owned()
        } else {
            format!("Tầng gộp (merged strata): {}.", merged.join("; "))
        });
        let left: Vec<&str> = design.strata.iter().filter(|s| s.n == 0).map(|s| s.stratum.as_str()).collect();
        if !left.is_empty() {
            items.push(format!("Tầng không có đơn vị nào được chọn, nằm ngoài mẫu: {}.", left.join("; ")));
        }
        let told = design.warnings.iter().filter(|w| !w.contains("are merged into"));
        items.extend(told.map(|w| format!("Cảnh báo khi chọn (warning): {w}.")));
        items
    }

    /// The whole, then each value of each column that makes the strata.
    fn precision(&self, whole_sample: &Expected) -> SafeTable {
        let assume = &self.assumptions;
        let mut table = SafeTable::new(
            "Biên sai số dự kiến của một tỷ lệ 50%",
            [
                "Miền (domain)",
                "Đơn vị gốc (PSU)",
                "Đơn vị cuối",
                "Phiếu dự kiến",
                "Deff",
                "Biên sai số ± (điểm %)",
            ],
        );
        let mut push = |name: String, e: &Expected| {
            table.push(vec![
                Cell::text(name),
                Cell::Fieldwork(e.psus as u64),
                Cell::Fieldwork(e.drawn as u64),
                Cell::PublicNumber(e.interviews, 0),
                Cell::PublicNumber(e.deff, 2),
                margin(e),
            ]);
        };
        push("Cả mẫu (total)".into(), whole_sample);
        let columns = &self.design.plan.strata;
        for column in columns.iter().filter(|_| columns.len() > 1) {
            for (value, rows) in self.by(column) {
                let name = area_name(column, &value).map_or(String::new(), |name| format!(" ({name})"));
                push(format!("{column} = {value}{name}"), &self.expected(&rows));
            }
        }
        table
            .note(format!(
                "Giả định (assumptions): {} đơn vị được chọn trả lời (response); tương quan trong cụm (icc) {}; \
                 khoảng tin cậy {}.",
                percent(assume.response, 0),
                decimal(assume.icc, 3),
                percent(assume.level, 0)
            ))
            .note(
                "Deff = (1 + cv² của quyền số) · (1 + (b − 1) · icc), b là số phiếu trong đơn vị gốc của một phiếu \
                 điển hình. Khoảng tin cậy dùng t với số đơn vị gốc trừ số tầng bậc tự do; bỏ qua hiệu chỉnh tổng \
                 thể hữu hạn. “–”: không đủ đơn vị gốc.",
            )
    }

    /// Areas with the number of drawn first-stage units; points where the plan names coordinates.
    fn map(&self) -> Option<AreaMap> {
        let first = &self.design.plan.stages[0];
        let mut seen: IndexMap<String, usize> = IndexMap::new();
        for row in self.main_rows() {
            seen.entry(self.text(&first.unit, row)).or_insert(row);
        }
        let mut counts: IndexMap<String, u64> = IndexMap::new();
        for row in seen.values() {
            *counts.entry(self.text("commune_code", *row)).or_default() += 1;
        }
        counts.sort_unstable_keys();
        counts.retain(|code, _| self.outlines.iter().any(|o| o.code == *code));
        let shown: u64 = counts.values().sum();
        let source = format!(
            "{} {} được chọn ở mẫu chính. Ranh giới giản lược khoảng 1 km, không có giá trị pháp lý.",
            whole(seen.len() as u64),
            first.unit
        );
        let caption = |subtitle: &str, source: String| Caption {
            title: format!("{} đơn vị giai đoạn 1 nằm ở đâu", whole(seen.len() as u64)),
            subtitle: subtitle.into(),
            source,
            synthetic: None,
        };
        if shown > 0 {
            let elsewhere = seen.len() as u64 - shown;
            let mut source = source;
            if elsewhere > 0 {
                source.push_str(&format!(" {} đơn vị ở ngoài bản đồ này.", whole(elsewhere)));
            }
            return Some(AreaMap {
                caption: caption("Số đơn vị giai đoạn 1 được chọn ở mỗi xã, phường", source),
                outlines: self.near(&counts),
                counts: counts.into_iter().collect(),
                points: Vec::new(),
                unit: "đơn vị".into(),
            });
        }
        let [x, y] = first.coordinates.as_ref()?;
        let points: Vec<(f64, f64)> =
            seen.values().map(|row| (self.number(x, *row), self.number(y, *row))).collect();
        Some(AreaMap {
            caption: caption(
                &format!("Mỗi vòng tròn là một đơn vị; trục là {x}, {y}"),
                "Vị trí theo dàn mẫu.".into(),
            ),
            outlines: Vec::new(),
            counts: Vec::new(),
            points: points.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect(),
            unit: "đơn vị".into(),
        })
    }

    /// The areas in the rectangle around those that are counted.
    fn near(&self, counts: &IndexMap<String, u64>) -> Vec<Outline> {
        let (mut low, mut high) = ((f64::INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::NEG_INFINITY));
        let counted = self.outlines.iter().filter(|o| counts.contains_key(&o.code));
        for (x, y) in counted.flat_map(|o| &o.ring) {
            low = (low.0.min(*x), low.1.min(*y));
            high = (high.0.max(*x), high.1.max(*y));
        }
        let is_near = |(x, y): (f64, f64)| (low.0..=high.0).contains(&x) && (low.1..=high.1).contains(&y);
        self.outlines.iter().filter(|o| is_near(o.middle())).cloned().collect()
    }

    /// The eleven elements of AAPOR's Transparency Initiative.
    fn disclosure(&self, all: &Expected) -> SafeTable {
        const BY_HAND: &str = "(điền tay)";
        let design = self.design;
        let units: usize = design.strata.iter().map(|s| s.units).sum();
        let plan = &design.plan;
        let unit = &plan.stages[0].unit;
        let weights: Vec<f64> = self
            .main_rows()
            .into_iter()
            .map(|row| self.number("weight", row))
            .filter(|w| w.is_finite())
            .collect();
        let sum: f64 = weights.iter().sum();
        let kish = weights.len() as f64 * weights.iter().map(|w| w * w).sum::<f64>() / (sum * sum);
        let precision = match all.margin {
            Some(margin) => {
                format!("dự kiến ±{} điểm phần trăm cho một tỷ lệ 50% của cả mẫu", decimal(margin * 100.0, 1))
            }
            None => "không đủ đơn vị gốc để tính biên sai số".into(),
        };
        let mut table = SafeTable::new(
            "11 mục của AAPOR: chương trình điền phần biết được, phần còn lại điền tay",
            ["Mục (element)", "Nội dung"],
        );
        let mut line = |name: &str, value: String| table.push(vec![Cell::text(name), Cell::text(value)]);
        line(
            "1. Cách thu thập (data collection strategy)",
            "Khảo sát theo mẫu xác suất (probability sample survey).".into(),
        );
        line("2. Ai đặt hàng, ai thực hiện (sponsor, conductor)", BY_HAND.into());
        line("3. Công cụ đo lường, lời câu hỏi (instruments)", BY_HAND.into());
        line(
            "4. Tổng thể nghiên cứu (population)",
            format!(
                "Dàn mẫu có {} {unit}; đối tượng phỏng vấn, ngày của dàn mẫu: {BY_HAND}",
                whole(units as u64)
            ),
        );
        let rows = whole(design.frame.rows as u64);
        let stages = plan.stages.len();
        line(
            "5. Cách chọn mẫu (how the sample was generated)",
            format!(
                "Chọn xác suất, {stages} giai đoạn, từ dàn mẫu {rows} dòng, như mục 1 và 2 của trang này."
            ),
        );
        line("6. Phương thức, ngôn ngữ phỏng vấn (modes, languages)", BY_HAND.into());
        line("7. Ngày thu thập (dates)", BY_HAND.into());
        line(
            "8. Cỡ mẫu và độ chính xác (sample sizes, precision)",
            format!(
                "{} đơn vị được chọn, {} phiếu dự kiến; {precision} (deff {}). Tỷ lệ trả lời thật: {BY_HAND}",
                whole(all.drawn as u64),
                decimal(all.interviews, 0),
                decimal(all.deff, 2)
            ),
        );
        line(
            "9. Quyền số (weighting)",
            format!(
                "Quyền số thiết kế = 1 / xác suất chọn; hệ số thiết kế do quyền số không đều {}. Điều chỉnh không \
                 trả lời, hiệu chuẩn: {BY_HAND}",
                decimal(kish, 2)
            ),
        );
        line(
            "10. Xử lý, kiểm tra chất lượng (processing, quality)",
            format!(
                "Lần chọn lặp lại được từ kế hoạch, dàn mẫu và hạt giống ở trên. Kiểm tra thực địa: {BY_HAND}"
            ),
        );
        let outside: usize = design.strata.iter().filter(|s| s.n == 0).map(|s| s.units).sum();
        let limits = if outside > 0 {
            format!("{} {unit} thuộc tầng không được chọn nằm ngoài mẫu. ", whole(outside as u64))
        } else {
            String::new()
        };
        line(
            "11. Giới hạn (limitations)",
            format!("{limits}Số của dàn mẫu là giả định đến khi lập bảng kê. Giới hạn khác: {BY_HAND}"),
        );
        table
    }
}

/// The name of a unit whose code stands in a column of the frame's usual names.
fn area_name(column: &str, code: &str) -> Option<&'static str> {
    let old = column.starts_with("old_") || column == "district_code";
    let level = column.strip_prefix("old_").unwrap_or(column).strip_suffix("_code")?;
    // The last day of the districts, or the first of the new communes.
    let day = if old { "2025-06-30" } else { "2025-07-01" };
    let area = AreaTree::bundled().find(level, code, day.parse().ok()?)?;
    Some(area.full_name.as_str())
}

/// In percentage points; a dash where there is none.
fn margin(expected: &Expected) -> Cell {
    Cell::PublicNumber(expected.margin.map_or(f64::NAN, |margin| margin * 100.0), 1)
}

fn last_unit(plan: &Plan) -> &str {
    plan.stages.last().map_or("", |s| s.unit.as_str())
}

/// A hash that can be broken over lines.
fn in_groups(hash: &str) -> String {
    let letters: Vec<char> = hash.chars().collect();
    letters.chunks(8).map(|c| c.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// The plan as sentences, one a part.
fn in_words(plan: &Plan) -> Vec<String> {
    let mut items = Vec::new();
    items.push(if plan.strata.is_empty() {
        "Không phân tầng: một tầng duy nhất.".to_owned()
    } else {
        format!("Phân tầng theo (strata): {}.", plan.strata.join(" × "))
    });
    for (name, expression) in &plan.derive {
        items.push(format!("{name} = {expression}."));
    }
    if let Some(merge) = &plan.merge {
        let within = if merge.within.is_empty() {
            String::new()
        } else {
            format!(" cùng {}", merge.within.join(", "))
        };
        items.push(format!(
            "Tầng có dưới {} đơn vị được gộp với tầng nhỏ nhất{within} (merge).",
            merge.min_units
        ));
    }
    for (k, stage) in plan.stages.iter().enumerate() {
        items.push(stage_in_words(k, stage));
    }
    items
}

fn stage_in_words(k: usize, stage: &Stage) -> String {
    let mut text =
        format!("Giai đoạn {}: chọn {} bằng cách {}", k + 1, stage.unit, method_in_words(stage.method));
    if let Some(of) = &stage.of {
        text.push_str(&format!(", đánh số thứ tự 1 … {of}"));
    }
    if let Some(size) = stage.size.as_ref().filter(|_| stage.method.needs_size()) {
        text.push_str(&format!(", quy mô là {size}"));
    }
    if !stage.order.is_empty() {
        text.push_str(&format!(", xếp theo {}", stage.order.join(", ")));
    }
    if let Some(take) = stage.take {
        let each = if k == 0 { "mỗi tầng" } else { "mỗi đơn vị của giai đoạn trước" };
        text.push_str(&format!("; {each} lấy {take}"));
    }
    if let Some(allocation) = &stage.allocation {
        text.push_str(&format!("; phân bổ {}", allocation_in_words(allocation)));
    }
    if stage.reserve > 0 {
        let each = if k == 0 { "mỗi tầng" } else { "mỗi đơn vị" };
        text.push_str(&format!("; dự phòng {} {each}", stage.reserve));
    }
    text.push('.');
    text
}

fn method_in_words(method: Method) -> String {
    let name = match method {
        Method::Srs => "ngẫu nhiên đơn giản",
        Method::Systematic => "hệ thống",
        Method::PpsSystematic => "hệ thống theo xác suất tỷ lệ với quy mô",
        Method::PpsSampford => "Sampford, xác suất tỷ lệ với quy mô",
        Method::PpsBrewer => "Brewer, xác suất tỷ lệ với quy mô",
        Method::PpsCorrelated => "Poisson tương quan, cỡ mẫu cố định, xác suất tỷ lệ với quy mô",
        Method::PpsPoisson => "Poisson, xác suất tỷ lệ với quy mô",
        Method::LocalPivotal => "trải đều trong không gian",
    };
    format!("{name} ({})", method.name())
}

fn allocation_in_words(allocation: &Allocation) -> String {
    let name = match allocation.method {
        Rule::Equal => "đều (equal)".to_owned(),
        Rule::Proportional => "tỷ lệ (proportional)".to_owned(),
        Rule::Neyman => "Neyman".to_owned(),
        Rule::NeymanExact => "Neyman nguyên (neyman_exact)".to_owned(),
        Rule::Cost => "tối ưu theo chi phí (cost)".to_owned(),
        Rule::Power => format!("lũy thừa (power {})", decimal(allocation.power.unwrap_or(0.5), 2)),
        Rule::SquareRoot => "căn bậc hai (square_root)".to_owned(),
        Rule::Kish => format!("Kish (I = {})", decimal(allocation.importance.unwrap_or(1.0), 2)),
        Rule::Bethel => {
            let targets: Vec<String> = allocation
                .targets
                .iter()
                .map(|t| {
                    let by = t.by.as_ref().map_or(String::new(), |by| format!(" theo {by}"));
                    format!("cv {} của {}{by}", percent(t.cv, 1), t.variable)
                })
                .collect();
            format!("nhỏ nhất đạt các mục tiêu (bethel): {}", targets.join(", "))
        }
        Rule::Given => "theo số cho trước (given)".to_owned(),
        Rule::Take => format!("mỗi tầng {} (take)", allocation.take.unwrap_or_default()),
    };
    let mut text = name;
    for (word, value) in
        [("tổng", allocation.total), ("ít nhất", allocation.min), ("nhiều nhất", allocation.max)]
    {
        if let Some(value) = value {
            text.push_str(&format!(", {word} {}", whole(value)));
        }
    }
    text
}
