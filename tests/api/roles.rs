//! The server does not start with a database role that row-level security would not bind.

use praxis::db::connect::{ConnectError, refuse_privileged_role};

use crate::support::database::{On, TestDatabase};

#[tokio::test]
async fn a_superuser_or_an_owner_is_refused_and_the_plain_role_is_not() {
    let database = TestDatabase::create(On::Postgres).await;

    refuse_privileged_role(&database.connect().await).await.unwrap();
    let superuser = refuse_privileged_role(&database.connect_as_owner().await).await.unwrap_err();
    assert!(matches!(superuser, ConnectError::Role { why: "is a superuser", .. }), "{superuser}");

    let admin = database.connect_as_owner().await;
    let role = format!("owner_{}", std::process::id());
    let run =
        async |sql: String| sea_orm::ConnectionTrait::execute_unprepared(admin.writer(), &sql).await.unwrap();
    run(format!("CREATE ROLE {role} LOGIN")).await;
    run(format!("ALTER TABLE patients OWNER TO {role}")).await;
    let url = database.owner_url.replace("postgres@", &format!("{role}@"));
    let pool = praxis::db::connect::PoolOptions::default();
    let owner = praxis::db::connect::connect(&url, &pool).await.unwrap();
    let refused = refuse_privileged_role(&owner).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Role { why, .. } if why.starts_with("owns tables")), "{refused}");
    run(format!("ALTER TABLE patients OWNER TO postgres; ALTER ROLE {role} BYPASSRLS")).await;
    let refused = refuse_privileged_role(&owner).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Role { why: "has BYPASSRLS", .. }), "{refused}");

    owner.close().await;
    run(format!("DROP ROLE {role}")).await;
}
