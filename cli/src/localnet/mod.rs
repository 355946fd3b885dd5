//! `acumen localnet`: a whole subnet on this machine.
//!
//! Every role runs as a process of its own, from this very binary, with its own keys, folder and log. This process
//! plans ([`plan`]), writes the folder ([`layout`]), starts and watches the children ([`supervisor`]), registers and
//! stakes with real transactions ([`bootstrap`]), and reports each epoch ([`watch`], [`report`], [`table`]). It has no
//! privilege: all it knows it reads from the chain and from the validators' reports, as anybody can.

mod bootstrap;
mod held_out;
mod keys;
mod layout;
mod miners;
mod options;
mod plan;
mod report;
mod run;
mod supervisor;
mod table;
mod watch;

pub(crate) use options::Args;
pub(crate) use run::run;
