//! Means, totals and ratios with linearised or replicate errors.

use super::EstimationError;
use super::context::{Answer, Context, Kind, Variable};
use super::plan::{Deff, Statistic};
use super::survey::{Block, Estimated, Gradient};
use super::weighted_sums::{Spread, spreads};
use crate::table::MISSING;

/// Columns of one variable in a group: 1 for numbers, one a level for categories.
fn width(variable: &Variable) -> usize {
    match &variable.kind {
        Kind::Number(_) => 1,
        Kind::Category { levels, .. } => levels.len(),
    }
}

/// Codes group × level, or the groups alone for numbers.
fn block<'a>(variable: &'a Variable, codes: &'a [u32], groups: usize) -> Block<'a> {
    match &variable.kind {
        Kind::Number(values) => {
            Block { values: Some(values.as_slice().into()), codes: codes.into(), levels: groups }
        }
        Kind::Category { codes: own, levels } => {
            let crossed = codes
                .iter()
                .zip(own)
                .map(
                    |(g, c)| {
                        if *g == MISSING || *c == MISSING { MISSING } else { g * levels.len() as u32 + c }
                    },
                )
                .collect::<Vec<_>>();
            Block { values: None, codes: crossed.into(), levels: groups * levels.len() }
        }
    }
}

/// Mean and total of numeric columns and of the levels of categories.
pub(crate) fn means(context: &Context) -> Result<Answer, EstimationError> {
    let variables: Vec<Vec<Variable>> =
        context.of()?.iter().map(|name| context.variables(name)).collect::<Result<_, _>>()?;
    let variables: Vec<Variable> = variables.into_iter().flatten().collect();
    let kept = context.complete(&variables.iter().collect::<Vec<_>>())?;
    let is_mean = context.request.statistic == Statistic::Mean;
    let per_group: usize = variables.iter().map(width).sum();
    let estimated = context.in_groups(&kept, per_group, |codes, groups| {
        let mut blocks = vec![Block { values: None, codes: codes.into(), levels: groups }];
        blocks.extend(variables.iter().map(|v| block(v, codes, groups)));
        // Place of every estimate's total, group-major.
        let mut places = Vec::with_capacity(groups * per_group);
        for group in 0..groups {
            let mut first = groups;
            for variable in &variables {
                let width = width(variable);
                places.extend((0..width).map(|level| (group, first + group * width + level)));
                first += groups * width;
            }
        }
        context.survey.smooth(
            &blocks,
            context.full,
            |totals| {
                places
                    .iter()
                    .map(|(g, p)| if is_mean { totals[*p] / totals[*g] } else { totals[*p] })
                    .collect()
            },
            |totals, values| {
                let slopes = |((g, p), value): (&(usize, usize), &f64)| -> Gradient {
                    match is_mean {
                        true => vec![(*p, 1.0 / totals[*g]), (*g, -value / totals[*g])],
                        false => vec![(*p, 1.0)],
                    }
                };
                places.iter().zip(values).map(slopes).collect()
            },
        )
    })?;
    let counts = context.count(&kept, context.groups.labels.len());
    let effects = design_variances(context, &variables, &kept, is_mean);
    let mut rows = Vec::with_capacity(estimated.values.len());
    let mut place = 0;
    for (group, (answered, psus)) in counts.iter().enumerate() {
        for (v, variable) in variables.iter().enumerate() {
            for level in 0..width(variable) {
                let mut row = context.row(group);
                row.variable = Some(variable.name.clone());
                row.category = variable.category.clone();
                if let Kind::Category { levels, .. } = &variable.kind {
                    row.category = Some(levels[level].clone());
                }
                let variance = estimated.variance.at(place, place);
                context.fill(&mut row, group, estimated.values[place], variance);
                row.deff = effects[v]
                    .as_ref()
                    .map(|simple| variance / simple[group * width(variable) + level])
                    .filter(|d| d.is_finite());
                row.answered = Some(*answered);
                row.psus = Some(*psus);
                rows.push(row);
                place += 1;
            }
        }
    }
    Ok(Answer::new(context, rows, Some(estimated.variance)))
}

/// Variance of a simple random sample of the same size, a variable: group × level.
fn design_variances(
    context: &Context,
    variables: &[Variable],
    kept: &[u32],
    is_mean: bool,
) -> Vec<Option<Vec<f64>>> {
    let groups = context.groups.labels.len();
    let survey = context.survey;
    variables
        .iter()
        .map(|variable| {
            if context.request.deff == Deff::No {
                return None;
            }
            let of = |spread: &Spread| simple_variance(spread, context.request.deff, is_mean);
            Some(match &variable.kind {
                Kind::Number(values) => {
                    let inside = survey.within(&variable.name, &variable.name);
                    let within = |row: usize| match variable.category {
                        Some(_) => values[row] * (1.0 - values[row]),
                        None => inside.map_or(0.0, |w| w[row]),
                    };
                    spreads(|row| values[row], within, kept, survey, groups).iter().map(of).collect()
                }
                Kind::Category { codes, levels } => {
                    let by_level: Vec<Vec<Spread>> = (0..levels.len() as u32)
                        .map(|level| {
                            let share = |row: usize| f64::from(u8::from(codes[row] == level));
                            spreads(share, |_| 0.0, kept, survey, groups)
                        })
                        .collect();
                    (0..groups)
                        .flat_map(|g| by_level.iter().map(move |l| (g, l)))
                        .map(|(g, l)| of(&l[g]))
                        .collect()
                }
            })
        })
        .collect()
}

