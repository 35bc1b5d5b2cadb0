//! The built-in example: the documented complete cluster, in any size.

use capt_simulators::fixtures;
use serde_json::{Value, json};

use crate::manifests::{BadInput, Document, parse};
use capt_invariants::text;

/// The documented example, as users read it.
pub const COMPLETE_CLUSTER: &str = include_str!("../../../docs/examples/complete-cluster.yaml");

/// What an error calls it.
const FILE: &str = "complete-cluster.yaml";

/// Machines that the documented pool has room for.
const SMALL_POOL: usize = 101;

/// Which IPAM provider the machines' pool is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Provider {
    /// The in-cluster provider's `InClusterIPPool`.
    #[default]
    InCluster,
    /// Metal3's `IPPool`.
    Metal3,
}

/// How much of it there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Machines of the control plane.
    pub control_plane: usize,
    /// Machines of the MachineDeployment.
    pub workers: usize,
    /// Servers, of both types together.
    pub hardware: usize,
}

/// The example in that size.
///
/// # Errors
/// When the documented example itself is broken.
pub fn example(size: Size, provider: Provider) -> Result<Vec<Document>, BadInput> {
    let documented = parse(FILE, COMPLETE_CLUSTER)?;
    let mut documents = Vec::new();
    let mut servers: Vec<Server> = Vec::new();
    for mut document in documented {
        match document.kind() {
            "KubeadmControlPlane" => set(&mut document.object, "/spec/replicas", json!(size.control_plane)),
            "MachineDeployment" => set(&mut document.object, "/spec/replicas", json!(size.workers)),
            "InClusterIPPool" => document.object = pool(document.object, size, provider),
            "TinkerbellMachineTemplate" if provider == Provider::Metal3 => {
                set(&mut document.object, "/spec/template/spec/ipamPoolRef/apiGroup", json!("ipam.metal3.io"));
                set(&mut document.object, "/spec/template/spec/ipamPoolRef/kind", json!("IPPool"));
            }
            "Hardware" => {
                servers.push(Server { parts: vec![document] });
                continue;
            }
            // A server's BMC Machine and Secret follow it.
            "Machine" | "Secret" => {
                if let Some(server) = servers.last_mut() {
                    server.parts.push(document);
                    continue;
                }
            }
            _ => {}
        }
        documents.push(document);
    }
    let of_type = |wanted: &str| servers.iter().find(|server| server.type_label() == wanted);
    for n in 0..size.hardware {
        let model = if n < size.control_plane { of_type("controlplane") } else { of_type("worker") };
        documents.extend(model.into_iter().flat_map(|server| server.copy(n)));
    }
    Ok(documents)
}

/// A Hardware with what belongs to it.
struct Server {
    parts: Vec<Document>,
}

impl Server {
    fn hardware(&self) -> &Value {
        self.parts.first().map_or(&Value::Null, |document| &document.object)
    }

    fn type_label(&self) -> &str {
        text(self.hardware(), "/metadata/labels/type")
    }

    /// The n-th server like this one: the same but for its name, its MAC and the address of its BMC.
    fn copy(&self, n: usize) -> impl Iterator<Item = Document> {
        let (old_name, old_mac) =
            (text(self.hardware(), "/metadata/name"), text(self.hardware(), "/spec/interfaces/0/dhcp/mac"));
        let name = format!("server-{n:03}");
        let mac = fixtures::mac(u32::try_from(n).unwrap_or(u32::MAX));
        self.parts.iter().map(move |part| {
            let mut part = part.clone();
            replace(&mut part.object, &|text| text.replace(old_name, &name).replace(old_mac, &mac));
            set(&mut part.object, "/spec/connection/host", json!(bmc_host(n)));
            part
        })
    }
}

/// Where the BMC of the n-th server is: in the documented network, and in one of its own when that is full.
fn bmc_host(n: usize) -> String {
    const A_NETWORK: usize = 250;
    match (n / A_NETWORK, n % A_NETWORK + 1) {
        (0, host) => format!("10.0.10.{host}"),
        (network, host) => format!("10.1.{network}.{host}"),
    }
}

