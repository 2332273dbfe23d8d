//! An appointment: a patient with a practitioner, from start to end.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{
    AppointmentId, AppointmentSeriesId, LocationId, MembershipId, PatientId, RoomId, ServiceId, WorkspaceId,
};
use crate::location::entity::LocationKind;

/// What an appointment is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum AppointmentType {
    /// A first or general visit.
    #[default]
    #[sea_orm(string_value = "CONSULTATION")]
    Consultation,
    /// A visit that continues an earlier one.
    #[sea_orm(string_value = "FOLLOW_UP")]
    FollowUp,
    /// A procedure.
    #[sea_orm(string_value = "PROCEDURE")]
    Procedure,
    /// An emergency.
    #[sea_orm(string_value = "EMERGENCY")]
    Emergency,
    /// A therapy session.
    #[sea_orm(string_value = "THERAPY")]
    Therapy,
    /// Anything else.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// How pressing an appointment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum AppointmentPriority {
    /// Can wait.
    #[default]
    #[sea_orm(string_value = "LOW")]
    Low,
    /// The usual.
    #[sea_orm(string_value = "NORMAL")]
    Normal,
    /// Before others.
    #[sea_orm(string_value = "HIGH")]
    High,
    /// As soon as possible.
    #[sea_orm(string_value = "URGENT")]
    Urgent,
}

/// Where an appointment stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum AppointmentStatus {
    /// Booked.
    #[default]
    #[sea_orm(string_value = "SCHEDULED")]
    Scheduled,
    /// Booked, and the patient has confirmed.
    #[sea_orm(string_value = "CONFIRMED")]
    Confirmed,
    /// The patient is being seen.
    #[sea_orm(string_value = "IN_PROGRESS")]
    InProgress,
    /// The visit took place.
    #[sea_orm(string_value = "COMPLETED")]
    Completed,
    /// Called off; its time is free again.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
    /// The patient did not come.
    #[sea_orm(string_value = "NO_SHOW")]
    NoShow,
}

/// Whether an appointment is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum PaymentStatus {
    /// Not paid.
    #[default]
    #[sea_orm(string_value = "NOT_PAID")]
    NotPaid,
    /// Paid.
    #[sea_orm(string_value = "PAID")]
    Paid,
    /// A request for payment was sent.
    #[sea_orm(string_value = "PAYMENT_SENT")]
    PaymentSent,
    /// Free of charge.
    #[sea_orm(string_value = "WAIVED")]
    Waived,
}

/// How an appointment was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum PaymentMethod {
    /// In cash.
    #[sea_orm(string_value = "CASH")]
    Cash,
    /// By card.
    #[sea_orm(string_value = "CARD")]
    Card,
    /// By bank transfer.
    #[sea_orm(string_value = "BANK_TRANSFER")]
    BankTransfer,
    /// With the Bit app.
    #[sea_orm(string_value = "BIT")]
    Bit,
    /// With the PayBox app.
    #[sea_orm(string_value = "PAYBOX")]
    Paybox,
    /// In another way.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "appointments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AppointmentId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub practitioner_id: MembershipId,
    pub service_id: Option<ServiceId>,
    pub location_id: Option<LocationId>,
    pub room_id: Option<RoomId>,
    pub series_id: Option<AppointmentSeriesId>,
    /// The start on the wall clock that the series gave it, which stays when the appointment is moved.
    pub series_starts_local: Option<String>,
    pub starts_at: DateTimeUtc,
    pub ends_at: DateTimeUtc,
    /// IANA name of the zone that the start was meant in.
    pub timezone: String,
    pub appointment_type: AppointmentType,
    pub location_kind: Option<LocationKind>,
    pub location_details: Option<Sealed>,
    pub priority: AppointmentPriority,
    pub status: AppointmentStatus,
    pub reason: Option<Sealed>,
    pub notes: Option<Sealed>,
    /// Kept free before the start.
    pub buffer_before_minutes: i32,
    /// Kept free after the end.
    pub buffer_after_minutes: i32,
    pub cancelled_at: Option<DateTimeUtc>,
    pub cancellation_reason: Option<Sealed>,
    pub late_cancellation: bool,
    pub started_at: Option<DateTimeUtc>,
    pub completed_at: Option<DateTimeUtc>,
    /// Counts the changes of time, as calendars want it.
    pub sequence: i32,
    /// Booked over another appointment on purpose.
    pub is_override: bool,
    /// Keyed hash of the identifier in the system that it was imported from.
    pub external_key: Option<Vec<u8>>,
    /// In minor units of the workspace's currency.
    pub price_minor: Option<i64>,
    pub payment_status: PaymentStatus,
    pub payment_method: Option<PaymentMethod>,
    pub payment_notes: Option<Sealed>,
    pub paid_at: Option<DateTimeUtc>,
    pub created_by: Option<MembershipId>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    #[sea_orm(
        belongs_to,
        relation_enum = "Patient",
        from = "(workspace_id, patient_id)",
        to = "(workspace_id, id)"
    )]
    pub patient: BelongsTo<crate::patient::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Practitioner",
        from = "(workspace_id, practitioner_id)",
        to = "(workspace_id, id)"
    )]
    pub practitioner: BelongsTo<crate::member::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Service",
        from = "(workspace_id, service_id)",
        to = "(workspace_id, id)"
    )]
    pub service: BelongsTo<Option<crate::service::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Location",
        from = "(workspace_id, location_id)",
        to = "(workspace_id, id)"
    )]
    pub location: BelongsTo<Option<crate::location::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Room",
        from = "(workspace_id, room_id)",
        to = "(workspace_id, id)"
    )]
    pub room: BelongsTo<Option<crate::room::entity::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Series",
        from = "(workspace_id, series_id)",
        to = "(workspace_id, id)"
    )]
    pub series: BelongsTo<Option<crate::appointment::series::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
