//! Texts by language: `<itext>`, and texts that stand where they are shown.

use std::collections::HashMap;

use super::Reader;
use super::document::{Content, Tag};
use crate::questionnaire::{DEFAULT_LANGUAGE, Media, Node, Questionnaire, Text, UNTRANSLATED, Wording};

/// Stand around the expression of an `<output>` until paths are known; XML cannot carry them.
pub(super) const OUTPUT: [char; 2] = ['\u{1}', '\u{2}'];

/// Forms of a text, `long` for the one without a name.
type Forms = HashMap<String, String>;

#[derive(Default)]
pub(super) struct Itext {
    /// In the order of the file.
    pub languages: Vec<String>,
    pub default: Option<String>,
    /// By id, then language.
    texts: HashMap<String, Vec<(String, Forms)>>,
}

impl Itext {
    pub fn of(model: &Tag) -> Self {
        let mut itext = Self::default();
        for translation in model.find("itext").into_iter().flat_map(|tag| tag.all("translation")) {
            let language = translation.get("lang").unwrap_or(DEFAULT_LANGUAGE);
            itext.languages.push(language.to_owned());
            if translation.get("default").is_some_and(|value| value != "false()") {
                itext.default = Some(language.to_owned());
            }
            for text in translation.all("text") {
                let Some(id) = text.get("id") else { continue };
                let forms = text
                    .all("value")
                    .map(|value| (value.get("form").unwrap_or("long").to_owned(), marked(value)));
                let entry = (language.to_owned(), forms.collect());
                itext.texts.entry(id.to_owned()).or_default().push(entry);
            }
        }
        itext
    }

    /// One form of a text in every language that has it; `-` stands for a missing one, unless all
    /// are missing.
    fn form(&self, id: &str, form: &str) -> Text {
        let entries = self.texts.get(id).map(Vec::as_slice).unwrap_or_default();
        let found = |(language, forms): &(String, Forms)| {
            let text = forms.get(form)?;
            let file = matches!(form, "image" | "big-image" | "audio" | "video");
            let text = if file {
                ["jr://images/", "jr://audio/", "jr://video/"]
                    .iter()
                    .find_map(|prefix| text.strip_prefix(prefix))
                    .unwrap_or(text)
            } else {
                text
            };
            Some((language.clone(), text.to_owned()))
        };
        let all: Text = entries.iter().filter_map(found).collect();
        if all.values().all(|text| text == "-") {
            return all;
        }
        all.into_iter().filter(|(_, text)| text != "-").collect()
    }

    pub fn media(&self, id: &str) -> Media {
        Media {
            image: self.form(id, "image"),
            big_image: self.form(id, "big-image"),
            audio: self.form(id, "audio"),
            video: self.form(id, "video"),
        }
    }

    pub fn long(&self, id: &str) -> Text {
        self.form(id, "long")
    }
}

/// The text of an element, its outputs between the marks [`OUTPUT`].
fn marked(tag: &Tag) -> String {
    let mut out = String::new();
    for content in &tag.content {
        match content {
            Content::Text(text) => out.push_str(text),
            Content::Tag(output) if output.name == "output" => {
                out.push(OUTPUT[0]);
                out.push_str(output.get("value").or_else(|| output.get("ref")).unwrap_or_default());
                out.push(OUTPUT[1]);
            }
            Content::Tag(_) => {}
        }
    }
    out
}

/// The id in `jr:itext('id')`.
fn itext_id(reference: &str) -> Option<&str> {
    let inside = reference.trim().strip_prefix("jr:itext(")?.strip_suffix(')')?.trim();
    Some(inside.trim_matches(['\'', '"']))
}

/// A text without a language; nothing for a blank one.
fn untranslated(text: String) -> Text {
    if text.is_empty() { Text::new() } else { Text::from([(UNTRANSLATED.to_owned(), text)]) }
}

impl Reader<'_> {
    /// Label, hint and media of a control, group or repeat.
    pub(super) fn wording(&self, shown: Option<&Tag>) -> Wording {
        let mut wording = Wording::default();
        let Some(shown) = shown else { return wording };
        if let Some(label) = shown.find("label") {
            (wording.label, wording.media) = self.label(label);
        }
        if let Some(hint) = shown.find("hint") {
            match hint.get("ref").and_then(itext_id) {
                Some(id) => {
                    wording.hint = self.itext.form(id, "long");
                    wording.guidance_hint = self.itext.form(id, "guidance");
                }
                None => wording.hint = untranslated(marked(hint)),
            }
        }
        wording
    }

    pub(super) fn label(&self, label: &Tag) -> (Text, Media) {
        match label.get("ref").and_then(itext_id) {
            Some(id) => (self.itext.long(id), self.itext.media(id)),
            None => (untranslated(marked(label)), Media::default()),
        }
    }

    /// A message of a bind.
    pub(super) fn message(&self, value: &str) -> Text {
        match itext_id(value) {
            Some(id) => self.itext.long(id),
            None => untranslated(value.to_owned()),
        }
    }

    /// A form whose one language has no name has no translations: its texts only need the itext.
    pub(super) fn without_lone_language(&self, questionnaire: &mut Questionnaire) {
        if self.itext.languages != [DEFAULT_LANGUAGE] {
            return;
        }
        questionnaire.languages.clear();
        let bare = |text: &mut Text| {
            if let Some(only) = text.shift_remove(DEFAULT_LANGUAGE) {
                text.insert(UNTRANSLATED.to_owned(), only);
            }
        };
        let bare_media = |media: &mut Media| {
            for text in [&mut media.image, &mut media.big_image, &mut media.audio, &mut media.video] {
                bare(text);
            }
        };
        for choice in questionnaire.choice_lists.values_mut().flat_map(|list| &mut list.choices) {
            bare(&mut choice.label);
            bare_media(&mut choice.media);
        }
        let mut waiting: Vec<&mut Node> = questionnaire.nodes.iter_mut().collect();
        while let Some(node) = waiting.pop() {
            let wording = &mut node.wording;
            for text in [
                &mut wording.label,
                &mut wording.hint,
                &mut wording.guidance_hint,
                &mut wording.constraint_message,
                &mut wording.required_message,
            ] {
                bare(text);
            }
            bare_media(&mut wording.media);
            waiting.extend(node.children_mut());
        }
    }
}
