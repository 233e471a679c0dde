//! The gate: what may leave, and what is hidden.
