//! Kinds of Cluster API, in versions v1beta1 and v1beta2, and of its in-cluster IPAM provider.
//!
//! Cluster and Machine name what programs around CAPT need; their other members are in `other`. The kinds of IPAM name
//! everything.

mod cluster;
mod conditions;
mod ipam;
mod machine;
mod pools;
mod reference;

pub use cluster::*;
pub use conditions::{Conditions, Deprecated};
pub use ipam::*;
pub use machine::*;
pub use pools::*;
pub use reference::*;

/// Which of Cluster API's versions the server serves for a kind. The newer one is preferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Served {
    /// `v1beta2`, since Cluster API 1.11.
    #[default]
    V1Beta2,
    /// `v1beta1`.
    V1Beta1,
}

impl Served {
    /// The versions, most wanted first.
    pub const ALL: [Self; 2] = [Self::V1Beta2, Self::V1Beta1];

    /// The version as it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1Beta2 => "v1beta2",
            Self::V1Beta1 => "v1beta1",
        }
    }
}
