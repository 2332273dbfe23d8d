//! Rows for tests of the database itself: what a test does not say is filled in with the least that is allowed.

use praxis::clock::Clock;
use sea_orm::prelude::{Date, DateTimeUtc, Json, Uuid};
use sea_orm::sea_query::{ColumnType, Query, StringLen};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, Iterable, Value};

/// A row to insert.
pub struct Row<E: EntityTrait>(Vec<(E::Column, Value)>);

impl<E: EntityTrait> Row<E> {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn set(mut self, column: E::Column, value: impl Into<Value>) -> Self {
        self.0.push((column, value.into()));
        self
    }

    pub async fn insert(self, db: &DatabaseConnection) -> Result<(), DbErr> {
        let mut columns = Vec::new();
        let mut values = Vec::new();
        for column in E::Column::iter() {
            let given = self.0.iter().find(|(name, _)| name.as_column_ref() == column.as_column_ref());
            if let Some(value) = given.map(|(_, value)| value.clone()).or_else(|| least::<E>(column)) {
                columns.push(column);
                values.push(value.into());
            }
        }
        let insert =
            Query::insert().into_table(E::default()).columns(columns).values_panic(values).to_owned();
        db.execute(&insert).await.map(|_| ())
    }
}

/// A value for a mandatory column; none for one that may be empty or whose words have a default.
fn least<E: EntityTrait>(column: E::Column) -> Option<Value> {
    let definition = column.def();
    if definition.is_null() {
        return None;
    }
    match definition.get_column_type() {
        ColumnType::String(StringLen::N(_)) => None,
        ColumnType::String(_) | ColumnType::Text => Some("x".into()),
        ColumnType::Uuid => Some(new_id().into()),
        ColumnType::Integer | ColumnType::SmallInteger => Some(1.into()),
        ColumnType::BigInteger => Some(1_i64.into()),
        ColumnType::Boolean => Some(false.into()),
        ColumnType::VarBinary(_) | ColumnType::Binary(_) | ColumnType::Blob => Some(vec![7_u8; 32].into()),
        ColumnType::TimestampWithTimeZone => Some(noon().into()),
        ColumnType::Date => Some(noon().date_naive().into()),
        ColumnType::JsonBinary | ColumnType::Json => Some(Json::Array(Vec::new()).into()),
        other => panic!("no value for a column of the type {other:?}"),
    }
}

pub fn new_id() -> Uuid {
    Clock::system().new_uuid()
}

/// A fixed moment.
pub fn noon() -> DateTimeUtc {
    Date::from_ymd_opt(2026, 3, 2).and_then(|day| day.and_hms_opt(12, 0, 0)).expect("a moment").and_utc()
}
