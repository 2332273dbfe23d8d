//! Row-level security and privileges on PostgreSQL; SQLite has neither.
//!
//! The walls follow from the tables that are there: a migration that adds a tenant table calls [`raise`] again.

use sea_orm_migration::prelude::{DbErr, SchemaManager};
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::execute;

/// The tables that belong to a workspace. Sessions and the tokens of e-mailed links name a workspace, but are
/// looked up by their secret before any workspace is known.
const TENANT_TABLES: &str = "
    SELECT c.oid, c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
      AND a.attname = 'workspace_id' AND NOT a.attisdropped
      AND c.relname NOT IN ('auth_sessions', 'one_time_tokens')";

/// All tables but the migrations' own, and whether their rows are only ever added.
const ALL_TABLES: &str = "
    SELECT c.oid, c.relname, EXISTS (
        SELECT 1 FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = c.relname || '_append_only'
    ) AS append_only
    FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
      AND c.relname <> 'seaql_migrations'";

/// Puts every tenant table behind the setting `app.workspace_id`, and grants `praxis_app` what the server needs.
///
/// Can be repeated.
pub async fn raise(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    execute(
        manager,
        &format!(
            "DO $$ DECLARE t record; BEGIN
             FOR t IN {TENANT_TABLES} LOOP
                 EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t.relname);
                 EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t.relname);
                 EXECUTE format('DROP POLICY IF EXISTS tenant ON %I', t.relname);
                 EXECUTE format('CREATE POLICY tenant ON %I
                     USING (workspace_id = (SELECT nullif(current_setting(''app.workspace_id'', true), '''')::uuid))
                     WITH CHECK (workspace_id = (SELECT nullif(current_setting(''app.workspace_id'', true), '''')::uuid))',
                     t.relname);
             END LOOP; END $$"
        ),
    )
    .await?;
    // A sign-in reads the user's own memberships before there is a workspace to act in.
    execute(manager, "DROP POLICY IF EXISTS own ON memberships").await?;
    execute(
        manager,
        "CREATE POLICY own ON memberships FOR SELECT
         USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid))",
    )
    .await?;
    // Roles belong to the whole cluster: another database may have the role, or be creating it right now.
    execute(
        manager,
        "DO $$ BEGIN
         IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'praxis_app') THEN CREATE ROLE praxis_app NOLOGIN; END IF;
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
    )
    .await?;
    execute(
        manager,
        &format!(
            "DO $$ DECLARE t record; BEGIN
             EXECUTE format('GRANT USAGE ON SCHEMA %I TO praxis_app', current_schema());
             FOR t IN {ALL_TABLES} LOOP
                 EXECUTE format('REVOKE ALL ON %I FROM praxis_app', t.relname);
                 EXECUTE format('GRANT SELECT, INSERT%s ON %I TO praxis_app',
                     CASE WHEN t.append_only THEN '' ELSE ', UPDATE, DELETE' END, t.relname);
             END LOOP; END $$"
        ),
    )
    .await?;
    // The server reads which steps have run, to refuse a database of another version.
    execute(manager, "GRANT SELECT ON seaql_migrations TO praxis_app").await
}

/// Takes the walls and the privileges away. The role stays: other databases of the cluster may use it.
pub async fn lower(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    execute(
        manager,
        &format!(
            "DO $$ DECLARE t record; BEGIN
             DROP POLICY IF EXISTS own ON memberships;
             FOR t IN {TENANT_TABLES} LOOP
                 EXECUTE format('DROP POLICY IF EXISTS tenant ON %I', t.relname);
                 EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', t.relname);
                 EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', t.relname);
             END LOOP;
             FOR t IN {ALL_TABLES} LOOP
                 EXECUTE format('REVOKE ALL ON %I FROM praxis_app', t.relname);
             END LOOP;
             REVOKE ALL ON seaql_migrations FROM praxis_app;
             EXECUTE format('REVOKE ALL ON SCHEMA %I FROM praxis_app', current_schema());
             END $$"
        ),
    )
    .await
}
