//! The entities say exactly what the tables are.

use std::collections::BTreeSet;

use praxis::id::PREFIXES;

use super::catalogue::{read, texts};
use super::database::{is_postgres, on_both_engines};
use super::shapes::{all, vocabularies};

on_both_engines! {
    async fn every_table_has_an_entity_with_the_same_columns(db: &DatabaseConnection) {
        let tables = read(db).await;
        let shapes = all();
        let with_entity: Vec<&String> = {
            let mut names: Vec<_> = shapes.iter().map(|shape| &shape.table).collect();
            names.sort();
            names
        };
        assert_eq!(tables.iter().map(|table| &table.name).collect::<Vec<_>>(), with_entity);

        for shape in &shapes {
            shape.build(db).await;
        }
        let built = read(db).await;
        for shape in &shapes {
            let table = tables.iter().find(|table| table.name == shape.table).unwrap();
            let twin = built.iter().find(|twin| twin.name == format!("shape_{}", shape.table)).unwrap();
            for column in &table.columns {
                assert!(twin.columns.contains(column), "{}: the entity has no such {column:?}", table.name);
            }
            for column in &twin.columns {
                assert!(table.columns.contains(column), "{}: the database has no such {column:?}", table.name);
            }
            assert_eq!(table.primary_key(), shape.primary_key, "{}", table.name);
        }
    }

    async fn every_relation_is_a_foreign_key(db: &DatabaseConnection) {
        let tables = read(db).await;
        let mut relations = 0;
        for shape in all() {
            let table = tables.iter().find(|table| table.name == shape.table).unwrap();
            for relation in &shape.relations {
                let holds = table.foreign_keys.iter().any(|key| {
                    let pairs: Vec<_> = key.from.iter().cloned().zip(key.to.iter().cloned()).collect();
                    key.target == relation.target && relation.columns.iter().all(|pair| pairs.contains(pair))
                });
                assert!(holds, "{}: {relation:?}", shape.table);
                relations += 1;
            }
        }
        assert!(relations > 40, "{relations}");
    }

    async fn every_id_belongs_to_a_table(db: &DatabaseConnection) {
        let with_id: BTreeSet<_> =
            read(db).await.into_iter().filter(|table| table.has_column("id")).map(|table| table.name).collect();

        let with_prefix: BTreeSet<_> = PREFIXES.iter().map(|(_, table)| (*table).to_owned()).collect();

        assert_eq!(with_id, with_prefix);
    }

    async fn a_column_takes_exactly_the_words_of_its_enum(db: &DatabaseConnection) {
        let checks = texts(db, if is_postgres(db) { POSTGRES_CHECKS } else { SQLITE_TABLES }).await;
        let vocabularies = vocabularies();
        for (table, column, words) in &vocabularies {
            let name = format!("{table}_{column}_check");
            let check = checks
                .iter()
                .find_map(|row| row[0].split("CONSTRAINT ").find(|check| check.contains(&name)))
                .unwrap_or_else(|| panic!("there is no {name}"));
            assert_eq!(&quoted(check), words, "{name}");
        }

        // The other way round: whatever the migrations call one of several words is read as an enum.
        if !is_postgres(db) {
            let lists = checks.iter().flat_map(|row| row[0].split("CONSTRAINT ")).filter(|c| c.contains("\" IN ("));
            for list in lists {
                let known = vocabularies.iter().any(|(t, c, _)| list.contains(&format!("{t}_{c}_check")));
                assert!(known, "no enum reads {list}");
            }
        }
    }
}

const POSTGRES_CHECKS: &str =
    "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'";

const SQLITE_TABLES: &str = "SELECT sql FROM sqlite_master WHERE type = 'table'";

/// The words in single quotes, in alphabetical order.
fn quoted(check: &str) -> Vec<String> {
    let mut words: Vec<String> = check.split('\'').skip(1).step_by(2).map(str::to_owned).collect();
    words.sort();
    words
}
