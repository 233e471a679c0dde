//! Choice lists, and where a control takes its choices from.

use indexmap::IndexMap;

use super::document::Tag;
use super::{Reader, position, problem};
use crate::question_type::QuestionType;
use crate::questionnaire::{
    Choice, ChoiceList, ChoiceOrder, ChoiceSource, Choices, Media, Question, Text, UNTRANSLATED,
};

/// `instance('id')/root/item[filter]`, or a path with a filter.
struct Nodeset<'n> {
    base: &'n str,
    filter: Option<&'n str>,
    seed: Option<Option<&'n str>>,
}

impl<'n> Nodeset<'n> {
    fn parse(text: &'n str) -> Self {
        let text = text.trim();
        if let Some(inside) = text.strip_prefix("randomize(").and_then(|rest| rest.strip_suffix(')')) {
            let (nodeset, seed) = match outer_comma(inside) {
                Some(at) => (&inside[..at], Some(inside[at + 1..].trim())),
                None => (inside, None),
            };
            return Self { seed: Some(seed), ..Self::parse(nodeset) };
        }
        // The brackets of `instance('a[b')` are part of the text.
        let from = if text.starts_with("instance(") { text.find(')').unwrap_or(0) } else { 0 };
        match text[from..].find('[') {
            Some(at) if text.ends_with(']') => Self {
                base: &text[..from + at],
                filter: Some(&text[from + at + 1..text.len() - 1]),
                seed: None,
            },
            _ => Self { base: text, filter: None, seed: None },
        }
    }

    /// The instance it reads, `instance('id')/root/item`.
    fn instance(&self) -> Option<&'n str> {
        let (id, steps) = self.base.strip_prefix("instance(")?.split_once(')')?;
        (steps.trim() == "/root/item").then(|| id.trim().trim_matches(['\'', '"']))
    }

    fn order(&self) -> ChoiceOrder {
        match self.seed {
            Some(seed) => ChoiceOrder::Random { seed: seed.map(str::to_owned) },
            None => ChoiceOrder::Given,
        }
    }
}

