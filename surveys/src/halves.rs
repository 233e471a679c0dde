//! Splits a submission's bytes into the field half and the answer half, and rebuilds them.
