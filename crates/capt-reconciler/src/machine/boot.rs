//! Boot: the Template and the Workflow are made, once the Hardware carries everything the server will ask for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::notice::Notice;
use crate::observed::infra::{BootMode, BootOptions};
use crate::observed::tinkerbell::{Hardware, Workflow, WorkflowBootOptions, WorkflowProgress, WorkflowSpec};
use capt_api::conditions::Reason;
use capt_api::contract::{TEMPLATE_OVERRIDE_ANNOTATION, WORKFLOW_DEVICE};
use capt_api::meta::{Meta, ObjectKey};
use serde_json::{Value, json};

use super::made_for::{self, MadeFor};
use super::names;
use super::reserve;
use super::step::{Concern, Step, Wait};
use super::world::World;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::outcome::Interest;
use crate::template::{DefaultTemplate, ImageLookup, TemplateError, default_template, image_url, iso_url};

/// No watch leads from an object of a name to the machine that wants the name.
const RETRY: Duration = Duration::from_secs(30);

/// The next step of this stage, or nothing when it is done.
pub fn step(world: &World) -> Option<Step> {
    let hardware = world.reserved()?;
    if hardware.is_provisioned() {
        return None;
    }
    if let Some(workflow) = &world.boot.workflow.own {
        return keep_user_data(world, hardware, workflow);
    }
    if world.was_ready && !hardware.is_being_reinstalled() {
        // Its mark comes back before this stage; whatever happens, its server is not installed again.
        return None;
    }
    if let Some(look) = unseen_template(world) {
        return Some(look);
    }
    if let Some(step) = leftovers(world, hardware) {
        return Some(step);
    }
    if let Some(step) = reserve::bootstrap_step(world, hardware) {
        return Some(step);
    }
    let workflow = match workflow_spec(world, hardware) {
        Ok(spec) => spec,
        Err(wait) => return Some((*wait).into()),
    };
    let key = ObjectKey::new(hardware.namespace(), boot_name(world));
    if world.boot.short_name_taken && key.name == names::short(&world.machine) {
        let message = format!(
            "the Template or Workflow {key} was not made for this machine, which has no other name for its own; delete it"
        );
        return Some(Wait::problem(Concern::Workflow, Reason::WorkflowConflict, message).again_after(RETRY).into());
    }
    let metadata = made_for::metadata(&world.machine, &world.settings, &key);
    if world.boot.template.own.is_none() {
        let text = match template_text(world, hardware) {
            Ok(text) => text,
            // In another cluster no watch tells of a Template.
            Err(wait) if world.settings.external_tinkerbell => {
                return Some(wait.again_after(world.settings.safety_net).into());
            }
            Err(wait) => return Some((*wait).into()),
        };
        let body = json!({"metadata": metadata, "spec": {"data": text}});
        return Some(Write::new(Stage::Boot, Kind::Template, key, Verb::Create(body)).into());
    }
    let body = json!({"metadata": metadata, "spec": workflow});
    let message = format!("made Workflow {key} for Hardware {}", hardware.key());
    let write = Write::new(Stage::Boot, Kind::Workflow, key, Verb::Create(body));
    Some(write.telling(Notice::normal(Reason::WorkflowCreated, message)).into())
}

/// Until the server is provisioned it may ask for its bootstrap data at any time: whoever wipes or changes it, it is put
/// back. The Secret is read only if what stands there is not known to be right.
fn keep_user_data(world: &World, hardware: &Arc<Hardware>, workflow: &Workflow) -> Option<Step> {
    let current = hardware.spec.user_data.filter(|data| !data.is_empty());
    let is_known = current.is_some() && current == world.pass.known_user_data;
    if is_known || workflow.progress() == WorkflowProgress::Succeeded {
        return None;
    }
    match reserve::bootstrap_step(world, hardware)? {
        Step::Do(write) => {
            let message = format!(
                "restored the bootstrap data on Hardware {}, removed or changed before the server was provisioned",
                hardware.key()
            );
            Some(write.telling(Notice::warning(Reason::UserDataRestored, message)).into())
        }
        // What stands there cannot be compared, and is better than nothing.
        Step::Wait(_) if current.is_some() => None,
        step => Some(step),
    }
}

