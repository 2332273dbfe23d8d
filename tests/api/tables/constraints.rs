//! The catalogue of constraints: what keeps workspaces apart holds for every table, those to come included.

use super::catalogue::{Table, read, texts};
use super::database::{is_postgres, on_both_engines};

/// Tables without a `workspace_id`, and why.
const GLOBAL: [(&str, &str); 6] = [
    ("email_blocklist", "an address is blocked for the whole server"),
    ("login_challenges", "whoever answers a challenge has not chosen a workspace yet"),
    ("record_grants", "two workspaces meet in it: it has owner_workspace_id and rules of its own"),
    ("refresh_tokens", "a token is found by its hash, and belongs to a sign-in"),
    ("users", "a person is the same in all workspaces"),
    ("workspaces", "it is the workspace"),
];

/// Tables that name a workspace but are found by a secret before any workspace is known.
const FOUND_BY_SECRET: [&str; 2] = ["auth_sessions", "one_time_tokens"];

/// Unique columns across workspaces, and why.
const ACROSS: [(&str, &str, &str); 2] = [
    ("audit_events", "id", "its key is (workspace_id, seq), and its id is an id like all others"),
    ("calendar_feeds", "token_hash", "a feed is found by its secret"),
];

/// Tables that name a patient without referring to one, and why.
const LOOSE: [(&str, &str); 2] = [
    ("audit_events", "the journal outlives what it tells of"),
    ("patient_keys", "a key can be there before the patient whose row it seals"),
];

fn tenant_tables(tables: &[Table]) -> impl Iterator<Item = &Table> {
    tables.iter().filter(|table| table.has_column("workspace_id") && !FOUND_BY_SECRET.contains(&&*table.name))
}

fn starts_with_workspace(columns: &[String]) -> bool {
    columns.first().is_some_and(|column| column == "workspace_id")
}

on_both_engines! {
    async fn every_table_has_a_workspace_or_a_reason(db: &DatabaseConnection) {
        let tables = read(db).await;
        let without: Vec<&str> =
            tables.iter().filter(|t| !t.has_column("workspace_id")).map(|t| t.name.as_str()).collect();

        assert_eq!(without, GLOBAL.map(|(table, _)| table));
    }

    async fn every_row_can_be_referred_to_within_its_workspace(db: &DatabaseConnection) {
        for table in tenant_tables(&read(db).await) {
            let referable = starts_with_workspace(table.primary_key())
                || table.indexes.iter().any(|i| i.unique && !i.partial && i.columns == ["workspace_id", "id"]);
            assert!(referable, "{} has no UNIQUE (workspace_id, id)", table.name);
            let workspace = table.columns.iter().find(|column| column.name == "workspace_id").unwrap();
            assert!(!workspace.nullable, "{}.workspace_id may be NULL", table.name);
        }
    }

    async fn every_reference_stays_within_its_workspace(db: &DatabaseConnection) {
        let mut references = 0;
        for table in tenant_tables(&read(db).await) {
            for key in &table.foreign_keys {
                if ["workspaces", "users"].contains(&&*key.target) {
                    continue;
                }
                let mut pairs = key.from.iter().zip(&key.to);
                let pair = pairs.any(|(from, to)| from == "workspace_id" && to == "workspace_id");
                assert!(pair, "{}: {key:?}", table.name);
                references += 1;
            }
        }
        assert!(references > 80, "{references}");
    }

    async fn every_reference_is_refused_rather_than_followed_by_deletion(db: &DatabaseConnection) {
        for table in tenant_tables(&read(db).await) {
            for key in &table.foreign_keys {
                assert_eq!(key.on_delete, "restrict", "{}: {key:?}", table.name);
            }
        }
    }

    async fn every_key_and_index_starts_with_the_workspace(db: &DatabaseConnection) {
        for table in tenant_tables(&read(db).await) {
            for index in &table.indexes {
                let across = ACROSS.iter().any(|(name, column, _)| table.name == *name && index.columns == [*column]);
                // A user is the same in all workspaces, and so is the index that the reference needs.
                let to_user = table.foreign_keys.iter().any(|key| key.target == "users" && key.from == index.columns);
                let allowed = index.primary || if index.unique { across } else { to_user };
                assert!(allowed || starts_with_workspace(&index.columns), "{}: {index:?}", table.name);
            }
        }
    }

    async fn every_reference_has_an_index(db: &DatabaseConnection) {
        for table in &read(db).await {
            for key in &table.foreign_keys {
                let indexed = table.indexes.iter().any(|i| !i.partial && i.columns.starts_with(&key.from));
                assert!(indexed, "{}: {key:?}", table.name);
            }
        }
    }

    async fn every_patient_that_is_named_exists(db: &DatabaseConnection) {
        let tables = read(db).await;
        let loose: Vec<&str> = tables
            .iter()
            .filter(|table| table.has_column("patient_id"))
            .filter(|table| !table.foreign_keys.iter().any(|key| key.from.iter().any(|from| from == "patient_id")))
            .map(|table| table.name.as_str())
            .collect();

        assert_eq!(loose, LOOSE.map(|(table, _)| table));
    }

    async fn row_level_security_stands_before_every_tenant_table(db: &DatabaseConnection) {
        if !is_postgres(db) {
            // SQLite has none; the other two walls stand there.
            assert!(texts(db, "SELECT name FROM pragma_function_list WHERE name = 'current_setting'").await.is_empty());
            return;
        }
        let walls = texts(db, WALLS).await;
        for table in tenant_tables(&read(db).await) {
            let wall = walls.iter().find(|wall| wall[0] == table.name).unwrap();
            assert_eq!(wall[1..], ["enabled", "forced"], "{}", table.name);
        }

        let policies = texts(db, POLICIES).await;
        for table in tenant_tables(&read(db).await) {
            let of_table: Vec<_> = policies.iter().filter(|policy| policy[0] == table.name).collect();
            let tenant: Vec<_> = of_table.iter().filter(|policy| policy[1] == "tenant").collect();
            assert_eq!(tenant.len(), 1, "{}", table.name);
            for condition in &tenant[0][3..] {
                assert!(condition.starts_with("(workspace_id = "), "{}: {condition}", table.name);
                assert!(condition.contains("current_setting('app.workspace_id'"), "{}: {condition}", table.name);
            }
            // A further policy would open the table further. There are three openings: to read one's own memberships,
            // those of the users whose sign-ins are checked, and to append to the journals that a group commit names.
            let further: Vec<_> = of_table.iter().filter(|policy| policy[1] != "tenant").collect();
            let own = further.iter().all(|policy| match (table.name.as_str(), policy[2].as_str()) {
                ("memberships", "SELECT") => match policy[1].as_str() {
                    "own" => policy[3].contains("current_setting('app.user_id'"),
                    "checked" => policy[3].contains("current_setting('app.checked_users'"),
                    _ => false,
                },
                ("audit_events", "INSERT") | ("audit_heads", "SELECT" | "INSERT" | "UPDATE") => {
                    policy[1].starts_with("group_commit_")
                        && policy[3..].iter().any(|c| c.contains("current_setting('app.journal_workspaces'"))
                }
                _ => false,
            });
            assert!(own, "{}: {further:?}", table.name);
        }
    }
}

const WALLS: &str = "
    SELECT relname::text, CASE WHEN relrowsecurity THEN 'enabled' ELSE 'off' END,
           CASE WHEN relforcerowsecurity THEN 'forced' ELSE 'off' END
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')";

const POLICIES: &str = "
    SELECT tablename::text, policyname::text, cmd, coalesce(qual, ''), coalesce(with_check, '')
    FROM pg_policies WHERE schemaname = 'public'";
