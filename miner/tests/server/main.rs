//! A real server and real clients over loopback, with a small model that computes a real distribution.

mod chain;
mod dashboard;
mod embed;
mod generate;
mod intake;
mod kserve;
mod life;
mod model;
mod models;
mod overload;
mod questions;
mod raw;
mod records;
mod refusals;
mod rig;
mod shipped;
mod text;
mod tls;
mod upstream;
