//! acumen
fn main() {}
