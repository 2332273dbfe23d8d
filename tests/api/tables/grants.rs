//! Record grants on PostgreSQL: the one opening between workspaces, as the application's role sees it.

use praxis::access::entity::user;
use praxis::medical_record::{entity as record, grant};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};

use super::catalogue::texts;
use super::database::with_postgres;
use super::facts::Practice;
use super::rows::{Row, new_id};

/// A practice that shares one record with another practice, and one with a doctor.
struct Shared {
    owner: Practice,
    grantee: Practice,
    stranger: Practice,
    doctor: Uuid,
    record: Uuid,
}

impl Shared {
    async fn set_up(db: &DatabaseConnection) -> Self {
        let owner = Practice::open(db).await;
        let grantee = Practice::open(db).await;
        let stranger = Practice::open(db).await;
        let doctor = new_id();
        Row::<user::Entity>::new().set(user::Column::Id, doctor).insert(db).await.unwrap();
        let shared = Self { owner, grantee, stranger, doctor, record: new_id() };
        Row::<record::Entity>::new()
            .set(record::Column::Id, shared.record)
            .set(record::Column::WorkspaceId, shared.owner.workspace)
            .set(record::Column::PatientId, shared.owner.patient)
            .set(record::Column::CreatedBy, shared.owner.member)
            .set(record::Column::RecordType, "DIAGNOSIS")
            .insert(db)
            .await
            .unwrap();
        shared.grant(db, Some(shared.grantee.workspace), None).await.unwrap();
        shared.grant(db, None, Some(doctor)).await.unwrap();
        db.execute_unprepared("SET ROLE praxis_app").await.unwrap();
        shared
    }

    async fn grant(
        &self,
        db: &DatabaseConnection,
        practice: Option<Uuid>,
        user: Option<Uuid>,
    ) -> Result<(), DbErr> {
        Row::<grant::Entity>::new()
            .set(grant::Column::OwnerWorkspaceId, self.owner.workspace)
            .set(grant::Column::RecordId, self.record)
            .set(grant::Column::PatientId, self.owner.patient)
            .set(grant::Column::GranteeWorkspaceId, practice)
            .set(grant::Column::GranteeUserId, user)
            .set(grant::Column::Purpose, "REFERRAL")
            .set(grant::Column::GrantedBy, self.owner.member)
            .insert(db)
            .await
    }
}

async fn act_as(db: &DatabaseConnection, workspace: Option<Uuid>, user: Option<Uuid>) {
    for (setting, value) in [("app.workspace_id", workspace), ("app.user_id", user)] {
        let value = value.map(|id| id.to_string()).unwrap_or_default();
        db.execute_unprepared(&format!("SELECT set_config('{setting}', '{value}', false)")).await.unwrap();
    }
}

async fn visible(db: &DatabaseConnection, table: &str) -> String {
    texts(db, &format!("SELECT count(*)::text FROM {table}")).await.remove(0).remove(0)
}

#[tokio::test]
async fn a_grant_is_seen_by_its_owner_and_its_grantee_and_nobody_else() {
    with_postgres(async |db: &DatabaseConnection| {
        let shared = Shared::set_up(db).await;

        act_as(db, Some(shared.owner.workspace), None).await;
        assert_eq!(visible(db, "record_grants").await, "2");
        act_as(db, Some(shared.grantee.workspace), None).await;
        assert_eq!(visible(db, "record_grants").await, "1");
        act_as(db, Some(shared.stranger.workspace), Some(shared.doctor)).await;
        assert_eq!(visible(db, "record_grants").await, "1");
        act_as(db, Some(shared.stranger.workspace), None).await;
        assert_eq!(visible(db, "record_grants").await, "0");
        act_as(db, None, None).await;
        assert_eq!(visible(db, "record_grants").await, "0");
    })
    .await;
}

#[tokio::test]
async fn a_grant_alone_does_not_show_the_record() {
    with_postgres(async |db: &DatabaseConnection| {
        let shared = Shared::set_up(db).await;

        act_as(db, Some(shared.owner.workspace), None).await;
        assert_eq!(visible(db, "medical_records").await, "1");
        act_as(db, Some(shared.grantee.workspace), Some(shared.doctor)).await;
        assert_eq!(visible(db, "medical_records").await, "0");
    })
    .await;
}

#[tokio::test]
async fn only_the_owner_grants_extends_and_revokes() {
    with_postgres(async |db: &DatabaseConnection| {
        let shared = Shared::set_up(db).await;
        let extend = "UPDATE record_grants SET expires_at = NULL, updated_at = updated_at";

        act_as(db, Some(shared.grantee.workspace), Some(shared.doctor)).await;
        assert_eq!(db.execute_unprepared(extend).await.unwrap().rows_affected(), 0);
        assert_eq!(db.execute_unprepared("DELETE FROM record_grants").await.unwrap().rows_affected(), 0);
        let forged = shared.grant(db, Some(shared.stranger.workspace), None).await.unwrap_err();
        assert!(forged.to_string().contains("row-level security"), "{forged}");

        act_as(db, Some(shared.owner.workspace), None).await;
        assert_eq!(db.execute_unprepared(extend).await.unwrap().rows_affected(), 2);
        shared.grant(db, Some(shared.stranger.workspace), None).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_record_is_granted_to_the_same_grantee_once_at_a_time() {
    with_postgres(async |db: &DatabaseConnection| {
        let shared = Shared::set_up(db).await;
        let again = (Some(shared.grantee.workspace), None);
        let revoke = "UPDATE record_grants SET revoked_at = created_at, revoked_by = granted_by";

        act_as(db, Some(shared.owner.workspace), None).await;
        let twice = shared.grant(db, again.0, again.1).await.unwrap_err();
        assert!(matches!(twice.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_))), "{twice}");
        db.execute_unprepared(revoke).await.unwrap();
        shared.grant(db, again.0, again.1).await.unwrap();
    })
    .await;
}
