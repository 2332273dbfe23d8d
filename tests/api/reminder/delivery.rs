//! Handing messages over: failures, nodes that share the queue, and nodes that end.

use std::sync::Arc;
use std::time::Duration;

use praxis::mail::{Mail, MailError, Mailer};
use praxis::reminder::worker::Worker;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use super::{Practice, tick};
use crate::support::database::On;
use crate::support::on_both_engines;
use crate::support::smtp::{Sink, Treatment};

on_both_engines! {
    async fn a_mail_server_that_fails_is_asked_again_and_one_that_refuses_is_not(on: On) {
        let practice = Practice::agreed(on).await;
        let sink = Sink::start().await;
        let node = practice.app.another_node_with(sink.mailer(&practice.app.app.clock)).await;
        let id = practice.book("2026-06-03T09:00:00Z").await;
        let advance = |seconds| practice.app.app.clock.advance(Duration::from_secs(seconds));

        sink.next([Treatment::Message("451 4.3.0 ada@example.org: try later"), Treatment::HangUp]);
        advance(21 * 3600);
        tick(&node.app).await;
        let failed = practice.reminders(&id).await;
        assert_eq!((&failed[0]["state"], &failed[0]["lastError"]), (&json!("PENDING"), &json!("smtp 451")));
        tick(&node.app).await;
        assert_eq!(practice.reminders(&id).await[0]["attempts"], 1, "the pause is respected");
        advance(60);
        tick(&node.app).await;
        // The server took it and could not say so: it is sent again, under the same name.
        assert_eq!(practice.reminders(&id).await[0]["lastError"], "connection");
        advance(120);
        tick(&node.app).await;
        let sent = practice.reminders(&id).await;
        assert_eq!((&sent[0]["state"], &sent[0]["attempts"]), (&json!("SENT"), &json!(3)));
        let names = sink.names();
        assert_eq!((names.len(), &names[0]), (2, &names[1]), "{names:?}");
        let mail = &sink.inbox()[1];
        assert_eq!(mail.to, "ada@example.org");
        assert_eq!(mail.header("From"), "Praxis <no-reply@praxis.example>");
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");

        // A mailbox that does not exist will not exist in an hour.
        let id = practice.book("2026-06-05T09:00:00Z").await;
        sink.next([Treatment::Recipient("550 5.1.1 no such mailbox ada@example.org")]);
        advance(48 * 3600);
        tick(&node.app).await;
        let refused = practice.reminders(&id).await;
        assert_eq!((&refused[0]["state"], &refused[0]["lastError"]), (&json!("FAILED"), &json!("smtp 550")));

        // Enough is enough.
        let id = practice.book("2026-06-08T09:00:00Z").await;
        sink.next(std::iter::repeat_n(Treatment::Message("452 4.2.2 full"), 20));
        advance(72 * 3600);
        for _ in 0..12 {
            tick(&node.app).await;
            advance(2900);
        }
        let given_up = practice.reminders(&id).await;
        assert_eq!((&given_up[0]["state"], &given_up[0]["attempts"]), (&json!("FAILED"), &json!(8)), "{given_up:?}");
        assert_eq!(sink.inbox().len(), 2);
    }

    async fn whoever_runs_the_practice_sees_what_was_given_up(on: On) {
        let practice = Practice::agreed(on).await;
        let sink = Sink::start().await;
        let node = practice.app.another_node_with(sink.mailer(&practice.app.app.clock)).await;
        let mut booked = Vec::new();
        for day in [3, 4, 5] {
            booked.push(practice.book(&format!("2026-06-0{day}T09:00:00Z")).await);
        }
        let refused = Treatment::Recipient("550 5.1.1 no such mailbox ada@example.org");
        sink.next([refused, refused]);
        for _ in 0..3 {
            practice.app.app.clock.advance(Duration::from_secs(22 * 3600));
            tick(&node.app).await;
        }

        let failed = "query($first: Int, $after: String) { failedReminders(first: $first, after: $after) { totalCount \
            pageInfo { endCursor hasNextPage } nodes { kind lastError attempts appointment { id } offer { id } } } }";
        let page = practice.owner.ok(failed, json!({ "first": 1 })).await["failedReminders"].clone();
        assert_eq!((&page["totalCount"], &page["pageInfo"]["hasNextPage"]), (&json!(2), &json!(true)));
        assert_eq!(page["nodes"], json!([{ "kind": "BEFORE", "lastError": "smtp 550", "attempts": 1,
            "appointment": { "id": booked[1] }, "offer": null }]));
        let next = json!({ "after": page["pageInfo"]["endCursor"] });
        let next = practice.owner.ok(failed, next).await["failedReminders"]["nodes"].clone();
        assert_eq!((next.as_array().unwrap().len(), &next[0]["appointment"]["id"]), (1, &booked[0]));
        assert_eq!(practice.doctor.code(failed, json!({})).await, "FORBIDDEN");
        let elsewhere = practice.app.workspace("south").await;
        assert_eq!(elsewhere.ok(failed, json!({})).await["failedReminders"]["nodes"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_the_queue_and_send_each_reminder_once() {
    let practice = Practice::agreed(On::Postgres).await;
    let sink = Sink::start().await;
    let clock = &practice.app.app.clock;
    let (one, two) = tokio::join!(
        practice.app.another_node_with(sink.mailer(clock)),
        practice.app.another_node_with(sink.mailer(clock))
    );
    for number in 0..60 {
        let (day, hour, half) = (10 + number / 20, 6 + number % 20 / 2, 30 * (number % 2));
        practice.book(&format!("2026-06-{day}T{hour:02}:{half:02}:00Z")).await;
    }
    clock.advance(Duration::from_secs((24 * 10 + 19) * 3600 + 60));
    // Those of the last day are due and still to come; of the others it is too late.
    tokio::join!(tick(&one.app), tick(&two.app), tick(&one.app), tick(&two.app));

    let mut names = sink.names();
    names.sort();
    let sent = names.len();
    names.dedup();
    assert_eq!(sent, names.len(), "none twice");
    let states = "{ appointments(first: 100) { nodes { reminders { state attempts } } } }";
    let states = practice.owner.ok(states, json!({})).await;
    let states: Vec<&Json> =
        states["appointments"]["nodes"].as_array().unwrap().iter().map(|one| &one["reminders"][0]).collect();
    assert_eq!(states.iter().filter(|one| one["state"] == "SENT").count(), sent);
    assert!(sent >= 15, "{sent}");
    assert!(states.iter().all(|one| one["attempts"] == 0 || one["attempts"] == 1), "{states:?}");
    assert!(states.iter().all(|one| one["state"] != "SENDING"), "{states:?}");
}

/// Hands messages over and never comes back: a node that is killed at the worst moment.
struct Dying {
    mailer: Arc<dyn Mailer>,
    handed_over: Notify,
}

#[async_trait::async_trait]
impl Mailer for Dying {
    async fn send(&self, id: uuid::Uuid, mail: &Mail) -> Result<(), MailError> {
        self.mailer.send(id, mail).await?;
        self.handed_over.notify_one();
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_before_it_notes_a_message_is_followed_by_one_that_sends_it_under_the_same_name() {
    let practice = Practice::agreed(On::Postgres).await;
    let sink = Sink::start().await;
    let clock = &practice.app.app.clock;
    let dying = Arc::new(Dying { mailer: sink.mailer(clock), handed_over: Notify::new() });
    let dead = practice.app.another_node_with(dying.clone()).await;
    let alive = practice.app.another_node_with(sink.mailer(clock)).await;
    let id = practice.book("2026-06-03T09:00:00Z").await;
    clock.advance(Duration::from_secs(21 * 3600));

    let task = tokio::spawn({
        let app = dead.app.clone();
        async move { tick(&app).await }
    });
    dying.handed_over.notified().await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(practice.states(&id).await[0].1, "SENDING");

    // As long as the lease lasts nobody else touches it.
    tick(&alive.app).await;
    clock.advance(Duration::from_secs(4 * 60));
    tick(&alive.app).await;
    assert_eq!(sink.inbox().len(), 1);
    clock.advance(Duration::from_secs(61));
    tick(&alive.app).await;
    let names = sink.names();
    assert_eq!((names.len(), &names[0]), (2, &names[1]));
    let sent = practice.reminders(&id).await;
    assert_eq!((&sent[0]["state"], &sent[0]["attempts"]), (&json!("SENT"), &json!(2)));
}

/// Waits with each message until it is let go.
#[derive(Default)]
struct Slow {
    begun: Notify,
    go: Notify,
}

#[async_trait::async_trait]
impl Mailer for Slow {
    async fn send(&self, _: uuid::Uuid, _: &Mail) -> Result<(), MailError> {
        self.begun.notify_one();
        self.go.notified().await;
        Ok(())
    }
}

on_both_engines! {
    async fn a_node_that_is_stopped_finishes_the_message_in_hand_and_gives_the_others_back(on: On) {
        let practice = Practice::agreed(on).await;
        let slow = Arc::new(Slow::default());
        let node = practice.app.another_node_with(slow.clone()).await;
        let first = practice.book("2026-06-03T09:00:00Z").await;
        let second = practice.book("2026-06-03T09:30:00Z").await;
        practice.app.app.clock.advance(Duration::from_secs(22 * 3600));

        let running = tokio::spawn(Worker::new(node.app.clone(), node.app.shutdown.subscribe()).run());
        slow.begun.notified().await;
        node.app.shutdown.drain();
        slow.go.notify_one();
        tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap();
        assert_eq!(practice.states(&first).await[0].1, "SENT");
        let given_back = practice.reminders(&second).await;
        assert_eq!((&given_back[0]["state"], &given_back[0]["attempts"]), (&json!("PENDING"), &json!(0)));
    }
}
