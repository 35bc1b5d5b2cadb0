//! A replica of Go CAPT and one of ours stand for the same Lease, as in a rolling update. Whoever dies or goes, the other
//! takes over, and never do both lead.

use std::time::Duration;

use anyhow::ensure;
use real_control_plane::audit::{Asked, Mark};

use crate::stage::checks::servers_are_released;
use crate::stage::machines::{all_ready, cluster, deployment, scale};
use crate::stage::objects::until;
use crate::stage::{CAPT_ACCOUNT, GO_CAPT, Stage, servers};
use capt_simulators::kinds::LEASE;

const CLUSTER_NAME: &str = "shared";
const DEPLOYMENT: &str = "workers";
const PATIENCE: Duration = Duration::from_secs(90);
/// The same for both; short, for nobody wants to wait until a dead leader's time is over.
const ELECTION: [&str; 5] = [
    "--leader-elect",
    "--leader-election-namespace=capt-system",
    "--leader-elect-lease-duration=5s",
    "--leader-elect-renew-deadline=4s",
    "--leader-elect-retry-period=1s",
];

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let _cluster_api = stage.cluster_api().await?;
    let _stand_ins = stage.simulators(Duration::from_millis(50)).await?;
    servers::make_with_addresses(&stage.objects, "worker", 0..5).await?;

    let mut go = stage.go_manager("go-capt", &ELECTION).await?;
    leads(stage, GO_CAPT).await?;
    let mut ours = stage.manager("capt-manager", &ELECTION).await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;
    deployment(&stage.objects, CLUSTER_NAME, DEPLOYMENT, 1, None).await?;
    all_ready(&stage.objects, 1, PATIENCE).await?;

    // The leader dies.
    go.kill().await?;
    leads(stage, CAPT_ACCOUNT).await?;
    let mut go = stage.go_manager("go-capt-again", &ELECTION).await?;
    scale(&stage.objects, DEPLOYMENT, 3).await?;
    all_ready(&stage.objects, 3, PATIENCE).await?;

    // The leader goes, and gives the Lease back.
    ours.stop().await?;
    leads(stage, GO_CAPT).await?;
    let mut ours = stage.manager("capt-manager-again", &ELECTION).await?;
    scale(&stage.objects, DEPLOYMENT, 1).await?;
    all_ready(&stage.objects, 1, PATIENCE).await?;
    servers_are_released(stage, 4).await?;

    // Go CAPT lets go as well when it is told to go.
    go.stop().await?;
    leads(stage, CAPT_ACCOUNT).await?;
    scale(&stage.objects, DEPLOYMENT, 0).await?;
    servers_are_released(stage, 5).await?;
    ours.must_run()?;

    let reigns = reigns(&stage.plane.audit().since(Mark::default())?)?;
    let wanted = [GO_CAPT, CAPT_ACCOUNT, GO_CAPT, CAPT_ACCOUNT];
    let led: Vec<&str> = reigns.iter().map(|reign| reign.who.as_str()).collect();
    ensure!(led == wanted, "these led: {led:?}, not {wanted:?}");
    for Reign { who, writes } in &reigns {
        ensure!(*writes > 0, "{who} led and wrote nothing: nothing is shown");
    }
    Ok(())
}

/// Waits until this user is the last one that has written the Lease.
async fn leads(stage: &Stage, who: &str) -> anyhow::Result<()> {
    until(&format!("{who} leads"), PATIENCE, async || {
        let asked = stage.plane.audit().since(Mark::default())?;
        let last = asked.iter().rev().find(|asked| is_lead(asked)).map(|asked| asked.user.clone());
        Ok(if last.as_deref() == Some(who) { Ok(()) } else { Err(format!("{last:?} does")) })
    })
    .await
}

/// Somebody's time as the leader.
#[derive(Debug)]
struct Reign {
    who: String,
    /// What was written in it.
    writes: usize,
}

/// Who led, one after the other.
///
/// # Errors
/// When one of the two wrote while the other led.
fn reigns(asked: &[Asked]) -> anyhow::Result<Vec<Reign>> {
    let mut asked: Vec<&Asked> = asked.iter().filter(|asked| [GO_CAPT, CAPT_ACCOUNT].contains(&&*asked.user)).collect();
    asked.sort_by(|a, b| a.received.cmp(&b.received));
    let mut reigns: Vec<Reign> = Vec::new();
    for asked in asked {
        if is_lead(asked) {
            if reigns.last().is_none_or(|reign| reign.who != asked.user) {
                reigns.push(Reign { who: asked.user.clone(), writes: 0 });
            }
        } else if asked.is_write() && !asked.resource.is_empty() && asked.resource != LEASE.plural {
            let what = format!("{} {} {}", asked.verb, asked.full_resource(), asked.name);
            match reigns.last_mut() {
                Some(reign) if reign.who == asked.user => reign.writes += 1,
                leader => anyhow::bail!("{} did {what} while the leader was {leader:?}", asked.user),
            }
        }
    }
    Ok(reigns)
}

/// A write to the Lease that the server took: whoever writes it leads, or has led and lets go.
fn is_lead(asked: &Asked) -> bool {
    asked.resource == LEASE.plural && asked.is_write() && asked.code < 300
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(user: &str, resource: &str, verb: &str, code: u16, received: &str) -> Asked {
        let (user, resource, verb) = (user.to_owned(), resource.to_owned(), verb.to_owned());
        Asked { user, resource, verb, code, received: received.to_owned(), ..Asked::default() }
    }

    #[test]
    fn a_write_of_the_one_who_does_not_lead_is_found() {
        let lease = |user, code, at| asked(user, "leases", "update", code, at);
        let peace = [
            lease(GO_CAPT, 200, "1"),
            lease(CAPT_ACCOUNT, 409, "2"),
            asked(GO_CAPT, "hardware", "patch", 200, "3"),
            lease(CAPT_ACCOUNT, 200, "4"),
            asked(CAPT_ACCOUNT, "hardware", "patch", 200, "5"),
        ];
        let led: Vec<_> = reigns(&peace).unwrap().into_iter().map(|reign| (reign.who, reign.writes)).collect();
        assert_eq!(led, [(GO_CAPT.to_owned(), 1), (CAPT_ACCOUNT.to_owned(), 1)]);
        let war = [&peace[..], &[asked(GO_CAPT, "workflows", "create", 201, "6")]].concat();
        let error = reigns(&war).unwrap_err();
        assert!(error.to_string().contains("go-capt did create workflows"), "{error}");
    }
}
