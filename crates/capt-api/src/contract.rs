//! Every string that others can see: labels, annotations, finalizers, names. One constant each.
//!
//! Most are Go CAPT's and must not change; the IPAM ones are ours from the first release on.

/// The group of our own kinds.
pub const INFRASTRUCTURE_GROUP: &str = "infrastructure.cluster.x-k8s.io";
/// The only version of our own kinds; it speaks Cluster API's contracts v1beta1 and v1beta2.
pub const INFRASTRUCTURE_VERSION: &str = "v1beta1";
/// Label of the CustomResourceDefinitions whose objects `clusterctl move` takes along. Without it, it leaves machines behind and
/// says nothing.
pub const CLUSTERCTL_LABEL: &str = "clusterctl.cluster.x-k8s.io";
/// The namespace that the shipped manifests install into.
pub const INSTALL_NAMESPACE: &str = "capt-system";
/// The Service of the webhooks there.
pub const WEBHOOK_SERVICE: &str = "capt-webhook-service";
/// The Certificate of the webhooks there; cert-manager puts its authority into what names it.
pub const WEBHOOK_CERTIFICATE: &str = "capt-serving-cert";
/// Path of the conversion webhook.
pub const CONVERSION_PATH: &str = "/convert";
/// The group of Cluster, Machine and their kin.
pub const CLUSTER_API_GROUP: &str = "cluster.x-k8s.io";
/// The group of IPAddressClaim and IPAddress.
pub const IPAM_GROUP: &str = "ipam.cluster.x-k8s.io";
/// The group of Hardware, Template and Workflow.
pub const TINKERBELL_GROUP: &str = "tinkerbell.org";
/// The group of rufio's Machine, Job and Task.
pub const BMC_GROUP: &str = "bmc.tinkerbell.org";

/// Finalizer on the TinkerbellMachine and on the Hardware it reserved.
pub const MACHINE_FINALIZER: &str = "infrastructure.cluster.x-k8s.io/tinkerbellmachine";
/// Finalizer of earlier releases, removed from Hardware and machine whenever seen.
pub const LEGACY_MACHINE_FINALIZER: &str = "tinkerbellmachine.infrastructure.cluster.x-k8s.io";
/// Finalizer that very old releases put on a TinkerbellCluster; only ever removed.
pub const LEGACY_CLUSTER_FINALIZER: &str = "tinkerbellcluster.infrastructure.cluster.x-k8s.io";
/// Finalizer on the IPAddressClaims we make.
pub const CLAIM_FINALIZER: &str = "tinkerbellmachine.infrastructure.cluster.x-k8s.io/ipam-claim";

/// Hardware label: name of the TinkerbellMachine that reserved it.
pub const OWNER_NAME_LABEL: &str = "v1alpha1.tinkerbell.org/ownerName";
/// Hardware label: namespace of the TinkerbellMachine that reserved it.
pub const OWNER_NAMESPACE_LABEL: &str = "v1alpha1.tinkerbell.org/ownerNamespace";
/// Hardware annotation, value `true`: this machine's operating system is installed; never image it again.
pub const PROVISIONED_ANNOTATION: &str = "v1alpha1.tinkerbell.org/provisioned";
/// Hardware annotation: name of a Template, in the Hardware's namespace, to use in place of the generated one.
pub const TEMPLATE_OVERRIDE_ANNOTATION: &str = "hardware.tinkerbell.org/capt-template-override";

/// Hardware annotation, value `true`: its address comes from somebody else's DHCP server, so that `dhcp.ip` may be missing.
pub const EXTERNAL_ADDRESS_ANNOTATION: &str = "capt.tinkerbell.org/external-address";

