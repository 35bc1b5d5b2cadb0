//! Who may look: the API server says whom a bearer token belongs to (TokenReview) and whether he may (SubjectAccessReview on
//! the path), as for the endpoints of Cluster API's managers.

use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, StatusCode, header};
use ahash::AHashMap;
use anyhow::Context;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::warn;

use crate::http::{self, Answer};

/// How long a yes is believed.
pub const ALLOWED_FOR: Duration = Duration::from_secs(60);
/// How long a no is believed.
pub const REFUSED_FOR: Duration = Duration::from_secs(10);
/// Longest token that is asked about; Kubernetes' own have about 1,000 bytes.
const LONGEST_TOKEN: usize = 6 * 1024;
/// Answers that are remembered.
const REMEMBERED: usize = 256;
/// Questions to the API server at once, however many ask us.
const QUESTIONS: usize = 4;

/// Asks the API server about callers.
pub struct Guard {
    reviews: Api<TokenReview>,
    accesses: Api<SubjectAccessReview>,
    answers: Mutex<AHashMap<Asked, (Access, Instant)>>,
    places: Semaphore,
}

/// A question. Of the token only its digest is kept.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Asked {
    token: [u8; 32],
    verb: String,
    path: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Access {
    Allowed,
    /// The API server knows no such token.
    Unknown,
    /// It knows the user, and he may not.
    Forbidden(Arc<str>),
}

impl Guard {
    /// A guard that asks through this client. Its user needs `create` on tokenreviews and subjectaccessreviews.
    pub fn new(client: Client) -> Self {
        Self {
            reviews: Api::all(client.clone()),
            accesses: Api::all(client),
            answers: Mutex::default(),
            places: Semaphore::new(QUESTIONS),
        }
    }

    /// What to answer in place of what is asked for; nothing where the request may pass.
    pub(super) async fn refusal<B>(&self, request: &Request<B>) -> Option<Answer> {
        let unknown = || Some(http::text(StatusCode::UNAUTHORIZED, "a valid bearer token is wanted\n"));
        let Some(token) = bearer(request) else {
            return unknown();
        };
        // The verb of the request, as Kubernetes has it for paths that are no resources.
        let verb = request.method().as_str().to_lowercase();
        let path = request.uri().path();
        match self.look_up(token, &verb, path).await {
            Ok(Access::Allowed) => None,
            Ok(Access::Unknown) => unknown(),
            Ok(Access::Forbidden(user)) => {
                Some(http::text(StatusCode::FORBIDDEN, format!("{user} may not {verb} {path}\n")))
            }
            Err(error) => {
                warn!(
                    error = format!("{error:#}"),
                    "TokenReview or SubjectAccessReview for the diagnostics server failed"
                );
                Some(http::text(StatusCode::INTERNAL_SERVER_ERROR, "the API server does not tell who may see this\n"))
            }
        }
    }

    async fn look_up(&self, token: &str, verb: &str, path: &str) -> anyhow::Result<Access> {
        let mut asked = Asked { token: [0; 32], verb: verb.to_owned(), path: path.to_owned() };
        asked.token.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if let Some(known) = self.known(&asked) {
            return Ok(known);
        }
        let _place = self.places.acquire().await.context("closed")?;
        // Somebody may have asked the same while we waited.
        if let Some(known) = self.known(&asked) {
            return Ok(known);
        }
        let access = self.ask(token, verb, path).await?;
        self.remember(asked, access.clone());
        Ok(access)
    }

    fn known(&self, asked: &Asked) -> Option<Access> {
        let answers = self.answers.lock();
        let (access, until) = answers.get(asked)?;
        (*until > Instant::now()).then(|| access.clone())
    }

    fn remember(&self, asked: Asked, access: Access) {
        let now = Instant::now();
        let until = now + if access == Access::Allowed { ALLOWED_FOR } else { REFUSED_FOR };
        let mut answers = self.answers.lock();
        if answers.len() >= REMEMBERED {
            answers.retain(|_, (_, until)| *until > now);
        }
        // Who sends many wrong tokens makes us forget those, and not the right one.
        if answers.len() >= REMEMBERED {
            answers.retain(|_, (access, _)| *access == Access::Allowed);
        }
        if answers.len() < REMEMBERED {
            answers.insert(asked, (access, until));
        }
    }

    async fn ask(&self, token: &str, verb: &str, path: &str) -> anyhow::Result<Access> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), ..TokenReviewSpec::default() };
        let review = TokenReview { spec, ..TokenReview::default() };
        let review = self.reviews.create(&PostParams::default(), &review).await.context("TokenReview")?;
        let status = review.status.unwrap_or_default();
        let user = match status.user {
            Some(user) if status.authenticated == Some(true) => user,
            _ => return Ok(Access::Unknown),
        };
        let name: Arc<str> = user.username.clone().unwrap_or_default().into();
        let review = SubjectAccessReview { spec: question(user, verb, path), ..SubjectAccessReview::default() };
        let review = self.accesses.create(&PostParams::default(), &review).await.context("SubjectAccessReview")?;
        let allowed = review.status.is_some_and(|status| status.allowed && status.denied != Some(true));
        Ok(if allowed { Access::Allowed } else { Access::Forbidden(name) })
    }
}

