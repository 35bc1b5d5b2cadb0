//! Choosing Hardware: any of the required terms, most preferred weight, then namespace and name.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::observed::infra::{HardwareAffinity, TinkerbellMachine};
use crate::observed::tinkerbell::Hardware;
use capt_api::kube_core::{Selector, SelectorExt as _};
use capt_api::meta::{Meta, ObjectKey};

use super::fitness;
use super::ownership::{self, Ownership, Twin};
use crate::ports::Stores;

/// How many Hardware that are passed over are told of.
const MOST_TOLD: usize = 3;

/// The Hardware to reserve.
#[derive(Clone, Debug)]
pub enum Candidate {
    /// This one.
    Found(Arc<Hardware>),
    /// None. `unfit` says what is wrong with free Hardware that matches but cannot be used.
    None {
        /// What the machine would take.
        selectors: Vec<Selector>,
        /// The first unfit Hardware and what it lacks.
        unfit: Option<(ObjectKey, String)>,
        /// The first free Hardware that matches and that Tinkerbell cannot tell from another one.
        twin: Option<Box<(ObjectKey, Twin)>>,
        /// What is said of the first Hardware that match and are not to be had, although no living machine of this
        /// cluster holds them in good order.
        passed_over: Vec<String>,
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
    let mut best: Option<(Rank, Arc<Hardware>)> = None;
    let mut unfit: Option<(ObjectKey, String)> = None;
    let mut twin: Option<Box<(ObjectKey, Twin)>> = None;
    let mut passed_over = BTreeSet::new();
    for selector in &required {
        stores.visit_free_hardware(selector, &mut |hardware| {
            if !avoid.is_empty() && avoid.contains(&hardware.key()) {
                return ControlFlow::Continue(());
            }
            if let Some(unmet) = fitness::unmet_requirement(hardware, machine) {
                let key = hardware.key();
                if unfit.as_ref().is_none_or(|(first, _)| key < *first) {
                    unfit = Some((key, unmet));
                }
                return ControlFlow::Continue(());
            }
            if let Some(words) = ownership::contender(stores, hardware) {
                if passed_over.len() < MOST_TOLD {
                    passed_over.insert(words);
                }
                return ControlFlow::Continue(());
            }
            if let Some(found) = ownership::twin(stores, hardware) {
                twin.get_or_insert_with(|| Box::new((hardware.key(), found)));
                return ControlFlow::Continue(());
            }
            let works = hardware.failed_installation().is_none();
            let rank = Rank { works, score: score(&preferred, hardware) };
            let better = best.as_ref().is_none_or(|(best_rank, best_hardware)| {
                rank > *best_rank || (rank == *best_rank && hardware.key() < best_hardware.key())
            });
            if better {
                best = Some((rank, Arc::clone(hardware)));
            }
            // Visited in order: without preferences the first fit of a term is the best of that term.
            if preferred.is_empty() && works { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }
    if let Some((_, hardware)) = best {
        return Candidate::Found(hardware);
    }
    for selector in &required {
        stores.visit_parked_hardware(selector, &mut |hardware| {
            if passed_over.len() >= MOST_TOLD {
                return ControlFlow::Break(());
            }
            if let Some(obstacle) = ownership::obstacle(hardware) {
                passed_over.insert(obstacle.tell(hardware, stores));
            }
            ControlFlow::Continue(())
        });
    }
    // What carries our own name and is another's, as one of another management cluster.
    for labelled in stores.hardware_of(&machine.key()) {
        if let Ownership::Others(words) = ownership::ownership(stores, machine, &labelled) {
            passed_over.insert(words);
        }
    }
    Candidate::None { selectors: required, unfit, twin, passed_over: passed_over.into_iter().collect() }
}

/// What makes one Hardware better than another. The first member counts most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Whether the last installation did not go wrong.
    works: bool,
    /// The preferences it meets.
    score: i64,
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

/// The weights of all preferred terms that match, summed (difference D9: upstream lets the last one win).
fn score(preferred: &Weighted, hardware: &Hardware) -> i64 {
    let none = std::collections::BTreeMap::new();
    let labels = hardware.metadata.labels.as_ref().unwrap_or(&none);
    preferred.iter().filter(|(_, selector)| selector.matches(labels)).map(|(weight, _)| weight).sum()
}
