//! The scoped finder: the only way to select a tenant table.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Select};

use crate::access::actor::Actor;
use crate::id::PatientId;

/// A table whose rows belong to a workspace.
pub trait Tenant: EntityTrait {
    fn workspace_column() -> Self::Column;

    /// The column that says whose chart a row is part of; `None` for a table without a patient.
    fn patient_column() -> Option<Self::Column>;
}

impl Actor {
    /// The rows of `E` that this actor may reach: those of the workspace and, for a patient, of the own chart.
    pub fn find<E: Tenant>(&self) -> Select<E> {
        self.confine(all::<E>())
    }

    /// The same rows, whose columns are chosen later: for [`project::select`](crate::graphql::project::select), and to be
    /// counted.
    pub fn seek<E: Tenant>(&self) -> Select<E> {
        self.confine(bare::<E>())
    }

    /// Confines a query that was built elsewhere, such as a join.
    pub fn confine<E: Tenant>(&self, query: Select<E>) -> Select<E> {
        if cfg!(feature = "test-without-scope") {
            return query;
        }
        let query = query.filter(E::workspace_column().eq(self.workspace));
        match (self.role, E::patient_column()) {
            (crate::member::entity::Role::Patient, Some(column)) => {
                // A patient account without a chart reaches nothing.
                query.filter(column.eq(self.patient.unwrap_or(PatientId(uuid::Uuid::nil()))))
            }
            _ => query,
        }
    }
}

/// Stands for columns that are chosen later.
pub const NOTHING: &str = "NULL";

/// Finders of tables that were put together before: to copy one takes a fraction of that.
type Finders = LazyLock<RwLock<HashMap<TypeId, Box<dyn Any + Send + Sync>>>>;

/// Every row of a table.
fn all<E: EntityTrait>() -> Select<E> {
    static WHOLE: Finders = LazyLock::new(Default::default);
    copied(&WHOLE, E::find)
}

/// The same without the list of its columns, which takes longest to copy.
fn bare<E: EntityTrait>() -> Select<E> {
    static BARE: Finders = LazyLock::new(Default::default);
    copied(&BARE, || E::find().select_only().expr(Expr::cust(NOTHING)))
}

fn copied<E: EntityTrait>(finders: &Finders, find: fn() -> Select<E>) -> Select<E> {
    let table = TypeId::of::<E>();
    let known = finders.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(finder) = known.get(&table).and_then(|finder| finder.downcast_ref::<Select<E>>()) {
        return finder.clone();
    }
    drop(known);
    let finder = find();
    finders.write().unwrap_or_else(PoisonError::into_inner).insert(table, Box::new(finder.clone()));
    finder
}

/// A global table (people, sign-ins, workspaces): no workspace to scope by, so each use says why.
pub fn find_global<E: EntityTrait>() -> Select<E> {
    all()
}

macro_rules! tenants {
    ($($module:path $(, $patient:ident)?;)*) => {
        $(
            const _: () = {
                use $module as table;
                impl Tenant for table::Entity {
                    fn workspace_column() -> table::Column { table::Column::WorkspaceId }
                    fn patient_column() -> Option<table::Column> { tenants!(@patient $($patient)?) }
                }
            };
        )*
    };
    (@patient) => { None };
    (@patient $patient:ident) => { Some(table::Column::$patient) };
}

tenants! {
    crate::access::entity::idempotency_key;
    crate::crypto::entity::workspace_key;
    crate::crypto::entity::patient_key, PatientId;
    crate::crypto::entity::reencryption_job;
    crate::member::entity;
    crate::patient::entity, Id;
    crate::patient::family_history, PatientId;
    crate::patient::care_team, PatientId;
    crate::service::entity;
    crate::location::entity;
    crate::room::entity;
    crate::equipment::entity;
    crate::service::equipment;
    crate::schedule::entity;
    crate::schedule::exception;
    crate::appointment::entity, PatientId;
    crate::appointment::occupancy;
    crate::appointment::group;
    crate::appointment::seat;
    crate::appointment::series, PatientId;
    crate::appointment::event;
    crate::appointment::hold, PatientId;
    crate::appointment::waitlist, PatientId;
    crate::reminder::entity;
    crate::reminder::notification_setting;
    crate::reminder::calendar_feed;
    crate::journal::entity;
    crate::journal::head;
    crate::journal::checkpoint;
    crate::therapy_session::entity, PatientId;
    crate::therapy_session::version, PatientId;
    crate::attachment::entity, PatientId;
    crate::medical_record::entity, PatientId;
    crate::medical_record::anchor;
    crate::diagnostic::entity, PatientId;
    crate::diagnostic::test_order, PatientId;
    crate::prediction::entity, PatientId;
    crate::care_plan::entity, PatientId;
    crate::care_plan::goal, PatientId;
    crate::care_plan::intervention, PatientId;
    crate::consent::entity, PatientId;
    crate::erasure::entity, PatientId;
    crate::disclosure::entity, PatientId;
    crate::retention::entity;
    crate::retention::legal_hold, PatientId;
    crate::retention::archive, PatientId;
}
