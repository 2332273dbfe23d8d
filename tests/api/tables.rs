//! The database's own rules, on both engines: what holds even when a command forgets to ask.

mod catalogue;
mod constraints;
mod database;
mod entities;
mod facts;
mod grants;
mod migrations;
mod openings;
mod rows;
mod shapes;