fn question(user: UserInfo, verb: &str, path: &str) -> SubjectAccessReviewSpec {
    SubjectAccessReviewSpec {
        user: user.username,
        groups: user.groups,
        uid: user.uid,
        extra: user.extra,
        non_resource_attributes: Some(NonResourceAttributes {
            path: Some(path.to_owned()),
            verb: Some(verb.to_owned()),
        }),
        ..SubjectAccessReviewSpec::default()
    }
}

fn bearer<B>(request: &Request<B>) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= LONGEST_TOKEN).then_some(token)
}

#[cfg(test)]
mod tests {
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    /// Knows the tokens `reader` and `stranger`; the former may get /metrics.
    async fn judge(review: &Value) -> (u16, Value) {
        let text = |pointer: &str| review.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let status = match (text("/kind"), text("/spec/token")) {
            ("TokenReview", "broken") => return (500, json!({"kind": "Status", "code": 500, "message": "no s3cret"})),
            ("TokenReview", user @ ("reader" | "stranger")) => {
                json!({"authenticated": true, "user": {"username": user, "groups": ["g"]}})
            }
            ("TokenReview", _) => json!({"authenticated": false}),
            _ => {
                let asked = &review["spec"];
                let wanted = json!({"path": "/metrics", "verb": "get"});
                json!({"allowed": asked["user"] == "reader" && asked["groups"] == json!(["g"])
                    && asked["nonResourceAttributes"] == wanted})
            }
        };
        let mut answer = review.clone();
        answer["status"] = status;
        (201, answer)
    }

    fn guard() -> (Guard, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let kept = kept.clone();
            async move {
                kept.lock().push(request.uri().path().rsplit('/').next().unwrap_or_default().to_owned());
                let body = request.into_body().collect_bytes().await.unwrap_or_default();
                let (status, answer) = judge(&serde_json::from_slice(&body).unwrap()).await;
                let response = ::http::Response::builder().status(status);
                response.body(Body::from(answer.to_string().into_bytes())).map_err(std::io::Error::other)
            }
        });
        (Guard::new(Client::new(service, "default")), asked)
    }

    async fn ask(guard: &Guard, method: &str, path: &str, authorization: &str) -> u16 {
        let request = Request::builder().method(method).uri(path);
        let request = if authorization.is_empty() { request } else { request.header("authorization", authorization) };
        guard.refusal(&request.body(()).unwrap()).await.map_or(200, |refusal| refusal.status().as_u16())
    }

    #[tokio::test]
    async fn whoever_is_not_known_or_not_allowed_stays_outside() {
        let (guard, asked) = guard();
        assert_eq!(ask(&guard, "GET", "/metrics", "").await, 401);
        for odd in ["Bearer", "Bearer ", "Basic reader", &format!("Bearer {}", "x".repeat(10_000))] {
            assert_eq!(ask(&guard, "GET", "/metrics", odd).await, 401, "{odd}");
        }
        assert!(asked.lock().is_empty(), "the API server is not asked about what is no token");
        assert_eq!(ask(&guard, "GET", "/metrics", "Bearer forged").await, 401);
        assert_eq!(ask(&guard, "GET", "/metrics", "bearer reader").await, 200);
        assert_eq!(ask(&guard, "GET", "/metrics?a=b", "Bearer reader").await, 200);
        for (method, path, token) in
            [("PUT", "/metrics", "reader"), ("GET", "/state", "reader"), ("GET", "/metrics", "stranger")]
        {
            assert_eq!(ask(&guard, method, path, &format!("Bearer {token}")).await, 403, "{method} {path} {token}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_remembered_for_a_while_and_no_longer() {
        let (guard, asked) = guard();
        let reader = async || ask(&guard, "GET", "/metrics", "Bearer reader").await;
        assert_eq!((reader().await, reader().await), (200, 200));
        assert_eq!(*asked.lock(), ["tokenreviews", "subjectaccessreviews"]);
        tokio::time::advance(ALLOWED_FOR).await;
        assert_eq!(reader().await, 200);
        assert_eq!(asked.lock().len(), 4, "a right that was taken away must be noticed");
        // Wrong tokens push no right one out.
        for number in 0..2 * REMEMBERED {
            assert_eq!(ask(&guard, "GET", "/metrics", &format!("Bearer forged-{number}")).await, 401);
        }
        let before = asked.lock().len();
        assert_eq!(reader().await, 200);
        assert_eq!(asked.lock().len(), before);
        assert!(guard.answers.lock().len() <= REMEMBERED);
    }

    #[tokio::test]
    async fn an_api_server_that_does_not_tell_lets_nobody_in_and_is_asked_again() {
        let (guard, asked) = guard();
        for tries in 1..=2 {
            assert_eq!(ask(&guard, "GET", "/metrics", "Bearer broken").await, 500);
            assert_eq!(asked.lock().len(), tries);
        }
    }
}
