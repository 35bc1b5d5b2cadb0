//! Many machines at once: Hardware is never shared, a lost race is quiet, and who waits goes on when it can.

use std::time::Duration;

use crate::lab::{Lab, MANAGER};

#[tokio::test(start_paused = true)]
async fn two_machines_never_share_one_hardware_and_the_second_gets_it_after_the_first() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("a").await;
    lab.machine("b").await;
    lab.until("one of them is provisioned", Duration::from_secs(60), |lab| lab.provisioned().len() == 1).await;
    let (winner, loser) = if lab.provisioned() == ["a"] { ("a", "b") } else { ("b", "a") };
    lab.until_condition(loser, "HardwareReserved", "False", "NoHardwareAvailable").await;
    lab.delete_machine(winner).await;
    lab.until_provisioned(loser).await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn fifty_machines_for_forty_hardware_all_get_there_when_ten_more_appear() {
    let mut lab = Lab::new().await;
    lab.hardware(40).await;
    lab.start_manager().await;
    for i in 0..50 {
        lab.machine(&format!("m{i:02}")).await;
    }
    lab.until("forty are provisioned", Duration::from_secs(120), |lab| lab.provisioned().len() == 40).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(lab.provisioned().len(), 40);
    let waiting = lab.with_condition("HardwareReserved", "False", "NoHardwareAvailable");
    assert_eq!(waiting.len(), 10, "the right reason within ten seconds");
    lab.hardware_range(40..50).await;
    let reads = lab.server.journal().count_requests(Some(MANAGER), Some("get"), Some("secrets"));
    assert!(reads <= 110, "{reads} looks at bootstrap data for 40 machines that got Hardware");
    let begin = tokio::time::Instant::now();
    lab.until("all hold Hardware", Duration::from_secs(120), |lab| lab.reserved_hardware() == 50).await;
    assert!(begin.elapsed() <= Duration::from_secs(2), "they went on after {:?}", begin.elapsed());
    lab.until("fifty are provisioned", Duration::from_secs(120), |lab| lab.provisioned().len() == 50).await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn machines_that_start_together_lose_next_to_no_race() {
    let mut lab = Lab::new().await;
    lab.hardware(150).await;
    lab.start_manager().await;
    for i in 0..120 {
        lab.machine(&format!("m{i:03}")).await;
    }
    lab.until("all are provisioned", Duration::from_secs(300), |lab| lab.provisioned().len() == 120).await;
    let conflicts = lab.refused_writes(MANAGER);
    assert!(conflicts <= 6, "{conflicts} writes of the manager were refused");
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn two_managers_at_once_never_break_a_rule() {
    // Without leader election two replicas are a mistake of the operator; preconditions still protect the servers.
    let mut lab = Lab::new().await;
    lab.hardware(12).await;
    lab.start_manager().await;
    lab.start_second_manager().await;
    for i in 0..10 {
        lab.machine(&format!("m{i}")).await;
    }
    lab.until("all are provisioned", Duration::from_secs(300), |lab| lab.provisioned().len() == 10).await;
    for i in 0..10 {
        lab.delete_machine(&format!("m{i}")).await;
    }
    lab.until("all are released", Duration::from_secs(300), |lab| lab.claims() == 0 && lab.reserved_hardware() == 0)
        .await;
    lab.no_violations();
}
