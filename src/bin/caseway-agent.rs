//! Arguments, config, run, exit code.

fn main() {}