/// The documented pool, in the form of the provider, with room enough.
fn pool(documented: Value, size: Size, provider: Provider) -> Value {
    let is_small = size.control_plane + size.workers <= SMALL_POOL;
    let (range, prefix) = match text(&documented, "/spec/addresses/0").split_once('-') {
        Some((first, last)) if is_small => ((first.to_owned(), last.to_owned()), documented.pointer("/spec/prefix")),
        _ => (("10.0.1.0".to_owned(), "10.0.255.254".to_owned()), None),
    };
    let prefix = prefix.cloned().unwrap_or_else(|| json!(16));
    let (first, last) = range;
    let mut pool = documented;
    match provider {
        Provider::InCluster => {
            set(&mut pool, "/spec/addresses", json!([format!("{first}-{last}")]));
            set(&mut pool, "/spec/prefix", prefix);
            pool
        }
        Provider::Metal3 => json!({
            "apiVersion": "ipam.metal3.io/v1alpha1",
            "kind": "IPPool",
            "metadata": pool.get("metadata"),
            "spec": {
                "namePrefix": text(&pool, "/metadata/name"),
                "prefix": prefix,
                "gateway": text(&pool, "/spec/gateway"),
                "pools": [{ "start": first, "end": last }],
            },
        }),
    }
}

/// Sets what is there already.
fn set(object: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = object.pointer_mut(pointer) {
        *place = value;
    }
}

/// Puts every text of an object through a function.
fn replace(object: &mut Value, with: &impl Fn(&str) -> String) {
    match object {
        Value::String(text) => *text = with(text),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, with)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, with)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn size(control_plane: usize, workers: usize, hardware: usize) -> Size {
        Size { control_plane, workers, hardware }
    }

    #[test]
    fn in_its_documented_size_the_example_is_the_document() {
        let built = example(size(1, 2, 4), Provider::InCluster).unwrap();
        let documented = parse(FILE, COMPLETE_CLUSTER).unwrap();
        assert_eq!(built.len(), documented.len());
        for document in &documented {
            // The document's MACs are the generated ones.
            let same = built.iter().find(|b| b.kind() == document.kind() && b.key() == document.key());
            let same = same.unwrap_or_else(|| panic!("{} is not built", document.describe())).object.clone();
            assert_eq!(same, document.object, "{}", document.describe());
        }
    }

    #[test]
    fn every_server_has_a_mac_and_a_bmc_of_its_own() {
        let built = example(size(3, 1000, 1100), Provider::InCluster).unwrap();
        let of_kind = |kind: &'static str| built.iter().filter(move |document| document.kind() == kind);
        let macs: BTreeSet<_> = of_kind("Hardware").map(|h| text(&h.object, "/spec/interfaces/0/dhcp/mac")).collect();
        assert_eq!(macs.len(), 1100);
        let bmcs: BTreeSet<_> = of_kind("Machine").map(|bmc| bmc.key().name).collect();
        assert!(of_kind("Hardware").all(|h| bmcs.contains(text(&h.object, "/spec/bmcRef/name"))));
        assert_eq!(bmcs.len(), 1100);
        let hosts: BTreeSet<_> = of_kind("Machine").map(|bmc| text(&bmc.object, "/spec/connection/host")).collect();
        assert_eq!(hosts.len(), 1100);
        let type_of = |wanted: &'static str| {
            of_kind("Hardware").filter(move |h| text(&h.object, "/metadata/labels/type") == wanted).count()
        };
        assert_eq!((type_of("controlplane"), type_of("worker")), (3, 1097));
        let pool = &of_kind("InClusterIPPool").next().unwrap().object;
        assert_eq!(pool["spec"]["addresses"], json!(["10.0.1.0-10.0.255.254"]));
        assert_eq!(pool["spec"]["prefix"], json!(16));
    }

    #[test]
    fn with_metal3_the_pool_and_all_references_to_it_are_of_that_kind() {
        let built = example(size(1, 1, 2), Provider::Metal3).unwrap();
        assert!(built.iter().all(|document| document.kind() != "InClusterIPPool"));
        let templates: Vec<_> = built.iter().filter(|d| d.kind() == "TinkerbellMachineTemplate").collect();
        assert_eq!(templates.len(), 2);
        for template in templates {
            let reference = &template.object["spec"]["template"]["spec"]["ipamPoolRef"];
            assert_eq!(*reference, json!({"apiGroup": "ipam.metal3.io", "kind": "IPPool", "name": "production-pool"}));
        }
    }
}
