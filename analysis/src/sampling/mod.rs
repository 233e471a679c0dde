//! From a frame to a documented probability sample.
