//! Appending to journals as a function of PostgreSQL: whose journals they are, the heads of those that have none yet, and
//! the events, in one round trip and, where nothing else is to be done, without a transaction around it.
//!
//! In a transaction of one workspace it can append to that workspace's journal only. Where none was named it names
//! those that it is given, for row-level security and for the rest of the transaction.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::execute;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// `workspaces` are ids with commas between them; `events` is a JSON array, in which those of a workspace are numbered
/// from 1 by `nth`; a workspace's first hash comes after 32 zeros.
///
/// The heads are locked in the order of their ids, so that two transactions that append to several workspaces
/// cannot wait for each other in a circle. What a lock waited for is seen: the row that it returns is the latest
/// one, although the rest of the statement looks at the data as it was when the statement began.
const APPEND_EVENTS: &str = "
CREATE FUNCTION append_events (workspaces text, events text, since timestamptz)
    RETURNS TABLE (of_workspace uuid, reached bigint)
    LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    named uuid[] := string_to_array(workspaces, ',');
BEGIN
    IF coalesce(current_setting('app.workspace_id', true), '') = '' THEN
        PERFORM set_config('app.journal_workspaces', workspaces, true);
    END IF;
    IF (SELECT count(*) FROM audit_heads WHERE workspace_id = ANY (named)) < cardinality(named) THEN
        INSERT INTO audit_heads (workspace_id, seq, hash, updated_at)
            SELECT first, 0, decode(repeat('00', 32), 'hex'), since FROM unnest(named) first
            WHERE NOT EXISTS (SELECT FROM audit_heads WHERE workspace_id = first)
            ON CONFLICT (workspace_id) DO NOTHING;
    END IF;
    RETURN QUERY
    WITH RECURSIVE event AS MATERIALIZED (
        SELECT * FROM json_to_recordset(events::json) AS event (
            workspace_id uuid, nth bigint, id uuid, occurred_at timestamptz, action text, kind text,
            actor_user_id uuid, actor_membership_id uuid, actor_role text, auth_session_id uuid,
            subject_type text, subject_id uuid, patient_id uuid, request_id text, ip text, user_agent text,
            purpose text, reason text, detail text, changes bytea, content bytea)
    ), head AS MATERIALIZED (
        SELECT workspace_id, seq, hash FROM audit_heads WHERE workspace_id = ANY (named)
        ORDER BY workspace_id FOR UPDATE
    ), link (workspace_id, nth, seq, prev_hash, hash) AS (
        SELECT workspace_id, 0::bigint, seq, hash, hash FROM head
        UNION ALL
        SELECT event.workspace_id, event.nth, link.seq + 1, link.hash,
               sha256(link.hash || int8send(link.seq + 1) || event.content)
        FROM link JOIN event ON event.workspace_id = link.workspace_id AND event.nth = link.nth + 1
    ), added AS (
        INSERT INTO audit_events (workspace_id, seq, id, occurred_at, action, kind, actor_user_id,
            actor_membership_id, actor_role, auth_session_id, subject_type, subject_id, patient_id, request_id,
            ip, user_agent, purpose, reason, detail, changes, prev_hash, hash)
        SELECT workspace_id, link.seq, id, occurred_at, action, kind, actor_user_id,
            actor_membership_id, actor_role, auth_session_id, subject_type, subject_id, patient_id, request_id,
            ip, user_agent, purpose, reason, detail, changes, link.prev_hash, link.hash
        FROM link JOIN event USING (workspace_id, nth)
    )
    UPDATE audit_heads SET seq = end_of.seq, hash = end_of.hash
    FROM (SELECT DISTINCT ON (workspace_id) workspace_id, seq, hash FROM link
          ORDER BY workspace_id, nth DESC) end_of
    WHERE audit_heads.workspace_id = end_of.workspace_id
    RETURNING audit_heads.workspace_id, audit_heads.seq;
END $$";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            execute(manager, APPEND_EVENTS).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            execute(manager, "DROP FUNCTION append_events").await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