/// The look at a Template that no watch tells of: the machine's own, or the one to be used in its place.
fn unseen_template(world: &World) -> Option<Step> {
    let own = world.look_first(Kind::Template, world.machine.name());
    let short = || {
        let name = boot_name(world);
        (name != world.machine.name()).then(|| world.look_first(Kind::Template, &name)).flatten()
    };
    let named = || world.look_first(Kind::Template, &world.boot.named_template.as_ref()?.0.name);
    own.or_else(short).or_else(named)
}

/// Objects of an earlier machine of this name go: Tinkerbell may serve the old Workflow of a server in place of the new one.
/// Those of a namesake stay, unless its Workflow is for this very Hardware, which is ours by now.
fn leftovers(world: &World, hardware: &Hardware) -> Option<Step> {
    let delete = |kind, key: ObjectKey, uid: &str| {
        Some(Write::new(Stage::Boot, kind, key, Verb::Delete { uid: uid.to_owned() }).into())
    };
    if let Some((whose, workflow)) = &world.boot.workflow.in_the_way {
        let is_on_ours = *whose == MadeFor::Namesake && workflow.spec.hardware_ref == hardware.name();
        if *whose == MadeFor::Stale || is_on_ours {
            return delete(Kind::Workflow, workflow.key(), workflow.uid());
        }
    }
    match &world.boot.template.in_the_way {
        Some((MadeFor::Stale, template)) => delete(Kind::Template, template.key(), template.uid()),
        _ => None,
    }
}

/// Name under which the agent on the server asks for its work. Over the network it is told `agentID` where the Hardware
/// has one; an ISO tells it the MAC, which the instance's ID holds.
fn worker<'a>(hardware: &'a Hardware, id: &'a str, options: Option<&BootOptions>) -> &'a str {
    let from_iso = options.is_some_and(|options| match options.boot_mode {
        Some(BootMode::Iso | BootMode::Isoboot) => true,
        Some(BootMode::Customboot) => json!(options.customboot_config).to_string().contains("virtualMediaMount"),
        Some(BootMode::Netboot | BootMode::Unknown) | None => false,
    });
    let told = hardware.spec.agent_id.as_deref().filter(|agent| !agent.is_empty());
    if from_iso { id } else { told.unwrap_or(id) }
}

fn invalid(message: String, interest: Interest) -> Box<Wait> {
    Box::new(Wait::problem(Concern::Workflow, Reason::TemplateInvalid, message).woken_by(interest))
}

/// The template text: the machine's, the Hardware's, the cluster's, the cluster's by reference, or the generated one.
fn template_text(world: &World, hardware: &Hardware) -> Result<String, Box<Wait>> {
    let own = &world.machine.spec.template_override;
    if !own.is_empty() {
        return Ok(own.clone());
    }
    if let Some((key, found)) = &world.boot.named_template {
        let interest = Interest { template: Some(key.clone()), ..Interest::default() };
        // The words for the cluster's reference are Go CAPT's.
        let by = match hardware.template_override() {
            Some(_) => format!("referenced by Hardware annotation {TEMPLATE_OVERRIDE_ANNOTATION}"),
            None => "referenced by cluster TemplateOverrideRef".to_owned(),
        };
        let Some(template) = found else {
            return Err(invalid(format!("Template {key}: template {by} does not exist"), interest));
        };
        let data = template.spec.data.clone().filter(|data| !data.is_empty());
        return data.ok_or_else(|| invalid(format!("Template {key}: template {by} has no spec.data"), interest));
    }
    if let Some(cluster) = world.cluster.infra.as_ref().filter(|c| !c.spec.template_override.is_empty()) {
        return Ok(cluster.spec.template_override.clone());
    }
    generated(world, hardware).map_err(|error| invalid(error.to_string(), Interest::default()))
}

/// Whether the machine's template needs to know the version of Kubernetes: the generated one does, if the URL of its
/// image does.
pub fn needs_version(world: &World) -> bool {
    let hardware = world.server.hardware().or_else(|| world.server.candidate());
    let named = hardware.is_some_and(|hardware| hardware.template_override().is_some());
    let cluster = world.cluster.infra.as_ref().map(|cluster| &cluster.spec);
    let shared = cluster.is_some_and(|spec| !spec.template_override.is_empty() || spec.template_override_ref.is_some());
    if named || shared || !world.machine.spec.template_override.is_empty() {
        return false;
    }
    match (image(world, "v1"), image(world, "v2")) {
        (Ok(one), Ok(other)) => one != other,
        // Told in its own words.
        _ => false,
    }
}

