//! The table `breast_cancer_predictions`.

use sea_orm::entity::prelude::*;

use crate::crypto::sealed::Sealed;
use crate::id::{BreastCancerPredictionId, MembershipId, PatientId, WorkspaceId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "breast_cancer_predictions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BreastCancerPredictionId,
    pub workspace_id: WorkspaceId,
    pub patient_id: PatientId,
    pub requested_by: MembershipId,
    pub model_name: String,
    pub model_version: String,
    // The measurements, in the order in which the model takes them: ten means, ten standard errors, ten worst values.
    pub radius_mean: Sealed,
    pub texture_mean: Sealed,
    pub perimeter_mean: Sealed,
    pub area_mean: Sealed,
    pub smoothness_mean: Sealed,
    pub compactness_mean: Sealed,
    pub concavity_mean: Sealed,
    pub concave_points_mean: Sealed,
    pub symmetry_mean: Sealed,
    pub fractal_dimension_mean: Sealed,
    pub radius_se: Sealed,
    pub texture_se: Sealed,
    pub perimeter_se: Sealed,
    pub area_se: Sealed,
    pub smoothness_se: Sealed,
    pub compactness_se: Sealed,
    pub concavity_se: Sealed,
    pub concave_points_se: Sealed,
    pub symmetry_se: Sealed,
    pub fractal_dimension_se: Sealed,
    pub radius_worst: Sealed,
    pub texture_worst: Sealed,
    pub perimeter_worst: Sealed,
    pub area_worst: Sealed,
    pub smoothness_worst: Sealed,
    pub compactness_worst: Sealed,
    pub concavity_worst: Sealed,
    pub concave_points_worst: Sealed,
    pub symmetry_worst: Sealed,
    pub fractal_dimension_worst: Sealed,
    /// The probability, under the training prevalence, that the sample is malignant.
    pub probability_malignant: Sealed,
    pub prediction: Sealed,
    pub risk_level: Sealed,
    /// The names of the measurements outside the range that the model was trained on.
    pub out_of_distribution: Sealed,
    pub notes: Option<Sealed>,
    pub reviewed_by: Option<MembershipId>,
    pub reviewed_at: Option<DateTimeUtc>,
    pub released_to_patient_at: Option<DateTimeUtc>,
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
        relation_enum = "Requester",
        from = "(workspace_id, requested_by)",
        to = "(workspace_id, id)"
    )]
    pub requester: BelongsTo<crate::member::entity::Entity>,
    #[sea_orm(
        belongs_to,
        relation_enum = "Reviewer",
        from = "(workspace_id, reviewed_by)",
        to = "(workspace_id, id)"
    )]
    pub reviewer: BelongsTo<Option<crate::member::entity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
