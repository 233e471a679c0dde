//! The diagnosis of a weighting as one page: what an analyst looks at before trusting the weights.

use super::diagnosis::{Category, Diagnosis, Distribution, Extreme};
use super::response::Outcomes;
use crate::charts::numerals::{decimal, percent};
use crate::charts::{Caption, Chart, Histogram, Width};
use crate::disclosure::{Rules, SafeBins};
use crate::report::{escape, fonts};

const STYLE: &str = include_str!("../../templates/diagnosis.css");

/// Writes the diagnosis as one HTML document without any address outside. `plan`: what was weighted.
///
/// A working page: extreme weights name rows of the data. The histogram's classes passed the gate.
pub fn html(diagnosis: &Diagnosis, plan: &str) -> String {
    let mut page = String::new();
    page += "<h1>Chẩn đoán quyền số <small>Weighting diagnosis</small></h1>\n";
    page += &format!(
        "<p class=\"note\">{} · Trang làm việc của người phân tích, không công bố. <i>A working page, not for \
         publication.</i></p>\n",
        escape(plan)
    );
    page += "<div class=\"figures\">\n";
    let figure = |name: &str, english: &str, value: String| {
        format!("<div><b>{value}</b><span>{name}</span><i>{english}</i></div>\n")
    };
    page += &figure("người trả lời", "respondents", decimal(diagnosis.respondents as f64, 0));
    page += &figure("số dòng", "rows", decimal(diagnosis.rows as f64, 0));
    page += &figure("tổng quyền số", "sum of weights", decimal(diagnosis.sum_of_weights, 0));
    page += &figure("hệ số Kish", "Kish effect", decimal(diagnosis.kish_effect, 3));
    page += &figure("cỡ mẫu hiệu quả", "effective sample size", decimal(diagnosis.effective_n, 0));
    page += "</div>\n";
    page += &distribution(diagnosis);
    page += &steps(diagnosis);
    page += &margins(diagnosis);
    page += &assumed(diagnosis);
    page += &extremes(diagnosis);
    if let Some(response) = &diagnosis.response {
        page += &rates(response);
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"vi\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <title>Chẩn đoán quyền số</title>\n<style>\n{}{STYLE}</style>\n</head>\n<body>\n<main>\n{page}</main>\n</body>\n\
         </html>\n",
        fonts()
    )
}

fn heading(vietnamese: &str, english: &str) -> String {
    format!("<h2>{vietnamese} <small>{english}</small></h2>\n")
}

/// A table; the first column is text, the others numbers.
fn table(head: &[&str], rows: impl IntoIterator<Item = (bool, Vec<String>)>) -> String {
    let cells = |tag: &str, cells: &[String]| {
        cells.iter().map(|cell| format!("<{tag}>{cell}</{tag}>")).collect::<String>()
    };
    let head: Vec<String> = head.iter().map(|h| (*h).to_owned()).collect();
    let mut text = format!("<table>\n<thead><tr>{}</tr></thead>\n<tbody>\n", cells("th", &head));
    for (marked, row) in rows {
        let class = if marked { " class=\"marked\"" } else { "" };
        text += &format!("<tr{class}>{}</tr>\n", cells("td", &row));
    }
    text + "</tbody>\n</table>\n"
}

