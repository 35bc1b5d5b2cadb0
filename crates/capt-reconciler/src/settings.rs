//! What an operator can set.

use std::time::Duration;

/// Settings of the reconcilers. Durations are wall-clock time.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address at which machines reach Tinkerbell's metadata service; goes into generated templates.
    pub tinkerbell_ip: String,
    /// Port of Tinkerbell's metadata service; goes into generated templates.
    pub metadata_port: u16,
    /// Whether IPv6 addresses may be written to Hardware whose interface Tinkerbell's DHCP serves (decision 15:
    /// shipped releases of its DHCP server disagree about them and may crash).
    pub ipv6_reservations: bool,
    /// Whether Tinkerbell is in another cluster. What is made there has no owner: its garbage collector does not know
    /// our machines, and would take their objects for orphans.
    pub external_tinkerbell: bool,
    /// How long an expected wait lasts before it is worth a status write. Below ten seconds, within which a waiting
    /// machine has to say why it waits.
    pub patience: Duration,
    /// How long any other wait lasts before it is worth a status write: shorter ones would only flicker.
    pub flicker: Duration,
    /// A claim that no provider took up for this long is reported as such.
    pub provider_silence: Duration,
    /// A waiting machine looks again after this long even if no watch woke it.
    pub safety_net: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tinkerbell_ip: String::new(),
            metadata_port: 50061,
            ipv6_reservations: false,
            external_tinkerbell: false,
            patience: Duration::from_secs(8),
            flicker: Duration::from_millis(500),
            provider_silence: Duration::from_secs(60),
            safety_net: Duration::from_secs(30),
        }
    }
}
