//! Reserve: Hardware gets our labels, our finalizer and the bootstrap data, in one write that holds only for the
//! Hardware as we know it.

use std::sync::Arc;
use std::time::Duration;

use crate::notice::Notice;
use crate::observed::tinkerbell::{Hardware, UserData, WorkflowProgress};
use capt_api::conditions::Reason;
use capt_api::contract::{
    LEGACY_MACHINE_FINALIZER, MACHINE_FINALIZER, MACHINE_UID_ANNOTATION, OWNER_NAME_LABEL, OWNER_NAMESPACE_LABEL,
    PROVIDER_ID_PLACEHOLDER, PROVISIONED_ANNOTATION, RELEASED_ANNOTATION, provider_id,
};
use capt_api::meta::{Meta, ObjectKey};
use serde_json::{Map, Value, json};

use super::fitness;
use super::ownership::{Ownership, Twin};
use super::select::Candidate;
use super::size::too_large;
use super::step::{Concern, Step, Wait};
use super::world::{Server, World};
use crate::effect::{Hold, Kind, Stage, Verb, Write};
use crate::outcome::Interest;
use crate::patch;
use crate::ports::BootstrapSecret;

/// The bootstrap Secret is not watched; while it is missing we look again after this time at first.
const SECRET_RETRY: Duration = Duration::from_secs(2);

/// Bootstrap data that cannot be used is read again after this time at first.
const INVALID_RETRY: Duration = Duration::from_secs(30);

/// While other machines are about to reserve the last free Hardware we look again this often.
const CONTENDED_RETRY: Duration = Duration::from_secs(1);

/// The next step of this stage, or nothing when it is done.
pub fn step(world: &World) -> Option<Step> {
    let (hardware, ownership) = match &world.server {
        Server::Found { hardware, ownership, .. } => (hardware, ownership),
        Server::Wanted(candidate) => return Some(take(world, candidate)),
        Server::Absent => return Some(missing(world)),
    };
    match ownership {
        Ownership::Ours => repair_metadata(world, hardware),
        Ownership::Unlabelled => Some(reclaim(world, hardware)),
        Ownership::Others(words) => {
            let message = if world.was_ready {
                format!("{words}; this machine was ready on it, and is not installed on any other")
            } else {
                format!("{words}; delete this machine's Machine, or have that Hardware released")
            };
            let wait = Wait::problem(Concern::Hardware, Reason::HardwareTaken, message);
            Some(wait.woken_by(by_hardware(hardware.key())).into())
        }
    }
}

/// The machine had Hardware, or names one, and there is none.
fn missing(world: &World) -> Step {
    let name = &world.machine.spec.hardware_name;
    let message = match (name.is_empty(), world.was_ready) {
        (true, _) => {
            "the machine was ready before, and nothing tells on which Hardware: it is not installed anew, and \
                         no other Hardware is taken; delete the Machine"
                .to_owned()
        }
        (false, was_ready) => {
            let key = ObjectKey::new(world.target_namespace(), name.clone());
            let remedy = if was_ready {
                "; its server may run all the same, and is not installed anew: create the Hardware again, or delete the \
                 Machine"
            } else {
                ": create it, or delete the Machine"
            };
            format!("Hardware {key} of this machine does not exist{remedy}")
        }
    };
    Wait::problem(Concern::Hardware, Reason::HardwareNotFound, message).into()
}

/// Hardware that is ours already: put back what we wrote to it, and see that it is still fit for what comes.
fn repair_metadata(world: &World, hardware: &Arc<Hardware>) -> Option<Step> {
    let lost = Lost::of(world, hardware);
    if lost.any() || has_another_uid(world, hardware) {
        return Some(put_back(world, hardware, &lost).into());
    }
    let has_ended =
        world.boot.workflow.own.as_ref().is_some_and(|workflow| workflow.progress() == WorkflowProgress::Succeeded);
    if hardware.is_terminating() && !hardware.is_provisioned() && !has_ended {
        return Some(terminating(hardware).into());
    }
    if world.is_in_use() {
        return None;
    }
    if let Some(twin) = world.server.twin() {
        return Some(twin_wait(&hardware.key(), twin).into());
    }
    let unmet = fitness::unmet_requirement(hardware, &world.machine)?;
    Some(unfit(&hardware.key(), &unmet, Interest::default()).into())
}