fn image(world: &World, version: &str) -> Result<String, TemplateError> {
    let machine = &world.machine.spec;
    let none = crate::observed::infra::TinkerbellClusterSpec::default();
    let cluster = world.cluster.infra.as_ref().map_or(&none, |cluster| &cluster.spec);
    let first = |of_machine: &'_ str, of_cluster: &'_ str| -> String {
        if of_machine.is_empty() { of_cluster.to_owned() } else { of_machine.to_owned() }
    };
    image_url(&ImageLookup {
        format: &first(&machine.image_lookup_format, &cluster.image_lookup_format),
        base_registry: &first(&machine.image_lookup_base_registry, &cluster.image_lookup_base_registry),
        os_distro: &first(&machine.image_lookup_os_distro, &cluster.image_lookup_os_distro),
        os_version: &first(&machine.image_lookup_os_version, &cluster.image_lookup_os_version),
        kubernetes_version: version,
    })
}

fn generated(world: &World, hardware: &Hardware) -> Result<String, TemplateError> {
    let version = world.owner.as_ref().and_then(|owner| owner.spec.version.as_deref()).unwrap_or_default();
    let image = image(world, version)?;
    default_template(&DefaultTemplate {
        name: world.machine.name(),
        image_url: &image,
        disk: hardware.spec.disks.first().map_or("", |disk| disk.device.as_str()),
        tinkerbell_ip: &world.settings.tinkerbell_ip,
        metadata_port: world.settings.metadata_port,
    })
}

fn workflow_spec(world: &World, hardware: &Hardware) -> Result<Value, Box<Wait>> {
    let instance = hardware.spec.metadata.as_ref().and_then(|metadata| metadata.instance.as_ref());
    let id = instance.map_or("", |instance| instance.id.as_str());
    let mut boot = WorkflowBootOptions { toggle_allow_netboot: true, ..WorkflowBootOptions::default() };
    let wanted = world.machine.spec.boot_options.as_ref().filter(|_| hardware.spec.bmc_ref.is_some());
    if let Some(options) = wanted {
        match options.boot_mode {
            None => {}
            Some(BootMode::Netboot) => boot.boot_mode = "netboot".to_owned(),
            Some(mode @ (BootMode::Iso | BootMode::Isoboot)) => {
                boot.boot_mode = if mode == BootMode::Iso { "iso" } else { "isoboot" }.to_owned();
                boot.iso_url = iso_url(&options.iso_url, id)
                    .map_err(|error| invalid(format!("spec.bootOptions.isoURL: {error}"), Interest::default()))?;
            }
            Some(BootMode::Customboot) => {
                boot.boot_mode = "customboot".to_owned();
                boot.customboot_config = options.customboot_config.clone();
            }
            Some(BootMode::Unknown) => {
                let message = "spec.bootOptions.bootMode holds a value that this program does not know".to_owned();
                return Err(invalid(message, Interest::default()));
            }
        }
    }
    Ok(json!(WorkflowSpec {
        template_ref: template_name(world),
        hardware_ref: hardware.name().to_owned(),
        hardware_map: BTreeMap::from([(WORKFLOW_DEVICE.to_owned(), worker(hardware, id, wanted).to_owned())]),
        boot_options: Some(boot),
    }))
}

/// The name of the machine's Template.
fn template_name(world: &World) -> String {
    world.boot.template.own.as_ref().map_or_else(|| boot_name(world), |made| made.name().to_owned())
}

/// The name of the machine's Workflow, and of its Template unless that was made before the name was taken.
fn boot_name(world: &World) -> String {
    let machine = &*world.machine;
    let taken = world.boot.template.in_the_way.is_some() || world.boot.workflow.in_the_way.is_some();
    if machine.name().len() > names::longest(machine) || taken {
        names::short(machine)
    } else {
        machine.name().to_owned()
    }
}
