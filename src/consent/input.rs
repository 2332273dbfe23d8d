//! What giving and withdrawing a consent takes.

use async_graphql::InputObject;
use chrono::{DateTime, Utc};

use super::entity::{ConsentChannel, ConsentPurpose};
use crate::error::Result;
use crate::graphql::input::Problems;
use crate::id::PatientId;
use crate::workspace::input::check_locale;

/// A consent that a patient gives.
#[derive(Clone, InputObject)]
pub struct GrantConsentInput {
    /// Who gives it.
    pub patient_id: PatientId,
    /// What for. `REMINDERS` lets the practice send reminders of appointments to the patient's e-mail address.
    pub purpose: ConsentPurpose,
    /// The version of the text that was shown: 1 to 100 characters. Nothing about the patient.
    pub text_version: String,
    /// The language it was shown in, as a BCP 47 tag.
    pub language: String,
    /// How it was expressed.
    pub channel: ConsentChannel,
    /// The kinds of data it covers, such as `contact`: at most 20 names of 1 to 50 characters.
    #[graphql(default)]
    pub data_categories: Vec<String>,
    /// Until when it holds. By default until it is withdrawn.
    pub expires_at: Option<DateTime<Utc>>,
    /// Makes a repetition of this request harmless: the same key answers with the same consent.
    pub idempotency_key: Option<String>,
}

impl GrantConsentInput {
    pub fn check(&self, now: DateTime<Utc>) -> Result<()> {
        let mut problems = Problems::default();
        problems.text("textVersion", &self.text_version, 100);
        check_locale(&mut problems, "language", &self.language);
        check_channel(&mut problems, self.channel);
        let fits = |name: &String| (1..=50).contains(&name.chars().count()) && !name.contains('\0');
        if self.data_categories.len() > 20 || !self.data_categories.iter().all(fits) {
            problems.add("dataCategories", "At most 20 names of 1 to 50 characters.");
        }
        if self.expires_at.is_some_and(|until| until <= now) {
            problems.add("expiresAt", "Must be in the future.");
        }
        problems.ok()
    }
}

/// A consent that a patient takes back.
#[derive(Clone, InputObject)]
pub struct WithdrawConsentInput {
    /// Who takes it back.
    pub patient_id: PatientId,
    /// What for. With `REMINDERS`, what was planned for the patient is called off.
    pub purpose: ConsentPurpose,
    /// How that was expressed.
    pub channel: ConsentChannel,
    /// Makes a repetition of this request harmless: the same key answers with the same withdrawal.
    pub idempotency_key: Option<String>,
}

impl WithdrawConsentInput {
    pub fn check(&self) -> Result<()> {
        let mut problems = Problems::default();
        check_channel(&mut problems, self.channel);
        problems.ok()
    }
}

fn check_channel(problems: &mut Problems, channel: ConsentChannel) {
    if channel == ConsentChannel::System {
        problems.add("channel", "Say how the patient expressed it.");
    }
}
