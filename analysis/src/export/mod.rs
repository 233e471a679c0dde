//! Files for other programs.
