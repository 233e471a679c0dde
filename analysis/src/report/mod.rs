//! The annual assessment as DOCX and HTML.
