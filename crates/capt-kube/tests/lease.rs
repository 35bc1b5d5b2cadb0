//! The leader election: never two leaders, whatever the network does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use capt_kube::clock::TokioClock;
use capt_kube::lease::{Candidate, Election, LeaderState, Lost, NAME};
use http_body_util::BodyExt;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use memory_apiserver::{Fault, MemoryApiServer, Stopped};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;

const PROMISE: Duration = Duration::from_secs(15);
/// The longest time between two attempts of a candidate that stands by.
const PAUSE: Duration = Duration::from_millis(4400);

fn election(name: &str) -> Election {
    Election { identity: name.into(), ..Election::new("default") }
}

fn candidate(server: &MemoryApiServer, name: &str) -> Candidate {
    Candidate::start(server.client(name), election(name), TokioClock::new()).unwrap()
}

async fn leads(candidate: &Candidate, within: Duration) -> Instant {
    let mut standing = candidate.standing();
    timeout(within, standing.wait_for(|now| now.leading)).await.expect("does not lead in time").unwrap();
    Instant::now()
}

fn leads_now(candidate: &Candidate) -> bool {
    candidate.standing().borrow().leading
}

fn spec(server: &MemoryApiServer) -> LeaseSpec {
    let lease = server.get("coordination.k8s.io", "leases", Some("default"), NAME).unwrap();
    serde_json::from_value(lease["spec"].clone()).unwrap()
}

/// When a holder last wrote the Lease, kept up to date.
fn last_write(server: &MemoryApiServer, user: &'static str) -> Arc<Mutex<Instant>> {
    let last = Arc::new(Mutex::new(Instant::now()));
    let at = last.clone();
    server.journal().on_write(move |write| {
        if write.is_lease() && &*write.user == user {
            *at.lock() = Instant::now();
        }
    });
    last
}

#[tokio::test(start_paused = true)]
async fn a_dead_leader_is_succeeded_after_its_time_and_not_before() {
    let server = MemoryApiServer::new();
    let mut a = candidate(&server, "a");
    leads(&a, Duration::from_secs(1)).await;
    let last = last_write(&server, "a");
    let b = candidate(&server, "b");
    sleep(Duration::from_secs(60)).await;
    assert!(leads_now(&a) && !leads_now(&b));
    assert_eq!(b.standing().borrow().holder, "a");

    server.faults().stop_after("a", 0, Stopped::Hang, false);
    let (ended, taken) = tokio::join!(
        async {
            let lost = a.lost().await;
            assert_eq!(lost, Lost::Expired);
            Instant::now()
        },
        leads(&b, Duration::from_secs(60)),
    );
    let last = *last.lock();
    assert!(taken - last >= PROMISE, "{:?}", taken - last);
    assert!(taken - last <= PROMISE + PAUSE * 2, "{:?}", taken - last);
    assert!(ended - last <= Duration::from_secs(10) && ended < taken, "{:?}", ended - last);
    let spec = spec(&server);
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("b"), Some(1)));
    assert_eq!(spec.lease_duration_seconds, Some(15));
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_once() {
    let server = MemoryApiServer::new();
    let a = candidate(&server, "a");
    leads(&a, Duration::from_secs(1)).await;
    let b = candidate(&server, "b");
    sleep(Duration::from_secs(30)).await;
    let before = spec(&server);
    a.release().await;
    let released = spec(&server);
    assert_eq!(released.holder_identity.as_deref(), Some(""));
    assert_eq!((released.lease_duration_seconds, released.lease_transitions), (Some(1), before.lease_transitions));
    assert!(!leads_now(&b));
    leads(&b, PAUSE).await;
    assert_eq!(spec(&server).lease_transitions, Some(1));
}

#[tokio::test(start_paused = true)]
async fn one_who_never_led_releases_nothing() {
    let server = MemoryApiServer::new();
    let a = candidate(&server, "a");
    leads(&a, Duration::from_secs(1)).await;
    let b = candidate(&server, "b");
    sleep(Duration::from_secs(30)).await;
    b.release().await;
    assert_eq!(server.journal().count(Some("b"), None), 0);
    assert!(leads_now(&a));
}

