use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one stand-in; stopping drops them all at their next await.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Tasks {
    /// Tasks that also end when `parent` is cancelled.
    pub(crate) fn under(parent: &CancellationToken) -> Self {
        Self { token: parent.child_token(), tracker: TaskTracker::new() }
    }

    /// Runs a future until it ends or the stand-in is stopped.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let token = self.token.clone();
        self.tracker.spawn(async move {
            token.run_until_cancelled(future).await;
        });
    }

    /// Stops everything and waits until it has stopped.
    pub(crate) async fn stop(&self) {
        self.token.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
