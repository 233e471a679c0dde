//! The one table of question types.
