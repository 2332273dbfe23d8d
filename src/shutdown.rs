//! How a process stops: first it says that it is about to, then it takes nothing new and finishes what it has.

use std::time::Duration;

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    /// Health says "not ready", so that nobody sends more; everything is still served.
    Leaving,
    /// No new connections. Connections, sockets and streams come to their end.
    Draining,
}

/// The process's way down. Whoever must come to an orderly end subscribes; the process waits for all of them.
#[derive(Clone)]
pub struct Shutdown(watch::Sender<Stage>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::Sender::new(Stage::Serving))
    }
}

impl Shutdown {
    /// Whether new work should come here.
    pub fn is_serving(&self) -> bool {
        *self.0.borrow() == Stage::Serving
    }

    /// Asks to be told, and to be waited for until the [`Drain`] is dropped.
    pub fn subscribe(&self) -> Drain {
        Drain(self.0.subscribe())
    }

    /// Health says "not ready" from now on.
    pub fn leave(&self) {
        self.reach(Stage::Leaving);
    }

    /// Tells everybody who subscribed to come to an end.
    pub fn drain(&self) {
        self.reach(Stage::Draining);
    }

    /// Waits until everybody who subscribed has come to an end; false when that takes longer.
    pub async fn finished(&self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.0.closed()).await.is_ok()
    }

    /// A stage is never taken back.
    fn reach(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let further = *now < stage;
            *now = stage.max(*now);
            further
        });
    }
}

/// Held by whatever the process waits for: a connection, a socket, a stream.
#[derive(Clone)]
pub struct Drain(watch::Receiver<Stage>);

impl Drain {
    /// Waits until it is time to come to an end; at once when it already is.
    pub async fn told(&mut self) {
        // An error means that the process's own end is gone: then it is time as well.
        let _ = self.0.wait_for(|stage| *stage == Stage::Draining).await;
    }

    /// Whether it is time to come to an end.
    pub fn is_told(&self) -> bool {
        *self.0.borrow() == Stage::Draining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn everybody_is_told_and_waited_for() {
        let shutdown = Shutdown::default();
        let (mut early, mut late) = (shutdown.subscribe(), shutdown.subscribe());
        assert!(shutdown.is_serving());

        shutdown.leave();
        assert!(!shutdown.is_serving() && !early.is_told());
        assert!(tokio::time::timeout(MOMENT, early.told()).await.is_err());

        shutdown.drain();
        early.told().await;
        drop(early);
        assert!(!shutdown.finished(MOMENT).await, "the other one has not come to its end");
        late.told().await;
        drop(late);
        assert!(shutdown.finished(MOMENT).await);
    }

    #[tokio::test]
    async fn there_is_no_way_back() {
        let shutdown = Shutdown::default();
        shutdown.drain();
        shutdown.leave();
        assert!(shutdown.subscribe().is_told());
        shutdown.subscribe().told().await;
    }
}
