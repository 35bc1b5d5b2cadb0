use std::time::Duration;

/// How rufio behaves. The defaults are quick, and as kind as rufio's logic allows.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a call to a BMC takes; opening the connection is a call, too.
    pub latency: Duration,
    /// Leaves out the status writes that say only that something runs.
    pub coarse: bool,
    /// How long a Task that switches a server waits between two looks at its power.
    pub poll: Duration,
    /// When the state of a BMC Machine is looked at although its object did not change. Real power and `powerState`
    /// differ up to this long. The `tinkerbell` binary waits 30 minutes.
    pub power_check_interval: Duration,
    /// How many Jobs, Tasks and BMC Machines are worked on at once, each. One is what the `tinkerbell` binary has: a
    /// slow BMC then holds up all others.
    pub workers: usize,
    /// The time at the start, from where it goes on with tokio's clock; the wall clock's without.
    pub start_time: Option<jiff::Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(5),
            coarse: false,
            poll: Duration::from_secs(3),
            power_check_interval: Duration::from_secs(30 * 60),
            workers: 16,
            start_time: None,
        }
    }
}
