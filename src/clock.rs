//! The only place that asks for the time or makes a random id.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// The application's clock: the system's, or one that a test moves by hand.
#[derive(Clone)]
pub struct Clock {
    /// Microseconds since the epoch, of a clock that stands still.
    fixed: Option<Arc<AtomicI64>>,
    /// Counts the ids of one millisecond, so that ids sort by the order in which they were made.
    ids: Arc<Mutex<ContextV7>>,
}

impl Clock {
    pub fn system() -> Self {
        Self { fixed: None, ids: Arc::new(Mutex::new(ContextV7::new())) }
    }

    /// A clock that stands at `now` until it is advanced.
    pub fn fixed(now: DateTime<Utc>) -> Self {
        Self { fixed: Some(Arc::new(AtomicI64::new(now.timestamp_micros()))), ..Self::system() }
    }

    /// Moves a fixed clock forward; the system's clock goes its own way.
    pub fn advance(&self, by: Duration) {
        if let Some(micros) = &self.fixed {
            micros.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }

    /// Now, in whole microseconds: what both engines store without loss.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.fixed {
            Some(micros) => DateTime::from_timestamp_micros(micros.load(Ordering::SeqCst))
                .expect("the fixed clock stays within chrono's range"),
            None => Utc::now().trunc_subsecs(6),
        }
    }

    /// A `UUIDv7` of this clock's time, greater than every one it made before.
    #[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
    pub fn new_uuid(&self) -> Uuid {
        let now = self.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        Uuid::new_v7(Timestamp::from_unix(&*ids, seconds, now.timestamp_subsec_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_sort_by_the_order_they_were_made_in() {
        let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let ids: Vec<Uuid> = (0..5_000).map(|_| clock.new_uuid()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
    }
}
