//! CAPT on an embedded control plane, with live progress and a watchful observer.
fn main() {}
