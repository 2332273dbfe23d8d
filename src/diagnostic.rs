//! Diagnostics: orders for the three-protein test and their results.
//!
//! A clinician orders the test for a patient (`test_orders`, `PENDING`). The laboratory answers it with a
//! result (`FULFILLED`), or it is called off with a reason (`CANCELLED`). A row of `diagnostic_results` holds
//! the three measured proteins, the reading made of them and the version of the model that made it; it can
//! exist without an order. The order names its result, and one result answers at most one order.

pub mod entity;
pub mod test_order;
