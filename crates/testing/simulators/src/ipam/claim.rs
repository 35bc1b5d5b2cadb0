//! A claim gets its address.

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ApiResource;
use serde_json::{Value, json};

use crate::engine::{Error, Key, Next, Object, Reconcile, controller_reference, is_paused, kinds, owner_reference};

use super::conditions::{Verdict, ready_patch};
use super::ledger::{PoolKey, holder};
use super::options::{ConditionShape, Family};
use super::plan::{Lease, Plan};
use super::{Provider, shared};

const CLUSTER_NAME_LABEL: &str = "cluster.x-k8s.io/cluster-name";

pub(super) struct Claims(pub(super) Arc<Provider>);

impl Reconcile for Claims {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let provider = &self.0;
        let Some(claim) = provider.claims.get(key) else {
            return Ok(Next::Wait);
        };
        let Some(pool_key) = provider.shared.pool_of_claim(&claim) else {
            return Ok(Next::Wait);
        };
        if provider.shared.is_down() || is_paused(&claim) || !provider.cluster_allows(&claim) {
            return Ok(Next::Wait);
        }
        let pool = provider.pools(pool_key.kind).and_then(|pools| pools.get(&pool_key.key));
        if pool.as_ref().is_some_and(|pool| is_paused(pool)) {
            return Ok(Next::Wait);
        }
        if claim.is_terminating() {
            return provider.release(&claim, &pool_key, pool.as_deref()).await;
        }
        let claim = provider.protect(claim).await?;
        match pool {
            Some(pool) if !pool.is_terminating() => provider.answer(&claim, &pool_key, &pool).await,
            _ => Ok(Next::Wait),
        }
    }
}

impl Provider {
    /// A claim that names a Cluster waits for it to exist, unless it is being deleted, and to be unpaused.
    fn cluster_allows(&self, claim: &Object) -> bool {
        let Some(cluster) = shared::cluster_of(claim) else {
            return true;
        };
        match self.clusters.get(&cluster) {
            Some(cluster) => !is_paused(&cluster),
            None => claim.is_terminating(),
        }
    }

    async fn protect(&self, claim: Arc<Object>) -> Result<Arc<Object>, Error> {
        if claim.has_finalizer(self.finalizers.claim) {
            return Ok(claim);
        }
        let patch = claim.add_finalizer(self.finalizers.claim);
        self.claims.patch(&claim.key(), &patch).await
    }

    async fn answer(&self, claim: &Object, pool_key: &PoolKey, pool: &Object) -> Result<Next, Error> {
        let left = self.shared.timers.time_left(claim.uid(), "delay", self.shared.options.delay);
        if !left.is_zero() {
            return Ok(Next::After(left));
        }
        if let Some(address) = self.address_of(claim, pool_key) {
            return self.adopt(claim, pool_key, pool, &address).await;
        }
        let plan = match self.plan(pool) {
            Ok(plan) => plan,
            Err(problem) => {
                tracing::debug!(pool = %pool.key(), problem, "pool makes no sense");
                let verdict = Verdict { problem: Some("AllocationFailed"), message: &problem };
                return self.refuse(claim, verdict).await;
            }
        };
        let options = &self.shared.options;
        let gave_up = options.stuck_after_exhaustion && self.was_refused(claim);
        let lease = if gave_up {
            None
        } else {
            self.shared.wait_for(pool_key, &claim.key());
            self.shared.ledger.lock().pick(pool_key, &claim.key(), &plan, options.same_address_twice)
        };
        let Some(lease) = lease else {
            let message = format!("pool {} has no free address", pool.key());
            let verdict = Verdict { problem: Some("PoolExhausted"), message: &message };
            return self.refuse(claim, verdict).await;
        };
        self.shared.stop_waiting(pool_key, &claim.key());
        let body = self.address_body(claim, pool_key, pool, &plan, lease)?;
        let address = self.addresses.create(body).await?;
        self.fulfil(claim, address.name()).await
    }

    /// The IPAddress of a claim in this pool, whatever its name.
    pub(super) fn address_of(&self, claim: &Object, pool: &PoolKey) -> Option<Arc<Object>> {
        let is_ours = |address: &Object| {
            holder(address) == claim.key() && self.shared.pool_of_address(address).as_ref() == Some(pool)
        };
        let reference = claim.status_text("/addressRef/name");
        let by_name = [claim.name(), reference]
            .into_iter()
            .filter(|name| !name.is_empty())
            .find_map(|name| self.addresses.get(&Key::new(claim.namespace(), name)))
            .filter(|address| is_ours(address));
        // Found by name in nearly all cases; the scan is for one whose name did not reach the claim.
        by_name.or_else(|| match (self.names_like_claim(), reference.is_empty()) {
            (false, true) => self.addresses.select(is_ours).pop(),
            _ => None,
        })
    }

