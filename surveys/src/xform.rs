//! Writes and reads ODK XForms.
