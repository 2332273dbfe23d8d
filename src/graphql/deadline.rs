//! A deadline that counts while there is work, and not while work is waited for.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Until when the work under way must be done.
pub struct Deadline(watch::Sender<Option<Instant>>);

impl Default for Deadline {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Deadline {
    /// Work begins, and may take so long.
    pub fn begin(&self, time: Duration) {
        self.0.send_replace(Some(Instant::now() + time));
    }

    /// There is nothing to do.
    pub fn rest(&self) {
        self.0.send_replace(None);
    }

    /// Waits until work has taken too long.
    pub async fn passed(&self) {
        let mut until = self.0.subscribe();
        loop {
            let now = *until.borrow_and_update();
            let passes = async {
                match now {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = passes => return,
                // It cannot be gone: it is ours.
                _ = until.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(40);

    #[tokio::test]
    async fn it_passes_during_work_and_not_while_there_is_none() {
        let deadline = Deadline::default();
        let passes = async || tokio::time::timeout(4 * MOMENT, deadline.passed()).await.is_ok();
        assert!(!passes().await, "nothing has begun");
        deadline.begin(MOMENT);
        assert!(passes().await);
        deadline.rest();
        assert!(!passes().await);
        // Also for who waits already.
        let begins = async {
            tokio::time::sleep(MOMENT).await;
            deadline.begin(MOMENT);
        };
        let (passed, ()) = tokio::join!(passes(), begins);
        assert!(passed);
    }
}