fn simple_variance(spread: &Spread, deff: Deff, is_mean: bool) -> f64 {
    let correction = match deff {
        Deff::Replace | Deff::No => 1.0,
        Deff::Yes => 1.0 - spread.n / spread.weight,
    };
    let of_mean = spread.variance / spread.n * correction;
    if is_mean { of_mean } else { of_mean * spread.weight * spread.weight }
}

/// Ratios of two totals; with `separate` one a stratum.
pub(crate) fn ratio(context: &Context) -> Result<Answer, EstimationError> {
    let request = context.request;
    let field = |list: &[String], field| match list.is_empty() {
        true => Err(EstimationError::FieldNeeded { field, statistic: "ratio" }),
        false => Ok(()),
    };
    field(&request.numerator, "numerator")?;
    field(&request.denominator, "denominator")?;
    let number = |name: &String| -> Result<Variable, EstimationError> {
        Ok(Variable { name: name.clone(), category: None, kind: Kind::Number(context.number(name)?) })
    };
    let above: Vec<Variable> = request.numerator.iter().map(number).collect::<Result<_, _>>()?;
    let below: Vec<Variable> = request.denominator.iter().map(number).collect::<Result<_, _>>()?;
    let kept = context.complete(&above.iter().chain(&below).collect::<Vec<_>>())?;
    let pairs: Vec<(usize, usize)> =
        (0..below.len()).flat_map(|d| (0..above.len()).map(move |n| (n, d))).collect();
    let upper = above.len();
    let below_names: Vec<String> = below.iter().map(|v| v.name.clone()).collect();
    let estimated: Estimated = context.in_groups(&kept, pairs.len(), |codes, groups| {
        let blocks: Vec<Block> = above.iter().chain(&below).map(|v| block(v, codes, groups)).collect();
        let places: Vec<(usize, usize)> = (0..groups)
            .flat_map(|g| pairs.iter().map(move |(n, d)| (n * groups + g, (upper + d) * groups + g)))
            .collect();
        context.survey.smooth(
            &blocks,
            context.full,
            |totals| places.iter().map(|(n, d)| totals[*n] / totals[*d]).collect(),
            |totals, values| {
                places
                    .iter()
                    .zip(values)
                    .map(|((n, d), value)| vec![(*n, 1.0 / totals[*d]), (*d, -value / totals[*d])])
                    .collect()
            },
        )
    })?;
    let groups = context.groups.labels.len();
    let counts = context.count(&kept, groups);
    let mut rows = Vec::with_capacity(estimated.values.len());
    for (group, (answered, psus)) in counts.iter().enumerate() {
        for (i, (n, d)) in pairs.iter().enumerate() {
            let place = group * pairs.len() + i;
            let (value, variance) = (estimated.values[place], estimated.variance.at(place, place));
            let mut row = context.row(group);
            row.variable = Some(format!("{}/{}", above[*n].name, below[*d].name));
            context.fill(&mut row, group, value, variance);
            if request.deff != Deff::No
                && let (Kind::Number(y), Kind::Number(x)) = (&above[*n].kind, &below[*d].kind)
            {
                let own: Vec<u32> =
                    kept.iter().map(|c| if *c == group as u32 { 0 } else { MISSING }).collect();
                let weights = &context.survey.weights;
                let below: f64 = (0..own.len()).filter(|r| own[*r] == 0).map(|r| weights[r] * x[r]).sum();
                let residual = |r: usize| (y[r] - value * x[r]) / below;
                let (upper, lower) = (&above[*n].name, &below_names[*d]);
                let [yy, xy, xx] = [(upper, upper), (upper, lower), (lower, lower)]
                    .map(|(a, b)| context.survey.within(a, b));
                let at = |pair: Option<&[f64]>, row: usize| pair.map_or(0.0, |w| w[row]);
                let within = |r: usize| {
                    (at(yy, r) - 2.0 * value * at(xy, r) + value * value * at(xx, r)) / (below * below)
                };
                let spread = spreads(residual, within, &own, context.survey, 1)[0];
                let deff = variance / simple_variance(&spread, request.deff, false);
                row.deff = Some(deff).filter(|d| d.is_finite());
            }
            row.answered = Some(*answered);
            row.psus = Some(*psus);
            rows.push(row);
        }
    }
    Ok(Answer::new(context, rows, Some(estimated.variance)))
}
