//! Raw files to checked options, every fault reported at once with its key.
