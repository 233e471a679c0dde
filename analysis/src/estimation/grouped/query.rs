//! The query's text.

use indexmap::IndexSet;

use super::layout::{Key, Layout, Part, Schema};
use crate::estimation::formula::Formula;
use crate::estimation::{EstimationError, Plan};
use crate::sql::dialect::{Dialect, Sort, Written};
use crate::sql::{Expression, SqlError};

/// The columns of the query's result, over all parts, in order.
pub(super) struct Columns<'a> {
    pub keys: IndexSet<&'a Key>,
    pub sums: IndexSet<&'a str>,
    pub products: IndexSet<&'a (String, String)>,
}

impl<'a> Columns<'a> {
    pub fn of(layout: &'a Layout) -> Self {
        let parts = || layout.parts.iter();
        Self {
            keys: parts().flat_map(|p| p.keys.iter().chain(&p.shares)).collect(),
            sums: parts().flat_map(|p| &p.sums).map(String::as_str).collect(),
            products: parts().flat_map(|p| &p.products).collect(),
        }
    }
}

impl Key {
    /// Whether the query gives it as text.
    pub fn is_text(&self, schema: &Schema) -> bool {
        matches!(self, Self::Column(name) if matches!(schema.sort(name), Sort::Text | Sort::Native))
    }
}

const WEIGHT: &str = "weight of the row";
const UNIT: &str = "number of the row";

struct Writer<'a> {
    plan: &'a Plan,
    schema: &'a Schema,
    dialect: Dialect,
    /// Columns that must be numbers whatever is known.
    numbers: Vec<String>,
}

pub(super) fn write(layout: &Layout, plan: &Plan, dialect: Dialect) -> Result<String, EstimationError> {
    let columns = Columns::of(layout);
    let design = &plan.design;
    let mut numbers: Vec<String> = design.weights.iter().chain(&design.probabilities).cloned().collect();
    numbers.extend(columns.sums.iter().map(|name| (*name).to_owned()));
    let writer = Writer { plan, schema: &layout.schema, dialect, numbers };
    let mut text = String::from("-- Totals of the sampling units for `langnghe estimate --totals`.\nwith ");
    let source = writer.prepared(layout, &mut text)?;
    for (i, part) in layout.parts.iter().enumerate() {
        text.push_str(if i == 0 { "" } else { "union all\n" });
        writer.part(i + 1, part, &columns, &source, &mut text)?;
    }
    Ok(text)
}

