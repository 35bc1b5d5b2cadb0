//! The Cluster API infrastructure provider for Tinkerbell.
fn main() {}
