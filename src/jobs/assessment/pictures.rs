//! Maps, grouped bars and trends of an assessment, as the template asks for them.

use analysis::charts::{
    BarGroup, Break, Caption, EstimateMap, GroupedBars, MapArea, Outline, Places, Series, Tile, Trend, Unit,
};
use analysis::disclosure::Figure;
use analysis::report::sentences;
use anyhow::anyhow;
use chrono::NaiveDate;
use surveys::areas::AreaTree;

use super::view::View;
use super::years::{Compared, Line, Step};
use crate::jobs::template::{Bars, Headline};

/// Series of grouped bars that can be told apart.
const SERIES: usize = 6;
/// Tiles in a row where nothing says where the areas lie.
const TILES: usize = 4;

impl View<'_> {
    /// A headline on a map of the large areas, each with its interval, in their official order.
    pub(super) fn map(&self, id: &str) -> anyhow::Result<EstimateMap> {
        let headline = self.headline(id)?;
        let overall = self.figure(id);
        let mut areas: Vec<MapArea> = self
            .area_figures(id)
            .into_iter()
            .map(|(code, figure)| MapArea { name: self.group_label(&code), units: Vec::new(), code, figure })
            .collect();
        let places = places(&mut areas, &self.input.template.tiles)?;
        let finding = finding(&overall, areas.iter().map(|area| &area.figure));
        let drawn = match places {
            Places::Outlines(_) => "; địa bàn vẽ theo các xã hiện nay",
            Places::Tiles(_) | Places::ListedTiles(_) => "",
        };
        let n = overall.n();
        Ok(EstimateMap {
            caption: self.caption(
                format!("{} theo địa bàn: {finding}", headline.short),
                format!(
                    "{}. % người có ý kiến; đậm hơn là tỷ lệ cao hơn, không phải thứ hạng{drawn}",
                    headline.question
                ),
                n,
            ),
            unit: Unit::Percent,
            areas,
            places,
            overall: Some(("toàn bộ địa bàn".to_owned(), overall)),
        })
    }

    /// Headlines side by side for the groups of a breakdown.
    pub(super) fn bars(&self, bars: &Bars) -> anyhow::Result<GroupedBars> {
        let breakdown = self.breakdown(&bars.by)?;
        let headlines: Vec<&Headline> =
            bars.ids.iter().map(|id| self.headline(id)).collect::<anyhow::Result<_>>()?;
        let mut series: Vec<String> = Vec::new();
        for headline in &headlines {
            for (label, _) in self.groups(&headline.id, &bars.by) {
                if !series.contains(&label) {
                    series.push(label);
                }
            }
        }
        if series.len() > SERIES {
            return Err(anyhow!(
                "the report's template asks for bars by `{}`, which has {} groups; bars tell {SERIES} apart, use `dots`",
                bars.by,
                series.len()
            ));
        }
        let groups = headlines
            .iter()
            .map(|headline| {
                let figures = self.groups(&headline.id, &bars.by);
                let of = |label: &String| {
                    let found = figures.iter().find(|(known, _)| known == label);
                    found.map_or_else(Figure::absent, |(_, figure)| figure.clone())
                };
                BarGroup { label: headline.short.clone(), figures: series.iter().map(of).collect() }
            })
            .collect();
        let questions: Vec<&str> = headlines.iter().map(|h| h.question.as_str()).collect();
        let n = bars.ids.iter().filter_map(|id| self.figure(id).n()).max();
        Ok(GroupedBars {
            caption: self.caption(
                format!("{} theo {}", bars.title, breakdown.name),
                format!("{}. % người có ý kiến", questions.join(", ")),
                n,
            ),
            unit: Unit::Percent,
            series,
            groups,
        })
    }

    /// A headline over the waves; `None` where there are no earlier ones, or they do not have it.
    pub(super) fn over_waves(&self, id: &str, compared: Option<&Compared>) -> anyhow::Result<Option<Trend>> {
        let headline = self.headline(id)?;
        let Some(compared) = compared else { return Ok(None) };
        let line = compared.lines.iter().find(|line| line.id == id && line.area.is_none());
        Ok(line.map(|line| trend(compared, line, &headline.short, self.input.label.as_deref())))
    }
}

