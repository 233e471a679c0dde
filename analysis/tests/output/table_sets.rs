//! Linked table sets as a province would ask for them, made by chance from a seed.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use surveys::chance::Chance;

/// A cell by its fixed columns.
pub type Key = BTreeMap<String, String>;

/// Respondents, trees of codes, and the plans of two releases on them.
pub struct TableSet {
    pub seed: u64,
    /// Files by name: `data.csv` and the trees.
    pub files: Vec<(String, String)>,
    /// Code above a code, by column.
    pub parents: BTreeMap<String, BTreeMap<String, String>>,
    /// Plan of the release that is already out when the second is asked for.
    pub first: Value,
    /// Plan with the first answer, `first.json`, as `released`.
    pub second: Value,
}

impl TableSet {
    /// Three-way tables of about `cells` cells with margins: areas in districts (and zones), ethnic groups (in
    /// families), opinions; a table of another column beside them; earlier, a two-way table. One set in five has
    /// tables in a circle, one in three a sensitive column.
    pub fn new(seed: u64, cells: usize) -> Self {
        let mut chance = Chance::new(seed, "table set");
        let opinions = 4 + chance.below(if cells > 1_000 { 3 } else { 2 });
        let groups = (4 + chance.below(3)).max(((cells as f64).sqrt() / 3.6) as usize);
        let blocks = (cells as f64 / ((opinions + 1) as f64 * (groups + 1) as f64)).max(5.0);
        let areas = (((blocks - 1.0) / 1.25) as usize).max(4);
        let per_district = 3 + chance.below(4);
        let inner = areas * groups * opinions;
        let respondents = (inner as f64 * [1.0, 2.0, 4.0, 9.0][chance.below(4)]) as usize;
        let skew = 0.4 + 0.8 * chance.unit();
        let mut weights = |n: usize, spread: f64| -> Vec<f64> {
            (0..n).map(|_| (spread * chance.normal()).exp()).collect()
        };
        let of_area = weights(areas, 0.6 * skew);
        let of_group = weights(groups, skew);
        let of_opinion: Vec<Vec<f64>> = (0..groups).map(|_| weights(opinions, 0.7 * skew)).collect();
        let mut data = "area,ethnic,opinion,sex,psu\n".to_owned();
        for _ in 0..respondents {
            let area = chance.weighted(&of_area).unwrap_or(0);
            let group = chance.weighted(&of_group).unwrap_or(0);
            let opinion = chance.weighted(&of_opinion[group]).unwrap_or(0);
            let (sex, village) = (chance.below(2), chance.below(6));
            let _ = writeln!(data, "a{area:03},e{group:02},o{opinion},s{sex},{area}-{village}");
        }
        let mut parents: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let area_tree = parents.entry("area".into()).or_default();
        for area in 0..areas {
            area_tree.insert(format!("a{area:03}"), format!("d{:02}", area / per_district));
        }
        let districts = areas.div_ceil(per_district);
        if districts >= 4 {
            (0..districts).for_each(|d| {
                area_tree.insert(format!("d{d:02}"), format!("z{}", d / districts.div_ceil(2)));
            });
        }
        if groups >= 8 && chance.happens(0.5) {
            let family = parents.entry("ethnic".into()).or_default();
            (0..groups).for_each(|g| {
                family.insert(format!("e{g:02}"), format!("f{}", g / 4));
            });
        }
        let mut files = vec![("data.csv".to_owned(), data)];
        let mut hierarchies = serde_json::Map::new();
        for (column, above) in &parents {
            let mut tree = "code,parent\n".to_owned();
            above.iter().for_each(|(code, parent)| {
                let _ = writeln!(tree, "{code},{parent}");
            });
            above.values().filter(|p| !above.contains_key(*p)).collect::<BTreeSet<_>>().iter().for_each(
                |top| {
                    let _ = writeln!(tree, "{top},");
                },
            );
            files.push((format!("{column}.csv"), tree));
            hierarchies.insert(column.clone(), json!(format!("{column}.csv")));
        }
        let sensitive = if seed.is_multiple_of(3) { json!(["opinion"]) } else { json!([]) };
        let plan = |tables: Value, released: Value| {
            json!({"data": "data.csv", "cluster": "psu", "hierarchies": hierarchies, "tables": tables,
                   "released": released, "sensitive": sensitive})
        };
        let earlier = if seed.is_multiple_of(2) { ["area", "opinion"] } else { ["ethnic", "opinion"] };
        let mut tables = vec![
            json!({"id": "areas", "by": ["area", "ethnic", "opinion"]}),
            json!({"id": "sexes", "by": ["sex", "opinion"]}),
        ];
        if seed % 5 == 4 {
            tables.push(json!({"id": "circle", "by": ["sex", "area"]}));
        }
        Self {
            seed,
            first: plan(json!([{"id": "earlier", "by": earlier}]), json!([])),
            second: plan(json!(tables), json!(["first.json"])),
            files,
            parents,
        }
    }

