//! A workspace: one practice, and the border that no data of it crosses.

use sea_orm::entity::prelude::*;

use crate::id::WorkspaceId;

/// What sort of practice a workspace is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum WorkspaceKind {
    /// A hospital.
    #[default]
    #[sea_orm(string_value = "HOSPITAL")]
    Hospital,
    /// A clinic with several practitioners.
    #[sea_orm(string_value = "CLINIC")]
    Clinic,
    /// A doctor's office.
    #[sea_orm(string_value = "DOCTOR_OFFICE")]
    DoctorOffice,
    /// A practitioner working alone.
    #[sea_orm(string_value = "SOLO")]
    Solo,
}

/// Whether a workspace can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, async_graphql::Enum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum WorkspaceStatus {
    /// In use.
    #[sea_orm(string_value = "ACTIVE")]
    Active,
    /// Closed by the platform until further notice; nothing is lost.
    #[sea_orm(string_value = "SUSPENDED")]
    Suspended,
    /// Closed for good; its data is kept as long as the law asks.
    #[default]
    #[sea_orm(string_value = "DELETED")]
    Deleted,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workspaces")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkspaceId,
    /// The name in addresses: lower-case letters, digits and hyphens.
    pub slug: String,
    pub name: String,
    pub kind: WorkspaceKind,
    pub status: WorkspaceStatus,
    pub suspended_reason: Option<String>,
    pub deleted_at: Option<DateTimeUtc>,
    /// IANA name, such as `Europe/Paris`.
    pub timezone: String,
    /// BCP 47 tag, such as `fr-CA`.
    pub locale: String,
    /// ISO 4217 code, in which all prices of the practice are.
    pub currency: String,
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    pub website: Option<String>,
    pub address: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    /// The number of the permit to practise.
    pub license: Option<String>,
    pub tax_id: Option<String>,
    /// The name on receipts, when it is not the practice's own.
    pub business_name: Option<String>,
    /// An appointment at the practice needs a room.
    pub require_room: bool,
    pub allow_past_booking: bool,
    /// A cancellation with less notice than this counts as late.
    pub late_cancellation_hours: i32,
    /// A patient is a no-show this long after the start.
    pub no_show_grace_minutes: i32,
    /// How long a slot is held at most.
    pub hold_minutes: i32,
    /// How long a patient of the waiting list has to answer an offer.
    pub waitlist_offer_minutes: i32,
    /// How long before an appointment its patient is reminded: a list of minutes.
    #[sea_orm(column_type = "JsonBinary")]
    pub reminder_minutes: Json,
    /// Patients are left alone from this minute of their day …
    pub quiet_from_minute: i32,
    /// … to this one. The same minute twice: never.
    pub quiet_until_minute: i32,
    pub storage_used_bytes: i64,
    pub storage_quota_bytes: i64,
    /// A sign-in ends after so many hours without use.
    pub refresh_idle_hours: i32,
    /// A sign-in ends after so many hours, used or not.
    pub refresh_absolute_hours: i32,
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
