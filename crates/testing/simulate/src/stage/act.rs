//! Makes things happen.

use std::time::Duration;

use capt_invariants::text;
use capt_simulators::fixtures;
use memory_apiserver::{Fault, Stopped};
use serde_json::{Value, json};

use super::requests::{BMC_MACHINES, CLUSTERS, HARDWARE, JOBS, Kind, MACHINES, OWNERS, SECRETS, TEMPLATES, WORKFLOWS};
use super::{Later, MANAGER, Stage, objects};
use crate::plan::{Happening, MachinePlan, Refusal, ServerPlan};

/// How long a crash may wait for its write.
const CRASH_WITHIN: Duration = Duration::from_secs(40);

impl Stage {
    /// What is there before anything happens.
    pub(super) async fn set_up(&mut self) {
        let mut namespaces: Vec<&'static str> = self.plan.world.machines.iter().map(|m| m.namespace).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        let tenants = namespaces.clone();
        namespaces.extend(self.plan.world.servers.iter().map(|server| server.namespace));
        for namespace in namespaces {
            self.manifest(fixtures::namespace(namespace));
        }
        for tenant in tenants {
            for object in objects::tenant(&self.plan.world, tenant) {
                self.manifest(object);
            }
        }
    }

    fn manifest(&mut self, object: Value) {
        if let Err(error) = self.server.apply_object(object) {
            self.report.fail("the world does not begin", error.to_string());
        }
    }

    fn server(&self, at: usize) -> Option<ServerPlan> {
        self.plan.world.servers.get(at).cloned()
    }

    pub(super) fn machine(&self, at: usize) -> Option<MachinePlan> {
        self.plan.world.machines.get(at).cloned()
    }

    pub(super) async fn perform(&mut self, what: Happening) {
        let faults = self.server.faults();
        match what {
            Happening::Rack(at) => self.rack(at).await,
            Happening::Create(at) => self.create_machine(at).await,
            Happening::Delete(at) => {
                if let Some(machine) = self.machine(at) {
                    self.delete(MACHINES, machine.namespace, &machine.name).await;
                }
            }
            Happening::Refuse { how, resource, reads, after, times } => {
                let fault = refusal(how).user(MANAGER).after(after).times(times);
                let fault = resource.iter().fold(fault, |fault, plural| fault.resource(plural));
                let fault = if reads { fault } else { fault.verb("write") };
                self.faults.push((faults.inject(fault), Happening::kind(&what)));
            }
            Happening::EndWatches(None) => drop(faults.drop_watches_of(MANAGER)),
            Happening::EndWatches(plural) => drop(faults.drop_watches(plural)),
            Happening::Compact => {
                faults.compact();
                faults.drop_watches(None);
            }
            Happening::Kill(pause) => {
                self.kill_managers().await;
                self.later(pause, Later::StartManager);
            }
            Happening::Crash { writes, lost } => {
                faults.stop_after(MANAGER, writes, Stopped::Error, lost);
                self.later(CRASH_WITHIN, Later::Struck);
            }
            Happening::Second => self.start_manager(),
            Happening::ProviderDown(pause) => {
                self.simulators.ipam().iter().for_each(|provider| provider.pause());
                self.later(pause, Later::ProviderUp);
            }
            Happening::Workflows(fault, times) => {
                if let Some(faults) = self.simulators.workflow_faults() {
                    faults.inject_times("*", fault, times);
                }
            }
            Happening::PauseCluster(at, pause) => {
                self.pause_cluster(at, true).await;
                self.later(pause, Later::UnpauseCluster(at));
            }
            Happening::PauseMachine(at, pause) => {
                self.pause_machine(at, true).await;
                self.later(pause, Later::UnpauseMachine(at));
            }
            Happening::DeleteSecret(at) => {
                if let Some(machine) = self.machine(at) {
                    self.delete(SECRETS, machine.namespace, &objects::secret_name(&machine)).await;
                }
            }
            Happening::Reinstall(at) => {
                if let Some(machine) = self.machine(at) {
                    let patch = json!({"metadata": {"annotations": {"capt.tinkerbell.org/reinstall": "true"}}});
                    self.patch(MACHINES, machine.namespace, &machine.name, &patch).await;
                }
            }
            Happening::Odd(at, odd) => self.odd(at, odd).await,
            Happening::DeleteNamespace(at) => {
                if let Some(machine) = self.machine(at) {
                    self.ending.insert(machine.namespace);
                    self.delete_namespace(machine.namespace).await;
                }
            }
            Happening::Bmc(at, ..)
            | Happening::StripLabels(at)
            | Happening::StripFinalizers(at)
            | Happening::WipeUserData(at)
            | Happening::WipeAddress(at)
            | Happening::Unmark(at)
            | Happening::Replace(at)
            | Happening::DeleteHardware(at)
            | Happening::Recreate(at)
            | Happening::SetAside(at)
            | Happening::DeleteWorkflows(at)
            | Happening::DeleteTemplates(at)
            | Happening::DeleteJobs(at)
            | Happening::DeleteBmc(at, _) => {
                if let Some(server) = self.server(at) {
                    self.happen_to(at, &server, what).await;
                }
            }
        }
    }

