//! Ids: one newtype per table over a `UUIDv7`, written as a `TypeID` in GraphQL.
//!
//! A `TypeID` is a lower-case type prefix, an underscore and the 128 bits of the UUID in Crockford's
//! base32 (26 characters): `pat_01h455vb4pex5vsknk084sn02q`. The prefix makes an id of the wrong type a
//! clear input error instead of a row that is not found. Specification: TypeID 0.3.

use std::fmt;

use data_encoding::{Encoding, Specification};
use std::sync::LazyLock;
use uuid::Uuid;

use crate::clock::Clock;

/// Crockford's alphabet in lower case, most significant bit first.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    spec.encoding().expect("the alphabet has 32 distinct symbols")
});

/// The text of a `TypeID`: `prefix_` and 26 base32 characters.
fn encode(prefix: &str, id: Uuid) -> String {
    // 130 bits: two zero bits in front of the 128, so that the first character is 0 to 7.
    let mut bits = [0u8; 20];
    bits[4..].copy_from_slice(id.as_bytes());
    let mut digits = [0u8; 32];
    let digits = BASE32.encode_mut_str(&bits, &mut digits);
    [prefix, "_", &digits[6..]].concat()
}

/// The prefix and the UUID of a `TypeID`, or `None` when it is not one.
///
/// Only the canonical text is accepted (lower case, 26 characters, first one 0 to 7), so one id has one spelling.
pub fn decode(text: &str) -> Option<(&str, Uuid)> {
    let (prefix, suffix) = text.rsplit_once('_')?;
    if suffix.len() != 26 || !suffix.is_ascii() || suffix.as_bytes()[0] > b'7' {
        return None;
    }
    let bits = BASE32.decode(format!("000000{suffix}").as_bytes()).ok()?;
    Some((prefix, Uuid::from_slice(&bits[4..]).ok()?))
}

/// The `TypeID` of a row, when rows of the table have one.
pub fn text(table: &str, id: Uuid) -> Option<String> {
    let (prefix, _) = PREFIXES.iter().find(|(_, name)| *name == table)?;
    Some(encode(prefix, id))
}

/// The table that a type prefix belongs to.
pub fn table(prefix: &str) -> Option<&'static str> {
    PREFIXES.iter().find(|(name, _)| *name == prefix).map(|(_, table)| *table)
}

/// An id of one table.
pub trait TypedId: Copy + Eq + std::hash::Hash + Send + Sync + 'static {
    /// The type prefix of the `TypeID`.
    const PREFIX: &'static str;
    /// The table that the id belongs to.
    const TABLE: &'static str;
    fn from_uuid(id: Uuid) -> Self;
    fn uuid(self) -> Uuid;

    /// A new id, time-ordered by the application's clock.
    fn new(clock: &Clock) -> Self {
        Self::from_uuid(clock.new_uuid())
    }

    fn parse(text: &str) -> Option<Self> {
        match decode(text) {
            Some((prefix, id)) if prefix == Self::PREFIX => Some(Self::from_uuid(id)),
            _ => None,
        }
    }
}

/// Declares the id newtypes: a SeaORM value, and the GraphQL scalar `ID` whose text is the `TypeID`.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal on $table:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, sea_orm::DeriveValueType)]
            #[derive(serde::Serialize, serde::Deserialize)]
            #[serde(transparent)]
            pub struct $name(pub Uuid);

            impl TypedId for $name {
                const PREFIX: &'static str = $prefix;
                const TABLE: &'static str = $table;
                fn from_uuid(id: Uuid) -> Self { Self(id) }
                fn uuid(self) -> Uuid { self.0 }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&encode($prefix, self.0))
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl sea_orm::TryFromU64 for $name {
                fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                    Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
                }
            }

            impl async_graphql::InputType for $name {
                type RawValueType = Self;

                fn type_name() -> std::borrow::Cow<'static, str> { "ID".into() }

                fn create_type_info(registry: &mut async_graphql::registry::Registry) -> String {
                    <async_graphql::ID as async_graphql::InputType>::create_type_info(registry)
                }

                fn parse(value: Option<async_graphql::Value>) -> async_graphql::InputValueResult<Self> {
                    match value {
                        Some(async_graphql::Value::String(text)) => <Self as TypedId>::parse(&text)
                            .ok_or_else(|| crate::graphql::error::invalid_id($prefix)),
                        _ => Err(crate::graphql::error::invalid_id($prefix)),
                    }
                }

                fn to_value(&self) -> async_graphql::Value { async_graphql::Value::String(self.to_string()) }

                fn as_raw_value(&self) -> Option<&Self> { Some(self) }
            }

            impl async_graphql::OutputType for $name {
                fn type_name() -> std::borrow::Cow<'static, str> { "ID".into() }

                fn create_type_info(registry: &mut async_graphql::registry::Registry) -> String {
                    <async_graphql::ID as async_graphql::OutputType>::create_type_info(registry)
                }

                async fn resolve(
                    &self,
                    _: &async_graphql::ContextSelectionSet<'_>,
                    _: &async_graphql::Positioned<async_graphql::parser::types::Field>,
                ) -> async_graphql::ServerResult<async_graphql::Value> {
                    Ok(async_graphql::Value::String(encode($prefix, self.0)))
                }
            }
        )*

        /// Every type prefix with its table, in the order of declaration.
        pub const PREFIXES: &[(&str, &str)] = &[$(($prefix, $table)),*];
    };
}

