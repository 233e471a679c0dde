//! The XML documents of the OpenRosa protocol: form list, manifest, answer to a submission.

use quick_xml::escape::escape;

/// One form of the list.
#[derive(Clone, Debug)]
pub struct ListedForm {
    pub form_id: String,
    pub name: String,
    pub version: String,
    /// MD5 of the exact bytes served, in hexadecimal.
    pub hash: String,
    pub download_url: String,
    /// Only where files come with the form.
    pub manifest_url: Option<String>,
}

/// One file of a manifest.
#[derive(Clone, Debug)]
pub struct ListedFile {
    pub name: String,
    /// MD5 in hexadecimal.
    pub hash: String,
    pub download_url: String,
    /// Only for an entity list: where to ask which entities are there no more.
    pub integrity_url: Option<String>,
}

pub fn form_list(forms: &[ListedForm]) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xforms xmlns=\"http://openrosa.org/xforms/xformsList\">",
    );
    for form in forms {
        xml.push_str("<xform>");
        let mut put = |tag: &str, text: &str| xml.push_str(&format!("<{tag}>{}</{tag}>", escape(text)));
        put("formID", &form.form_id);
        put("name", &form.name);
        put("version", &form.version);
        // Collect cannot download a form without a hash, and needs its prefix.
        put("hash", &format!("md5:{}", form.hash));
        put("downloadUrl", &form.download_url);
        if let Some(url) = &form.manifest_url {
            put("manifestUrl", url);
        }
        xml.push_str("</xform>");
    }
    xml.push_str("</xforms>");
    xml
}

pub fn manifest(files: &[ListedFile]) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<manifest xmlns=\"http://openrosa.org/xforms/xformsManifest\">",
    );
    for file in files {
        let kind = if file.integrity_url.is_some() { " type=\"entityList\"" } else { "" };
        xml.push_str(&format!(
            "<mediaFile{kind}><filename>{}</filename><hash>md5:{}</hash><downloadUrl>{}</downloadUrl>",
            escape(&file.name),
            escape(&file.hash),
            escape(&file.download_url),
        ));
        if let Some(url) = &file.integrity_url {
            xml.push_str(&format!("<integrityUrl>{}</integrityUrl>", escape(url)));
        }
        xml.push_str("</mediaFile>");
    }
    xml.push_str("</manifest>");
    xml
}

/// What a client shows after sending; `nature` is `error` for what was not taken.
pub fn response(nature: &str, message: &str) -> String {
    format!(
        "<OpenRosaResponse xmlns=\"http://openrosa.org/http/response\" items=\"0\"><message nature=\"{nature}\">{}</message></OpenRosaResponse>",
        escape(message)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_carries_what_collect_needs_and_escapes_names() {
        let form = ListedForm {
            form_id: "khao_sat_2026".into(),
            name: "Khảo sát <2026> & thử".into(),
            version: "2026.1".into(),
            hash: "0f".into(),
            download_url: "http://h/v1/key/T/projects/1/forms/khao_sat_2026/versions/2026.1.xml".into(),
            manifest_url: None,
        };
        let xml = form_list(&[form]);
        assert!(
            xml.contains("<xform><formID>khao_sat_2026</formID><name>Khảo sát &lt;2026&gt; &amp; thử</name>"),
            "{xml}"
        );
        assert!(xml.contains("<hash>md5:0f</hash>"));
        assert!(!xml.contains("manifestUrl"));
        assert!(xml.ends_with("</xform></xforms>"));
    }
}