/// What a title says of groups beside the whole.
pub(super) fn finding<'a>(overall: &Figure, groups: impl Iterator<Item = &'a Figure>) -> String {
    let (low, high) = overall.interval().unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    let is_apart = |figure: &&Figure| figure.interval().is_some_and(|(l, h)| h < low || l > high);
    match groups.filter(is_apart).count() {
        0 => "chưa đủ căn cứ kết luận có khác biệt".to_owned(),
        n => format!("{n} nhóm khác mức chung ngoài sai số"),
    }
}

/// A headline over the waves; the line breaks where two neighbours may not be compared.
pub(super) fn trend(compared: &Compared, line: &Line, name: &str, label: Option<&str>) -> Trend {
    let breaks = line
        .steps
        .iter()
        .filter(|step| step.to == step.from + 1)
        .filter_map(|step| Some(Break { before: step.to, note: step.obstacle.clone()? }))
        .collect();
    let finding = line
        .steps
        .last()
        .map_or_else(String::new, |step: &Step| format!(": {}", sentences::verdict(&compared.change(step))));
    // What is no probability sample is on no trend line.
    let figures = line
        .figures
        .iter()
        .zip(&compared.waves)
        .map(|(figure, wave)| if wave.probability { figure.clone() } else { Figure::absent() })
        .collect();
    Trend {
        caption: Caption {
            title: format!("{name}{finding}"),
            subtitle: "% người có ý kiến, dải là khoảng tin cậy 95%".to_owned(),
            source: "Nguồn: khảo sát nắm tình hình Nhân dân các năm; ước lượng có trọng số".to_owned(),
            synthetic: label.map(str::to_owned),
        },
        unit: Unit::Percent,
        waves: compared.waves.iter().map(|wave| wave.wave.clone()).collect(),
        series: vec![Series { label: name.to_owned(), figures }],
        breaks,
    }
}

/// Where the areas lie: the template's tiles; else the outlines of the communes in them, where every area is a former
/// district with bundled outlines; else a list.
fn places(areas: &mut [MapArea], tiles: &indexmap::IndexMap<String, [usize; 2]>) -> anyhow::Result<Places> {
    if !tiles.is_empty() {
        let tiles = tiles.iter().map(|(code, [column, row])| Tile {
            code: code.clone(),
            column: column.saturating_sub(1),
            row: row.saturating_sub(1),
        });
        return Ok(Places::Tiles(tiles.collect()));
    }
    let mut outlines = Outline::read(surveys::outlines::COMMUNES_TUYEN_QUANG)?;
    let homes: Vec<(String, Option<String>)> =
        outlines.iter().map(|outline| (outline.code.clone(), former_district(&outline.code))).collect();
    for area in areas.iter_mut() {
        let inside = homes.iter().filter(|(_, district)| district.as_ref() == Some(&area.code));
        area.units = inside.map(|(commune, _)| commune.clone()).collect();
    }
    if areas.iter().any(|area| area.units.is_empty()) {
        let codes: Vec<String> = areas.iter().map(|area| area.code.clone()).collect();
        areas.iter_mut().for_each(|area| area.units.clear());
        return Ok(Places::ListedTiles(Tile::listed([codes.as_slice()], TILES)));
    }
    outlines.retain(|outline| areas.iter().any(|area| area.units.contains(&outline.code)));
    Ok(Places::Outlines(outlines))
}

/// The former district that most of the communes came from which were joined in this one; the first of equals.
fn former_district(commune: &str) -> Option<String> {
    let tree = AreaTree::bundled();
    let joined = NaiveDate::from_ymd_opt(2025, 7, 1)?;
    let before = joined.pred_opt()?;
    let mut homes: Vec<(String, usize)> = Vec::new();
    for change in tree.predecessors("commune", commune, joined) {
        let Some(old) = tree.find("commune", &change.old_code, before) else { continue };
        let Some(district) = tree.parent(old, before) else { continue };
        match homes.iter_mut().find(|(code, _)| *code == district.code) {
            Some((_, count)) => *count += 1,
            None => homes.push((district.code.clone(), 1)),
        }
    }
    let most = homes.iter().map(|(_, count)| *count).max()?;
    homes.into_iter().find(|(_, count)| *count == most).map(|(code, _)| code)
}