/// Label on Template, Workflow, Job and claim: name of the TinkerbellMachine it is for.
pub const MACHINE_NAME_LABEL: &str = "capt.tinkerbell.org/machine-name";
/// Label on Template, Workflow, Job and claim: namespace of the TinkerbellMachine it is for.
pub const MACHINE_NAMESPACE_LABEL: &str = "capt.tinkerbell.org/machine-namespace";
/// Annotation on Template, Workflow and Job: UID of the very machine it was made for. On Hardware: UID of the machine that
/// reserved it; names alone do not tell whose a server is.
pub const MACHINE_UID_ANNOTATION: &str = "capt.tinkerbell.org/machine-uid";
/// Annotation on a power-off Job: how many Jobs of this machine failed before it.
pub const FAILED_ATTEMPTS_ANNOTATION: &str = "capt.tinkerbell.org/failed-attempts";
/// Hardware annotation: a person keeps this server back, and no machine takes it by itself; the value is the person's
/// reason. A machine whose spec names the Hardware takes it all the same.
pub const SET_ASIDE_ANNOTATION: &str = "capt.tinkerbell.org/set-aside";
/// TinkerbellMachine annotation, any value: a person asks for a new installation of the server. Removed once it is done.
/// On Hardware: the request that is being served, or was served last.
pub const REINSTALL_ANNOTATION: &str = "capt.tinkerbell.org/reinstall";
/// Hardware annotation: when and how the last installation went wrong. Such Hardware comes after all others.
pub const INSTALLATION_FAILED_ANNOTATION: &str = "capt.tinkerbell.org/installation-failed";
/// Hardware annotation: UID of the machine that gave it back last. What carries neither this nor any owner never was
/// given back by us.
pub const RELEASED_ANNOTATION: &str = "capt.tinkerbell.org/released-by";

/// Longest name of a machine: it is the value of labels, which take no more.
pub const LONGEST_MACHINE_NAME: usize = MAX_LABEL_VALUE;

/// Annotation on a power-off Job: the newest `resourceVersion` among the other Jobs of its BMC when it was made. What a
/// Job that switches a server on did later than that, it did after our look.
pub const OTHER_JOBS_SEEN_ANNOTATION: &str = "capt.tinkerbell.org/other-jobs-seen";
/// TinkerbellMachine annotation, any value but `false`: a person lets the machine go although nothing proves that its
/// server is off.
pub const RELEASE_WITHOUT_POWER_OFF_ANNOTATION: &str = "capt.tinkerbell.org/release-without-power-off";

/// Claim annotation: name of the Hardware the address is for.
pub const HARDWARE_NAME_ANNOTATION: &str = "capt.tinkerbell.org/hardware-name";
/// Claim annotation: namespace of the Hardware the address is for.
pub const HARDWARE_NAMESPACE_ANNOTATION: &str = "capt.tinkerbell.org/hardware-namespace";
/// Claim annotation: lower-case MAC of the interface the address is for.
pub const MAC_ADDRESS_ANNOTATION: &str = "capt.tinkerbell.org/mac-address";
/// Hardware annotation: the addresses we wrote, a JSON list with one [`crate::tinkerbell::ReservationRecord`] each.
pub const RESERVATION_ANNOTATION: &str = "capt.tinkerbell.org/ipam-reservation";
/// TinkerbellMachine annotation: the gateway to write where the IPAM provider gives none.
pub const GATEWAY_ANNOTATION: &str = "capt.tinkerbell.org/ipam-gateway";

/// Cluster API: name of the Cluster an object belongs to.
pub const CLUSTER_NAME_LABEL: &str = "cluster.x-k8s.io/cluster-name";
/// Cluster API: any value pauses the object.
pub const PAUSED_ANNOTATION: &str = "cluster.x-k8s.io/paused";
/// Cluster API: an infrastructure cluster that somebody else manages.
pub const MANAGED_BY_ANNOTATION: &str = "cluster.x-k8s.io/managed-by";
/// Label of Cluster API objects whose value says which of several managers they are meant for (`--watch-filter`).
pub const WATCH_FILTER_LABEL: &str = "cluster.x-k8s.io/watch-filter";

/// Cluster API's topology controller puts it on what it applies only to see what would change.
pub const TOPOLOGY_DRY_RUN_ANNOTATION: &str = "topology.cluster.x-k8s.io/dry-run";

