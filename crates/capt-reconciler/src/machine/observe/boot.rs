//! What is to be booted on the server.

use crate::machine::made_for::{MadeFor, made, made_for};
use crate::machine::names;
use crate::machine::world::{BootFacts, ClusterFacts};
use crate::observed::infra::TinkerbellMachine;
use crate::ports::Stores;
use capt_api::meta::{Meta, ObjectKey};

use super::Subject;

pub(super) fn facts<S: Stores>(subject: &Subject<'_, S>, cluster: &ClusterFacts) -> BootFacts {
    let Subject { stores, machine, .. } = subject;
    let (own, short) = (subject.in_target(machine.name()), subject.in_target(names::short(machine)));
    let (templates, workflows) = (stores.templates_of(&machine.key()), stores.workflows_of(&machine.key()));
    let template = made(machine, &subject.namespace, &templates, stores.template(&own));
    let workflow = made(machine, &subject.namespace, &workflows, stores.workflow(&own));
    let short_name_taken = stores.workflow(&short).is_some_and(|found| is_anothers(machine, &*found))
        || stores.template(&short).is_some_and(|found| is_anothers(machine, &*found));
    let named_template = named_template(subject, cluster).map(|key| {
        let found = stores.template(&key);
        (key, found)
    });
    BootFacts { template, templates, named_template, workflow, workflows, short_name_taken }
}

fn is_anothers(machine: &TinkerbellMachine, object: &impl Meta) -> bool {
    !matches!(made_for(object, machine), MadeFor::Ours | MadeFor::OfThisName)
}

/// The Template that is to be used in place of the generated text. The first of these that is set wins: the machine's own
/// text, the Template that the Hardware's annotation names, the cluster's text, the Template that the cluster names.
fn named_template<S>(subject: &Subject<'_, S>, cluster: &ClusterFacts) -> Option<ObjectKey> {
    if !subject.machine.spec.template_override.is_empty() {
        return None;
    }
    if let Some(name) = subject.hardware().and_then(|hardware| hardware.template_override()) {
        return Some(subject.in_target(name));
    }
    let spec = &cluster.infra.as_ref()?.spec;
    if !spec.template_override.is_empty() {
        return None;
    }
    let reference = spec.template_override_ref.as_ref()?;
    let namespace = reference.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    Some(ObjectKey::new(namespace.unwrap_or(&subject.namespace), reference.name.clone()))
}