ids! {
    /// A practice: the tenant.
    WorkspaceId = "wsp" on "workspaces";
    /// A person who can sign in, across workspaces.
    UserId = "usr" on "users";
    /// A person's place in one workspace.
    MembershipId = "mem" on "memberships";
    /// A sign-in on one device.
    AuthSessionId = "ses" on "auth_sessions";
    RefreshTokenId = "rft" on "refresh_tokens";
    OneTimeTokenId = "ott" on "one_time_tokens";
    LoginChallengeId = "lch" on "login_challenges";
    EmailBlocklistId = "ebl" on "email_blocklist";
    IdempotencyKeyId = "idk" on "idempotency_keys";
    WorkspaceKeyId = "wky" on "workspace_keys";
    PatientKeyId = "pky" on "patient_keys";
    ReencryptionJobId = "rej" on "reencryption_jobs";
    PatientId = "pat" on "patients";
    FamilyHistoryId = "fam" on "family_history";
    CareTeamMemberId = "ctm" on "patient_care_team";
    ServiceId = "svc" on "services";
    LocationId = "loc" on "locations";
    RoomId = "room" on "rooms";
    EquipmentId = "eqp" on "equipment";
    ServiceEquipmentId = "seq" on "service_equipment";
    DoctorScheduleId = "sch" on "doctor_schedules";
    ScheduleExceptionId = "sex" on "schedule_exceptions";
    AppointmentId = "apt" on "appointments";
    OccupancyId = "occ" on "occupancies";
    AppointmentSeriesId = "ser" on "appointment_series";
    AppointmentEventId = "aev" on "appointment_events";
    AppointmentHoldId = "hld" on "appointment_holds";
    GroupSessionId = "grp" on "group_sessions";
    GroupSeatId = "seat" on "group_seats";
    WaitlistEntryId = "wait" on "waitlist_entries";
    ReminderId = "rem" on "reminders";
    NotificationSettingId = "nts" on "notification_settings";
    CalendarFeedId = "cal" on "calendar_feeds";
    TherapySessionId = "note" on "therapy_sessions";
    TherapySessionVersionId = "notev" on "therapy_session_versions";
    AttachmentId = "att" on "attachments";
    MedicalRecordId = "rec" on "medical_records";
    RecordGrantId = "grt" on "record_grants";
    RecordAnchorId = "anc" on "record_anchors";
    DiagnosticResultId = "dgr" on "diagnostic_results";
    TestOrderId = "ord" on "test_orders";
    BreastCancerPredictionId = "prd" on "breast_cancer_predictions";
    CarePlanId = "plan" on "care_plans";
    CarePlanGoalId = "goal" on "care_plan_goals";
    CarePlanInterventionId = "intv" on "care_plan_interventions";
    AuditEventId = "aud" on "audit_events";
    AuditCheckpointId = "chk" on "audit_checkpoints";
    ConsentId = "cns" on "data_processing_consents";
    DeletionRequestId = "del" on "data_deletion_requests";
    DisclosureId = "dsc" on "disclosures";
    RetentionPolicyId = "rtp" on "retention_policies";
    LegalHoldId = "lhd" on "legal_holds";
    ArchiveId = "arc" on "archives";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_published_typeid() {
        // Vectors of the TypeID specification.
        let zero = Uuid::nil();
        assert_eq!(encode("nil", zero), "nil_00000000000000000000000000");
        let id: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("a UUID");
        assert_eq!(encode("prefix", id), "prefix_01h455vb4pex5vsknk084sn02q");
        assert_eq!(decode("prefix_01h455vb4pex5vsknk084sn02q"), Some(("prefix", id)));
        assert_eq!(encode("max", Uuid::max()), "max_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }

    #[test]
    fn only_the_canonical_text_of_the_right_type_is_accepted() {
        let good = PatientId(Uuid::nil()).to_string();
        assert_eq!(PatientId::parse(&good), Some(PatientId(Uuid::nil())));
        for bad in [
            "apt_00000000000000000000000000",
            "pat_0000000000000000000000000",
            "pat_000000000000000000000000000",
            "pat_80000000000000000000000000",
            "pat_0000000000000000000000000L",
            "pat_0000000000000000000000000\u{e9}",
            "PAT_00000000000000000000000000",
            "00000000000000000000000000",
            "pat_",
            "",
        ] {
            assert_eq!(PatientId::parse(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_id_survives_its_text(bits: u128) {
            let id = AppointmentId(Uuid::from_u128(bits));
            assert_eq!(AppointmentId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn whatever_is_read_as_an_id_is_written_the_same_way(text in "(apt_)?[0-9a-zA-Z_]{0,30}") {
            if let Some(id) = AppointmentId::parse(&text) {
                assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn every_prefix_and_table_is_used_once() {
        let mut prefixes: Vec<_> = PREFIXES.iter().map(|p| p.0).collect();
        let mut tables: Vec<_> = PREFIXES.iter().map(|p| p.1).collect();
        prefixes.sort_unstable();
        tables.sort_unstable();
        prefixes.dedup();
        tables.dedup();
        assert_eq!((prefixes.len(), tables.len()), (PREFIXES.len(), PREFIXES.len()));
    }
}
