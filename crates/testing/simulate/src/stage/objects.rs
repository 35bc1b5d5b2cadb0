//! The objects that persons and Cluster API make.

use capt_simulators::fixtures;
use serde_json::{Value, json};

use crate::plan::{Boot, MachinePlan, ServerPlan, World};

/// Name of the Cluster, its TinkerbellCluster and the pool of a namespace.
pub(super) const CLUSTER: &str = "c";

/// First three numbers of the addresses of a namespace's pool.
pub(super) fn net(namespace: &str) -> &'static str {
    if namespace.ends_with('a') { "10.1.1" } else { "10.2.2" }
}

/// What a namespace with machines has before they come.
pub(super) fn tenant(world: &World, namespace: &str) -> Vec<Value> {
    let net = net(namespace);
    let last = 99 + u32::from(world.addresses);
    let range = (&*format!("{net}.100"), &*format!("{net}.{last}"));
    let pool = fixtures::pool_spec(world.family, range, &format!("{net}.1"));
    vec![
        fixtures::cluster(namespace, CLUSTER),
        fixtures::tinkerbell_cluster(namespace, CLUSTER, &format!("{net}.50")),
        fixtures::object(fixtures::pool_kind(world.family), namespace, CLUSTER, Some(CLUSTER), &pool),
    ]
}

pub(super) fn bmc(server: &ServerPlan) -> Value {
    fixtures::bmc_machine(server.namespace, &bmc_name(server))
}

pub(super) fn bmc_name(server: &ServerPlan) -> String {
    format!("bmc-{}", server.name)
}

pub(super) fn hardware(server: &ServerPlan) -> Value {
    let bmc = server.bmc.then(|| bmc_name(server));
    let labels = [("type".to_owned(), "worker".to_owned())].into();
    let mac = fixtures::mac(u32::from(server.number));
    let mut hardware = fixtures::hardware(server.namespace, &server.name, &mac, &labels, bmc.as_deref());
    if let Some(dhcp) = hardware.pointer_mut("/spec/interfaces/0/dhcp").filter(|_| server.manual)
        && let Some(dhcp) = dhcp.as_object_mut()
    {
        let address = format!("192.168.7.{}", 10 + server.number);
        dhcp.insert("ip".to_owned(), json!({"address": address, "netmask": "255.255.255.0"}));
    }
    hardware
}

pub(super) fn secret(machine: &MachinePlan) -> Value {
    fixtures::bootstrap(machine.namespace, &machine.name)
}

pub(super) fn secret_name(machine: &MachinePlan) -> String {
    fixtures::bootstrap_name(&machine.name)
}

pub(super) fn owner(machine: &MachinePlan) -> Value {
    fixtures::machine(machine.namespace, &machine.name, CLUSTER)
}

pub(super) fn machine(world: &World, machine: &MachinePlan, owner: &str) -> Value {
    let mut spec = serde_json::Map::new();
    if machine.pool {
        spec.insert("ipamPoolRef".to_owned(), fixtures::reference(fixtures::pool_kind(world.family), CLUSTER));
    }
    if let Some(boot) = boot(machine.boot) {
        spec.insert("bootOptions".to_owned(), boot);
    }
    fixtures::tinkerbell_machine(machine.namespace, &machine.name, CLUSTER, owner, &spec.into())
}

fn boot(boot: Boot) -> Option<Value> {
    match boot {
        Boot::Button => None,
        Boot::Netboot => Some(json!({"bootMode": "netboot"})),
        Boot::Iso => Some(json!({"bootMode": "isoboot", "isoURL": "http://192.0.2.2:7171/iso/hook.iso"})),
        Boot::Custom => Some(json!({"bootMode": "customboot", "custombootConfig": {
            "preparingActions": [{"powerAction": "off"}, {"bootDevice": {"device": "pxe", "efiBoot": true}},
                {"powerAction": "on"}],
            "postActions": [{"powerAction": "cycle"}]}})),
    }
}
