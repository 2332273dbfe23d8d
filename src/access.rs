//! Who is asking: accounts, sign-ins and the secrets behind them.

pub mod entity;
