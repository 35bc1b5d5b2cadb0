//! TinkerbellMachineTemplate: it holds nothing that belongs to one machine, and what machines are made from stays.

use crate::observed::infra::{BootOptions, CustombootConfig, TinkerbellMachineSpec};
use capt_api::contract::TOPOLOGY_DRY_RUN_ANNOTATION;

use super::Verdict;
use super::field_errors::FieldError;
use super::refusal::Refusal;
use super::request::{Operation, Request};

const KIND: &str = "TinkerbellMachineTemplate";
/// The part that is fixed; `spec.template.metadata` beside it may change.
const MACHINE_SPEC: &str = "/spec/template/spec";

/// Validates a TinkerbellMachineTemplate.
pub(super) fn validate(request: &Request<'_>) -> Result<Verdict, Refusal> {
    match request.operation(KIND)? {
        Operation::Create { object } => {
            Refusal::of_fields(KIND, object.name(), fields_of_one_machine(&object.decode(MACHINE_SPEC)?))?;
        }
        Operation::Update { object, old } => {
            let is_same = is_same_machine(object.decode(MACHINE_SPEC)?, old.decode(MACHINE_SPEC)?);
            // The annotation alone would open the template to any user: nothing must be stored either.
            let is_topology_dry_run = request.is_dry_run() && object.has_annotation(TOPOLOGY_DRY_RUN_ANNOTATION);
            if !is_same && !is_topology_dry_run {
                return Err(Refusal::BadRequest(format!("{KIND}.Spec is immutable")));
            }
        }
        Operation::Other => {}
    }
    Ok(Verdict::Allowed)
}

fn fields_of_one_machine(spec: &TinkerbellMachineSpec) -> Vec<FieldError> {
    let fields = [
        ("spec.template.spec.providerID", &spec.provider_id),
        ("spec.template.spec.hardwareName", &spec.hardware_name),
    ];
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(field, _)| FieldError::forbidden(field, "cannot be set in templates"))
        .collect()
}

/// Whether the same machines are made from both. An empty struct says no more than none.
fn is_same_machine(mut one: TinkerbellMachineSpec, mut other: TinkerbellMachineSpec) -> bool {
    drop_empty_boot_options(&mut one);
    drop_empty_boot_options(&mut other);
    // Two boot modes that we do not know are equal here; the schema lets nobody change one into the other.
    one == other
}

fn drop_empty_boot_options(spec: &mut TinkerbellMachineSpec) {
    if let Some(boot) = &mut spec.boot_options {
        boot.customboot_config.take_if(|config| *config == CustombootConfig::default());
    }
    spec.boot_options.take_if(|boot| *boot == BootOptions::default());
}
