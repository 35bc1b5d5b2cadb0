//! What is kept from other writers while a write is under way.

use std::net::IpAddr;
use std::sync::Arc;

use capt_api::meta::ObjectKey;

use super::{Cache, handlers};
use crate::controller::Fact;

impl Cache {
    /// Takes Hardware out of the free ones while it is written. Nothing if another writer has it.
    pub fn hold_hardware(self: &Arc<Self>, key: &ObjectKey) -> Option<Held> {
        let got = self.kinds.hardware.store.index_mut(|(index, _)| index.hold(key));
        got.then(|| Held { cache: self.clone(), what: What::Hardware(key.clone()) })
    }

    /// Keeps an address for a Hardware while it is written.
    ///
    /// # Errors
    /// The Hardware that has the address or is about to get it.
    pub fn hold_address(self: &Arc<Self>, address: IpAddr, hardware: &ObjectKey) -> Result<Held, ObjectKey> {
        self.addresses.lock().hold(address, hardware)?;
        Ok(Held { cache: self.clone(), what: What::Address(address, hardware.clone()) })
    }
}

/// Something kept from other writers until this is dropped, however the write ends.
pub struct Held {
    cache: Arc<Cache>,
    what: What,
}

enum What {
    Hardware(ObjectKey),
    Address(IpAddr, ObjectKey),
}

impl Drop for Held {
    fn drop(&mut self) {
        match &self.what {
            What::Hardware(key) => {
                self.cache.kinds.hardware.store.index_mut(|(index, _)| index.release(key));
                handlers::publish_if_available(&self.cache, key);
            }
            What::Address(address, hardware) => {
                let unused = {
                    let mut addresses = self.cache.addresses.lock();
                    addresses.release(*address);
                    // As seen by nobody in particular: not even the Hardware it was meant for has it.
                    addresses.users(*address, &ObjectKey::new("", "")).is_empty()
                };
                if unused {
                    tracing::debug!(%address, %hardware, "reserved address was not written, released again");
                    self.cache.wake.publish(Fact::Address(*address));
                }
            }
        }
    }
}
