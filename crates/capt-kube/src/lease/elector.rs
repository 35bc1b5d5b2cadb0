//! The election itself.

use std::time::Duration;

use capt_reconciler::ports::Clock;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::record::{held, holder, promised, released};
use super::{Election, LeaderState, Lost};
use crate::chance;
use crate::clock::TokioClock;

pub(super) struct Elector {
    leases: Api<Lease>,
    election: Election,
    clock: TokioClock,
    seen: Option<Seen>,
    standing: watch::Sender<LeaderState>,
}

/// The Lease as we last saw it.
struct Seen {
    lease: Lease,
    /// Since when we see this record.
    since: Instant,
}

/// What an attempt came to.
enum Attempt {
    /// We hold the Lease since a request that was sent then.
    Held(Instant),
    /// Another one holds it.
    Elsewhere,
    /// Somebody else wrote at the same time.
    Raced,
}

impl Elector {
    pub(super) fn new(
        client: Client,
        election: Election,
        clock: TokioClock,
        standing: watch::Sender<LeaderState>,
    ) -> Self {
        let leases = Api::namespaced(client, &election.namespace);
        Self { leases, election, clock, seen: None, standing }
    }

    /// Takes part until told to leave, or until the lead is lost.
    pub(super) async fn run(mut self, release: CancellationToken) -> Result<(), Lost> {
        let Some(mut valid_until) = self.stand_by(&release).await else {
            return Ok(());
        };
        info!(lease = self.election.name, identity = self.election.identity, "became leader");
        self.tell(true);
        let lost = loop {
            let next = Instant::now() + self.pause(0.2);
            tokio::select! {
                biased;
                () = sleep_until(next.min(valid_until)) => {}
                () = release.cancelled() => {
                    self.tell(false);
                    self.hand_back().await;
                    return Ok(());
                }
            }
            match self.attempt_before(valid_until).await {
                Some(Attempt::Held(since)) => valid_until = since + self.election.renew_deadline,
                Some(Attempt::Elsewhere) => break Lost::Taken(self.holder().to_owned()),
                Some(Attempt::Raced) | None => {}
            }
            if Instant::now() >= valid_until {
                break Lost::Expired;
            }
        };
        self.tell(false);
        Err(lost)
    }

    /// Tries until we hold the Lease; then says how long it may be trusted.
    async fn stand_by(&mut self, release: &CancellationToken) -> Option<Instant> {
        loop {
            // A request under way is never cut off: it might succeed, and nobody would know.
            if let Some(Attempt::Held(since)) = self.attempt_before(Instant::now() + self.election.renew_deadline).await
            {
                return Some(since + self.election.renew_deadline);
            }
            self.tell(false);
            // Jitter as the Go client's: candidates that began together do not go on together.
            let next = Instant::now() + self.pause(1.2);
            tokio::select! {
                biased;
                () = sleep_until(next) => {}
                () = release.cancelled() => return None,
            }
        }
    }

    /// One attempt, with an end to it; nothing if it failed.
    async fn attempt_before(&mut self, end: Instant) -> Option<Attempt> {
        match timeout_at(end, self.attempt()).await {
            Ok(Ok(attempt)) => Some(attempt),
            Ok(Err(error)) => {
                warn!(lease = self.election.name, %error, "failed to get or renew the Lease");
                None
            }
            Err(_) => {
                warn!(lease = self.election.name, "request for the Lease timed out");
                None
            }
        }
    }

    async fn attempt(&mut self) -> kube::Result<Attempt> {
        // What a leader wrote last is still there, unless something is wrong.
        let leading = self.standing.borrow().leading;
        if leading
            && let Some(lease) = self.seen.as_ref().map(|seen| seen.lease.clone())
            && let Some(sent) = self.write(lease).await?
        {
            return Ok(Attempt::Held(sent));
        }
        let found = self.ask(self.leases.get_opt(&self.election.name)).await?;
        let exists = found.is_some();
        if let Some(lease) = found {
            self.see(lease);
        }
        if self.is_held_by_another() {
            return Ok(Attempt::Elsewhere);
        }
        let lease = match self.seen.as_ref().map(|seen| seen.lease.clone()) {
            Some(lease) if exists => lease,
            // There is none, or none any more: its history goes on.
            gone => Lease {
                metadata: ObjectMeta { name: Some(self.election.name.clone()), ..ObjectMeta::default() },
                spec: gone.and_then(|lease| lease.spec),
            },
        };
        Ok(self.write(lease).await?.map_or(Attempt::Raced, Attempt::Held))
    }

    /// Makes us the holder if the Lease still is what we saw, and then says when the request was sent.
    async fn write(&mut self, lease: Lease) -> kube::Result<Option<Instant>> {
        let lease = held(lease, &self.election, self.clock.now());
        let exists = lease.metadata.resource_version.is_some();
        let sent = Instant::now();
        let written = if exists {
            self.ask(self.leases.replace(&self.election.name, &PostParams::default(), &lease)).await
        } else {
            self.ask(self.leases.create(&PostParams::default(), &lease)).await
        };
        match written {
            Ok(lease) => {
                self.see(lease);
                Ok(Some(sent))
            }
            // Changed, created or deleted by somebody else meanwhile.
            Err(kube::Error::Api(status)) if status.code == 409 || (exists && status.code == 404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn see(&mut self, lease: Lease) {
        let since = match &self.seen {
            Some(seen) if seen.lease.spec == lease.spec => seen.since,
            _ => Instant::now(),
        };
        self.seen = Some(Seen { lease, since });
    }

    /// Whether somebody else may trust in its lead. A Lease that was deleted is no release: its holder does not know
    /// of it yet.
    fn is_held_by_another(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| {
            let holder = holder(&seen.lease);
            !holder.is_empty()
                && holder != self.election.identity
                && seen.since.elapsed() <= promised(&seen.lease, &self.election)
        })
    }

    /// Gives the Lease back.
    async fn hand_back(&mut self) {
        let Some(seen) = self.seen.take() else {
            return;
        };
        let lease = released(seen.lease, self.clock.now());
        match self.ask(self.leases.replace(&self.election.name, &PostParams::default(), &lease)).await {
            Ok(_) => info!(lease = self.election.name, "released the Lease"),
            Err(error) => warn!(lease = self.election.name, %error, "failed to release the Lease, it will expire"),
        }
    }

    /// A request that is given up early enough for another one before the lead is lost.
    async fn ask<T>(&self, request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
        let patience = self.election.renew_deadline / 2;
        timeout(patience, request).await.unwrap_or_else(|_| Err(kube::Error::Service("no answer in time".into())))
    }

    fn holder(&self) -> &str {
        self.seen.as_ref().map(|seen| holder(&seen.lease)).unwrap_or_default()
    }

    fn tell(&self, leading: bool) {
        let now = LeaderState { leading, holder: self.holder().to_owned() };
        self.standing.send_if_modified(|standing| {
            let changed = *standing != now;
            *standing = now;
            changed
        });
    }

    /// The retry period and up to the given part of it more.
    fn pause(&self, jitter: f64) -> Duration {
        let random =
            f64::from(u32::try_from(chance::fresh().hash_one("lease") >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        self.election.retry_period.mul_f64(1.0 + jitter * random)
    }
}
