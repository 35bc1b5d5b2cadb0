//! Workers that take keys from a queue and reconcile them.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use capt_api::conditions::Reason;
use capt_api::meta::ObjectKey;
use capt_reconciler::cluster::ClusterReconciler;
use capt_reconciler::machine::MachineReconciler;
use capt_reconciler::outcome::{Interest, Outcome};
use capt_reconciler::ports::{Clock, Stores, Writer};
use futures::FutureExt;
use tokio::task::JoinSet;
use tracing::{Instrument, Span};

use super::{Controller, Finish, Wake};
use crate::metrics::Ended;

/// What a worker does with a key.
pub trait Reconcile: Send + Sync + 'static {
    /// Takes one object as far as it gets.
    fn reconcile(&self, key: &ObjectKey) -> impl Future<Output = Outcome> + Send;
}

impl<P: Stores + Writer + Clock + 'static> Reconcile for MachineReconciler<P> {
    fn reconcile(&self, key: &ObjectKey) -> impl Future<Output = Outcome> + Send {
        MachineReconciler::reconcile(self, key)
    }
}

impl<P: Stores + Writer + Clock + 'static> Reconcile for ClusterReconciler<P> {
    fn reconcile(&self, key: &ObjectKey) -> impl Future<Output = Outcome> + Send {
        ClusterReconciler::reconcile(self, key)
    }
}

/// Works on a queue until it is closed; then lets the work under way come to its end.
///
/// # Errors
/// When a worker dies.
pub async fn run<R: Reconcile>(
    controller: impl Fn(&Wake) -> &Controller + Copy + Send + Sync + 'static,
    wake: Arc<Wake>,
    reconciler: Arc<R>,
    workers: usize,
) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    controller(&wake).reconciles.workers(workers.max(1));
    for _ in 0..workers.max(1) {
        let (wake, reconciler) = (wake.clone(), reconciler.clone());
        tasks.spawn(async move {
            let controller = controller(&wake);
            while let Some(key) = controller.queue.next().await {
                controller.begin(&key);
                let (interest, how) = work(controller, &*reconciler, &key).await;
                controller.finish(&key, interest, how);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(())
}

/// What each line of the log says about the reconcile that wrote it. Of the gravest level, so that no filter by level takes
/// the names off a warning.
fn span(controller: &'static str, key: &ObjectKey) -> Span {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let reconcile_id = COUNT.fetch_add(1, Ordering::Relaxed);
    tracing::error_span!("reconcile", controller, namespace = key.namespace, name = key.name, reconcile_id)
}

async fn work<R: Reconcile>(controller: &Controller, reconciler: &R, key: &ObjectKey) -> (Interest, Finish) {
    let running = controller.reconciles.begin();
    let span = span(controller.name, key);
    let reconcile = reconciler.reconcile(key).instrument(span.clone());
    // A fault in the work on one object must not end the work on all others.
    match AssertUnwindSafe(reconcile).catch_unwind().await {
        Ok(Outcome::Settled { requeue, interest, waiting }) => {
            tracing::debug!(parent: &span, ?requeue, waiting = waiting.map(|waiting| waiting.reason.as_str()), "reconciled");
            let releases = waiting.filter(|waiting| waiting.releases);
            controller.release_waits.told(key, releases.map(|waiting| waiting.reason));
            running.end(match waiting {
                Some(waiting) if waiting.reason == Reason::WriteRejected => Ended::Refused,
                _ if requeue.is_some() => Ended::Requeued,
                _ => Ended::Settled,
            });
            (*interest, Finish::Settled(requeue))
        }
        Ok(Outcome::Retry(error)) => {
            tracing::debug!(parent: &span, %error, "reconcile failed, retrying");
            controller.failed(key, error.to_string());
            running.end(Ended::Failed);
            (Interest::default(), Finish::Retry)
        }
        Err(_) => {
            let _entered = span.enter();
            tracing::error!("reconcile panicked, retrying");
            controller.failed(key, "reconcile panicked; the log has the details".to_owned());
            running.end(Ended::Panicked);
            (Interest::default(), Finish::Retry)
        }
    }
}
