//! Where kinds of Cluster API keep conditions of the version that is not their own.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use crate::Members;
use crate::conditions::Condition;

/// Conditions in a place of their own.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// The conditions.
    pub conditions: Option<Vec<Condition>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Where v1beta2 keeps what v1beta1 says.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deprecated {
    /// What v1beta1 says.
    pub v1beta1: Option<Conditions>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// The first condition of this type, in whichever place it was written: where the version has it, where v1beta1 keeps the
/// new shape, where v1beta2 keeps the old one.
pub(super) fn find<'a>(
    own: Option<&'a Vec<Condition>>,
    new: Option<&'a Conditions>,
    old: Option<&'a Deprecated>,
    type_: &str,
) -> Option<&'a Condition> {
    Condition::find(own, type_)
        .or_else(|| Condition::find(new?.conditions.as_ref(), type_))
        .or_else(|| Condition::find(old?.v1beta1.as_ref()?.conditions.as_ref(), type_))
}
