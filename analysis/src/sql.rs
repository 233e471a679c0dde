//! The expressions of plans (`derive`, `where`): a small, exact subset of SQL with three-valued logic.
