//! The work queue, on a clock that stands still unless told otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use capt_api::meta::ObjectKey;
use capt_kube::controller::{Finish, Queue};
use tokio::time::{Instant, timeout};

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("ns", name)
}

async fn nothing_is_ready(queue: &Queue) -> bool {
    timeout(Duration::from_millis(1), queue.next()).await.is_err()
}

/// The next key, and how long it took.
async fn next(queue: &Queue) -> (ObjectKey, Duration) {
    let began = Instant::now();
    (queue.next().await.unwrap(), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_key_added_twice_is_served_once() {
    let queue = Queue::new();
    queue.add(&key("a"));
    queue.add(&key("a"));
    assert_eq!(queue.next().await, Some(key("a")));
    queue.finish(&key("a"), Finish::Settled(None));
    assert!(nothing_is_ready(&queue).await);
    assert_eq!(queue.depth(), capt_kube::controller::Depth::default());
}

#[tokio::test(start_paused = true)]
async fn two_workers_never_have_the_same_key() {
    let queue = Queue::new();
    queue.add(&key("a"));
    assert_eq!(queue.next().await, Some(key("a")));
    queue.add(&key("a"));
    assert!(nothing_is_ready(&queue).await, "it is being worked on");
    queue.finish(&key("a"), Finish::Settled(None));
    assert_eq!(queue.next().await, Some(key("a")), "what came meanwhile is not forgotten");
}

#[tokio::test(start_paused = true)]
async fn keys_are_served_first_come_first_served() {
    let queue = Queue::new();
    for name in ["c", "a", "b", "a"] {
        queue.add(&key(name));
    }
    for name in ["c", "a", "b"] {
        assert_eq!(queue.next().await, Some(key(name)));
    }
}

/// Serves all that is ready, in order.
async fn drained(queue: &Queue) -> Vec<String> {
    let mut names = Vec::new();
    while queue.depth().ready > 0 {
        let key = queue.next().await.unwrap();
        names.push(key.name.clone());
        queue.finish(&key, Finish::Settled(None));
    }
    assert!(nothing_is_ready(queue).await);
    names
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_nearly_done_does_not_wait_behind_a_crowd_that_begins() {
    let queue = Queue::new();
    for name in ["a", "b", "c", "d"] {
        queue.add(&key(name));
    }
    queue.add_ahead(&key("c"));
    queue.add_ahead(&key("new"));
    // It keeps its place when it only changes.
    queue.add(&key("c"));
    assert_eq!(queue.depth().ready, 5);
    assert_eq!(drained(&queue).await, ["c", "new", "a", "b", "d"], "each once");
    assert_eq!(queue.depth(), capt_kube::controller::Depth::default());
}

#[tokio::test(start_paused = true)]
async fn what_comes_true_while_a_key_is_worked_on_brings_it_ahead_afterwards() {
    let queue = Queue::new();
    queue.add(&key("a"));
    next(&queue).await;
    queue.add(&key("b"));
    queue.add(&key("a"));
    queue.add_ahead(&key("a"));
    queue.finish(&key("a"), Finish::Settled(None));
    assert_eq!(drained(&queue).await, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_keys_that_go_ahead_starves_nobody() {
    let queue = Queue::new();
    queue.add(&key("patient"));
    queue.add_ahead(&key("0"));
    for turn in 1..=20 {
        let (served, _) = next(&queue).await;
        queue.add_ahead(&key(&turn.to_string()));
        queue.finish(&served, Finish::Settled(None));
        if served == key("patient") {
            return;
        }
    }
    panic!("20 keys came before it");
}

#[tokio::test(start_paused = true)]
async fn a_place_left_behind_is_not_served_when_its_key_comes_again() {
    let queue = Queue::new();
    queue.add(&key("a"));
    queue.add(&key("b"));
    queue.add_ahead(&key("a"));
    assert_eq!(next(&queue).await.0, key("a"));
    queue.add(&key("a"));
    assert!(queue.depth().ready == 1, "it is being worked on");
    assert_eq!(next(&queue).await.0, key("b"), "and is not handed out twice");
    queue.finish(&key("a"), Finish::Settled(None));
    queue.finish(&key("b"), Finish::Settled(None));
    assert_eq!(drained(&queue).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn failures_pause_longer_each_time_and_success_starts_over() {
    let queue = Queue::new();
    queue.add(&key("a"));
    let (_, mut waited) = next(&queue).await;
    for expected in [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000] {
        queue.finish(&key("a"), Finish::Retry);
        (_, waited) = next(&queue).await;
        let expected = Duration::from_millis(expected);
        assert!(waited >= expected.mul_f64(0.79) && waited <= expected.mul_f64(1.21), "{waited:?} for {expected:?}");
    }
    assert!(waited > Duration::from_secs(40));
    queue.finish(&key("a"), Finish::Settled(None));
    queue.add(&key("a"));
    next(&queue).await;
    queue.finish(&key("a"), Finish::Retry);
    assert!(next(&queue).await.1 < Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn an_event_wakes_a_pausing_key_at_once_and_does_not_lengthen_its_pauses() {
    let queue = Queue::new();
    queue.add(&key("a"));
    next(&queue).await;
    for _ in 0..20 {
        queue.finish(&key("a"), Finish::Retry);
        queue.add(&key("a"));
        assert_eq!(next(&queue).await.1, Duration::ZERO);
    }
    queue.finish(&key("a"), Finish::Retry);
    assert!(next(&queue).await.1 < Duration::from_millis(250), "only its own failures count");
}

#[tokio::test(start_paused = true)]
async fn a_settled_key_is_looked_at_again_when_it_said() {
    let queue = Queue::new();
    queue.add(&key("a"));
    next(&queue).await;
    queue.finish(&key("a"), Finish::Settled(Some(Duration::from_secs(30))));
    let (_, waited) = next(&queue).await;
    assert_eq!(waited.as_secs(), 30);
    // The work decides anew: an event before the time makes the old time void.
    queue.finish(&key("a"), Finish::Settled(Some(Duration::from_secs(30))));
    queue.add(&key("a"));
    next(&queue).await;
    queue.finish(&key("a"), Finish::Settled(None));
    assert!(timeout(Duration::from_secs(100), queue.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_earlier_of_two_timers_wins() {
    let queue = Queue::new();
    for (name, seconds) in [("late", 20), ("early", 10)] {
        queue.add(&key(name));
        next(&queue).await;
        queue.finish(&key(name), Finish::Settled(Some(Duration::from_secs(seconds))));
    }
    assert_eq!(next(&queue).await.0, key("early"));
    assert_eq!(next(&queue).await.0, key("late"));
}

#[tokio::test(start_paused = true)]
async fn a_timer_set_while_workers_wait_for_a_later_one_is_not_slept_through() {
    let queue = Arc::new(Queue::new());
    queue.add(&key("late"));
    next(&queue).await;
    queue.finish(&key("late"), Finish::Settled(Some(Duration::from_secs(1000))));
    queue.add(&key("early"));
    next(&queue).await;
    let worker = tokio::spawn({
        let queue = queue.clone();
        async move { next(&queue).await }
    });
    tokio::task::yield_now().await;
    queue.finish(&key("early"), Finish::Settled(Some(Duration::from_secs(5))));
    let (key_, waited) = worker.await.unwrap();
    assert_eq!((key_, waited.as_secs()), (key("early"), 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_serve_every_key_and_none_twice_at_once() {
    const KEYS: usize = 500;
    let queue = Arc::new(Queue::new());
    let busy = Arc::new((0..KEYS).map(|_| std::sync::atomic::AtomicBool::new(false)).collect::<Vec<_>>());
    let served = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let workers: Vec<_> = (0..16)
        .map(|_| {
            let (queue, busy, served) = (queue.clone(), busy.clone(), served.clone());
            tokio::spawn(async move {
                use std::sync::atomic::Ordering::SeqCst;
                while let Some(key) = queue.next().await {
                    let number: usize = key.name.parse().unwrap();
                    assert!(!busy[number].swap(true, SeqCst), "{key} is worked on twice");
                    tokio::task::yield_now().await;
                    busy[number].store(false, SeqCst);
                    served.fetch_add(1, SeqCst);
                    queue.finish(&key, Finish::Settled(None));
                }
            })
        })
        .collect();
    for round in 0..4 {
        for number in 0..KEYS {
            queue.add(&key(&((number * 7 + round) % KEYS).to_string()));
        }
        tokio::task::yield_now().await;
    }
    let idle = async {
        while queue.depth() != capt_kube::controller::Depth::default() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(10), idle).await.expect("some key was never served");
    queue.close();
    for worker in workers {
        timeout(Duration::from_secs(1), worker).await.expect("a worker does not stop").unwrap();
    }
    assert!(served.load(std::sync::atomic::Ordering::SeqCst) >= KEYS);
}