    /// Takes an IPAddress that is there already; it may lack what we put on one.
    async fn adopt(&self, claim: &Object, pool_key: &PoolKey, pool: &Object, address: &Object) -> Result<Next, Error> {
        if address.is_terminating() {
            return Ok(Next::Wait);
        }
        let lacks_owner = !address.is_owned_by(claim.uid());
        let lacks_finalizer = self.finalizers.address.is_some_and(|f| !address.has_finalizer(f));
        if lacks_owner || lacks_finalizer {
            let mut finalizers = address.finalizers().to_vec();
            if let (true, Some(finalizer)) = (lacks_finalizer, self.finalizers.address) {
                finalizers.push(finalizer.to_owned());
            }
            let mut owners = address.owners().to_vec();
            if lacks_owner {
                // An owner of the same name is this claim before a restore or a re-creation.
                owners.retain(|owner| owner.kind != kinds::CLAIM.kind && owner.kind != pool_key.kind);
                owners.extend(self.owners(claim, pool_key, pool)?);
            }
            let metadata = json!({
                "resourceVersion": address.resource_version(), "finalizers": finalizers, "ownerReferences": owners,
            });
            self.addresses.patch(&address.key(), &json!({ "metadata": metadata })).await?;
        }
        self.fulfil(claim, address.name()).await
    }

    async fn fulfil(&self, claim: &Object, address: &str) -> Result<Next, Error> {
        let verdict = Verdict { problem: None, message: "" };
        let mut status = self.condition(claim, verdict).unwrap_or_else(|| json!({}));
        if claim.status_text("/addressRef/name") != address
            && let Some(status) = status.as_object_mut()
        {
            status.insert("addressRef".to_owned(), json!({ "name": address }));
        }
        if status.as_object().is_some_and(|status| !status.is_empty()) {
            self.claims.patch_status(&claim.key(), &json!({ "status": status })).await?;
        }
        Ok(Next::Wait)
    }

    async fn refuse(&self, claim: &Object, verdict: Verdict<'_>) -> Result<Next, Error> {
        if let Some(status) = self.condition(claim, verdict) {
            self.claims.patch_status(&claim.key(), &json!({ "status": status })).await?;
        }
        Ok(Next::Wait)
    }

    fn was_refused(&self, claim: &Object) -> bool {
        claim
            .condition("Ready")
            .is_some_and(|ready| ready.get("reason").and_then(Value::as_str) == Some("PoolExhausted"))
    }

    fn condition(&self, claim: &Object, verdict: Verdict<'_>) -> Option<Value> {
        let v1beta2 = self.claims.is_version("v1beta2");
        let own_shape = if v1beta2 { ConditionShape::V1Beta2 } else { ConditionShape::V1Beta1 };
        let shape = match (self.shared.options.conditions, self.shared.options.family) {
            (Some(shape), _) => shape,
            (None, Family::Metal3) => own_shape,
            (None, Family::InCluster) => return None,
        };
        ready_patch(claim, v1beta2, shape, verdict, &self.clock.timestamp())
    }

    pub(super) fn plan(&self, pool: &Object) -> Result<Plan, String> {
        match self.shared.options.family {
            Family::InCluster => Plan::in_cluster(&pool.spec),
            Family::Metal3 => Plan::metal3(&pool.spec),
        }
    }

    fn names_like_claim(&self) -> bool {
        self.shared.options.family == Family::InCluster && !self.shared.options.address_named_unlike_claim
    }

    fn pool_resource(&self, pool: &PoolKey) -> Result<&ApiResource, Error> {
        let pools = self.pools(pool.kind).ok_or_else(|| Error::Other("unknown pool kind".to_owned()))?;
        pools.resource()
    }

    fn owners(&self, claim: &Object, pool_key: &PoolKey, pool: &Object) -> Result<[OwnerReference; 2], Error> {
        let of_claim = controller_reference(claim, self.claims.resource()?);
        let of_pool = owner_reference(pool, self.pool_resource(pool_key)?);
        Ok([of_claim, of_pool])
    }

    fn address_body(
        &self,
        claim: &Object,
        pool_key: &PoolKey,
        pool: &Object,
        plan: &Plan,
        lease: Lease,
    ) -> Result<Value, Error> {
        let name = match (self.names_like_claim(), plan.name_prefix.as_str()) {
            (true, _) => claim.name().to_owned(),
            (false, "") => format!("{}-{}", pool.name(), dashed(lease.address)),
            (false, prefix) => format!("{prefix}-{}", dashed(lease.address)),
        };
        let labels = claim.label(CLUSTER_NAME_LABEL).map(|cluster| json!({ CLUSTER_NAME_LABEL: cluster }));
        let resource = self.pool_resource(pool_key)?;
        let mut spec = json!({
            "claimRef": { "name": claim.name() },
            "poolRef": { "apiGroup": resource.group, "kind": resource.kind, "name": pool.name() },
            "address": lease.address,
            "prefix": lease.prefix,
        });
        if let (Some(gateway), false, Some(map)) = (lease.gateway, self.shared.options.no_gateway, spec.as_object_mut())
        {
            map.insert("gateway".to_owned(), json!(gateway));
        }
        Ok(json!({
            "metadata": {
                "name": name,
                "namespace": claim.namespace(),
                "labels": labels,
                "finalizers": Vec::from_iter(self.finalizers.address),
                "ownerReferences": self.owners(claim, pool_key, pool)?,
            },
            "spec": spec,
        }))
    }
}

/// An address as part of a name: `10-0-0-5`, `fd00--1`.
fn dashed(address: IpAddr) -> String {
    address.to_string().replace(['.', ':'], "-")
}