/// After `clusterctl move`, or a restore, the Hardware bears the UID that the machine had before. What Go CAPT reserved
/// bears none, and needs none.
fn has_another_uid(world: &World, hardware: &Hardware) -> bool {
    hardware.machine_uid().is_some_and(|uid| uid != world.machine.uid())
}

/// A server that runs and whose Hardware is being deleted: told, for the deletion waits for us.
pub fn loss(world: &World) -> Option<Step> {
    let hardware = world.reserved().filter(|hardware| hardware.is_terminating())?;
    Some(terminating(hardware).into())
}

fn terminating(hardware: &Hardware) -> Wait {
    let message = format!(
        "Hardware {} of this machine is being deleted, and goes when it is released: delete the Machine to release it",
        hardware.key()
    );
    Wait::problem(Concern::Hardware, Reason::HardwareTerminating, message)
}

/// The wait for a MAC or an address that two Hardware carry.
pub fn twin_wait(hardware: &ObjectKey, twin: &Twin) -> Wait {
    let (reason, interest) = match twin {
        Twin::Mac { .. } => (Reason::MacDuplicate, Interest::default()),
        Twin::Address { address, .. } => {
            (Reason::AddressDuplicate, Interest { address: Some(*address), ..Interest::default() })
        }
    };
    Wait::problem(Concern::Hardware, reason, twin.tell(hardware)).woken_by(interest)
}

/// What somebody removed from the Hardware of a machine.
struct Lost {
    /// The finalizers that the Hardware should have, if it has others.
    finalizers: Option<Vec<String>>,
    /// Whether our labels are gone.
    labels: bool,
    /// Whether the mark of the installed system is gone.
    mark: bool,
}

impl Lost {
    fn of(world: &World, hardware: &Hardware) -> Self {
        let finalizers = patch::finalizers(hardware, &[MACHINE_FINALIZER], &[LEGACY_MACHINE_FINALIZER]);
        Self {
            // The server takes no new finalizer for what is on its way out.
            finalizers: finalizers.filter(|_| !hardware.is_terminating()),
            labels: !hardware.is_reserved(),
            mark: world.has_lost_its_mark(hardware),
        }
    }

    fn any(&self) -> bool {
        self.finalizers.is_some() || self.labels || self.mark
    }

    /// What is lost, in words; nothing for a finalizer alone, which a change of its name costs as well.
    fn words(&self) -> Option<String> {
        let labels = self.labels.then(|| format!("the owner labels ({OWNER_NAME_LABEL})"));
        let mark = self.mark.then(|| format!("the mark of its installed system ({PROVISIONED_ANNOTATION})"));
        let words: Vec<String> = labels.into_iter().chain(mark).collect();
        (!words.is_empty()).then(|| words.join(" and "))
    }
}

/// What we wrote to the Hardware is put back, all in one patch: a server that runs stays whose it is and as it is.
fn put_back(world: &World, hardware: &Arc<Hardware>, lost: &Lost) -> Write {
    let mut metadata = ours(world);
    if let Some(finalizers) = &lost.finalizers {
        metadata.insert("finalizers".to_owned(), json!(finalizers));
    }
    if let (true, Some(Value::Object(annotations))) = (lost.mark, metadata.get_mut("annotations")) {
        annotations.insert(PROVISIONED_ANNOTATION.to_owned(), json!("true"));
    }
    let body = patch::guarded_metadata(&**hardware, Value::Object(metadata));
    let write = Write::new(Stage::Reserve, Kind::Hardware, hardware.key(), Verb::Merge(body)).holding(Hold::Hardware);
    let Some(words) = lost.words() else { return write };
    let message = format!(
        "restored {words} on Hardware {}, removed by hand or with the object; the server is not installed again",
        hardware.key()
    );
    write.telling(Notice::warning(Reason::HardwareRestored, message))
}

