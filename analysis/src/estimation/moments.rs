//! Variances, covariances and points of the distribution function.

use super::EstimationError;
use super::context::{Answer, Context, Kind, Variable};
use super::survey::Block;
use super::weighted_sums::spreads;

fn numbers(context: &Context) -> Result<Vec<Variable>, EstimationError> {
    context
        .of()?
        .iter()
        .map(|name| {
            Ok(Variable { name: name.clone(), category: None, kind: Kind::Number(context.number(name)?) })
        })
        .collect()
}

/// Population variances of columns, then the covariance of each pair as `a:b`.
///
/// s² = Σw(y − ȳ)²/Σw · n/(n − 1).
pub(crate) fn variance(context: &Context) -> Result<Answer, EstimationError> {
    let variables = numbers(context)?;
    let kept = context.complete(&variables.iter().collect::<Vec<_>>())?;
    let groups = context.groups.labels.len();
    let counts = context.count(&kept, groups);
    // Deviations from the means, so that squares do not cancel.
    let centred: Vec<Vec<f64>> = variables
        .iter()
        .filter_map(|v| match &v.kind {
            Kind::Number(values) => Some(values),
            Kind::Category { .. } => None,
        })
        .map(|values| {
            let means = spreads(|row| values[row], |_| 0.0, &kept, context.survey, groups);
            values
                .iter()
                .zip(&kept)
                .map(|(v, code)| means.get(*code as usize).map_or(0.0, |m| v - m.mean))
                .collect()
        })
        .collect();
    let mut pairs: Vec<(usize, usize)> = (0..variables.len()).map(|v| (v, v)).collect();
    for a in 0..variables.len() {
        pairs.extend((a + 1..variables.len()).map(|b| (a, b)));
    }
    let per_group = pairs.len();
    let corrections: Vec<f64> = counts.iter().map(|(n, _)| *n as f64 / (*n as f64 - 1.0)).collect();
    let estimated = context.in_groups(&kept, per_group, |codes, here| {
        let mut blocks = vec![Block { values: None, codes: codes.into(), levels: here }];
        for values in &centred {
            blocks.push(Block { values: Some(values.as_slice().into()), codes: codes.into(), levels: here });
        }
        for (a, b) in &pairs {
            let mut products: Vec<f64> = centred[*a].iter().zip(&centred[*b]).map(|(x, y)| x * y).collect();
            if let Some(within) = context.survey.within(&variables[*a].name, &variables[*b].name) {
                products.iter_mut().zip(within).for_each(|(p, w)| *p += w);
            }
            blocks.push(Block { values: Some(products.into()), codes: codes.into(), levels: here });
        }
        // One group alone still has its own n.
        let only = codes.iter().position(|c| *c == 0).map_or(0, |row| kept[row] as usize);
        let correction = |g: usize| corrections[if here == 1 { only } else { g }];
        let places: Vec<[usize; 4]> = (0..here)
            .flat_map(|g| {
                let first = 1 + centred.len();
                pairs.iter().enumerate().map(move |(i, (a, b))| {
                    [g, (1 + a) * here + g, (1 + b) * here + g, (first + i) * here + g]
                })
            })
            .collect();
        context.survey.smooth(
            &blocks,
            context.full,
            |t| {
                places
                    .iter()
                    .map(|[n, a, b, ab]| correction(*n) * (t[*ab] / t[*n] - t[*a] * t[*b] / (t[*n] * t[*n])))
                    .collect()
            },
            |t, values| {
                places
                    .iter()
                    .zip(values)
                    .map(|([n, _, _, ab], value)| {
                        // The means are 0 here, so their slopes vanish.
                        vec![(*ab, correction(*n) / t[*n]), (*n, -value / t[*n])]
                    })
                    .collect()
            },
        )
    })?;
    let mut rows = Vec::with_capacity(estimated.values.len());
    for (group, (answered, psus)) in counts.iter().enumerate() {
        for (i, (a, b)) in pairs.iter().enumerate() {
            let place = group * per_group + i;
            let mut row = context.row(group);
            row.variable = Some(if a == b {
                variables[*a].name.clone()
            } else {
                format!("{}:{}", variables[*a].name, variables[*b].name)
            });
            context.fill(&mut row, group, estimated.values[place], estimated.variance.at(place, place));
            row.answered = Some(*answered);
            row.psus = Some(*psus);
            rows.push(row);
        }
    }
    Ok(Answer::new(context, rows, Some(estimated.variance)))
}

/// Shares of values not above the points `at`.
pub(crate) fn cdf(context: &Context) -> Result<Answer, EstimationError> {
    let points = &context.request.at;
    if points.is_empty() {
        return Err(EstimationError::FieldNeeded { field: "at", statistic: "cdf" });
    }
    let variables = numbers(context)?;
    let kept = context.complete(&variables.iter().collect::<Vec<_>>())?;
    let counts = context.count(&kept, context.groups.labels.len());
    let mut below: Vec<Vec<f64>> = Vec::new();
    for variable in &variables {
        if let Kind::Number(values) = &variable.kind {
            for point in points {
                below.push(values.iter().map(|v| f64::from(u8::from(v <= point))).collect());
            }
        }
    }
    let per_group = below.len();
    let estimated = context.in_groups(&kept, per_group, |codes, groups| {
        let mut blocks = vec![Block { values: None, codes: codes.into(), levels: groups }];
        for values in &below {
            blocks.push(Block {
                values: Some(values.as_slice().into()),
                codes: codes.into(),
                levels: groups,
            });
        }
        let places: Vec<(usize, usize)> =
            (0..groups).flat_map(|g| (0..per_group).map(move |i| (g, (i + 1) * groups + g))).collect();
        context.survey.smooth(
            &blocks,
            context.full,
            |t| places.iter().map(|(g, p)| t[*p] / t[*g]).collect(),
            |t, values| {
                places
                    .iter()
                    .zip(values)
                    .map(|((g, p), value)| vec![(*p, 1.0 / t[*g]), (*g, -value / t[*g])])
                    .collect()
            },
        )
    })?;
    let mut rows = Vec::with_capacity(estimated.values.len());
    for (group, (answered, psus)) in counts.iter().enumerate() {
        for i in 0..per_group {
            let place = group * per_group + i;
            let mut row = context.row(group);
            row.variable = Some(variables[i / points.len()].name.clone());
            row.more.insert("at".into(), points[i % points.len()].into());
            context.fill(&mut row, group, estimated.values[place], estimated.variance.at(place, place));
            row.answered = Some(*answered);
            row.psus = Some(*psus);
            rows.push(row);
        }
    }
    Ok(Answer::new(context, rows, Some(estimated.variance)))
}