/// The comma that stands in no bracket and no quotes.
fn outer_comma(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth -= 1,
            (None, ',') if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

impl Reader<'_> {
    /// The lists that stand in instances of the form.
    pub(super) fn lists(&mut self, model: &Tag) -> IndexMap<String, ChoiceList> {
        let mut lists = IndexMap::new();
        for instance in model.all("instance").filter(|instance| instance.get("src").is_none()) {
            let (Some(id), Some(root)) = (instance.get("id"), instance.find("root")) else { continue };
            let choices = root.all("item").map(|item| self.choice(item)).collect();
            lists.insert(id.to_owned(), ChoiceList { choices });
        }
        lists
    }

    fn choice(&mut self, item: &Tag) -> Choice {
        let mut choice = Choice { position: position(item), ..Choice::default() };
        let mut named = false;
        for column in item.tags() {
            let text = column.text();
            match column.name.as_str() {
                "itextId" => {
                    choice.label = self.itext.long(&text);
                    choice.media = self.itext.media(&text);
                }
                "name" => {
                    choice.name = text;
                    named = true;
                }
                "label" => choice.label = Text::from([(UNTRANSLATED.to_owned(), text)]),
                name => drop(choice.columns.insert(name.to_owned(), text)),
            }
        }
        if !named {
            self.problems.push(problem(
                item.line,
                "lựa chọn không có <name>",
                "the item has no <name>; a choice needs its code there",
            ));
        }
        choice
    }

    /// The choices of a select; nothing where they cannot be told.
    pub(super) fn select(&mut self, control: &Tag, path: &str) -> Option<Choices> {
        if let Some(query) = control.get("query") {
            let nodeset = Nodeset::parse(query);
            let filter = nodeset.filter.map(str::to_owned);
            let source = ChoiceSource::External(nodeset.instance()?.to_owned());
            return Some(Choices { source, filter, order: ChoiceOrder::Given });
        }
        let Some(itemset) = control.find("itemset") else { return self.items(control, path) };
        let reference = |name: &str| itemset.find(name).and_then(|tag| tag.get("ref")).map(str::trim);
        let (value, label) = (reference("value")?, reference("label")?);
        let nodeset = Nodeset::parse(itemset.get("nodeset")?);
        let order = nodeset.order();
        let filter = nodeset.filter.map(str::to_owned);
        let Some(id) = nodeset.instance() else {
            let no_blanks = format!("./{value} != ''");
            let filter = filter.filter(|filter| *filter != no_blanks);
            let source = ChoiceSource::Answers(format!("{}/{value}", nodeset.base.trim()));
            return (!nodeset.base.contains('(')).then_some(Choices { source, filter, order });
        };
        let source = match self.files.get(id) {
            Some(source) => {
                let file = source.rsplit('/').next().unwrap_or_default();
                let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
                let (own_value, own_label) =
                    if ending == "geojson" { ("id", "title") } else { ("name", "label") };
                let other = |given: &str, own: &str| (given != own).then(|| given.to_owned());
                ChoiceSource::File {
                    name: format!("{id}.{ending}"),
                    value: other(value, own_value),
                    label: other(label, own_label),
                }
            }
            None if value == "name" => ChoiceSource::List(id.to_owned()),
            None => return None,
        };
        Some(Choices { source, filter, order })
    }

    /// Choices that stand in the body.
    fn items(&mut self, control: &Tag, path: &str) -> Option<Choices> {
        let mut list = ChoiceList::default();
        let mut name = None;
        for item in control.all("item") {
            let label = item.find("label");
            let reference = label.and_then(|label| label.get("ref")).unwrap_or_default();
            let id = reference.trim().trim_start_matches("jr:itext('").trim_end_matches("')");
            name = name.or_else(|| id.rsplit_once('-').map(|(list, _)| list.to_owned()));
            let (label, media) = label.map_or((Text::new(), Media::default()), |label| self.label(label));
            let columns = IndexMap::new();
            let code = item.find("value").map(Tag::text)?;
            list.choices.push(Choice { name: code, label, media, columns, position: position(item) });
        }
        let own = path.trim_start_matches('/').replace('/', "-");
        let name = name.filter(|name| self.own_lists.get(name).is_none_or(|known| *known == list));
        let name = name.unwrap_or(own);
        self.own_lists.insert(name.clone(), list);
        Some(Choices::of_list(name))
    }

    /// Lists that come by a parameter: labels of ticks, places to choose from, tags of OSM.
    pub(super) fn parameter_choices(&mut self, control: &Tag, path: &str, question: &mut Question) {
        if question.kind == QuestionType::Osm {
            let mut list = ChoiceList::default();
            for tag in control.all("tag") {
                let label = tag.find("label").map(|label| self.label(label).0).unwrap_or_default();
                let name = tag.get("key").unwrap_or_default().to_owned();
                list.choices.push(Choice { name, label, position: position(tag), ..Choice::default() });
            }
            if !list.choices.is_empty() {
                let name = path.trim_start_matches('/').replace('/', "-");
                question.parameters.insert("tags".to_owned(), name.clone());
                self.osm_tags.insert(name, list);
            }
            return;
        }
        let Some(itemset) = control.find("itemset") else { return };
        let nodeset = Nodeset::parse(itemset.get("nodeset").unwrap_or_default());
        let key = if question.kind == QuestionType::Range { "tick_labelset" } else { "reference-geometry" };
        let target = match nodeset.instance() {
            Some(id) => match self.files.get(id) {
                Some(source) => {
                    let ending = source.rsplit_once('.').map_or("", |(_, ending)| ending);
                    format!("{id}.{ending}")
                }
                None => id.to_owned(),
            },
            None => nodeset.base.trim().to_owned(),
        };
        question.parameters.insert(key.to_owned(), target);
        question.filter = nodeset.filter.filter(|filter| *filter != "./geometry != ''").map(str::to_owned);
    }
}
