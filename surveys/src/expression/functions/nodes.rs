//! Functions of nodes, repeats and secondary instances.

use crate::expression::evaluate::{At, EvaluateError};
use crate::expression::function::Function;
use crate::expression::randomize;
use crate::expression::tree::NodeId;
use crate::expression::values::{NodeSet, Value};

use super::{Call, Result};

pub(super) fn call(call: &Call<'_, '_>) -> Result {
    match call.function {
        Function::Count => Ok(Value::Number(call.set(0)?.len() as f64)),
        Function::CountNonEmpty => {
            let full = call.set(0)?.texts(call.scope).iter().filter(|text| !text.is_empty()).count();
            Ok(Value::Number(full as f64))
        }
        Function::Position => position(call),
        Function::Last => Ok(Value::Number(call.at.position.map_or(1, |(_, size)| size) as f64)),
        Function::Name | Function::LocalName => {
            let set = call.value(0)?;
            let Value::Nodes(set) = set else {
                return Err(EvaluateError::new(format!("`{}()` needs a path", call.function.name())));
            };
            let name = set
                .tree(call.scope)
                .zip(set.nodes.first())
                .map(|(tree, node)| tree.get(*node).name.to_string());
            Ok(Value::Text(name.unwrap_or_default()))
        }
        Function::Instance => {
            let id = call.text(0)?;
            let nodes = match call.scope.environment.lookups.instance(&id) {
                Some(_) => vec![NodeId::DOCUMENT],
                None => Vec::new(),
            };
            Ok(Value::Nodes(NodeSet { instance: Some(id), nodes, attribute: None }))
        }
        Function::Current => {
            Ok(Value::Nodes(NodeSet { instance: None, nodes: vec![call.scope.node], attribute: None }))
        }
        Function::Randomize => {
            let mut set = call.set(0)?;
            set.nodes = if call.len() > 1 {
                let seed = randomize::seed_of(call.number(1)?, &call.text(1)?);
                randomize::seeded(&set.nodes, seed)
            } else {
                randomize::unseeded(&set.nodes, &mut call.scope.environment.chance.borrow_mut())
            };
            Ok(Value::Nodes(set))
        }
        Function::IndexedRepeat => indexed(call),
        _ => pull(call),
    }
}

fn position(call: &Call<'_, '_>) -> Result {
    if call.len() > 0 {
        let set = call.set(0)?;
        if set.len() > 1 && !call.is_javarosa() {
            return Err(EvaluateError::new("`position()` needs one node, and its path finds several"));
        }
        let position = set.tree(call.scope).zip(set.nodes.first()).map(|(tree, node)| tree.position(*node));
        let nowhere = if call.is_javarosa() { 0.0 } else { f64::NAN };
        return Ok(Value::Number(position.map_or(nowhere, |n| n as f64)));
    }
    let position = match call.at.position {
        Some((position, _)) => position,
        None if call.is_javarosa() => call.scope.main.position(call.scope.node),
        None => 1,
    };
    Ok(Value::Number(position as f64))
}

/// `indexed-repeat(target, repeat, index, …)`: the target inside the repeats of those numbers.
fn indexed(call: &Call<'_, '_>) -> Result {
    // The numbers say which repeats are meant, not the place of the expression.
    let all = Call { at: At { plain: true, ..call.at }, ..*call };
    let targets = all.set(0)?;
    let Some(tree) = targets.tree(call.scope) else { return Ok(Value::Nodes(targets)) };
    let nothing = || Ok(Value::Nodes(NodeSet::default()));
    let mut pairs = Vec::new();
    for i in (1..call.len()).step_by(2) {
        let mut index = call.number(i + 1)?;
        // JavaRosa reads no index, 0 or less as the first.
        if call.is_javarosa() && (index.is_nan() || index < 1.0) {
            index = 1.0;
        }
        if index.is_nan() || index < 1.0 || (!call.is_javarosa() && index.fract() != 0.0) {
            return nothing();
        }
        let repeats = all.set(i)?.nodes;
        let inside = |node: &NodeId| tree.ancestors(*node).any(|around| repeats.contains(&around));
        if call.is_javarosa() && !targets.nodes.iter().all(inside) {
            return Err(EvaluateError::new("`indexed-repeat()` looks for a question inside the repeat"));
        }
        let depth = repeats.first().map_or(0, |node| tree.ancestors(*node).count());
        pairs.push((depth, repeats, index as usize));
    }
    pairs.sort_by_key(|(depth, _, _)| *depth);
    let mut around: Option<NodeId> = None;
    for (_, repeats, index) in pairs {
        let mut inside = repeats
            .into_iter()
            .filter(|repeat| around.is_none_or(|outer| tree.ancestors(*repeat).any(|a| a == outer)));
        around = inside.nth(index - 1);
        if around.is_none() {
            return nothing();
        }
    }
    let nodes = targets
        .nodes
        .iter()
        .copied()
        .filter(|node| tree.ancestors(*node).any(|a| Some(a) == around))
        .collect();
    Ok(Value::Nodes(NodeSet { nodes, ..targets }))
}

/// `pulldata(instance, column, key column, key)`.
fn pull(call: &Call<'_, '_>) -> Result {
    let (id, column, key_column, key) = (call.text(0)?, call.text(1)?, call.text(2)?, call.text(3)?);
    let found = call.scope.environment.lookups.instance(&id).and_then(|tree| {
        let text = |item: NodeId, name: &str| tree.named(item, name).next().map(|node| tree.text(node));
        let items = tree.children(tree.root());
        let item = items.iter().find(|item| text(**item, &key_column).is_some_and(|value| value == *key))?;
        text(*item, &column).map(|value| value.into_owned())
    });
    Ok(Value::Text(found.unwrap_or_default()))
}
