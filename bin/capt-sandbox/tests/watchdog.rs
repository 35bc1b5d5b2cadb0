//! A program that hangs is ended, although no timer of its runtime fires any more.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn a_runtime_whose_threads_are_all_blocked_is_noticed_within_its_patience() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (sender, receiver) = channel();
    runtime.spawn(async move {
        capt_sandbox::watchdog::watch(Duration::from_millis(10), Duration::from_secs(2), move || {
            sender.send(()).unwrap()
        });
        tokio::time::sleep(Duration::from_secs(3)).await;
        std::thread::sleep(Duration::from_secs(20));
    });
    assert!(receiver.recv_timeout(Duration::from_millis(2500)).is_err(), "it lives as long as its beats come");
    receiver.recv_timeout(Duration::from_secs(10)).unwrap();
    runtime.shutdown_background();
}
