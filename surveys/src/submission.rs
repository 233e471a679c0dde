//! Reads instance XML safely and judges it by the form's own rules.
