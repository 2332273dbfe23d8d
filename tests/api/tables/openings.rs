//! What the application's role may do on PostgreSQL to what a transaction names beside its own workspace and user:
//! the journal's group commit, and the check of sign-ins.

use praxis::access::entity::user;
use praxis::journal::{entity as event, head};
use praxis::member::entity as member;
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};

use super::catalogue::texts;
use super::database::with_postgres;
use super::facts::Practice;
use super::rows::{Row, new_id};

async fn add_event(db: &DatabaseConnection, workspace: Uuid, seq: i64) -> Result<(), DbErr> {
    Row::<event::Entity>::new()
        .set(event::Column::WorkspaceId, workspace)
        .set(event::Column::Seq, seq)
        .set(event::Column::Kind, "READ")
        .insert(db)
        .await
}

async fn count(db: &DatabaseConnection, table: &str) -> String {
    texts(db, &format!("SELECT count(*)::text FROM {table}")).await.remove(0).remove(0)
}

#[tokio::test]
async fn a_group_commit_appends_to_the_journals_it_names_and_opens_nothing_else() {
    with_postgres(async |db: &DatabaseConnection| {
        let (named, other) = (Practice::open(db).await, Practice::open(db).await);
        for practice in [&named, &other] {
            let head = Row::<head::Entity>::new().set(head::Column::WorkspaceId, practice.workspace);
            head.insert(db).await.unwrap();
        }
        db.execute_unprepared("SET ROLE praxis_app").await.unwrap();
        let setting = format!("SELECT set_config('app.journal_workspaces', '{}', false)", named.workspace);
        db.execute_unprepared(&setting).await.unwrap();

        assert_eq!(count(db, "audit_heads").await, "1");
        for table in ["audit_events", "appointments", "patients", "memberships", "patient_keys"] {
            assert_eq!(count(db, table).await, "0", "{table}");
        }
        let moved = db.execute_unprepared("UPDATE audit_heads SET seq = seq + 1").await.unwrap();
        assert_eq!(moved.rows_affected(), 1);
        assert_eq!(db.execute_unprepared("DELETE FROM audit_heads").await.unwrap().rows_affected(), 0);
        add_event(db, named.workspace, 2).await.unwrap();
        let foreign = add_event(db, other.workspace, 2).await.unwrap_err();
        assert!(foreign.to_string().contains("row-level security"), "{foreign}");

        db.execute_unprepared("SELECT set_config('app.journal_workspaces', '', false)").await.unwrap();
        assert_eq!(count(db, "audit_heads").await, "0");
        let unnamed = add_event(db, named.workspace, 3).await.unwrap_err();
        assert!(unnamed.to_string().contains("row-level security"), "{unnamed}");
    })
    .await;
}

#[tokio::test]
async fn who_works_for_a_workspace_appends_to_its_journal_only() {
    with_postgres(async |db: &DatabaseConnection| {
        let (own, other) = (Practice::open(db).await, Practice::open(db).await);
        db.execute_unprepared("SET ROLE praxis_app").await.unwrap();
        let append = async |workspaces: &[Uuid]| {
            let ids: Vec<String> = workspaces.iter().map(Uuid::to_string).collect();
            let call = format!("SELECT reached::text FROM append_events('{}', '[]', now())", ids.join(","));
            db.execute_unprepared(&call).await
        };
        let opened = "SELECT coalesce(current_setting('app.journal_workspaces', true), '')";

        db.execute_unprepared(&format!("SELECT set_config('app.workspace_id', '{}', false)", own.workspace))
            .await
            .unwrap();
        assert_eq!(append(&[own.workspace]).await.unwrap().rows_affected(), 1);
        for named in [vec![other.workspace], vec![own.workspace, other.workspace]] {
            let foreign = append(&named).await.unwrap_err();
            assert!(foreign.to_string().contains("row-level security"), "{foreign}");
        }
        db.execute_unprepared("SELECT set_config('app.workspace_id', '', false)").await.unwrap();
        let both = append(&[own.workspace, other.workspace]).await.unwrap();
        assert_eq!(both.rows_affected(), 2);
        // With the transaction ends what it was opened to.
        assert_eq!(texts(db, opened).await, [[""]]);
        assert_eq!(count(db, "audit_heads").await, "0");
    })
    .await;
}

#[tokio::test]
async fn a_check_reads_the_memberships_of_the_users_it_names_and_opens_nothing_else() {
    with_postgres(async |db: &DatabaseConnection| {
        let practice = Practice::open(db).await;
        let (named, other) = (new_id(), new_id());
        for id in [named, other] {
            let account = Row::<user::Entity>::new().set(user::Column::Id, id);
            account.set(user::Column::Email, format!("{id}@north.example")).insert(db).await.unwrap();
            Row::<member::Entity>::new()
                .set(member::Column::WorkspaceId, practice.workspace)
                .set(member::Column::UserId, id)
                .set(member::Column::Role, "NURSE")
                .insert(db)
                .await
                .unwrap();
        }
        db.execute_unprepared("SET ROLE praxis_app").await.unwrap();
        let setting = format!("SELECT set_config('app.checked_users', '{named}', false)");
        db.execute_unprepared(&setting).await.unwrap();

        let seen = texts(db, "SELECT user_id::text FROM memberships").await;
        assert_eq!(seen, [[named.to_string()]]);
        for table in ["appointments", "patients", "audit_heads", "patient_keys"] {
            assert_eq!(count(db, table).await, "0", "{table}");
        }
        let changed = db.execute_unprepared("UPDATE memberships SET role = 'OWNER'").await.unwrap();
        assert_eq!(changed.rows_affected(), 0);
        assert_eq!(db.execute_unprepared("DELETE FROM memberships").await.unwrap().rows_affected(), 0);

        db.execute_unprepared("SELECT set_config('app.checked_users', '', false)").await.unwrap();
        assert_eq!(count(db, "memberships").await, "0");
    })
    .await;
}