/// Metadata by which Hardware is the machine's.
fn ours(world: &World) -> Map<String, Value> {
    let key = world.key();
    let labels = json!({OWNER_NAME_LABEL: key.name, OWNER_NAMESPACE_LABEL: key.namespace});
    let annotations = json!({MACHINE_UID_ANNOTATION: world.machine.uid(), RELEASED_ANNOTATION: null});
    Map::from_iter([("labels".to_owned(), labels), ("annotations".to_owned(), annotations)])
}

/// The Hardware that the spec names does not carry our labels (any more).
fn reclaim(world: &World, hardware: &Arc<Hardware>) -> Step {
    if hardware.is_terminating() && !world.was_ready {
        let message = format!("Hardware {} of this machine is being deleted", hardware.key());
        let wait = Wait::problem(Concern::Hardware, Reason::HardwareNotFound, message);
        return wait.woken_by(by_hardware(hardware.key())).into();
    }
    let lost = Lost::of(world, hardware);
    if lost.mark || (world.was_ready && hardware.is_provisioned()) {
        return put_back(world, hardware, &lost).into();
    }
    if let Some(twin) = world.server.twin() {
        return twin_wait(&hardware.key(), twin).into();
    }
    if hardware.is_provisioned() {
        // The system runs: its bootstrap data stays as it is.
        return reserve(world, hardware, None).into();
    }
    match bootstrap_text(world, hardware) {
        Ok(text) => reserve(world, hardware, Some(&text)).into(),
        Err(step) => *step,
    }
}

/// The machine has no Hardware yet: take the best that is free.
fn take(world: &World, candidate: &Candidate) -> Step {
    match candidate {
        Candidate::Found(hardware) => match bootstrap_text(world, hardware) {
            Ok(text) => reserve(world, hardware, Some(&text)).into(),
            Err(step) => *step,
        },
        Candidate::None { selectors, unfit: lacking, twin, passed_over } => {
            let interest = Interest { hardware: selectors.clone(), ..Interest::default() };
            let mut wait = match (lacking, twin) {
                (Some((key, unmet)), _) => unfit(key, unmet, interest),
                (None, Some(found)) => {
                    let (key, twin) = &**found;
                    let wait = twin_wait(key, twin);
                    Wait { interest: Interest { address: wait.interest.address, ..interest }, ..wait }
                }
                (None, None) => {
                    let wanted: Vec<String> = selectors.iter().map(ToString::to_string).collect();
                    let wanted = wanted.join(" or ");
                    let message = match wanted.as_str() {
                        "" => "no hardware available".to_owned(),
                        labels => format!("no hardware available with labels {labels}"),
                    };
                    Wait::problem(Concern::Hardware, Reason::NoHardwareAvailable, message).woken_by(interest)
                }
            };
            if !passed_over.is_empty() {
                wait.message = format!("{}; passed over: {}", wait.message, passed_over.join("; "));
            }
            // The machine that is about to take what we left to it may yet fail to; no event would tell us.
            if world.pass.avoid.is_empty() { wait.into() } else { wait.again_after(CONTENDED_RETRY).into() }
        }
        Candidate::Invalid(message) => Wait::problem(Concern::Hardware, Reason::MachineInvalid, message.clone()).into(),
    }
}

fn by_hardware(key: ObjectKey) -> Interest {
    Interest { object: Some((Kind::Hardware, key)), ..Interest::default() }
}

/// The wait for Hardware that lacks something.
pub fn unfit(hardware: &ObjectKey, unmet: &str, interest: Interest) -> Wait {
    Wait::problem(Concern::Hardware, Reason::HardwareUnfit, format!("Hardware {hardware}: {unmet}")).woken_by(interest)
}

