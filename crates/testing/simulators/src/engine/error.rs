use std::future::Future;
use std::time::Duration;

use super::Kind;

/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a write or a reconcile did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server does not serve the kind (yet).
    #[error("{} is not served", .0.kind)]
    NotServed(&'static Kind),
    /// The server's answer, or none.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// The server did not answer; the request may have taken effect.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// Anything the stand-in itself cannot make sense of.
    #[error("{0}")]
    Other(String),
}

impl Error {
    fn status_code(&self) -> u16 {
        match self {
            Self::Kube(kube::Error::Api(status)) => status.code,
            _ => 0,
        }
    }

    /// The object is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.status_code() == 404
    }

    /// The server's own words, as Go prints them.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Kube(kube::Error::Api(status)) => status.message.clone(),
            other => other.to_string(),
        }
    }

    /// Whether the server answered, and refused.
    pub(crate) fn is_refusal(&self) -> bool {
        self.status_code() != 0
    }

    /// Somebody else was faster: a stale resourceVersion, or the name is taken.
    pub(crate) fn is_conflict(&self) -> bool {
        self.status_code() == 409
    }

    /// Whether it passes as soon as a watch catches up, and is no news.
    pub(crate) fn is_expected(&self) -> bool {
        matches!(self.status_code(), 404 | 409)
    }
}

/// The answer to a request, in time.
pub(crate) async fn answer<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::TimedOut(REQUEST_TIMEOUT)),
    }
}
