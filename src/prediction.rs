//! Breast-cancer predictions: what a model said about one set of cytology measurements.
//!
//! A row of `breast_cancer_predictions` keeps the 30 measurements as they were entered, the name and version
//! of the model and its answer, all sealed, so that every prediction can be computed again. A new prediction
//! is a new row; what is added to a row later is only that a clinician reviewed it and, after that, that the
//! patient may see it. A prediction supports a clinician's decision and is not a diagnosis.

pub mod entity;