/// A Go replica on a machine whose clock is wrong.
async fn renew(leases: &Api<Lease>, wall: Timestamp) {
    let spec = LeaseSpec {
        holder_identity: Some("go_1".into()),
        lease_duration_seconds: Some(15),
        renew_time: Some(MicroTime(wall)),
        acquire_time: Some(MicroTime(wall)),
        lease_transitions: Some(7),
        ..LeaseSpec::default()
    };
    let metadata = ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() };
    match leases.get_opt(NAME).await.unwrap() {
        Some(lease) => leases.replace(NAME, &PostParams::default(), &Lease { spec: Some(spec), ..lease }).await,
        None => leases.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await,
    }
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_neither_loses_nor_keeps_the_lead() {
    for start in ["2001-01-01T00:00:00Z", "2199-01-01T00:00:00Z"] {
        let start: Timestamp = start.parse().unwrap();
        let server = MemoryApiServer::new();
        let leases: Api<Lease> = Api::default_namespaced(server.client("go"));
        renew(&leases, start).await;
        let rust = candidate(&server, "rust");
        for step in 1..60 {
            sleep(Duration::from_secs(2)).await;
            assert!(!leads_now(&rust), "taken from a living holder");
            renew(&leases, start + jiff::SignedDuration::from_secs(2 * step)).await;
        }
        let last = Instant::now();
        let taken = leads(&rust, PROMISE + PAUSE * 2).await;
        assert!(taken - last >= PROMISE, "{:?}", taken - last);
        assert_eq!(spec(&server).lease_transitions, Some(8));
    }
}

