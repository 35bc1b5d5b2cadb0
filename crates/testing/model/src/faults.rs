//! Faults of the past, put back one by one: a checker that does not find them proves nothing.

use std::sync::Arc;

use capt_api::contract::{MACHINE_UID_ANNOTATION, power_off_job_name};
use capt_api::meta::Meta;
use capt_reconciler::effect::{Kind, Verb, Write};
use capt_reconciler::machine::world::World;
use capt_reconciler::ports::Presence;

use crate::stores::View;

/// A fault put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every power-off Job of a machine has the same name, so that Tasks of an earlier one end it.
    OneJobName,
    /// Jobs that may switch the server on are not looked for.
    BootJobsIgnored,
    /// A power-off Job of any machine proves that a server is off.
    AnyJobProves,
    /// Hardware without labels is free, whatever else says that it is somebody's.
    LabelsAlone,
    /// The server is released at once, and its address with it.
    NoPowerOff,
    /// Nobody remembers that a machine was ready.
    InstalledAgain,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::OneJobName,
        Self::BootJobsIgnored,
        Self::AnyJobProves,
        Self::LabelsAlone,
        Self::NoPowerOff,
        Self::InstalledAgain,
    ];

    /// Its name, and what it is.
    pub fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::OneJobName => ("one-job-name", "all power-off Jobs of a machine have one name"),
            Self::BootJobsIgnored => ("boot-jobs-ignored", "Jobs that may switch a server on are not looked for"),
            Self::AnyJobProves => ("any-job-proves", "a Job for another server counts as proof"),
            Self::LabelsAlone => ("labels-alone", "Hardware without labels is free"),
            Self::NoPowerOff => ("no-power-off", "a server is released at once"),
            Self::InstalledAgain => ("installed-again", "that a machine was ready is forgotten"),
        }
    }
}

/// Bends what the manager knows.
pub fn bend_world(fault: Option<Fault>, stores: &View<'_>, world: &mut World) {
    match fault {
        Some(Fault::BootJobsIgnored) => {
            world.power.bmc_jobs.clear();
            world.pass.memory.stirred.clear();
        }
        Some(Fault::AnyJobProves) => {
            let Some(bmc) = world.to_release.first().and_then(|hardware| hardware.bmc()) else { return };
            let uid = world.machine.uid().to_owned();
            world.power.jobs = stores
                .all_jobs()
                .filter(|job| !job.may_switch_on())
                .map(|job| {
                    let mut job = (**job).clone();
                    job.metadata.owner_references = None;
                    job.metadata
                        .annotations
                        .get_or_insert_default()
                        .insert(MACHINE_UID_ANNOTATION.to_owned(), uid.clone());
                    bmc.name.clone_into(&mut job.spec.machine_ref.name);
                    bmc.namespace.clone_into(&mut job.spec.machine_ref.namespace);
                    Arc::new(job)
                })
                .collect();
        }
        Some(Fault::NoPowerOff) => world.power.presence = Presence::Absent,
        Some(Fault::InstalledAgain) => world.was_ready = false,
        _ => {}
    }
}

/// Bends what the manager writes.
pub fn bend_write(fault: Option<Fault>, world: &World, write: &mut Write) {
    match fault {
        Some(Fault::OneJobName) if write.kind == Kind::Job && matches!(write.verb, Verb::Create(_)) => {
            write.key.name = power_off_job_name(world.machine.name(), 0);
        }
        _ => {}
    }
}
