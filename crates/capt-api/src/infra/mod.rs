//! Our own kinds, at `infrastructure.cluster.x-k8s.io/v1beta1`.

mod cluster;
mod machine;
mod template;

pub use cluster::*;
pub use machine::*;
pub use template::*;

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use crate::Members;

/// What Cluster API's v1beta2 contract reads to learn that infrastructure is there.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1)))]
pub struct Initialization {
    /// True once the infrastructure provider reports the object's infrastructure as fully provisioned.
    pub provisioned: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}
