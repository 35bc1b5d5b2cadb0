//! Room for so many connections, and who makes room when there is none.
//!
//! A newcomer takes the place of the connection that is idle for longest, of the peer that has most of them. So nobody keeps
//! others out by holding connections open, and no call under way is cut short.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use ahash::AHashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The places of one server.
pub struct Places {
    most: usize,
    inner: Mutex<Inner>,
    freed: Notify,
}

#[derive(Default)]
struct Inner {
    next: u64,
    taken: AHashMap<u64, Arc<Taken>>,
}

struct Taken {
    peer: IpAddr,
    calls: AtomicUsize,
    idle_since: Mutex<Instant>,
    revoked: CancellationToken,
}

/// The place of one connection, until dropped.
pub struct Place {
    places: Arc<Places>,
    number: u64,
    taken: Arc<Taken>,
}

impl Places {
    /// Places for so many connections.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, inner: Mutex::default(), freed: Notify::new() })
    }

    /// A place for a connection of this peer. Waits only while every connection has a call under way.
    pub async fn take(self: &Arc<Self>, peer: IpAddr) -> Place {
        // An address of IPv4 is one peer, however it is written.
        let peer = peer.to_canonical();
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.try_take(peer) {
                return place;
            }
            freed.await;
        }
    }

    fn try_take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut inner = self.inner.lock();
        if inner.taken.len() >= self.most {
            let victim = longest_idle(&inner.taken)?;
            if let Some(taken) = inner.taken.remove(&victim) {
                taken.revoked.cancel();
            }
        }
        let number = inner.next;
        inner.next += 1;
        let taken = Arc::new(Taken {
            peer,
            calls: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
            revoked: CancellationToken::new(),
        });
        inner.taken.insert(number, taken.clone());
        Some(Place { places: self.clone(), number, taken })
    }
}

/// The connection to do without.
fn longest_idle(taken: &AHashMap<u64, Arc<Taken>>) -> Option<u64> {
    let mut by_peer: AHashMap<IpAddr, usize> = AHashMap::new();
    for connection in taken.values() {
        *by_peer.entry(connection.peer).or_default() += 1;
    }
    let idle = taken.iter().filter(|(_, connection)| connection.calls.load(SeqCst) == 0);
    let least = idle.min_by_key(|(number, connection)| {
        let of_peer = by_peer.get(&connection.peer).copied().unwrap_or_default();
        (std::cmp::Reverse(of_peer), *connection.idle_since.lock(), **number)
    });
    least.map(|(number, _)| *number)
}

impl Place {
    /// Returns when the place was given to another connection.
    pub async fn revoked(&self) {
        self.taken.revoked.cancelled().await;
    }

    /// What begins the calls of this connection.
    pub fn calls(&self) -> Calls {
        Calls(self.places.clone(), self.taken.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.inner.lock().taken.remove(&self.number);
        self.places.freed.notify_one();
    }
}

/// Begins calls on one connection.
#[derive(Clone)]
pub struct Calls(Arc<Places>, Arc<Taken>);

impl Calls {
    /// A call begins; it is over when this is dropped.
    pub fn begin(&self) -> CallUnderWay {
        self.1.calls.fetch_add(1, SeqCst);
        CallUnderWay { places: self.0.clone(), taken: self.1.clone() }
    }
}

/// A call under way.
pub struct CallUnderWay {
    places: Arc<Places>,
    taken: Arc<Taken>,
}

impl Drop for CallUnderWay {
    fn drop(&mut self) {
        let taken = &self.taken;
        *taken.idle_since.lock() = Instant::now();
        if taken.calls.fetch_sub(1, SeqCst) == 1 {
            // Whoever waits may have this place now.
            self.places.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    async fn is_revoked(place: &Place) -> bool {
        tokio::time::timeout(Duration::from_millis(1), place.revoked()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_holds_most_connections_makes_room_for_others() {
        let places = Places::new(4);
        let honest = places.take(peer(1)).await;
        let mut crowd = Vec::new();
        for _ in 0..3 {
            crowd.push(places.take(peer(2)).await);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let newcomer = places.take(peer(3)).await;
        assert!(is_revoked(&crowd[0]).await, "the crowd's oldest");
        assert!(!is_revoked(&honest).await && !is_revoked(&newcomer).await, "idle for longest, but one of few");
        assert!(!is_revoked(&crowd[1]).await && !is_revoked(&crowd[2]).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_under_way_is_not_cut_short() {
        let places = Places::new(1);
        let busy = places.take(peer(1)).await;
        let call = busy.calls().begin();
        let mut waits = std::pin::pin!(places.take(peer(2)));
        assert!(waits.as_mut().now_or_never().is_none(), "there is no room");
        assert!(!is_revoked(&busy).await);
        drop(call);
        let _place = tokio::time::timeout(Duration::from_secs(1), waits).await.unwrap();
        assert!(is_revoked(&busy).await, "idle now");
    }

    #[tokio::test]
    async fn a_connection_that_ends_leaves_its_place() {
        let places = Places::new(1);
        drop(places.take(peer(1)).await);
        assert!(places.take(peer(2)).now_or_never().is_some());
    }
}