impl Writer<'_> {
    fn name(&self, name: &str) -> String {
        self.dialect.name(name)
    }

    fn sort(&self, name: &str) -> Sort {
        match self.schema.sort(name) {
            Sort::Native if self.numbers.iter().any(|n| n == name) => Sort::Number,
            sort => sort,
        }
    }

    fn expression(&self, sql: &str) -> Result<Written, SqlError> {
        Expression::parse(sql)?.written(self.dialect, &|name| self.sort(name))
    }

    /// The tables before the grouping; returns the last one's name.
    fn prepared(&self, layout: &Layout, text: &mut String) -> Result<String, EstimationError> {
        let mut read = columns_read(layout, self.plan)?;
        // DuckDB and Spark would read either of two such columns without a word.
        let folds_case = self.dialect != Dialect::Postgres;
        let all = read.iter().chain(self.plan.derive.keys());
        if let Some((name, twin)) = all.filter(|_| folds_case).find_map(|n| Some((n, self.schema.twin(n)?))) {
            return Err(EstimationError::NotFromTotals {
                what: "this plan".into(),
                reason: format!(
                    "the engine takes the columns `{name}` and `{twin}` for one; rename or drop one"
                ),
            });
        }
        read.retain(|name| !self.plan.derive.contains_key(name));
        let mut later: Vec<(String, String)> = Vec::new();
        let mut fields: IndexSet<String> = IndexSet::new();
        let mut pending = read;
        while let Some(name) = pending.shift_remove_index(0) {
            if let Some(base) = self.schema.copied(&name) {
                let as_text = Written { sql: self.name(base), sort: self.sort(base) }.as_text(self.dialect);
                later.push((name.clone(), as_text));
                if !self.plan.derive.contains_key(base) && !later.iter().any(|(n, _)| n == base) {
                    pending.insert(base.to_owned());
                }
                continue;
            }
            let own = self.name(&name);
            fields.insert(match self.sort(&name) {
                Sort::Text => format!("nullif(cast({own} as {}), '') as {own}", self.dialect.text()),
                Sort::Number => format!("cast({own} as {}) as {own}", self.dialect.double()),
                _ => own,
            });
        }
        if fields.is_empty() {
            fields.insert("1 as \"1\"".replace('"', if self.dialect == Dialect::Spark { "`" } else { "\"" }));
        }
        let fields: Vec<String> = fields.into_iter().collect();
        text.push_str(&format!("step_0 as (\n  select {}\n  from data\n)", fields.join(",\n    ")));
        let mut steps = 0;
        let add = |sql: String, name: &str, steps: &mut usize, text: &mut String| {
            text.push_str(&format!(
                ",\nstep_{} as (\n  select *, {sql} as {}\n  from step_{steps}\n)",
                *steps + 1,
                self.name(name)
            ));
            *steps += 1;
        };
        let derived = |base: &str| self.plan.derive.contains_key(base);
        for (name, sql) in later.iter().filter(|(n, _)| !self.schema.copied(n).is_some_and(derived)) {
            add(sql.clone(), name, &mut steps, text);
        }
        for (name, sql) in &self.plan.derive {
            let written = self.expression(sql)?;
            let sql = match self.sort(name) {
                Sort::Text => written.as_text(self.dialect),
                Sort::Native => written.sql,
                _ => written.as_number(self.dialect),
            };
            add(sql, name, &mut steps, text);
        }
        for (name, sql) in later.iter().filter(|(n, _)| self.schema.copied(n).is_some_and(derived)) {
            add(sql.clone(), name, &mut steps, text);
        }
        let design = &self.plan.design;
        let weight = match &design.weights {
            Some(column) => self.name(column),
            None if !design.probabilities.is_empty() => {
                let all: Vec<String> = design.probabilities.iter().map(|p| self.name(p)).collect();
                format!("{} / nullif({}, 0)", self.dialect.number(1.0), all.join(" * "))
            }
            None => self.dialect.number(1.0),
        };
        let unit = match self.dialect {
            Dialect::Spark => "cast(monotonically_increasing_id() as double)".to_owned(),
            _ => format!("cast(row_number() over () as {})", self.dialect.double()),
        };
        add(weight, WEIGHT, &mut steps, text);
        if layout.parts.iter().any(|p| p.keys.contains(&Key::Row)) {
            add(unit, UNIT, &mut steps, text);
        }
        text.push('\n');
        Ok(format!("step_{steps}"))
    }

    fn part(
        &self,
        number: usize,
        part: &Part,
        columns: &Columns,
        source: &str,
        text: &mut String,
    ) -> Result<(), EstimationError> {
        let (double, word) = (self.dialect.double(), self.dialect.text());
        let weight = self.name(WEIGHT);
        let mut fields = vec![format!("{number} as part")];
        let mut places = Vec::new();
        for (i, key) in columns.keys.iter().enumerate() {
            let kind = if key.is_text(self.schema) { word } else { double };
            let sql = match part.keys.contains(key) {
                true => {
                    places.push((fields.len() + 1).to_string());
                    self.key(key)?
                }
                false => format!("cast(null as {kind})"),
            };
            fields.push(format!("{sql} as k{}", i + 1));
        }
        let design = &self.plan.design;
        // A row with a bad weight is counted, so that the finish can refuse it.
        let bad = match &design.weights {
            Some(_) => format!("{weight} is null or {weight} < 0"),
            None if !design.probabilities.is_empty() => {
                let of = |p: &String| {
                    let p = self.name(p);
                    format!("{p} is null or {p} <= 0 or {p} > 1")
                };
                design.probabilities.iter().map(of).collect::<Vec<_>>().join(" or ")
            }
            None => "1 = 0".into(),
        };
        fields.push("count(*) as n".into());
        fields.push(format!("sum(case when {bad} then 1 else 0 end) as bad_weights"));
        fields.push(format!("sum({weight}) as w"));
        for (i, name) in columns.sums.iter().enumerate() {
            let sql = match part.sums.iter().any(|s| s == name) {
                true => format!("sum({weight} * {})", self.name(name)),
                false => format!("cast(null as {double})"),
            };
            fields.push(format!("{sql} as s{}", i + 1));
        }
        for (i, pair) in columns.products.iter().enumerate() {
            let sql = match part.products.contains(pair) {
                true => format!("sum({weight} * {} * {})", self.name(&pair.0), self.name(&pair.1)),
                false => format!("cast(null as {double})"),
            };
            fields.push(format!("{sql} as p{}", i + 1));
        }
        text.push_str(&format!(
            "select {}\nfrom {source}\ngroup by {}\n",
            fields.join(",\n  "),
            places.join(", ")
        ));
        Ok(())
    }

    fn key(&self, key: &Key) -> Result<String, EstimationError> {
        let double = self.dialect.double();
        Ok(match key {
            Key::Row => self.name(UNIT),
            Key::Weightless => {
                format!("cast(case when {} = 0 then 1 else 0 end as {double})", self.name(WEIGHT))
            }
            Key::Column(name) => match self.sort(name) {
                Sort::Native => format!("cast({} as {})", self.name(name), self.dialect.text()),
                _ => self.name(name),
            },
            Key::Condition(sql) => {
                let sort_of = |name: &str| self.sort(name);
                let written = Expression::parse(sql)?.written_condition(self.dialect, &sort_of)?;
                written.as_number(self.dialect)
            }
            Key::Points(request, name) => {
                let mut points = self.plan.requests[*request].at.clone();
                points.sort_by(f64::total_cmp);
                let x = Written { sql: self.name(name), sort: self.sort(name) }.as_number(self.dialect);
                let mut sql = format!("case when {x} is null then null");
                for point in &points {
                    let point = self.dialect.number(*point);
                    sql.push_str(&format!(" when {x} <= {point} then {point}"));
                }
                let above = points.last().map_or(0.0, |last| last + last.abs().max(1.0));
                format!("{sql} else {} end", self.dialect.number(above))
            }
            Key::Complete(names) => {
                let missing: Vec<String> =
                    names.iter().map(|name| format!("{} is null", self.name(name))).collect();
                format!("cast(case when {} then 0 else 1 end as {double})", missing.join(" or "))
            }
        })
    }
}