fn reserve(world: &World, hardware: &Arc<Hardware>, user_data: Option<&str>) -> Write {
    let finalizers = patch::finalizers(&**hardware, &[MACHINE_FINALIZER], &[LEGACY_MACHINE_FINALIZER])
        .or_else(|| hardware.metadata.finalizers.clone())
        .unwrap_or_default();
    let mut metadata = ours(world);
    metadata.insert("finalizers".to_owned(), json!(finalizers));
    let mut body = patch::guarded_metadata(&**hardware, Value::Object(metadata));
    if let (Some(text), Value::Object(members)) = (user_data, &mut body) {
        members.insert("spec".to_owned(), json!({ "userData": text }));
    }
    let mut message = format!("reserved Hardware {}", hardware.key());
    let failed = hardware.failed_installation();
    if let Some(note) = failed {
        message = format!("{message}, although its last installation went wrong ({note}): no other is to be had");
    }
    let write = Write::new(Stage::Reserve, Kind::Hardware, hardware.key(), Verb::Merge(body));
    let write =
        write.holding(Hold::Hardware).telling(Notice { warning: failed.is_some(), reason: Reason::Reserved, message });
    let expected = provider_id(&hardware.key());
    if user_data.is_none_or(|text| text.contains(&expected)) {
        return write;
    }
    let message = format!(
        "the bootstrap data holds no placeholder {PROVIDER_ID_PLACEHOLDER}: unless the node registers with provider ID \
         {expected} in another way, Cluster API never finds it and the Machine stays without a Node"
    );
    write.telling(Notice::warning(Reason::ProviderIdMissing, message))
}

/// The bootstrap data for this Hardware, or the step that is needed to get it.
pub fn bootstrap_text(world: &World, hardware: &Hardware) -> Result<String, Box<Step>> {
    let secret = world
        .owner
        .as_ref()
        .and_then(|owner| Some(ObjectKey::new(owner.namespace(), owner.spec.bootstrap.data_secret_name.clone()?)));
    let Some(secret) = secret else {
        let message = "the Machine that names the bootstrap data Secret is gone";
        return Err(Box::new(Wait::problem(Concern::Hardware, Reason::WaitingForBootstrapData, message).into()));
    };
    let trouble = |reason, text: &str| {
        let wait = Wait::problem(Concern::Hardware, reason, format!("{text} (Secret {secret})"));
        Err(Box::new(Wait { unwatched: true, ..wait.again_after(SECRET_RETRY) }.into()))
    };
    // Data that cannot be used is not soon replaced, and may be large: it is read seldom.
    let invalid = |text: &str| {
        let message = format!("{text} (Secret {secret})");
        let wait = Wait::problem(Concern::Hardware, Reason::BootstrapDataInvalid, message);
        Err(Box::new(Wait { unwatched: true, ..wait.again_after(INVALID_RETRY) }.into()))
    };
    match &world.pass.bootstrap {
        None => Err(Box::new(Step::ReadBootstrapData(secret))),
        Some(BootstrapSecret::Found(data)) => {
            let text = data.expose().replace(PROVIDER_ID_PLACEHOLDER, &provider_id(&hardware.key()));
            match too_large(&text, hardware) {
                None => Ok(text),
                Some(words) => invalid(&words),
            }
        }
        Some(BootstrapSecret::Missing) => {
            trouble(Reason::WaitingForBootstrapData, "the bootstrap data Secret does not exist")
        }
        Some(BootstrapSecret::KeyMissing) => {
            trouble(Reason::BootstrapDataInvalid, "retrieving bootstrap data: secret value key is missing")
        }
        Some(BootstrapSecret::Empty) => trouble(Reason::BootstrapDataInvalid, "received bootstrap user data is empty"),
        Some(BootstrapSecret::NotText(what)) => {
            invalid(&format!("bootstrap data must be text, or gzip of text; key value of the Secret is {what}"))
        }
        Some(BootstrapSecret::TooLarge(limit)) => invalid(&format!(
            "bootstrap data unpacks to more than {limit} bytes, the largest object that an API server keeps"
        )),
    }
}

/// What is known to stand rightly on the Hardware of this world: known once the Secret was read in this pass.
pub(super) fn verified_user_data(world: &World) -> Option<UserData> {
    world.pass.bootstrap.as_ref()?;
    let hardware = world.reserved()?;
    let wanted = UserData::of(&bootstrap_text(world, hardware).ok()?);
    (hardware.spec.user_data == Some(wanted)).then_some(wanted)
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
