//! The rules, one file each. They see the world before the write, and the write.

pub(super) mod allocation;
pub(super) mod boot;
pub(super) mod claim;
pub(super) mod holding;
pub(super) mod leftovers;
pub(super) mod manual;
pub(super) mod matching;
pub(super) mod provisioned;
