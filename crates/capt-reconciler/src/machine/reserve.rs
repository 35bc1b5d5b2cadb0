//! Reserve: Hardware gets our labels, our finalizer and the bootstrap data, in one write that holds only for the
//! Hardware as we know it.

use std::sync::Arc;
use std::time::Duration;

use capt_api::conditions::reasons;
use capt_api::contract::{
    LEGACY_MACHINE_FINALIZER, MACHINE_FINALIZER, OWNER_NAME_LABEL, OWNER_NAMESPACE_LABEL, PROVIDER_ID_PLACEHOLDER,
    provider_id,
};
use capt_api::meta::{Meta, ObjectKey};
use capt_api::tinkerbell::{Hardware, UserData};
use serde_json::{Value, json};

use super::fitness;
use super::select::Candidate;
use super::step::{Concern, Step, Wait};
use super::world::World;
use crate::effect::{Hold, Kind, Stage, Verb, Write};
use crate::outcome::Interest;
use crate::patch;
use crate::ports::BootstrapSecret;

/// The bootstrap Secret is not watched; while it is missing we look again after this time at first.
const SECRET_RETRY: Duration = Duration::from_secs(2);

/// While other machines are about to reserve the last free Hardware we look again this often.
const CONTENDED_RETRY: Duration = Duration::from_secs(1);

/// The next step of this stage, or nothing when it is done.
pub fn step(world: &World) -> Option<Step> {
    match &world.hardware {
        Some(hardware) if world.is_reserved(hardware) => mend(world, hardware),
        Some(hardware) => Some(reclaim(world, hardware)),
        None if !world.machine.spec.hardware_name.is_empty() => {
            let message = format!(
                "Hardware {} of this machine does not exist",
                ObjectKey::new(world.target_namespace(), world.machine.spec.hardware_name.clone())
            );
            Some(Wait::problem(Concern::Hardware, reasons::HARDWARE_NOT_FOUND, message).into())
        }
        None => Some(take(world)),
    }
}

/// Hardware that is ours already: put our finalizer right, and see that it is still fit for what comes.
fn mend(world: &World, hardware: &Arc<Hardware>) -> Option<Step> {
    if !hardware.is_terminating()
        && let Some(wanted) = patch::finalizers(&**hardware, &[MACHINE_FINALIZER], &[LEGACY_MACHINE_FINALIZER])
    {
        let body = patch::guarded_metadata(&**hardware, json!({ "finalizers": wanted }));
        return Some(Write::new(Stage::Reserve, Kind::Hardware, hardware.key(), Verb::Merge(body)).into());
    }
    if world.is_in_use() {
        return None;
    }
    let lack = fitness::lack(hardware, &world.machine)?;
    Some(unfit(&hardware.key(), &lack, Interest::default()).into())
}

/// The Hardware that the spec names does not carry our labels (any more).
fn reclaim(world: &World, hardware: &Arc<Hardware>) -> Step {
    if let Some(other) = hardware.reserved_for() {
        let message = format!("Hardware {} carries the labels of TinkerbellMachine {other}", hardware.key());
        return Wait::problem(Concern::Hardware, reasons::HARDWARE_TAKEN, message).into();
    }
    if hardware.is_terminating() {
        let message = format!("Hardware {} of this machine is being deleted", hardware.key());
        return Wait::problem(Concern::Hardware, reasons::HARDWARE_NOT_FOUND, message).into();
    }
    if hardware.is_provisioned() {
        // The system runs: its labels come back, its bootstrap data stays as it is.
        return reserve(world, hardware, None).into();
    }
    match bootstrap_text(world, hardware) {
        Ok(text) => reserve(world, hardware, Some(&text)).into(),
        Err(step) => *step,
    }
}

/// The machine has no Hardware yet: take the best that is free.
fn take(world: &World) -> Step {
    match &world.candidate {
        Candidate::Found(hardware) => match bootstrap_text(world, hardware) {
            Ok(text) => reserve(world, hardware, Some(&text)).into(),
            Err(step) => *step,
        },
        Candidate::None { selectors, unfit: lacking } => {
            let interest = Interest { hardware: selectors.clone(), ..Interest::default() };
            match lacking {
                Some((key, lack)) => unfit(key, lack, interest).into(),
                None => {
                    let wanted: Vec<String> = selectors.iter().map(ToString::to_string).collect();
                    let wanted = wanted.join(" or ");
                    let message = match wanted.as_str() {
                        "" => "no hardware available".to_owned(),
                        labels => format!("no hardware available with labels {labels}"),
                    };
                    let wait =
                        Wait::problem(Concern::Hardware, reasons::NO_HARDWARE_AVAILABLE, message).woken_by(interest);
                    // The machine that is about to take what we left to it may yet fail to; no event would tell us.
                    if world.pass.avoid.is_empty() { wait.into() } else { wait.again_after(CONTENDED_RETRY).into() }
                }
            }
        }
        Candidate::Invalid(message) => {
            Wait::problem(Concern::Hardware, reasons::MACHINE_INVALID, message.clone()).into()
        }
        Candidate::NotLooked => {
            // Only a machine on its way out is not looked for, and that one never comes here.
            Wait::problem(Concern::Hardware, reasons::NO_HARDWARE_AVAILABLE, "no hardware available").into()
        }
    }
}

