//! Texts by language: the `<itext>` of a form.

use indexmap::{IndexMap, IndexSet};

use super::xml::Element;
use super::{Writer, has_reference, is_translated, needs_itext, plain};
use crate::questionnaire::{Media, Node, Position, Text, UNTRANSLATED};

/// One text of one form in one language, and where it stands.
#[derive(Clone, Copy)]
struct Entry<'q> {
    text: &'q str,
    context: Option<usize>,
    position: &'q Position,
}

/// By language, then id, then form (`long`, `guidance`, `image`, …).
type Translations<'q> = IndexMap<&'q str, IndexMap<String, IndexMap<&'static str, Entry<'q>>>>;

struct Collector<'q> {
    default_language: &'q str,
    translations: Translations<'q>,
}

impl<'q> Collector<'q> {
    fn add(
        &mut self,
        id: &str,
        form: &'static str,
        text: &'q Text,
        context: Option<usize>,
        position: &'q Position,
    ) {
        for (language, text) in text {
            let language = if language == UNTRANSLATED { self.default_language } else { language };
            let entry = Entry { text, context, position };
            let texts = self.translations.entry(language).or_default();
            match texts.get_mut(id) {
                Some(forms) => drop(forms.insert(form, entry)),
                None => drop(texts.insert(id.to_owned(), IndexMap::from([(form, entry)]))),
            }
        }
    }

    fn add_media(&mut self, id: &str, media: &'q Media, context: Option<usize>, position: &'q Position) {
        let forms = [
            ("image", &media.image),
            ("big-image", &media.big_image),
            ("audio", &media.audio),
            ("video", &media.video),
        ];
        for (form, files) in forms {
            self.add(id, form, files, context, position);
        }
    }
}

impl<'q> Writer<'q> {
    /// The itext, if any text needs it.
    pub(super) fn itext(&mut self) -> Option<Element> {
        let questionnaire = self.questionnaire;
        let default_language = questionnaire.default_language();
        let mut collector = Collector { default_language, translations: IndexMap::new() };
        for (name, list) in &questionnaire.choice_lists {
            if needs_itext(list) {
                for (number, choice) in list.choices.iter().enumerate() {
                    let id = format!("{name}-{number}");
                    collector.add(&id, "long", &choice.label, None, &choice.position);
                    collector.add_media(&id, &choice.media, None, &choice.position);
                }
            }
        }
        for (at, place) in self.outline.places.iter().enumerate() {
            let node: &Node = place.node;
            let (wording, position) = (&node.wording, &node.position);
            let id = |what: &str| format!("{}:{what}", place.path);
            for (what, message) in [
                ("jr:constraintMsg", &wording.constraint_message),
                ("jr:requiredMsg", &wording.required_message),
            ] {
                if is_translated(message) || plain(message).is_some_and(has_reference) {
                    collector.add(&id(what), "long", message, Some(at), position);
                }
            }
            let has_media = wording.media != Media::default();
            if is_translated(&wording.label) || has_media {
                collector.add(&id("label"), "long", &wording.label, Some(at), position);
            }
            let guided = !wording.guidance_hint.is_empty();
            if is_translated(&wording.hint) || guided {
                collector.add(&id("hint"), "long", &wording.hint, Some(at), position);
            }
            collector.add(&id("hint"), "guidance", &wording.guidance_hint, Some(at), position);
        }
        for (at, place) in self.outline.places.iter().enumerate() {
            let id = format!("{}:label", place.path);
            let node: &Node = place.node;
            collector.add_media(&id, &node.wording.media, Some(at), &node.position);
        }
        let translations = collector.translations;
        if translations.is_empty() {
            return None;
        }
        // Every id has the same forms in every language; a missing text is `-`.
        let mut forms: IndexMap<&str, IndexSet<&'static str>> = IndexMap::new();
        for (id, entries) in translations.values().flatten() {
            forms.entry(id).or_default().extend(entries.keys().copied());
        }
        let mut languages: Vec<&str> = translations.keys().copied().collect();
        let order = |language: &str| questionnaire.languages.iter().position(|known| known.name == language);
        languages.sort_by_key(|language| order(language).unwrap_or(usize::MAX));
        let mut itext = Element::new("itext");
        for language in languages {
            let mut translation = Element::new("translation").with("lang", language);
            if language == default_language {
                translation.set("default", "true()");
            }
            for (id, forms) in &forms {
                let mut text = Element::new("text").with("id", *id);
                let entries = translations[language].get(*id);
                for form in forms {
                    text.extend(self.value(form, entries.and_then(|entries| entries.get(form))));
                }
                translation.push(text);
            }
            itext.push(translation);
        }
        Some(itext)
    }

    /// One `<value>`; a missing file has none.
    fn value(&mut self, form: &str, entry: Option<&Entry<'q>>) -> Option<Element> {
        let mut value = Element::new("value");
        let text = entry.map_or("-", |entry| entry.text);
        let prefix = match form {
            "long" => "",
            "guidance" => {
                value.set("form", form);
                ""
            }
            _ if text == "-" => return None,
            form => {
                value.set("form", form);
                match form {
                    "audio" => "jr://audio/",
                    "video" => "jr://video/",
                    _ => "jr://images/",
                }
            }
        };
        let Some(entry) = entry.filter(|entry| entry.text != "-") else { return Some(value.text("-")) };
        let column = if matches!(form, "long" | "guidance") { "label" } else { "media" };
        self.say(&mut value, entry.context, entry.position, column, &format!("{prefix}{}", entry.text));
        Some(value)
    }
}
