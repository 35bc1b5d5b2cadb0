//! Labels, annotations, finalizers and names of Cluster API.

pub(super) const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";
pub(super) const CONTROL_PLANE: &str = "cluster.x-k8s.io/control-plane";
pub(super) const CONTROL_PLANE_NAME: &str = "cluster.x-k8s.io/control-plane-name";
pub(super) const DEPLOYMENT_NAME: &str = "cluster.x-k8s.io/deployment-name";
pub(super) const SET_NAME: &str = "cluster.x-k8s.io/set-name";
pub(super) const TEMPLATE_HASH: &str = "machine-template-hash";
pub(super) const CLONED_FROM_NAME: &str = "cluster.x-k8s.io/cloned-from-name";
pub(super) const CLONED_FROM_GROUP_KIND: &str = "cluster.x-k8s.io/cloned-from-groupkind";

pub(super) const CLUSTER_FINALIZER: &str = "cluster.cluster.x-k8s.io";
pub(super) const MACHINE_FINALIZER: &str = "machine.cluster.x-k8s.io";
pub(super) const DEPLOYMENT_FINALIZER: &str = "cluster.x-k8s.io/machinedeployment";
pub(super) const CONTROL_PLANE_FINALIZER: &str = "kubeadm.controlplane.cluster.x-k8s.io";

/// Letters that names of generated objects end in: without vowels, so that no words appear.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// `<base>-xxxxx` with random letters.
pub(super) fn generated(base: &str) -> String {
    format!("{base}-{}", letters(uuid::Uuid::new_v4().as_u128()))
}

/// Letters that depend on the texts only.
pub(super) fn hash(texts: &[&str]) -> String {
    // FNV-1a: short, and the same in every run.
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    letters(hash.into())
}

fn letters(mut number: u128) -> String {
    let mut letter = || {
        let count = LETTERS.len() as u128;
        let at = usize::try_from(number % count).unwrap_or_default();
        number /= count;
        LETTERS.get(at).map_or('x', |letter| char::from(*letter))
    };
    (0..5).map(|_| letter()).collect()
}