fn unfit(hardware: &ObjectKey, lack: &str, interest: Interest) -> Wait {
    Wait::problem(Concern::Hardware, reasons::HARDWARE_UNFIT, format!("Hardware {hardware}: {lack}")).woken_by(interest)
}

fn reserve(world: &World, hardware: &Arc<Hardware>, user_data: Option<&str>) -> Write {
    let key = world.key();
    let finalizers = patch::finalizers(&**hardware, &[MACHINE_FINALIZER], &[LEGACY_MACHINE_FINALIZER])
        .or_else(|| hardware.metadata.finalizers.clone())
        .unwrap_or_default();
    let mut body = patch::guarded_metadata(
        &**hardware,
        json!({
            "labels": {OWNER_NAME_LABEL: key.name, OWNER_NAMESPACE_LABEL: key.namespace},
            "finalizers": finalizers,
        }),
    );
    if let (Some(text), Value::Object(members)) = (user_data, &mut body) {
        members.insert("spec".to_owned(), json!({ "userData": text }));
    }
    Write::new(Stage::Reserve, Kind::Hardware, hardware.key(), Verb::Merge(body)).holding(Hold::Hardware).telling(
        false,
        reasons::RESERVED,
        format!("reserved Hardware {}", hardware.key()),
    )
}

/// The bootstrap data for this Hardware, or the step that is needed to get it.
pub fn bootstrap_text(world: &World, hardware: &Hardware) -> Result<String, Box<Step>> {
    let secret = world
        .owner
        .as_ref()
        .and_then(|owner| Some(ObjectKey::new(owner.namespace(), owner.spec.bootstrap.data_secret_name.clone()?)));
    let Some(secret) = secret else {
        let message = "the Machine that names the bootstrap data Secret is gone";
        return Err(Box::new(Wait::problem(Concern::Hardware, reasons::WAITING_FOR_BOOTSTRAP_DATA, message).into()));
    };
    let trouble = |reason, text: &str| {
        let wait = Wait::problem(Concern::Hardware, reason, format!("{text} (Secret {secret})"));
        Err(Box::new(Wait { unwatched: true, ..wait.again_after(SECRET_RETRY) }.into()))
    };
    match &world.pass.bootstrap {
        None => Err(Box::new(Step::ReadBootstrapData(secret))),
        Some(BootstrapSecret::Found(data)) => {
            Ok(data.expose().replace(PROVIDER_ID_PLACEHOLDER, &provider_id(&hardware.key())))
        }
        Some(BootstrapSecret::Missing) => {
            trouble(reasons::WAITING_FOR_BOOTSTRAP_DATA, "the bootstrap data Secret does not exist")
        }
        Some(BootstrapSecret::KeyMissing) => {
            trouble(reasons::BOOTSTRAP_DATA_INVALID, "retrieving bootstrap data: secret value key is missing")
        }
        Some(BootstrapSecret::Empty) => {
            trouble(reasons::BOOTSTRAP_DATA_INVALID, "received bootstrap user data is empty")
        }
    }
}

/// Before anything boots: the Hardware must carry exactly this machine's bootstrap data. A predecessor (Go CAPT, or a
/// process that died) may have left its own there.
pub fn bootstrap_step(world: &World, hardware: &Arc<Hardware>) -> Option<Step> {
    let text = match bootstrap_text(world, hardware) {
        Ok(text) => text,
        Err(step) => return Some(*step),
    };
    if hardware.spec.user_data == Some(UserData::of(&text)) {
        return None;
    }
    let mut body = patch::guarded_metadata(&**hardware, json!({}));
    if let Value::Object(members) = &mut body {
        members.insert("spec".to_owned(), json!({ "userData": text }));
    }
    Some(Write::new(Stage::Reserve, Kind::Hardware, hardware.key(), Verb::Merge(body)).into())
}
