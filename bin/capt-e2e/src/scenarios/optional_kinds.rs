//! Kinds that CAPT can do without are missing when it starts, and appear later.

use std::time::Duration;

use crate::stage::kinds::DEFINITION;
use crate::stage::objects::until;
use crate::stage::{CAPT_ACCOUNT, Stage};

/// Definitions that are taken away, and what has to be watched once they are back.
const OPTIONAL: [(&str, &str); 3] = [
    ("ipaddressclaims.ipam.cluster.x-k8s.io", "ipaddressclaims"),
    ("ipaddresses.ipam.cluster.x-k8s.io", "ipaddresses"),
    ("jobs.bmc.tinkerbell.org", "jobs"),
];
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let definitions = stage.objects.cluster();
    for (definition, _) in OPTIONAL {
        definitions.delete(DEFINITION, definition).await?;
        until(&format!("{definition} is gone"), PATIENCE, async || {
            let found = definitions.find(DEFINITION, definition).await?;
            Ok(found.map_or(Ok(()), |_| Err("it is there".to_owned())))
        })
        .await?;
    }
    let mut manager = stage.manager("capt-manager", &[]).await?;
    watched(stage, "customresourcedefinitions").await?;
    stage.install().await?;
    for (_, resource) in OPTIONAL {
        watched(stage, resource).await?;
    }
    manager.must_run()
}

/// Waits until the manager watches a resource.
async fn watched(stage: &Stage, resource: &str) -> anyhow::Result<()> {
    until(&format!("{resource} are watched"), PATIENCE, async || {
        let asked = stage.plane.audit().since(real_control_plane::audit::Mark::default())?;
        let is_watch = asked.iter().any(|asked| {
            asked.user == CAPT_ACCOUNT && asked.resource == resource && asked.verb == "watch" && asked.code == 200
        });
        Ok(if is_watch { Ok(()) } else { Err("they are not".to_owned()) })
    })
    .await
}
