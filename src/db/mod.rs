//! Diesel and nothing else: the two vaults, their schema, one file a noun.
