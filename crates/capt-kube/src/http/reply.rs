//! Answers over HTTP, all of them in memory: of the servers for a few local readers and of the webhook server.

use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;

/// An answer, all of it in memory.
pub type Answer = Response<Full<Bytes>>;

/// Plain text.
pub const PLAIN: &str = "text/plain; charset=utf-8";

/// Whether the method asks for something and changes nothing.
pub fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// An answer in plain text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    content(status, PLAIN, body)
}

/// An answer of this content type.
pub fn content(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The answer for a path that leads nowhere.
pub fn not_found() -> Answer {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// The answer to a method that the path does not take; it names those it does.
pub fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed}\n"));
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}
