//! `begin loop over`: a group for each choice of a list.

use super::blank;
use crate::question_type::QuestionType;
use crate::questionnaire::{Body, Choice, Group, Node, Repeat};

/// One turn of a loop: a group named as the choice, with `%(name)s` and `%(label)s` filled in.
pub(super) fn turn(children: &[Node], choice: &Choice) -> Node {
    let mut group = blank(choice.name.clone(), QuestionType::Note, choice.position.row);
    group.wording.label = choice.label.clone();
    group.wording.media = choice.media.clone();
    let children = children.iter().map(|child| filled(child, choice)).collect();
    group.body = Body::Group(Group { sealed: false, children });
    group
}

fn filled(node: &Node, choice: &Choice) -> Node {
    let plain = choice.label.values().next().cloned().unwrap_or_default();
    let fill = |text: &str, label: &str| {
        let filled = text.replace("%(name)s", &choice.name).replace("%(label)s", label);
        // No cell of a workbook is longer; loops in loops could double a text each time.
        if filled.len() > 32_767 { text.to_owned() } else { filled }
    };
    let mut node = node.clone();
    node.name = fill(&node.name, &plain);
    let media = &mut node.wording.media;
    let texts = [
        &mut node.wording.label,
        &mut node.wording.hint,
        &mut node.wording.guidance_hint,
        &mut media.image,
        &mut media.big_image,
        &mut media.audio,
        &mut media.video,
        &mut node.wording.constraint_message,
        &mut node.wording.required_message,
    ];
    for (language, text) in texts.into_iter().flatten() {
        *text = fill(text, choice.label.get(language).unwrap_or(&plain));
    }
    let logic = &mut node.logic;
    let expressions = [
        &mut logic.relevant,
        &mut logic.constraint,
        &mut logic.required,
        &mut logic.readonly,
        &mut logic.calculation,
        &mut logic.default,
        &mut node.appearance,
    ];
    for expression in expressions.into_iter().flatten() {
        *expression = fill(expression, &plain);
    }
    match &mut node.body {
        Body::Question(_) => {}
        Body::Group(Group { children, .. }) | Body::Repeat(Repeat { children, .. }) => {
            *children = children.iter().map(|child| filled(child, choice)).collect();
        }
    }
    node
}