    /// `how_many` sets from `least` to `most` cells. As with tables that people ask for, the small ones are many: half
    /// are below an eighth of the way (in doublings), one in ten is beyond three quarters.
    pub fn spread(how_many: u64, least: usize, most: usize) -> impl Iterator<Item = Self> {
        (0..how_many).map(move |seed| {
            let at = ((seed as f64 + 0.5) / how_many as f64).powi(3);
            let cells = least as f64 * (most as f64 / least as f64).powf(at);
            Self::new(seed, cells as usize)
        })
    }

    /// Cells among `keys` that may not be shown whatever happens to the others: counts under ten or from fewer than
    /// three clusters, and distributions of a sensitive column where one answer holds more than 90% of a base under
    /// 100.
    pub fn unsafe_cells<'a>(&self, keys: impl Iterator<Item = &'a Key> + Clone) -> BTreeSet<Key> {
        let truth = self.counts();
        let of = |key: &Key| truth.get(key).copied().unwrap_or((0, 0));
        let small = |key: &&Key| matches!(of(key), (n, clusters) if n > 0 && (n < 10 || clusters < 3));
        let mut found: BTreeSet<Key> = keys.clone().filter(small).cloned().collect();
        for column in self.first["sensitive"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let mut distributions: BTreeMap<Key, Vec<&Key>> = BTreeMap::new();
            for key in keys.clone().filter(|k| k.contains_key(column)) {
                let mut base = key.clone();
                base.remove(column);
                distributions.entry(base).or_default().push(key);
            }
            for (base, answers) in distributions {
                let n = of(&base).0;
                if n > 0 && n < 100 && answers.iter().any(|key| of(key).0 as f64 > 0.9 * n as f64) {
                    found.extend(answers.into_iter().cloned());
                }
            }
        }
        found
    }

    /// True counts and clusters (up to three) of every cell of the set's tables.
    pub fn counts(&self) -> BTreeMap<Key, (usize, usize)> {
        let mut lines = self.files[0].1.lines().map(|l| l.split(',').collect::<Vec<_>>());
        let columns = lines.next().unwrap_or_default();
        let rows: Vec<Vec<&str>> = lines.collect();
        let at = |column: &str| columns.iter().position(|c| *c == column).unwrap_or(0);
        let mut seen: BTreeMap<Key, (usize, BTreeSet<&str>)> = BTreeMap::new();
        let tables = [&self.first, &self.second]
            .into_iter()
            .flat_map(|p| p["tables"].as_array().into_iter().flatten());
        let wanted: BTreeSet<Vec<&str>> = tables
            .map(|t| t["by"].as_array().into_iter().flatten().filter_map(Value::as_str).collect())
            .collect();
        for row in &rows {
            let mut keys = BTreeSet::new();
            for by in &wanted {
                let mut longer = vec![BTreeMap::new()];
                for column in by {
                    let mut code = Some(row[at(column)].to_owned());
                    let without = longer.clone();
                    while let Some(name) = code {
                        longer.extend(without.iter().map(|key| {
                            let mut key = key.clone();
                            key.insert((*column).to_owned(), name.clone());
                            key
                        }));
                        code = self.parents.get(*column).and_then(|p| p.get(&name)).cloned();
                    }
                }
                keys.extend(longer);
            }
            for key in keys {
                let cell = seen.entry(key).or_default();
                cell.0 += 1;
                cell.1.insert(row[at("psu")]);
            }
        }
        seen.into_iter().map(|(key, (n, clusters))| (key, (n, clusters.len()))).collect()
    }
}