    /// Something that happens to a server or its objects.
    async fn happen_to(&mut self, at: usize, server: &ServerPlan, what: Happening) {
        let (namespace, name) = (server.namespace, &*server.name);
        let patch = match what {
            Happening::StripLabels(_) => json!({"metadata": {"labels": {
                "v1alpha1.tinkerbell.org/ownerName": null, "v1alpha1.tinkerbell.org/ownerNamespace": null}}}),
            Happening::StripFinalizers(_) => json!({"metadata": {"finalizers": null}}),
            Happening::WipeUserData(_) => json!({"spec": {"userData": null}}),
            Happening::Unmark(_) => {
                json!({"metadata": {"annotations": {"v1alpha1.tinkerbell.org/provisioned": null}}})
            }
            Happening::SetAside(_) => {
                json!({"metadata": {"annotations": {"capt.tinkerbell.org/set-aside": "maintenance"}}})
            }
            Happening::Bmc(_, fault, times) => {
                if let Some(faults) = self.simulators.job_faults() {
                    let bmc = objects::bmc_name(server);
                    match times {
                        Some(times) => faults.inject_times(&bmc, fault, times),
                        None => faults.inject(&bmc, fault),
                    };
                }
                return;
            }
            Happening::WipeAddress(_) => return self.wipe_address(server).await,
            Happening::Replace(_) => {
                return self.replace(HARDWARE, namespace, name, &objects::hardware(server)).await;
            }
            Happening::DeleteHardware(_) => return self.delete(HARDWARE, namespace, name).await,
            Happening::Recreate(_) => {
                self.delete(HARDWARE, namespace, name).await;
                self.patch(HARDWARE, namespace, name, &json!({"metadata": {"finalizers": null}})).await;
                self.create(HARDWARE, &objects::hardware(server)).await;
                return;
            }
            Happening::DeleteWorkflows(_) => return self.delete_workflows(server).await,
            Happening::DeleteTemplates(_) => return self.delete_all(TEMPLATES, namespace).await,
            Happening::DeleteJobs(_) => return self.delete_all(JOBS, namespace).await,
            Happening::DeleteBmc(_, pause) => {
                self.delete(BMC_MACHINES, namespace, &objects::bmc_name(server)).await;
                match pause {
                    Some(pause) => self.later(pause, Later::BmcBack(at)),
                    None => drop(self.without_bmc.insert(at)),
                }
                return;
            }
            _ => return,
        };
        self.patch(HARDWARE, namespace, name, &patch).await;
    }

    async fn rack(&mut self, at: usize) {
        let Some(server) = self.server(at) else { return };
        if server.bmc && !self.without_bmc.contains(&at) {
            self.create(BMC_MACHINES, &objects::bmc(&server)).await;
        }
        self.create(HARDWARE, &objects::hardware(&server)).await;
    }