/// Every column of the data that the plan reads.
pub(super) fn columns_read(layout: &Layout, plan: &Plan) -> Result<IndexSet<String>, EstimationError> {
    let mut read: IndexSet<String> = IndexSet::new();
    let expression = |sql: &str, read: &mut IndexSet<String>| -> Result<(), EstimationError> {
        read.extend(Expression::parse(sql)?.columns().into_iter().map(str::to_owned));
        Ok(())
    };
    let design = &plan.design;
    read.extend(design.weights.iter().chain(&design.probabilities).cloned());
    for part in &layout.parts {
        read.extend(part.sums.iter().cloned());
        for key in part.keys.iter().chain(&part.shares) {
            match key {
                Key::Row | Key::Weightless => {}
                Key::Column(name) | Key::Points(_, name) => {
                    read.insert(name.clone());
                }
                Key::Condition(sql) => expression(sql, &mut read)?,
                Key::Complete(names) => read.extend(names.iter().cloned()),
            }
        }
        for request in &part.requests {
            if let Some(formula) = plan.requests.get(*request).and_then(|r| r.formula.as_ref()) {
                read.extend(Formula::parse(formula)?.columns()?);
            }
        }
    }
    for sql in plan.derive.values() {
        expression(sql, &mut read)?;
    }
    Ok(read)
}
