//! TinkerbellMachine: weights are in range, and what the controller has settled stays.

use crate::observed::infra::TinkerbellMachineSpec;
use capt_api::contract::LONGEST_MACHINE_NAME;

use super::Verdict;
use super::field_errors::FieldError;
use super::refusal::Refusal;
use super::request::{Operation, Request};

const KIND: &str = "TinkerbellMachine";
const SPEC: &str = "/spec";

/// Validates a TinkerbellMachine.
pub(super) fn validate(request: &Request<'_>) -> Result<Verdict, Refusal> {
    let (object, errors) = match request.operation(KIND)? {
        Operation::Create { object } => {
            (object, [long_name(object.name()), wrong_weights(&object.decode(SPEC)?)].concat())
        }
        Operation::Update { object, old } => {
            let (new, old) = (object.decode(SPEC)?, old.decode(SPEC)?);
            (object, [wrong_weights(&new), forbidden_changes(&old, &new)].concat())
        }
        Operation::Other => return Ok(Verdict::Allowed),
    };
    Refusal::of_fields(KIND, object.name(), errors)?;
    Ok(Verdict::Allowed)
}

/// The name is the value of labels; one that is too long would fail once the machine has its Hardware.
fn long_name(name: &str) -> Vec<FieldError> {
    if name.len() <= LONGEST_MACHINE_NAME {
        return Vec::new();
    }
    vec![FieldError::invalid_text("metadata.name", name, "must be no more than 63 characters")]
}

fn wrong_weights(spec: &TinkerbellMachineSpec) -> Vec<FieldError> {
    let preferred = spec.hardware_affinity.iter().flat_map(|affinity| &affinity.preferred).enumerate();
    preferred
        .filter(|(_, term)| !(1..=100).contains(&term.weight))
        // Go CAPT spells this path with capitals.
        .map(|(i, term)| (format!("spec.HardwareAffinity.Preferred[{i}]"), term.weight))
        .map(|(field, weight)| FieldError::invalid(field, weight, "must be in the range [1,100]"))
        .collect()
}

/// Clearing a field is a change too.
fn forbidden_changes(old: &TinkerbellMachineSpec, new: &TinkerbellMachineSpec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let fixed = [
        ("spec.hardwareName", &old.hardware_name, &new.hardware_name),
        ("spec.providerID", &old.provider_id, &new.provider_id),
    ];
    for (field, old, new) in fixed {
        if !old.is_empty() && old != new {
            errors.push(FieldError::forbidden(field, "is immutable once set"));
        }
    }
    if !old.hardware_name.is_empty() && old.ipam_pool_ref != new.ipam_pool_ref {
        errors.push(FieldError::forbidden("spec.ipamPoolRef", "is immutable once hardware is selected"));
    }
    errors
}
