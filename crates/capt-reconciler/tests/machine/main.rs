//! Tables over what a machine decides and reports: pure, without a runtime and without a server.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::type_complexity, missing_docs)]

mod allocation;
mod booting;
mod gates;
mod life;
#[path = "../odd/mod.rs"]
mod odd;
mod odd_objects;
mod pausing;
mod proof;
mod reinstall;
mod release;
mod scene;
mod silence;
mod whose;
