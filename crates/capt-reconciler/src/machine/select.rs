//! Choosing Hardware: any of the required terms, most preferred weight, then namespace and name.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use capt_api::infra::{HardwareAffinity, TinkerbellMachine};
use capt_api::kube_core::{Selector, SelectorExt as _};
use capt_api::meta::{Meta, ObjectKey};
use capt_api::tinkerbell::Hardware;

use super::fitness;
use crate::ports::Stores;

/// The Hardware to reserve.
#[derive(Clone, Debug, Default)]
pub enum Candidate {
    /// Not looked for: the machine has Hardware, or is on its way out.
    #[default]
    NotLooked,
    /// This one.
    Found(Arc<Hardware>),
    /// None. `unfit` says what is wrong with free Hardware that matches but cannot be used.
    None {
        /// What the machine would take.
        selectors: Vec<Selector>,
        /// The first unfit Hardware and what it lacks.
        unfit: Option<(ObjectKey, String)>,
    },
    /// The machine's affinity makes no sense.
    Invalid(String),
}

/// Looks for the Hardware to reserve. Unfit Hardware is passed over: one bad object must not stop a machine that has
/// others to choose from.
///
/// Hardware in `avoid` is left to the machines that are about to reserve it.
pub fn candidate(stores: &impl Stores, machine: &TinkerbellMachine, avoid: &BTreeSet<ObjectKey>) -> Candidate {
    let affinity = machine.spec.hardware_affinity.clone().unwrap_or_default();
    let (required, preferred) = match selectors(&affinity) {
        Ok(selectors) => selectors,
        Err(message) => return Candidate::Invalid(message),
    };
    let mut best: Option<(i64, Arc<Hardware>)> = None;
    let mut unfit: Option<(ObjectKey, String)> = None;
    for selector in &required {
        stores.visit_free_hardware(selector, &mut |hardware| {
            if !avoid.is_empty() && avoid.contains(&hardware.key()) {
                return ControlFlow::Continue(());
            }
            if let Some(lack) = fitness::lack(hardware, machine) {
                let key = hardware.key();
                if unfit.as_ref().is_none_or(|(first, _)| key < *first) {
                    unfit = Some((key, lack));
                }
                return ControlFlow::Continue(());
            }
            let score = score(&preferred, hardware);
            let better = best.as_ref().is_none_or(|(best_score, best_hardware)| {
                score > *best_score || (score == *best_score && hardware.key() < best_hardware.key())
            });
            if better {
                best = Some((score, Arc::clone(hardware)));
            }
            // Visited in order: without preferences the first fit of a term is the best of that term.
            if preferred.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }
    match best {
        Some((_, hardware)) => Candidate::Found(hardware),
        None => Candidate::None { selectors: required, unfit },
    }
}

type Weighted = Vec<(i64, Selector)>;

fn selectors(affinity: &HardwareAffinity) -> Result<(Vec<Selector>, Weighted), String> {
    let mut required = Vec::new();
    for (index, term) in affinity.required.iter().enumerate() {
        let selector = Selector::try_from(term.label_selector.clone())
            .map_err(|error| format!("spec.hardwareAffinity.required[{index}].labelSelector: {error}"))?;
        required.push(selector);
    }
    if required.is_empty() {
        required.push(Selector::default());
    }
    let mut preferred = Vec::new();
    for (index, term) in affinity.preferred.iter().enumerate() {
        let selector = Selector::try_from(term.hardware_affinity_term.label_selector.clone()).map_err(|error| {
            format!("spec.hardwareAffinity.preferred[{index}].hardwareAffinityTerm.labelSelector: {error}")
        })?;
        preferred.push((i64::from(term.weight), selector));
    }
    Ok((required, preferred))
}

/// The weights of all preferred terms that match, summed (defect D9: upstream lets the last one win).
fn score(preferred: &Weighted, hardware: &Hardware) -> i64 {
    let none = std::collections::BTreeMap::new();
    let labels = hardware.metadata.labels.as_ref().unwrap_or(&none);
    preferred.iter().filter(|(_, selector)| selector.matches(labels)).map(|(weight, _)| weight).sum()
}
