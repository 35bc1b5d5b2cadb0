//! The kinds that we keep in memory. One row each holds all that is to be said of a kind: its place and index, whether we can
//! do without it, whose cluster it is in, and whom its changes concern. Watches, the wait for caches, diagnostics and
//! metrics follow.

use std::sync::Arc;

use capt_api::contract::CLUSTER_NAME_LABEL;
use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine};
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow};
use parking_lot::Mutex;

use super::kind_cache::{Cached, Home, KindCache, Need};
use super::{Cache, handlers};
use crate::controller::Fact;
use crate::owner::{cluster_of, owning_machine};
use crate::store::{Addresses, AddressesOf, Change, Grouped, HardwareIndex, MachineIndex};

/// Does something with every kind, whatever its type.
pub trait Visitor<'a> {
    /// Does it with one kind.
    fn kind<K: Cached>(&mut self, kind_cache: &'a KindCache<K>);
}

/// Makes [`Kinds`] and implements [`Cached`] from one row a kind: field and type; need and home; type of the index and how
/// it is made, given who uses which address; what a change leads to, and what it leads to that the kind comes or goes.
macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $field:ident: $kind:ty, $need:ident, $home:ident,
        index $index:ty = $made:expr,
        changed $changed:expr
        $(, comes_or_goes $fact:expr)?;
    )+) => {
        /// The objects of all kinds.
        pub struct Kinds {
            $( $(#[$doc])* pub $field: KindCache<$kind>, )+
        }

        impl Kinds {
            pub(super) fn new(addresses: &Arc<Mutex<Addresses>>) -> Self {
                Self { $( $field: KindCache::new(made(addresses, $made)), )+ }
            }

            /// Shows all kinds, in the order of the rows.
            pub fn visit<'a>(&'a self, visitor: &mut impl Visitor<'a>) {
                $( visitor.kind(&self.$field); )+
            }
        }

        $(
            impl Cached for $kind {
                type Index = $index;
                const NEED: Need = Need::$need;
                const HOME: Home = Home::$home;

                fn kind_cache(cache: &Cache) -> &KindCache<Self> {
                    &cache.kinds.$field
                }

                fn changed(cache: &Cache, change: &Change<Self>) {
                    ($changed)(cache, change);
                }

                $(fn presence_changed(cache: &Cache) {
                    cache.wake.publish($fact);
                })?
            }
        )+
    };
}

kinds! {
    /// TinkerbellMachines, by cluster, by the Hardware they name and by UID.
    tinkerbell_machines: TinkerbellMachine, Required, Management,
    index (Grouped<TinkerbellMachine, ObjectKey>, MachineIndex) =
        |_| (Grouped::by(labelled_cluster), MachineIndex::default()),
    changed handlers::infra_machine_changed;

    /// TinkerbellClusters, by cluster.
    tinkerbell_clusters: TinkerbellCluster, Required, Management,
    index (Grouped<TinkerbellCluster, ObjectKey>, AddressesOf) = |addresses| (Grouped::by(cluster_of), addresses),
    changed handlers::infra_cluster_changed;

    /// Machines, by cluster.
    machines: Machine, Required, Management,
    index Grouped<Machine, ObjectKey> = |_| {
        Grouped::by(|machine: &Machine| Some(ObjectKey::new(machine.namespace(), &machine.spec.cluster_name)))
    },
    changed handlers::machine_changed;

    /// Clusters.
    clusters: Cluster, Required, Management,
    index AddressesOf = |addresses| addresses,
    changed handlers::cluster_changed;

    /// Hardware, by owner, and free by label.
    hardware: Hardware, Required, Tinkerbell,
    index (HardwareIndex, AddressesOf) = |addresses| (HardwareIndex::default(), addresses),
    changed handlers::hardware_changed;

    /// Templates, by the machine they are for.
    templates: Template, Required, Tinkerbell,
    index Grouped<Template, ObjectKey> = |_| Grouped::by(owning_machine),
    changed handlers::template_changed;

    /// Workflows, by the machine they are for.
    workflows: Workflow, Required, Tinkerbell,
    index Grouped<Workflow, ObjectKey> = |_| Grouped::by(owning_machine),
    changed |cache: &Cache, change: &Change<Workflow>| {
        cache.metrics.workflow_changed(change);
        handlers::workflow_changed(cache, change);
    };

    /// BMC Jobs, by the machine they are for and by BMC.
    jobs: Job, Optional, Tinkerbell,
    index (Grouped<Job, ObjectKey>, Grouped<Job, ObjectKey>) =
        |_| (Grouped::by(owning_machine), Grouped::by(bmc_of)),
    changed handlers::job_changed,
    comes_or_goes Fact::BmcKinds;

    /// IPAddressClaims, by UID of their controller.
    claims: IPAddressClaim, Optional, Management,
    index Grouped<IPAddressClaim, String> = |_| {
        Grouped::by(|claim: &IPAddressClaim| Some(claim.controller()?.uid.clone()))
    },
    changed |cache: &Cache, change: &Change<IPAddressClaim>| {
        cache.metrics.claim_changed(change);
        handlers::claim_changed(cache, change);
    },
    comes_or_goes Fact::IpamKinds;

    /// IPAddresses.
    ip_addresses: IPAddress, Optional, Management,
    index () = |_| (),
    changed handlers::ip_address_changed,
    comes_or_goes Fact::IpamKinds;
}

fn made<I>(addresses: &Arc<Mutex<Addresses>>, index: impl FnOnce(AddressesOf) -> I) -> I {
    index(AddressesOf(addresses.clone()))
}

/// The Cluster that a TinkerbellMachine's label names.
fn labelled_cluster(machine: &TinkerbellMachine) -> Option<ObjectKey> {
    Some(ObjectKey::new(machine.namespace(), machine.label(CLUSTER_NAME_LABEL)?))
}

/// The BMC Machine that a Job is for.
fn bmc_of(job: &Job) -> Option<ObjectKey> {
    let reference = &job.spec.machine_ref;
    Some(ObjectKey::new(&reference.namespace, &reference.name))
}