/// Replaced in bootstrap data, at every occurrence, by the machine's provider ID.
pub const PROVIDER_ID_PLACEHOLDER: &str = "PROVIDER_ID";
/// The one key of a Workflow's hardwareMap.
pub const WORKFLOW_DEVICE: &str = "device_1";
/// Key of the bootstrap Secret that holds the bootstrap data.
pub const BOOTSTRAP_DATA_KEY: &str = "value";
/// `source.component` of our events.
pub const EVENT_SOURCE: &str = "tinkerbell-controller";

/// Port of the control-plane endpoint where nobody names one.
pub const DEFAULT_API_PORT: i32 = 6443;

/// Provider ID of a machine on this Hardware: `tinkerbell://<namespace>/<name>`.
pub fn provider_id(hardware: &crate::meta::ObjectKey) -> String {
    format!("tinkerbell://{}/{}", hardware.namespace, hardware.name)
}

/// The Hardware that a provider ID names, if it is one of ours.
pub fn hardware_of_provider_id(provider_id: &str) -> Option<crate::meta::ObjectKey> {
    let (namespace, name) = provider_id.strip_prefix("tinkerbell://")?.split_once('/')?;
    (!namespace.is_empty() && !name.is_empty()).then(|| crate::meta::ObjectKey::new(namespace, name))
}

/// Name of the one claim of a machine with `ipamPoolRef`: `<machine>-0` (decision 7).
pub fn claim_name(machine: &str) -> String {
    format!("{machine}-0")
}

/// Longest value of a label. rufio puts a Job's name into a label of its Tasks, and tink-controller's boot Jobs carry
/// the Workflow's name, so that names we make up have to leave room for what is put before them.
pub const MAX_LABEL_VALUE: usize = 63;

/// Name of the Job that switched a machine's server off in Go CAPT and in our first releases. Nothing is made under it
/// any more: rufio finds a Job's Tasks by the Job's name, so that a leftover of an earlier Job may have ended it.
pub fn legacy_power_off_job_name(machine: &str) -> String {
    format!("{machine}-poweroff")
}

/// Name of a Job that switches a machine's server off: the machine's name, as far as it fits, and a token that no
/// earlier Job had.
pub fn power_off_job_name(machine: &str, token: u64) -> String {
    named_after(machine, &format!("-poweroff-{token:016x}"), MAX_LABEL_VALUE)
}

/// The name of the machine's Template and Workflow where the machine's own does not fit or is taken by a namesake: cut to
/// `longest` characters, with a part of the machine's UID.
pub fn short_name(machine: &str, uid: &str, longest: usize) -> String {
    let letters: Vec<char> = uid.chars().filter(char::is_ascii_alphanumeric).collect();
    let part: String = letters.iter().skip(letters.len().saturating_sub(10)).map(char::to_ascii_lowercase).collect();
    named_after(machine, &format!("-{part}"), longest)
}

/// A name with this ending, cut so that it has no more than `longest` characters.
fn named_after(name: &str, ending: &str, longest: usize) -> String {
    let room = longest.saturating_sub(ending.len());
    let cut: String = name.chars().take(room).collect();
    format!("{}{ending}", cut.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_we_make_up_fit_into_a_label_whatever_the_machine_is_called() {
        for machine in ["m", "fabrik-nord-01-control-plane-template-1690000000000-abcde-xyz", &"a.-".repeat(80)] {
            let job = power_off_job_name(machine, u64::MAX);
            assert!(job.len() <= MAX_LABEL_VALUE && !job.contains("--poweroff"), "{job}");
            let workflow = short_name(machine, "0f8fad5b-d9cb-469f-a165-70867728950e", 42);
            assert!(workflow.len() <= 42 && workflow.ends_with("-867728950e"), "{workflow}");
        }
        assert_eq!(power_off_job_name("m", 1), "m-poweroff-0000000000000001");
        assert_ne!(power_off_job_name("m", 1), power_off_job_name("m", 2));
    }
}
