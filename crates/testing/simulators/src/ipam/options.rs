use std::time::Duration;

/// Which provider the stand-in is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// `InClusterIPPool` and `GlobalInClusterIPPool`; frees an address as soon as its claim is being deleted, whatever
    /// other finalizers the claim has. Nutanix and Infoblox do the same.
    #[default]
    InCluster,
    /// Metal3's `IPPool`; frees an address only when its own finalizer is the last one on the claim.
    Metal3,
}

/// The shape of conditions on claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionShape {
    /// The older one, with `severity`.
    V1Beta1,
    /// `metav1.Condition`.
    V1Beta2,
}

/// What this provider does differently from a plain one.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which provider it is.
    pub family: Family,
    /// No IPAddress gets a gateway (Nutanix).
    pub no_gateway: bool,
    /// The `Ready` condition on claims: none (in-cluster), or in this shape. The Metal3 family always has one, by
    /// default in the shape of the claims' version.
    pub conditions: Option<ConditionShape>,
    /// Waits this long before it answers a claim.
    pub delay: Duration,
    /// Keeps an address this long after its claim's deletion (`addressReuseGracePeriodSeconds`).
    pub reuse_grace: Duration,
    /// Never touches a claim.
    pub never_answers: bool,
    /// Names IPAddresses `<pool>-<address>` and not like their claims. Metal3 always does, with its own prefix.
    pub address_named_unlike_claim: bool,
    /// A claim that met an empty pool is never looked at again (Metal3, its issue 1537).
    pub stuck_after_exhaustion: bool,
    /// Answers every claim whose pool has the right name, of whatever group and kind (Metal3).
    pub answers_to_pool_name: bool,
    /// Gives every claim the first address of the pool.
    pub same_address_twice: bool,
    /// Shortest time between two writes of one pool's status.
    pub status_interval: Duration,
    /// How many claims are worked on at once. The in-cluster provider has one worker.
    pub workers: usize,
    /// The time at the start, from where it goes on with tokio's clock; the wall clock's without.
    pub start_time: Option<jiff::Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            family: Family::InCluster,
            no_gateway: false,
            conditions: None,
            delay: Duration::ZERO,
            reuse_grace: Duration::ZERO,
            never_answers: false,
            address_named_unlike_claim: false,
            stuck_after_exhaustion: false,
            answers_to_pool_name: false,
            same_address_twice: false,
            status_interval: Duration::from_millis(50),
            workers: 8,
            start_time: None,
        }
    }
}

impl Options {
    /// A plain provider of a family.
    pub fn of(family: Family) -> Self {
        Self { family, ..Self::default() }
    }
}
