//! The ODK XPath subset: parser, static checks and evaluator.
