//! CAPT among the real programs around it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`stage`] | a control plane with everything CAPT lives among, each part started on its own |
//! | [`scenarios`] | what is played on it, a file each |
//! | `container` | what a container runtime does, for the manager's image |
//! | [`managers`] | how the managers are started |
//! | [`rights`] | that the shipped RBAC grants no right too many |
//! | [`run`] | playing them one after the other, and what is told of it |
//! | [`versions`] | the tested versions, as the documents tell them |

#[cfg(target_os = "linux")]
pub mod container;
pub mod managers;
pub mod rights;
pub mod run;
pub mod scenarios;
pub mod stage;
pub mod versions;
