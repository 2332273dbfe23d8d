//! Watching the sign-ins behind open sockets and streams: one task for all of them, so that whoever waits sleeps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::{Remembered, check};
use crate::access::token::Subject;
use crate::clock::Clock;
use crate::db::Database;
use crate::id::AuthSessionId;

/// How often the watched sign-ins are checked: before what is remembered of them runs out.
const EVERY: Duration = Duration::from_secs(2);

/// A sign-in that is watched until this is dropped.
pub struct Watch(Arc<Watched>);

struct Watched {
    subject: Subject,
    /// Until when its token holds, where that matters.
    until: Option<DateTime<Utc>>,
    alarm: Notify,
}

impl Watch {
    /// Comes when the sign-in, or its token, may be over: whoever watches asks again.
    pub async fn alarm(&self) {
        self.0.alarm.notified().await;
    }
}

/// The sign-ins that are watched.
#[derive(Clone, Default)]
pub struct Watches(Arc<Mutex<HashMap<AuthSessionId, Vec<Weak<Watched>>>>>);

impl Watches {
    pub fn add(&self, subject: Subject, until: Option<DateTime<Utc>>) -> Watch {
        let session = subject.session;
        let watched = Arc::new(Watched { subject, until, alarm: Notify::new() });
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watches.entry(session).or_default().push(Arc::downgrade(&watched));
        Watch(watched)
    }

    /// Lets those who watch this sign-in ask again at once.
    pub fn alarm(&self, session: AuthSessionId) {
        let watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_session = watches.get(&session).into_iter().flatten().filter_map(Weak::upgrade);
        of_session.for_each(|watched| watched.alarm.notify_one());
    }

    /// The same for all.
    pub fn alarm_all(&self) {
        self.live().iter().flatten().for_each(|watched| watched.alarm.notify_one());
    }

    /// Those that somebody still watches, by their sign-ins.
    fn live(&self) -> Vec<Vec<Arc<Watched>>> {
        let mut live = Vec::new();
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watches.retain(|_, of_session| {
            of_session.retain(|watched| watched.strong_count() > 0);
            let watched: Vec<_> = of_session.iter().filter_map(Weak::upgrade).collect();
            let goes_on = !watched.is_empty();
            live.extend(goes_on.then_some(watched));
            goes_on
        });
        live
    }

    /// Checks again and again what is watched, and remembers it, so that nobody who is told of an event has to.
    pub async fn run(self, db: Database, clock: Clock, remembered: Remembered) {
        loop {
            tokio::time::sleep(EVERY).await;
            for group in self.live().chunks(check::GROUP) {
                sweep(&db, &clock, &remembered, group).await;
            }
        }
    }
}

/// Checks these sign-ins, each with all who watch it.
async fn sweep(db: &Database, clock: &Clock, remembered: &Remembered, group: &[Vec<Arc<Watched>>]) {
    let key = |watched: &Arc<Watched>| (watched.subject.user, watched.subject.session);
    let sign_ins: Vec<_> = group.iter().filter_map(|watched| watched.first().map(key)).collect();
    // Whatever the rows say.
    for watched in group.iter().flatten() {
        if watched.until.is_some_and(|until| until <= clock.now()) {
            watched.alarm.notify_one();
        }
    }
    let mark = remembered.mark();
    let found = match check::find(db, &sign_ins).await {
        Ok(found) => found,
        Err(error) => {
            // What is remembered runs out soon, and then nobody is told of anything.
            tracing::warn!(error = &error as &dyn std::error::Error, "sign-ins cannot be checked");
            return;
        }
    };
    for sign_in in &sign_ins {
        match found.get(sign_in) {
            Some(checked) => remembered.keep(mark, sign_in.1, checked.clone()),
            None => remembered.checked.invalidate(&sign_in.1),
        }
    }
    for watched in group.iter().flatten() {
        let checked = found.get(&key(watched));
        if !checked.is_some_and(|checked| checked.admits(&watched.subject, clock.now())) {
            watched.alarm.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::UserId;

    #[tokio::test]
    async fn an_alarm_wakes_those_who_watch_the_sign_in_and_who_is_gone_is_forgotten() {
        let watches = Watches::default();
        let subject =
            |session| Subject { user: UserId(Uuid::nil()), session: AuthSessionId(session), seat: None };
        let first = watches.add(subject(Uuid::nil()), None);
        let second = watches.add(subject(Uuid::nil()), None);
        let other = watches.add(subject(Uuid::max()), None);
        watches.alarm(AuthSessionId(Uuid::nil()));
        first.alarm().await;
        second.alarm().await;
        let silent = tokio::time::timeout(Duration::from_millis(20), other.alarm()).await;
        assert!(silent.is_err());
        drop((first, second));
        assert_eq!(watches.live().len(), 1);
        assert_eq!(watches.0.lock().unwrap().len(), 1);
        watches.alarm_all();
        other.alarm().await;
    }
}
