//! The CustomResourceDefinitions of the neighbours, as YAML. Source and licence: `crds/NOTICE`.

/// Definitions that a test leaves out or brings in together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Cluster, Machine, MachineDeployment, MachineSet and the kubeadm kinds; Cluster API v1.12.5.
    ClusterApi,
    /// IPAddressClaim and IPAddress; Cluster API v1.12.5.
    Ipam,
    /// Hardware, Template, Workflow and WorkflowRuleSet; Tinkerbell v0.25.0.
    Tinkerbell,
    /// BMC Machine, Job and Task; Tinkerbell v0.25.0.
    Bmc,
    /// InClusterIPPool and GlobalInClusterIPPool; in-cluster IPAM provider v1.0.3.
    InCluster,
    /// Metal3's IPPool, in a form of our own.
    Metal3,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 6] =
        [Self::ClusterApi, Self::Ipam, Self::Tinkerbell, Self::Bmc, Self::InCluster, Self::Metal3];

    /// The definitions of the group, one YAML document each.
    pub fn crds(self) -> &'static [&'static str] {
        match self {
            Self::ClusterApi => &[
                include_str!("../crds/cluster-api/clusters.yaml"),
                include_str!("../crds/cluster-api/machines.yaml"),
                include_str!("../crds/cluster-api/machinedeployments.yaml"),
                include_str!("../crds/cluster-api/machinesets.yaml"),
                include_str!("../crds/cluster-api/kubeadmcontrolplanes.yaml"),
                include_str!("../crds/cluster-api/kubeadmcontrolplanetemplates.yaml"),
                include_str!("../crds/cluster-api/kubeadmconfigs.yaml"),
                include_str!("../crds/cluster-api/kubeadmconfigtemplates.yaml"),
            ],
            Self::Ipam => {
                &[include_str!("../crds/ipam/ipaddressclaims.yaml"), include_str!("../crds/ipam/ipaddresses.yaml")]
            }
            Self::Tinkerbell => &[
                include_str!("../crds/tinkerbell/hardware.yaml"),
                include_str!("../crds/tinkerbell/templates.yaml"),
                include_str!("../crds/tinkerbell/workflows.yaml"),
                include_str!("../crds/tinkerbell/workflowrulesets.yaml"),
            ],
            Self::Bmc => &[
                include_str!("../crds/bmc/jobs.yaml"),
                include_str!("../crds/bmc/machines.yaml"),
                include_str!("../crds/bmc/tasks.yaml"),
            ],
            Self::InCluster => &[
                include_str!("../crds/in-cluster/inclusterippools.yaml"),
                include_str!("../crds/in-cluster/globalinclusterippools.yaml"),
            ],
            Self::Metal3 => &[include_str!("../crds/metal3/ippools.yaml")],
        }
    }
}

/// Every definition of every group.
pub fn crds() -> impl Iterator<Item = &'static str> {
    Group::ALL.into_iter().flat_map(|group| group.crds().iter().copied())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

    use super::*;

    #[test]
    fn every_definition_is_one_that_an_api_server_takes() {
        for text in crds() {
            let crd: CustomResourceDefinition = serde_saphyr::from_str(text).unwrap();
            let name = crd.metadata.name.unwrap();
            assert_eq!(name, format!("{}.{}", crd.spec.names.plural, crd.spec.group));
            let storage: Vec<_> = crd.spec.versions.iter().filter(|v| v.storage).collect();
            assert_eq!(storage.len(), 1, "{name}");
            assert!(storage[0].served, "{name}: the storage version must be served without conversion");
        }
    }

    #[test]
    fn cluster_api_finds_its_kinds_by_their_contract_labels() {
        for text in [Group::ClusterApi, Group::Ipam].iter().flat_map(|group| group.crds()) {
            let crd: CustomResourceDefinition = serde_saphyr::from_str(text).unwrap();
            let labels = crd.metadata.labels.unwrap();
            assert_eq!(labels["cluster.x-k8s.io/v1beta1"], "v1beta1");
            assert_eq!(labels["cluster.x-k8s.io/v1beta2"], "v1beta2");
        }
    }
}
