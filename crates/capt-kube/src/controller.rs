//! Workers that take keys from a queue and reconcile them.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use capt_api::meta::ObjectKey;
use capt_reconciler::cluster::ClusterReconciler;
use capt_reconciler::machine::MachineReconciler;
use capt_reconciler::outcome::{Interest, Outcome};
use capt_reconciler::ports::{Api, Clock, Stores};
use futures::FutureExt;
use tokio::task::JoinSet;

use crate::queue::Finish;
use crate::wake::Controller;

/// What a worker does with a key.
pub trait Reconcile: Send + Sync + 'static {
    /// Takes one object as far as it gets.
    fn reconcile(&self, key: &ObjectKey) -> impl Future<Output = Outcome> + Send;
}

impl<P: Stores + Api + Clock + 'static> Reconcile for MachineReconciler<P> {
    fn reconcile(&self, key: &ObjectKey) -> impl Future<Output = Outcome> + Send {
        MachineReconciler::reconcile(self, key)
    }
}

impl<P: Stores + Api + Clock + 'static> Reconcile for ClusterReconciler<P> {
    fn reconcile(&self, key: &ObjectKey) -> impl Future<Output = Outcome> + Send {
        ClusterReconciler::reconcile(self, key)
    }
}

/// Works on a queue until it is closed; then lets the work under way come to its end.
///
/// # Errors
/// When a worker dies.
pub async fn run<R: Reconcile>(
    controller: impl Fn(&crate::wake::Wake) -> &Controller + Copy + Send + Sync + 'static,
    wake: Arc<crate::wake::Wake>,
    reconciler: Arc<R>,
    workers: usize,
) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..workers.max(1) {
        let (wake, reconciler) = (wake.clone(), reconciler.clone());
        tasks.spawn(async move {
            let controller = controller(&wake);
            while let Some(key) = controller.queue.next().await {
                controller.begin(&key);
                let (interest, how) = work(&*reconciler, &key).await;
                controller.finish(&key, interest, how);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(())
}

async fn work<R: Reconcile>(reconciler: &R, key: &ObjectKey) -> (Interest, Finish) {
    // A fault in the work on one object must not end the work on all others.
    match AssertUnwindSafe(reconciler.reconcile(key)).catch_unwind().await {
        Ok(Outcome::Settled { requeue, interest }) => (interest, Finish::Settled(requeue)),
        Ok(Outcome::Retry(_)) => (Interest::default(), Finish::Retry),
        Err(_) => {
            tracing::error!(object = %key, "a fault of ours; tried again later");
            (Interest::default(), Finish::Retry)
        }
    }
}
