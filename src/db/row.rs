//! The values of a row, by their places: by name, each would be looked up.

use sea_orm::prelude::{Date, DateTimeUtc, Json, Uuid};
use sea_orm::sea_query::ArrayType;
use sea_orm::sqlx::{self, Decode, Postgres, Row, Sqlite, Type, ValueRef};
use sea_orm::{DbErr, EntityTrait, Iterable, ModelTrait, QueryResult, RuntimeErr, Value};

/// All columns of a table, the first of them at this place of the row. Fails where a column is null that must not be.
pub fn whole<E>(row: &QueryResult, first: usize) -> Result<E::Model, DbErr>
where
    E: EntityTrait,
    E::Model: Default,
{
    let mut model = E::Model::default();
    for (place, column) in E::Column::iter().enumerate() {
        model.try_set(column, value(row, first + place, E::Model::get_value_type(column))?)?;
    }
    Ok(model)
}

/// Whether there is nothing at this place of the row. Read as a value, it would be an error first.
pub fn is_null(row: &QueryResult, place: usize) -> Result<bool, DbErr> {
    let null = match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
        (Some(row), _) => row.try_get_raw(place).map(|value| value.is_null()),
        (None, Some(row)) => row.try_get_raw(place).map(|value| value.is_null()),
        (None, None) => return Ok(false),
    };
    null.map_err(unread)
}

/// The value in a row at this place: of its kind, also when it is null.
///
/// The kind is the entity's, and the statement is made from the entity: so only builds for tests compare it with what the
/// database says of each value.
pub fn value(row: &QueryResult, place: usize, kind: ArrayType) -> Result<Value, DbErr> {
    fn get<T>(row: &QueryResult, place: usize) -> Result<Value, DbErr>
    where
        T: for<'r> Decode<'r, Postgres> + for<'r> Decode<'r, Sqlite> + Type<Postgres> + Type<Sqlite>,
        Option<T>: Into<Value>,
    {
        let value = match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
            (Some(row), _) if cfg!(debug_assertions) => row.try_get::<Option<T>, _>(place),
            (Some(row), _) => row.try_get_unchecked::<Option<T>, _>(place),
            (None, Some(row)) if cfg!(debug_assertions) => row.try_get::<Option<T>, _>(place),
            (None, Some(row)) => row.try_get_unchecked::<Option<T>, _>(place),
            (None, None) => return Err(DbErr::Type("a row of neither engine".into())),
        };
        value.map(Into::into).map_err(unread)
    }
    match kind {
        ArrayType::Bool => get::<bool>(row, place),
        ArrayType::Int => get::<i32>(row, place),
        ArrayType::BigInt => get::<i64>(row, place),
        ArrayType::String => get::<String>(row, place),
        ArrayType::Bytes => get::<Vec<u8>>(row, place),
        ArrayType::Uuid => get::<Uuid>(row, place),
        ArrayType::ChronoDateTimeUtc => get::<DateTimeUtc>(row, place),
        ArrayType::ChronoDate => get::<Date>(row, place),
        ArrayType::Json => get::<Json>(row, place),
        other => Err(DbErr::Type(format!("columns of {other:?} are not read by their places"))),
    }
}

fn unread(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
