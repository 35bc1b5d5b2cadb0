//! Tables over what a machine decides and reports: pure, without a runtime and without a server.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::type_complexity, missing_docs)]

mod lease;
mod life;
mod release;
mod scene;
