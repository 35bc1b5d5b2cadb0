//! One request to an API server.

use kube::api::GetParams;
use kube::core::Request;
use kube::{Client, Error};
use tokio::time::timeout;

use crate::client::RESPONSE_TIMEOUT;
use crate::errors;

/// Under this name the server files what we write.
pub(crate) const FIELD_MANAGER: &str = "capt-manager";

/// A server's answer to a read of one object.
pub(crate) enum Read {
    Found(String),
    Missing,
}

/// Reads one object.
pub(crate) async fn read(client: &Client, path: &str, name: &str) -> Result<Read, Error> {
    let request = Request::new(path).get(name, &GetParams::default()).map_err(Error::BuildRequest)?;
    match send(client, request).await {
        Ok(text) => Ok(Read::Found(text)),
        Err(Error::Api(status)) if errors::is_missing(&status, name) => Ok(Read::Missing),
        Err(error) => Err(error),
    }
}

/// One request, headers and body within the time limit. The text is decoded by us: the client's own decoding logs what
/// it cannot read, and that may be a secret.
pub(crate) async fn send(client: &Client, request: http::Request<Vec<u8>>) -> Result<String, Error> {
    match timeout(RESPONSE_TIMEOUT, client.request_text(request)).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::Service("the server did not answer in time".into())),
    }
}

/// Whether a text can be an object's name, and cannot lead a URL elsewhere.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    !text.is_empty() && text.len() <= 253 && text.bytes().all(allowed) && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_name_cannot_lead_the_request_elsewhere() {
        for bad in ["", "a/b", "..", "a?b", "A", "a%2fb"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_name("cluster-1.bootstrap"));
    }
}
