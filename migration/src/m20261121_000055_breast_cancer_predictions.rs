//! Breast-cancer predictions.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::frozen::keep_facts;
use crate::table::{Table, bytes, create, drop, instant, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn tables() -> Vec<Table> {
    let measured = MEASUREMENTS.into_iter().fold(
        Table::tenant(PREDICTIONS)
            .belongs_to("patient_id", "patients")
            .belongs_to("requested_by", "memberships")
            .col(text("model_name"))
            .col(text("model_version")),
        |table, measurement| table.col(bytes(measurement)),
    );
    let predictions = measured
        .col(bytes("probability_malignant"))
        .col(bytes("prediction"))
        .col(bytes("risk_level"))
        .col(bytes("out_of_distribution"))
        .col(bytes("notes").null())
        .may_belong_to("reviewed_by", "memberships")
        .col(instant("reviewed_at").null())
        .col(instant("released_to_patient_at").null())
        .check("reviewed", "(reviewed_at IS NULL) = (reviewed_by IS NULL)")
        .check("released", "released_to_patient_at IS NULL OR reviewed_at IS NOT NULL")
        .index(&["patient_id", "id"])
        .versioned();
    vec![predictions]
}

const PREDICTIONS: &str = "breast_cancer_predictions";

/// What a prediction was made of, and by whom; the measurements are sealed, and sealed anew when the key is rotated.
const FACTS: &[&str] = &["id", "workspace_id", "requested_by", "model_name", "model_version", "created_at"];

/// The measurements in the order in which the model takes them.
const MEASUREMENTS: [&str; 30] = [
    "radius_mean",
    "texture_mean",
    "perimeter_mean",
    "area_mean",
    "smoothness_mean",
    "compactness_mean",
    "concavity_mean",
    "concave_points_mean",
    "symmetry_mean",
    "fractal_dimension_mean",
    "radius_se",
    "texture_se",
    "perimeter_se",
    "area_se",
    "smoothness_se",
    "compactness_se",
    "concavity_se",
    "concave_points_se",
    "symmetry_se",
    "fractal_dimension_se",
    "radius_worst",
    "texture_worst",
    "perimeter_worst",
    "area_worst",
    "smoothness_worst",
    "compactness_worst",
    "concavity_worst",
    "concave_points_worst",
    "symmetry_worst",
    "fractal_dimension_worst",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, tables()).await?;
        keep_facts(manager, PREDICTIONS, FACTS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, tables()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
