//! The keys of a wave and what they do: sealing the two halves, naming by HMAC, sealed blocks.