#[tokio::test(start_paused = true)]
async fn another_holder_in_the_lease_ends_the_lead() {
    let server = MemoryApiServer::new();
    let mut a = candidate(&server, "a");
    leads(&a, Duration::from_secs(1)).await;
    sleep(Duration::from_secs(30)).await;
    renew(&Api::default_namespaced(server.client("go")), Timestamp::now()).await;
    let lost = timeout(Duration::from_secs(3), a.lost()).await.expect("leads on");
    assert_eq!(lost, Lost::Taken("go_1".into()));
    assert!(!leads_now(&a));
    assert_eq!(spec(&server).holder_identity.as_deref(), Some("go_1"));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_goes_back_to_its_holder() {
    let server = MemoryApiServer::new();
    let (a, leases) = (candidate(&server, "a"), Api::<Lease>::default_namespaced(server.client("hand")));
    leads(&a, Duration::from_secs(1)).await;
    let rest: Vec<_> = ["b", "c", "d"].map(|name| candidate(&server, name)).into();
    for _ in 0..20 {
        sleep(Duration::from_millis(7300)).await;
        leases.delete(NAME, &DeleteParams::default()).await.unwrap();
        sleep(Duration::from_secs(3)).await;
        assert!(leads_now(&a) && !rest.iter().any(leads_now));
        assert_eq!(spec(&server).holder_identity.as_deref(), Some("a"));
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_and_lost_answers_do_not_end_a_lead_that_can_be_renewed() {
    let server = MemoryApiServer::new();
    let a = candidate(&server, "a");
    leads(&a, Duration::from_secs(1)).await;
    let faults = [
        Fault::conflict(),
        Fault::status(500, "InternalError", "no"),
        Fault::too_many_requests(1),
        Fault::connection_error_before(),
        Fault::connection_error_after(),
        Fault::timeout_after(),
    ];
    for fault in faults {
        let id = server.faults().inject(fault.clone().user("a").verb("update").resource("leases"));
        sleep(Duration::from_secs(20)).await;
        assert_eq!(server.faults().hits(id), 1);
        assert!(leads_now(&a), "{fault:?}");
    }
    assert_eq!(spec(&server).lease_transitions, Some(0));
}

/// How the network treats one request.
#[derive(Clone, Copy, Default)]
struct Treatment {
    before: Duration,
    after: Duration,
    lost_before: bool,
    lost_after: bool,
}

/// A client whose requests are treated as told. A request goes on by itself when nobody waits for it any longer.
fn treated(server: &MemoryApiServer, user: &str, how: impl Fn() -> Treatment + Clone + Send + 'static) -> kube::Client {
    let service = server.service(user);
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (service, how) = (service.clone(), how());
        let answer = tokio::spawn(async move {
            sleep(how.before).await;
            if how.lost_before {
                return Err::<_, tower::BoxError>("lost before".into());
            }
            let answer = service.oneshot(request).await?;
            sleep(how.after).await;
            if how.lost_after { Err("lost after".into()) } else { Ok(answer.map(BodyExt::boxed_unsync)) }
        });
        async move { answer.await? }
    });
    kube::Client::new(service, "default")
}

#[tokio::test(start_paused = true)]
async fn slow_answers_do_not_lengthen_a_lead() {
    let server = MemoryApiServer::new();
    let client = treated(&server, "a", || Treatment { after: Duration::from_millis(3500), ..Treatment::default() });
    let mut a = Candidate::start(client, election("a"), TokioClock::new()).unwrap();
    let last = last_write(&server, "a");
    leads(&a, Duration::from_secs(20)).await;
    sleep(Duration::from_secs(30)).await;
    assert!(leads_now(&a));
    server.faults().stop_after("a", 1, Stopped::Error, false);
    a.lost().await;
    let held = last.lock().elapsed();
    assert!(held <= Duration::from_secs(10), "{held:?} of the {PROMISE:?} that others wait");
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn treatment(&mut self, bad: u64) -> Treatment {
        let trouble = |dice: &mut Self| dice.below(100) < bad;
        let delay = |dice: &mut Self| Duration::from_millis(if trouble(dice) { dice.below(12_000) } else { 5 });
        let (before, after) = (delay(self), delay(self));
        Treatment { before, after, lost_before: trouble(self), lost_after: trouble(self) }
    }
}

/// Whoever believes to lead, by name, and how often somebody began to.
#[derive(Default)]
struct Leaders {
    now: Vec<String>,
    terms: usize,
}

async fn tell(leaders: Arc<Mutex<Leaders>>, name: String, mut standing: watch::Receiver<LeaderState>) {
    loop {
        let leading = standing.borrow_and_update().leading;
        {
            let mut leaders = leaders.lock();
            let known = leaders.now.contains(&name);
            leaders.now.retain(|leader| *leader != name);
            if leading {
                leaders.terms += usize::from(!known);
                leaders.now.push(name.clone());
                assert_eq!(leaders.now.len(), 1, "{:?} lead", leaders.now);
            }
        }
        if standing.changed().await.is_err() {
            leaders.lock().now.retain(|leader| *leader != name);
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_never_lead_whatever_the_network_does() {
    let mut terms = 0;
    for seed in 0..12_u64 {
        let server = MemoryApiServer::new();
        let leaders = Arc::<Mutex<Leaders>>::default();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..3 {
            let (server, leaders) = (server.clone(), leaders.clone());
            // Good and bad times take turns, for each candidate on its own.
            let dice = Arc::new(Mutex::new(Dice(seed * 31 + number)));
            tasks.spawn(async move {
                for life in 0.. {
                    let name = format!("{number}-{life}");
                    let how = {
                        let (dice, began) = (dice.clone(), Instant::now());
                        move || {
                            let bad = if (began.elapsed().as_secs() / 40 + number).is_multiple_of(3) { 60 } else { 3 };
                            dice.lock().treatment(bad)
                        }
                    };
                    let client = treated(&server, &name, how);
                    let mut candidate = Candidate::start(client, election(&name), TokioClock::new()).unwrap();
                    let teller = tokio::spawn(tell(leaders.clone(), name, candidate.standing()));
                    let stay = Duration::from_millis(20_000 + dice.lock().below(200_000));
                    match timeout(stay, candidate.lost()).await {
                        Ok(_) => drop(candidate),
                        // Some leave in order, some do not.
                        Err(_) if life % 2 == 0 => candidate.release().await,
                        Err(_) => drop(candidate),
                    }
                    teller.await.unwrap();
                }
            });
        }
        let ended = timeout(Duration::from_secs(1500), tasks.join_next()).await;
        assert!(ended.is_err(), "seed {seed}: {ended:?}");
        terms += leaders.lock().terms;
    }
    println!("{terms} terms of office");
    assert!(terms > 150, "{terms} terms only: the test tests nothing");
}
