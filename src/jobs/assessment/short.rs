//! The short reports: first tables soon after a snapshot, and small monthly or quarterly waves.

use analysis::charts::{Series, Trend, Unit, numerals};
use analysis::report::{self, Block, Drawing, Report, sentences};

use super::provenance::Provenance;
use super::view::View;
use super::years::Compared;
use super::{Figures, Input, Kind, Order, created, front};

/// Indicators that the trend of a pulse wave shows.
const SERIES: usize = 4;

/// Page one, the headlines, what moved beyond its error, and for first tables the breakdowns.
pub(super) fn short(
    order: &Order<'_>,
    input: &Input<'_>,
    figures: &Figures,
    compared: Option<&Compared>,
) -> anyhow::Result<Report> {
    let view = View { input, safe: &figures.safe, probability: figures.probability };
    let template = input.template;
    let completed = figures.results.design.n as u64;
    let mut blocks = vec![Block::Paragraph(format!(
        "{}: {} phiếu hoàn thành trên {} trường hợp, tại {} thôn, tổ dân phố (bản chụp {}, ngày {}).",
        input.file.about.wave,
        numerals::whole(completed),
        numerals::whole(input.records.len() as u64),
        numerals::whole(input.villages),
        input.file.about.snapshot,
        input.file.about.taken.format("%d/%m/%Y"),
    ))];
    if order.kind == Kind::Quick {
        blocks.push(Block::Notice(
            "Số liệu ban đầu của một bản chụp: có thể thay đổi khi đợt khảo sát kết thúc và tính lại quyền số.".to_owned(),
        ));
    }
    let statements = template
        .headlines
        .iter()
        .map(|h| view.statement(&h.id, compared.and_then(|compared| compared.last_change(&h.id))))
        .collect::<anyhow::Result<Vec<_>>>()?;
    blocks.push(Block::Findings(report::findings(&statements, figures.probability)));
    if !figures.probability {
        blocks.push(Block::Notice(report::NOT_A_PROBABILITY_SAMPLE.to_owned()));
    }
    blocks.push(Block::Notice(report::NOT_FOR_RANKING.to_owned()));
    let mut number = report::Numbers::default();
    blocks.push(number.part("CẢNH BÁO THAY ĐỔI"));
    let names = view.names();
    match compared {
        None => blocks.push(Block::Paragraph("Chưa có đợt trước để so sánh.".to_owned())),
        Some(compared) => {
            let alerts = compared.alerts(&names);
            if alerts.is_empty() {
                blocks.push(Block::Paragraph(format!(
                    "Trên toàn bộ và ở từng địa bàn lớn: {}.",
                    sentences::NO_EVIDENCE_OF_CHANGE
                )));
            } else {
                blocks.push(Block::Paragraph(
                    "Chỉ nêu thay đổi ngoài sai số, đã xét đồng thời mọi so sánh (Holm), của toàn bộ và của địa bàn lớn:"
                        .to_owned(),
                ));
                blocks.push(Block::Items(alerts));
            }
            blocks.push(Block::Table(compared.table(&names)));
            if order.kind == Kind::Pulse {
                blocks.push(Block::Figure(Drawing::of(&trend(&view, compared))));
            }
        }
    }
    blocks.push(number.part("CÁC CHỈ TIÊU CHÍNH"));
    let chart = view.headline_chart();
    blocks.push(Block::Figure(Drawing::of(&chart)));
    blocks.push(Block::Table(view.headline_table()));
    if order.kind == Kind::Quick {
        blocks.push(number.part("BẢNG THEO NHÓM"));
        blocks.extend(template.breakdowns.iter().map(|b| Block::Table(view.breakdown_table(b))));
    }
    blocks.push(number.part("NGUỒN"));
    blocks.extend(report::provenance(&Provenance::of(order, &input.weights)?.rows()));
    let mut front = front(&template.front, input.label.as_deref(), created(input.file));
    front.kind = match order.kind {
        Kind::Quick => "BÁO CÁO NHANH".to_owned(),
        Kind::Pulse => "BÁO CÁO NHANH ĐỊNH KỲ".to_owned(),
        Kind::Annual => front.kind,
    };
    Ok(Report { front, blocks })
}

/// The first headlines over the waves.
fn trend(view: &View<'_>, compared: &Compared) -> Trend {
    let series: Vec<Series> = view
        .input
        .template
        .headlines
        .iter()
        .filter_map(|h| {
            let line = compared.lines.iter().find(|line| line.id == h.id && line.area.is_none())?;
            Some(Series { label: h.short.clone(), figures: line.figures.clone() })
        })
        .take(SERIES)
        .collect();
    Trend {
        caption: view.caption(
            format!("Các chỉ tiêu chính qua {} đợt", compared.waves.len()),
            "% người có ý kiến, dải là khoảng tin cậy 95%".to_owned(),
            None,
        ),
        unit: Unit::Percent,
        waves: compared.waves.iter().map(|wave| wave.wave.clone()).collect(),
        series,
        breaks: Vec::new(),
    }
}
