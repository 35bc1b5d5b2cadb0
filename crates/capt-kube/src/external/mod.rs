//! Tinkerbell in another cluster: its Hardware, Templates, Workflows and Jobs are read and written there, everything
//! else on the management cluster.
//!
//! | module | what it holds |
//! |---|---|
//! | [`kubeconfig`] | is there another cluster, and how is it reached |
//! | [`namespaces`] | which namespaces are watched there, and when to try again |
//! | [`watches`] | the watches themselves |

pub mod kubeconfig;
pub mod namespaces;
pub mod watches;
