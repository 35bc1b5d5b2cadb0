//! What the manager does with bytes that others wrote, as functions that take any bytes: they end, soon, and panic only where
//! something is wrong.
//!
//! `cargo xtask fuzz` runs each under libFuzzer (the targets are in `libfuzzer/`). The tests of this crate run the same functions over
//! the seeds in `libfuzzer/seeds` and over thousands of broken copies of them, with nothing but cargo.

mod address;
mod bootstrap;
mod objects;
mod review;
mod template;

pub use address::address;
pub use bootstrap::bootstrap;
pub use objects::objects;
pub use review::review;
pub use template::template;

/// One function, by the name of its target in `libfuzzer/`.
#[derive(Clone, Copy)]
pub struct Target {
    /// Name of the target and of its folder of seeds.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 5] = [
    Target { name: "address", run: address },
    Target { name: "bootstrap", run: bootstrap },
    Target { name: "objects", run: objects },
    Target { name: "review", run: review },
    Target { name: "template", run: template },
];
