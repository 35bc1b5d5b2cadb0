//! Odd objects: what operators really wrote, none of which may harm anything but itself.

use json_patch::merge;
use serde_json::json;

use super::requests::{CLAIMS, HARDWARE, MACHINES, OWNERS, POOLS, SECRETS};
use super::{Stage, objects};
use crate::plan::{Boot, MachinePlan, Odd, ServerPlan};

/// Odd objects begin so.
pub(super) const PREFIX: &str = "odd-";

impl Stage {
    /// Creates an odd object in the namespace of a machine, beside all others.
    pub(super) async fn odd(&mut self, at: usize, odd: Odd) {
        let Some(beside) = self.machine(at) else { return };
        match odd {
            Odd::NoInterface
            | Odd::NoDhcp
            | Odd::NoDisk
            | Odd::NoNetboot
            | Odd::Provisioned
            | Odd::OtherAgent
            | Odd::SixthVersion
            | Odd::LabelsOfNobody
            | Odd::SameMac
            | Odd::NoBmcMachine => self.odd_server(&beside, odd).await,
            _ => self.odd_machine(&beside, odd).await,
        }
    }

    async fn odd_server(&mut self, beside: &MachinePlan, odd: Odd) {
        let has_bmc = odd == Odd::NoBmcMachine;
        if has_bmc {
            // Only a person ends the wait for a BMC that is not there.
            self.without_bmc.insert(usize::MAX);
        }
        let number = if odd == Odd::SameMac { 0 } else { 200 + odd as u8 };
        let name = format!("{PREFIX}server-{odd:?}").to_lowercase();
        let plan = ServerPlan { namespace: beside.namespace, name, number, bmc: has_bmc, manual: false };
        let mut hardware = objects::hardware(&plan);
        let change = match odd {
            Odd::NoInterface => json!({"spec": {"interfaces": null}}),
            Odd::NoDhcp => json!({"spec": {"interfaces": [{"netboot": {"allowPXE": true, "allowWorkflow": true}}]}}),
            Odd::NoDisk => json!({"spec": {"disks": null}}),
            Odd::Provisioned => json!({"metadata": {"annotations": {"v1alpha1.tinkerbell.org/provisioned": "true"}}}),
            Odd::OtherAgent => json!({"spec": {"agentID": "ab:cd:ef:00:00:01"}}),
            Odd::LabelsOfNobody => json!({"metadata": {"labels": {
                "v1alpha1.tinkerbell.org/ownerName": "nobody", "v1alpha1.tinkerbell.org/ownerNamespace": "nowhere"}}}),
            _ => json!({}),
        };
        merge(&mut hardware, &change);
        if odd == Odd::NoNetboot
            && let Some(interface) = hardware.pointer_mut("/spec/interfaces/0")
        {
            merge(interface, &json!({"netboot": {"allowPXE": false, "allowWorkflow": false}}));
        }
        if odd == Odd::SixthVersion
            && let Some(interface) = hardware.pointer_mut("/spec/interfaces/0")
        {
            merge(interface, &json!({"dhcp": {"ip": {"address": "2001:db8::7", "family": 6, "netmask": "64"}}}));
        }
        self.create(HARDWARE, &hardware).await;
    }

    async fn odd_machine(&self, beside: &MachinePlan, odd: Odd) {
        let mut plan = MachinePlan {
            name: format!("{PREFIX}{odd:?}").to_lowercase(),
            boot: Boot::Netboot,
            pool: matches!(odd, Odd::ForeignClaim | Odd::NoPrefix),
            ..beside.clone()
        };
        if odd == Odd::LongName {
            plan.name = format!("{PREFIX}{}", "long-".repeat(16)) + "x";
        }
        let (mut owner, mut machine) =
            (objects::owner(&plan), objects::machine(&self.plan.world, &plan, "to-be-filled-in"));
        self.around(&plan, odd).await;
        let change = match odd {
            Odd::NoHardware => json!({"spec": {"hardwareName": "nowhere"}}),
            Odd::NoPool => json!({"spec": {"ipamPoolRef": {"apiGroup": "ipam.cluster.x-k8s.io",
                "kind": "InClusterIPPool", "name": "nowhere"}}}),
            Odd::NoPoolKind => {
                json!({"spec": {"ipamPoolRef": {"apiGroup": "ipam.example.org", "kind": "NoPool", "name": "nowhere"}}})
            }
            Odd::NoPrefix => json!({"spec": {"ipamPoolRef": {"apiGroup": "ipam.cluster.x-k8s.io",
                "kind": "InClusterIPPool", "name": format!("{PREFIX}pool")}}}),
            Odd::BadTemplate => json!({"spec": {"templateOverride": "tasks: {{ .hardware | nothing"}}),
            Odd::NoSelection => json!({"spec": {"hardwareAffinity": {"required": [
                {"labelSelector": {"matchExpressions": [{"key": "rack", "operator": "Near", "values": ["x"]}]}}]}}}),
            _ => json!({}),
        };
        merge(&mut machine, &change);
        if odd == Odd::NoVersion {
            merge(&mut owner, &json!({"spec": {"version": null}}));
        }
        let uid = if odd == Odd::NoOwner { None } else { self.create(OWNERS, &owner).await };
        match (uid, machine.pointer_mut("/metadata/ownerReferences/0/uid")) {
            (Some(uid), Some(place)) => *place = json!(uid),
            _ => merge(&mut machine, &json!({"metadata": {"ownerReferences": null}})),
        }
        self.create(MACHINES, &machine).await;
    }

    /// What stands beside an odd machine: its bootstrap data, a pool, a claim of somebody else's.
    async fn around(&self, plan: &MachinePlan, odd: Odd) {
        let mut secret = objects::secret(plan);
        let data = match odd {
            Odd::NoBootstrapData => None,
            Odd::EmptyBootstrapData => Some(json!({"stringData": {"value": ""}})),
            // Begins as gzip does and is none.
            Odd::BinaryBootstrapData => Some(json!({"stringData": null, "data": {"value": "H4sI/////w=="}})),
            Odd::NoProviderId => Some(json!({"stringData": {"value": "#cloud-config\n"}})),
            _ => Some(json!({})),
        };
        if let Some(data) = data {
            merge(&mut secret, &data);
            self.create(SECRETS, &secret).await;
        }
        let metadata = |name: String| json!({"namespace": plan.namespace, "name": name});
        if odd == Odd::ForeignClaim {
            let claim = json!({"apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddressClaim",
                "metadata": metadata(format!("{}-0", plan.name)),
                "spec": {"poolRef": {"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "other"}}});
            self.create(CLAIMS, &claim).await;
        }
        if odd == Odd::NoPrefix {
            let pool = json!({"apiVersion": "ipam.cluster.x-k8s.io/v1alpha2", "kind": "InClusterIPPool",
                "metadata": metadata(format!("{PREFIX}pool")),
                "spec": {"addresses": ["10.9.9.10-10.9.9.20"], "prefix": 0, "gateway": "10.9.9.1"}});
            self.create(POOLS, &pool).await;
        }
    }
}
