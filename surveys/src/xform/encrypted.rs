//! An XForm made into one that ODK Collect encrypts on the device: the public key that answers are encrypted to.

use quick_xml::Reader;
use quick_xml::events::Event;

const ATTRIBUTE: &[u8] = b"base64RsaPublicKey";

/// The same form with `key` (base64 of an RSA key, X.509 DER) as the key that submissions are encrypted to; every other
/// byte stays. A key of its own that the form had is replaced. `None` for what is no XForm.
pub fn with_public_key(xml: &[u8], key: &str) -> Option<Vec<u8>> {
    let mut reader = Reader::from_str(std::str::from_utf8(xml).ok()?);
    let mut after_model = None;
    // How many elements below the model are open: a question may be called `submission` too.
    let mut depth = 0_usize;
    loop {
        let from = usize::try_from(reader.buffer_position()).ok()?;
        let event = reader.read_event().ok()?;
        let to = usize::try_from(reader.buffer_position()).ok()?;
        let opens = matches!(event, Event::Start(_));
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                match (AsRef::<str>::as_ref(&tag.local_name()), after_model) {
                    ("model", None) => after_model = Some(to),
                    ("submission", Some(_)) if depth == 0 => return Some(with_attribute(xml, from, to, key)),
                    (_, Some(_)) => depth += usize::from(opens),
                    _ => {}
                }
            }
            Event::End(_) if after_model.is_some() && depth == 0 => break,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof => break,
            _ => {}
        }
    }
    let mut keyed = xml.to_vec();
    let at = after_model?;
    keyed.splice(at..at, format!("<submission base64RsaPublicKey=\"{key}\"/>").into_bytes());
    Some(keyed)
}

/// The tag between `from` and `to` with the key, in place of one that it has.
fn with_attribute(xml: &[u8], from: usize, to: usize, key: &str) -> Vec<u8> {
    let tag = &xml[from..to];
    let mut keyed = xml.to_vec();
    let known = tag.windows(ATTRIBUTE.len()).position(|part| part == ATTRIBUTE).and_then(|name| {
        let quote = name + tag[name..].iter().position(|byte| matches!(byte, b'"' | b'\''))?;
        let end = quote + 1 + tag[quote + 1..].iter().position(|byte| *byte == tag[quote])?;
        Some(from + quote + 1..from + end)
    });
    match known {
        Some(value) => drop(keyed.splice(value, key.bytes())),
        None => {
            let name_end =
                tag.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
            let at = from + name_end.unwrap_or(tag.len());
            drop(keyed.splice(at..at, format!(" base64RsaPublicKey=\"{key}\"").into_bytes()));
        }
    }
    keyed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(form: &str) -> String {
        String::from_utf8(with_public_key(form.as_bytes(), "KEY=").expect("a form")).expect("text")
    }

    #[test]
    fn the_key_stands_in_the_submission_element_whether_or_not_the_form_had_one() {
        assert_eq!(
            keyed("<h:html><h:head><model><instance/></model></h:head></h:html>"),
            "<h:html><h:head><model><submission base64RsaPublicKey=\"KEY=\"/><instance/></model></h:head></h:html>"
        );
        assert_eq!(
            keyed("<model><submission orx:auto-send=\"true\"/></model>"),
            "<model><submission base64RsaPublicKey=\"KEY=\" orx:auto-send=\"true\"/></model>"
        );
        assert_eq!(
            keyed("<model><submission base64RsaPublicKey='another' action=\"x\"/></model>"),
            "<model><submission base64RsaPublicKey='KEY=' action=\"x\"/></model>"
        );
        assert_eq!(
            keyed("<model><submission/></model>"),
            "<model><submission base64RsaPublicKey=\"KEY=\"/></model>"
        );
        // A question of that name is none.
        assert_eq!(
            keyed("<model><instance><data><submission/></data></instance></model>"),
            "<model><submission base64RsaPublicKey=\"KEY=\"/><instance><data><submission/></data></instance></model>"
        );
    }

    #[test]
    fn what_is_no_form_has_no_key() {
        assert_eq!(with_public_key(b"<data><submission/></data>", "KEY="), None);
        assert_eq!(with_public_key(b"no form", "KEY="), None);
    }
}
