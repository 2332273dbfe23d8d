//! Care plans: what is to be reached for a patient, and what is done for it.
//!
//! A row of `care_plans` is one plan from a start day on, `ACTIVE` until it is `COMPLETED` or `DISCONTINUED`.
//! Its goals (`care_plan_goals`) are `PROPOSED`, `IN_PROGRESS`, then `ACHIEVED` or `CANCELLED`, with progress
//! in percent; an achieved goal has the day it was achieved. Its interventions (`care_plan_interventions`)
//! are the measures taken, each perhaps for one goal and with one responsible member. Goals and interventions
//! carry their plan's patient; the database keeps the two alike.

pub mod entity;
pub mod goal;
pub mod intervention;
