use std::time::Duration;

/// How Cluster API behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// All control-plane Machines at once; kubeadm makes them one after the other.
    pub parallel_control_plane: bool,
    /// A Machine gets its bootstrap data this long after it was made; none means with its creation.
    pub bootstrap_delay: Duration,
    /// A provisioned Machine becomes Running, as if its node had joined.
    pub nodes_join: bool,
    /// The status of a Machine is written only once its infrastructure is there, not at every change of a condition.
    pub coarse: bool,
    /// How many Machines are worked on at once.
    pub workers: usize,
    /// The time at the start, from where it goes on with tokio's clock; the wall clock's without.
    pub start_time: Option<jiff::Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallel_control_plane: false,
            bootstrap_delay: Duration::ZERO,
            nodes_join: true,
            coarse: false,
            workers: 16,
            start_time: None,
        }
    }
}
