//! Our own kinds, at `infrastructure.cluster.x-k8s.io/v1beta1`.

mod cluster;
mod machine;
mod template;

pub use cluster::*;
pub use machine::*;
pub use template::*;

use serde::{Deserialize, Serialize};

/// What Cluster API's v1beta2 contract reads to learn that infrastructure is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initialization {
    /// True once the infrastructure provider reports the object's infrastructure as fully provisioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<bool>,
}

fn is_false(value: &bool) -> bool {
    !*value
}
