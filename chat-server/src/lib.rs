#![doc = include_str!("../README.md")]

mod assets;
mod banner;
mod cluster;
pub mod commands;
pub mod config;
mod data;
mod database;
mod demo;
mod engine;
mod http;
mod server;
pub mod telemetry;

pub use data::{DataError, DataFolder};
pub use database::{Database, DatabaseError};
pub use engine::{Engine, EngineError};
pub use server::{Server, StartError};
