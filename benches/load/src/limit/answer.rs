//! The answers: the same JSON that the server gives to the same question.

use std::borrow::Cow;
use std::fmt;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContainerType, ContextSelectionSet, OutputType, Positioned, ServerResult, SimpleObject, Value,
};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use praxis::graphql::object::{self, Items};
use serde::Serialize;

#[derive(Serialize)]
pub struct Answer<T> {
    pub data: T,
}

#[derive(Serialize)]
pub struct Typename {
    #[serde(rename = "__typename")]
    pub typename: &'static str,
}

#[derive(Serialize)]
pub struct Single {
    pub appointment: Option<One<Appointment>>,
}

#[derive(Serialize)]
pub struct Many {
    pub appointments: One<Nodes<Appointment>>,
}

#[derive(Serialize)]
pub struct Charts {
    pub patients: One<Nodes<Chart>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Booking {
    pub book_appointment: Booked,
}

#[derive(Serialize)]
pub struct Booked {
    pub appointment: BookedAppointment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BookedAppointment {
    pub id: String,
    pub starts_at: String,
}

/// An object whose fields are resolved as the server's are.
#[derive(Serialize)]
#[serde(transparent)]
pub struct One<T>(pub T);

/// The same of a list.
#[derive(Serialize)]
#[serde(transparent)]
pub struct All<T>(pub Vec<T>);

#[derive(Serialize, SimpleObject)]
#[graphql(concrete(name = "Appointments", params(Appointment)))]
#[graphql(concrete(name = "Charts", params(Chart)))]
#[graphql(concrete(name = "Visits", params(Visit)))]
pub struct Nodes<T: ContainerType> {
    pub nodes: All<T>,
}

impl<T: ContainerType> OutputType for One<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        object::resolve(ctx, &self.0).await
    }
}

impl<T: ContainerType> OutputType for All<T> {
    fn type_name() -> Cow<'static, str> {
        Items::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Items::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Items::<T>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        Items(self.0.iter().collect()).resolve(ctx, field).await
    }
}

#[derive(Serialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Appointment {
    pub id: String,
    pub starts_at: String,
    pub ends_at: String,
    pub duration_minutes: i64,
    pub timezone: String,
    pub status: String,
    pub appointment_type: String,
    pub priority: String,
    pub payment_status: String,
    pub version: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<One<Patient>>,
    pub practitioner: One<Practitioner>,
    pub service: One<Service>,
    pub location: One<Location>,
}

#[derive(Serialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Patient {
    pub id: String,
    pub first_name: String,
    pub last_name: String,
}

#[derive(Serialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Practitioner {
    pub id: String,
    pub display_name: String,
    pub title: Option<String>,
    pub specialization: Option<String>,
}

#[derive(Serialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    pub id: String,
    pub name: String,
    pub duration_minutes: i32,
    pub price_minor: Option<i64>,
}

#[derive(Serialize, SimpleObject)]
pub struct Location {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub address: Option<String>,
}

/// A patient with the latest appointments.
#[derive(Serialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Chart {
    pub id: String,
    pub first_name: String,
    pub last_name: String,
    pub appointments: One<Nodes<Visit>>,
}

#[derive(Serialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Visit {
    pub id: String,
    pub starts_at: String,
    pub ends_at: String,
    pub status: String,
    pub practitioner: One<Seen>,
}

#[derive(Serialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    pub id: String,
    pub display_name: String,
}

/// Anything that went wrong: seen by the driver as a failed request.
pub struct Failed(String);

impl<E: fmt::Display> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0).into_response()
    }
}
