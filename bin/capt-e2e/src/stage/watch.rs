//! The observer of the sandbox on a real server: the rules with teeth, checked at every write that watches tell.

use std::time::Duration;

use anyhow::bail;
use capt_neighbours::bmc::Power;
use capt_sandbox::control_plane::MANAGER;
use capt_sandbox::observer::{Key, Observer};
use capt_sandbox::remote::{Following, follow};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::Stage;

/// How long events wait for earlier ones of other kinds. A server that restarts answers some watches later than others.
const PATIENCE: Duration = Duration::from_secs(6);

/// The observer at work.
pub struct Watch {
    observer: Observer,
    following: Following,
}

impl Stage {
    /// Checks the rules from now on.
    ///
    /// # Errors
    /// When the kinds cannot be watched.
    pub async fn observe(&self) -> anyhow::Result<Watch> {
        let observer = Observer::new(MANAGER);
        // Watches tell late, the power at once: it has to wait as long as they do, or it would be out of order.
        let (sender, mut changes) = unbounded_channel();
        self.power.on_change(move |change| {
            // Nobody listens any more once everything stops.
            let _ = sender.send((
                Instant::now() + PATIENCE,
                Key::new(change.namespace, change.name),
                change.power == Power::On,
            ));
        });
        let powered = observer.clone();
        tokio::spawn(async move {
            while let Some((due, bmc, on)) = changes.recv().await {
                tokio::time::sleep_until(due).await;
                powered.power(bmc, on);
            }
        });
        let seen = observer.clone();
        let following = follow(self.objects.client(), PATIENCE, move |write| seen.see(write)).await?;
        Ok(Watch { observer, following })
    }
}

impl Watch {
    /// Stops watching, once all that has happened was seen.
    ///
    /// # Errors
    /// When a rule was broken.
    pub async fn finish(self) -> anyhow::Result<()> {
        tokio::time::sleep(PATIENCE * 2).await;
        self.following.stop();
        let violations = self.observer.violations();
        if self.observer.writes() == 0 {
            bail!("the observer saw no write of {MANAGER}: it proves nothing");
        }
        if !violations.is_empty() {
            let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
            bail!("{} rules were broken:\n{}", told.len(), told.join("\n"));
        }
        Ok(())
    }
}
