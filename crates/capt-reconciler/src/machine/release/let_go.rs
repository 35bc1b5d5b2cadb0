//! Let go: why a server is released although nothing proves that it is off. Each way is told with the addresses at risk.

use crate::observed::tinkerbell::Hardware;
use capt_api::conditions::Reason;
use capt_api::contract::RELEASE_WITHOUT_POWER_OFF_ANNOTATION;
use capt_api::meta::Meta;

use super::proof;
use crate::machine::world::World;
use crate::notice::Notice;
use crate::ports::Presence;

/// Why this Hardware is released without proof that its server is off, or nothing if it is not.
pub(super) fn why(world: &World, hardware: &Hardware) -> Option<String> {
    if hardware.spec.bmc_ref.is_none() {
        return Some("it has no bmcRef".to_owned());
    }
    if world.power.presence == Presence::Absent {
        return Some("no BMC kinds are served".to_owned());
    }
    if proof::is_proven(world, hardware) || proof::proves_off(world, hardware) {
        return None;
    }
    let annotation = world.machine.annotation(RELEASE_WITHOUT_POWER_OFF_ANNOTATION);
    if annotation.is_some_and(|value| value != "false") {
        return Some(format!("as annotation {RELEASE_WITHOUT_POWER_OFF_ANNOTATION} of the TinkerbellMachine asks"));
    }
    let is_ending = world.pass.ending_namespaces.contains(hardware.namespace());
    is_ending.then(|| format!("namespace {} is being deleted, no Job can be made in it", hardware.namespace()))
}

/// What a person can do about a server that cannot be switched off.
pub(super) fn how(hardware: &Hardware) -> String {
    format!(
        "once Hardware {} is off for sure, annotate the TinkerbellMachine with {RELEASE_WITHOUT_POWER_OFF_ANNOTATION}=true \
         to release it",
        hardware.key()
    )
}

/// What is told of the release of this Hardware.
pub(super) fn notice(world: &World, hardware: &Hardware) -> Notice {
    let Some(why) = why(world, hardware) else {
        return Notice::normal(Reason::Released, format!("released Hardware {}, switched off", hardware.key()));
    };
    let addresses: Vec<&str> = hardware.addresses().collect();
    let message = format!(
        "released Hardware {} without switching it off ({why}); if the server still runs, whoever gets its address is at \
         risk: {}",
        hardware.key(),
        if addresses.is_empty() { "none".to_owned() } else { addresses.join(", ") }
    );
    Notice::warning(Reason::ReleasedWithoutPowerOff, message)
}
