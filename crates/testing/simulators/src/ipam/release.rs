//! A claim that is being deleted gives its address back.

use std::time::Duration;

use crate::engine::{Error, Next, Object};

use super::Provider;
use super::ledger::PoolKey;
use super::options::Family;

impl Provider {
    pub(super) async fn release(
        &self,
        claim: &Object,
        pool_key: &PoolKey,
        pool: Option<&Object>,
    ) -> Result<Next, Error> {
        let mine = self.finalizers.claim;
        let foreign_hold = claim.finalizers().iter().any(|finalizer| finalizer != mine);
        if self.shared.options.family == Family::Metal3 && foreign_hold {
            return Ok(Next::Wait);
        }
        // Where the pool goes too there is nobody to keep the address from.
        let grace = match pool {
            Some(pool) if !pool.is_terminating() => self.shared.options.reuse_grace,
            _ => Duration::ZERO,
        };
        let left = self.shared.timers.time_left(claim.uid(), "grace", grace);
        if !left.is_zero() {
            return Ok(Next::After(left));
        }
        if let Some(address) = self.address_of(claim, pool_key) {
            self.remove_address(&address).await?;
        }
        if claim.has_finalizer(mine) {
            self.claims.patch(&claim.key(), &claim.remove_finalizer(mine)).await?;
        }
        Ok(Next::Wait)
    }

    async fn remove_address(&self, address: &Object) -> Result<(), Error> {
        if let Some(finalizer) = self.finalizers.address.filter(|f| address.has_finalizer(f)) {
            let patch = address.remove_finalizer(finalizer);
            match self.addresses.patch(&address.key(), &patch).await {
                Ok(rest) if rest.is_gone() => return Ok(()),
                Ok(_) => {}
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.addresses.delete(address).await
    }
}