    async fn create_machine(&self, at: usize) {
        let Some(machine) = self.machine(at) else { return };
        self.create(SECRETS, &objects::secret(&machine)).await;
        self.create(OWNERS, &objects::owner(&machine)).await;
        let owner = self.get(OWNERS, machine.namespace, &machine.name);
        let uid = owner.as_ref().map(|owner| text(owner, "/metadata/uid")).unwrap_or_default();
        self.create(MACHINES, &objects::machine(&self.plan.world, &machine, uid)).await;
    }

    async fn wipe_address(&self, server: &ServerPlan) {
        let Some(hardware) = self.get(HARDWARE, server.namespace, &server.name) else { return };
        let mut interfaces = hardware.pointer("/spec/interfaces").cloned().unwrap_or_default();
        if let Some(dhcp) = interfaces.pointer_mut("/0/dhcp").and_then(Value::as_object_mut) {
            dhcp.remove("ip");
        }
        let patch = json!({"spec": {"interfaces": interfaces}});
        self.patch(HARDWARE, server.namespace, &server.name, &patch).await;
    }

    async fn delete_workflows(&self, server: &ServerPlan) {
        for workflow in self.server.list(WORKFLOWS.0, WORKFLOWS.2) {
            let is_here = text(&workflow, "/metadata/namespace") == server.namespace;
            if is_here && text(&workflow, "/spec/hardwareRef") == server.name {
                self.delete(WORKFLOWS, server.namespace, text(&workflow, "/metadata/name")).await;
            }
        }
    }

    async fn delete_all(&self, kind: Kind, namespace: &str) {
        for name in self.names(kind, namespace) {
            self.delete(kind, namespace, &name).await;
        }
    }

    async fn pause_cluster(&self, at: usize, paused: bool) {
        if let Some(machine) = self.machine(at) {
            let patch = json!({"spec": {"paused": paused}});
            self.patch(CLUSTERS, machine.namespace, objects::CLUSTER, &patch).await;
        }
    }

    async fn pause_machine(&self, at: usize, paused: bool) {
        if let Some(machine) = self.machine(at) {
            let value = if paused { json!("true") } else { Value::Null };
            let patch = json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": value}}});
            self.patch(MACHINES, machine.namespace, &machine.name, &patch).await;
        }
    }

    /// Does what was due later.
    pub(super) async fn attend(&mut self, later: Later) {
        match later {
            Later::StartManager => {
                if self.managers.is_empty() {
                    self.start_manager();
                }
            }
            Later::Struck => {
                let faults = self.server.faults();
                let struck = faults.is_stopped(MANAGER);
                if struck {
                    self.kill_managers().await;
                }
                faults.resume(MANAGER);
                if struck {
                    self.start_manager();
                }
            }
            Later::ProviderUp => self.simulators.ipam().iter().for_each(|provider| provider.resume()),
            Later::BmcBack(at) => {
                if let Some(server) = self.server(at).filter(|_| !self.without_bmc.contains(&at)) {
                    self.create(BMC_MACHINES, &objects::bmc(&server)).await;
                }
            }
            Later::UnpauseCluster(at) => self.pause_cluster(at, false).await,
            Later::UnpauseMachine(at) => self.pause_machine(at, false).await,
        }
    }
}

fn refusal(how: Refusal) -> Fault {
    match how {
        Refusal::Conflict => Fault::conflict(),
        Refusal::Broken => Fault::status(500, "InternalError", "something broke"),
        Refusal::Unavailable => Fault::status(503, "ServiceUnavailable", "not now"),
        Refusal::Busy => Fault::too_many_requests(1),
        Refusal::LostBefore => Fault::timeout_before(),
        Refusal::LostAfter => Fault::timeout_after(),
        Refusal::BrokenBefore => Fault::connection_error_before(),
        Refusal::BrokenAfter => Fault::connection_error_after(),
        Refusal::Slow => Fault::latency(Duration::from_secs(3)),
    }
}