fn distribution(diagnosis: &Diagnosis) -> String {
    let histogram = Histogram {
        caption: Caption {
            title: format!(
                "Quyền số không đều làm phương sai tăng {} lần (Kish); cỡ mẫu hiệu quả {}",
                decimal(diagnosis.kish_effect, 2),
                decimal(diagnosis.effective_n, 0)
            ),
            subtitle: "Quyền số cuối cùng của người trả lời".into(),
            source: format!("n = {}", decimal(diagnosis.respondents as f64, 0)),
            synthetic: None,
        },
        bins: SafeBins::of(&diagnosis.weights, 24, &Rules::default()),
        measure: "Số người mà một người trả lời đại diện".into(),
    };
    let mut text = heading("Phân bố", "Distribution");
    if !histogram.bins.bins().is_empty() {
        text += &format!("<figure>{}</figure>\n", histogram.svg(Width::Page));
    }
    let row = |name: &str, d: &Distribution| {
        let digits = if d.max < 20.0 { 3 } else { 1 };
        let values = [d.min, d.p5, d.p25, d.median, d.mean, d.p75, d.p95, d.max];
        let mut cells = vec![name.to_owned()];
        cells.extend(values.iter().map(|v| decimal(*v, digits)));
        cells.push(decimal(d.cv, 3));
        (false, cells)
    };
    text + &table(
        &[
            "",
            "nhỏ nhất",
            "5%",
            "25%",
            "trung vị",
            "trung bình",
            "75%",
            "95%",
            "lớn nhất",
            "hệ số biến thiên",
        ],
        [
            row("cơ sở <i>base</i>", &diagnosis.base),
            row("cuối cùng <i>final</i>", &diagnosis.r#final),
            row("hệ số điều chỉnh <i>factor</i>", &diagnosis.factor),
        ],
    )
}

fn steps(diagnosis: &Diagnosis) -> String {
    if diagnosis.steps.is_empty() {
        return String::new();
    }
    let rows = diagnosis.steps.iter().map(|step| {
        let cells = vec![
            escape(&step.method),
            step.iterations.to_string(),
            format!("{:.1e}", step.gap),
            step.trimmed.to_string(),
        ];
        (false, cells)
    });
    heading("Các bước và hội tụ", "Steps and convergence")
        + &table(&["bước", "số vòng lặp", "chênh lệch lớn nhất còn lại", "số quyền số bị cắt"], rows)
        + "<p class=\"note\">Quyền số không hội tụ thì không được ghi ra. <i>Weights that did not converge are not \
           written.</i></p>\n"
}

fn margins(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for margin in &diagnosis.margins {
        if text.is_empty() {
            text += &heading("Cơ cấu trước và sau điều chỉnh", "Margins before and after");
        }
        let sum =
            |of: fn(&Category) -> f64| margin.categories.iter().map(of).sum::<f64>().max(f64::MIN_POSITIVE);
        let (target, before, after) = (sum(|c| c.target), sum(|c| c.before), sum(|c| c.after));
        let rows = margin.categories.iter().map(|c| {
            let (wanted, had, has) = (c.target / target, c.before / before, c.after / after);
            let cells = vec![
                escape(&c.category),
                c.respondents.to_string(),
                percent(had, 1),
                percent(has, 1),
                percent(wanted, 1),
                decimal(c.target, 0),
                decimal(if had > 0.0 { wanted / had } else { f64::NAN }, 2),
            ];
            // What had to be moved by more than half says that the sample or the margin is odd.
            (wanted > 1.5 * had || had > 1.5 * wanted, cells)
        });
        text += &format!("<h3>{}</h3>\n", escape(&margin.margin));
        text += &table(
            &["nhóm", "số phiếu", "trước", "sau", "mục tiêu", "mục tiêu (người)", "mục tiêu / trước"],
            rows,
        );
    }
    text
}

fn assumed(diagnosis: &Diagnosis) -> String {
    if diagnosis.assumed.is_empty() {
        return String::new();
    }
    let rows = diagnosis.assumed.iter().map(|run| {
        let number =
            |value: Option<f64>, digits| value.map_or_else(|| "–".to_owned(), |v| decimal(v, digits));
        let cells = vec![
            format!("{}: {}", escape(&run.margin), escape(&run.category)),
            percent(run.share, 1),
            percent(run.moved_to, 1),
            number(run.kish_effect, 3),
            number(run.effective_n, 0),
            run.reason.as_deref().map(escape).unwrap_or_default(),
        ];
        (run.reason.is_some(), cells)
    });
    heading("Cơ cấu giả định, ± 5 điểm", "Assumed margins, ± 5 points")
        + "<p class=\"note\">Cơ cấu này được giả định (ví dụ số liệu tổng điều tra tính cả trẻ em); bảng cho biết quyền \
           số đổi thế nào nếu một tỷ lệ lệch 5 điểm.</p>\n"
        + &table(&["nhóm", "giả định", "thử với", "hệ số Kish", "cỡ mẫu hiệu quả", "ghi chú"], rows)
}

fn extremes(diagnosis: &Diagnosis) -> String {
    let ratio_of = |extreme: &Extreme| extreme.weight / extreme.stratum_median;
    let mut all: Vec<&Extreme> = diagnosis.extremes.iter().collect();
    all.sort_by(|a, b| ratio_of(b).total_cmp(&ratio_of(a)));
    let rows = all.into_iter().map(|extreme| {
        let ratio = ratio_of(extreme);
        let cells = vec![
            escape(&extreme.stratum),
            decimal(extreme.stratum_median, 1),
            decimal(extreme.weight, 1),
            decimal(ratio, 2),
            extreme.row.to_string(),
            extreme.above_five_medians.to_string(),
        ];
        (ratio > 5.0, cells)
    });
    heading("Quyền số lớn nhất theo tầng", "Extreme weights by stratum")
        + &table(
            &["tầng", "trung vị", "lớn nhất", "lớn nhất / trung vị", "dòng", "số dòng trên 5 lần trung vị"],
            rows,
        )
}

fn rates(response: &super::response::Response) -> String {
    let count = |name: &str, of: fn(&Outcomes) -> f64| {
        let cells =
            vec![name.to_owned(), decimal(of(&response.unweighted), 0), decimal(of(&response.weighted), 0)];
        (false, cells)
    };
    let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| percent(v, 1));
    let named = response.rates.named();
    let rates = named.iter().zip(response.weighted_rates.named()).map(|((name, plain), (_, weighted))| {
        (*name == "RR3", vec![(*name).to_owned(), share(*plain), share(weighted)])
    });
    heading("Tỷ lệ trả lời (AAPOR)", "Response rates")
        + &table(
            &["kết quả", "số trường hợp", "có quyền số cơ sở"],
            [
                count("I · hoàn thành", |o| o.interviews),
                count("P · một phần", |o| o.partials),
                count("R · từ chối, dừng giữa chừng", |o| o.refusals),
                count("NC · không gặp", |o| o.non_contacts),
                count("O · lý do khác", |o| o.others),
                count("UH, UO · không rõ đủ điều kiện", |o| o.unknown),
                count("ngoài phạm vi", |o| o.ineligible),
            ],
        )
        + &table(&["tỷ lệ", "không quyền số", "có quyền số cơ sở"], rates)
        + "<p class=\"note\">e là tỷ lệ đủ điều kiện trong số trường hợp đã rõ, áp dụng cho trường hợp chưa rõ (RR3, \
           RR4); RR1, RR2 coi mọi trường hợp chưa rõ là đủ điều kiện; RR5, RR6 bỏ qua. Phiếu một phần chỉ tính là hoàn \
           thành ở RR2, RR4, RR6.</p>\n"
}
