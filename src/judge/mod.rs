//! The judge: detectors against recordings whose truth is known.
//!
//! A [`corpus::Corpus`] holds recordings with their truth; each becomes a [`feed::Feed`] of
//! scrapes; a detector of one of three kinds (built in, a program, Prometheus rules) gives an
//! [`verdict::Answer`]; a [`scorecard::Scorecard`] adds it all up.

pub mod answers;
pub mod baseline;
pub mod bootstrap;
pub mod builtin;
pub mod corpus;
pub mod engine;
pub mod feed;
pub mod half;
pub mod kind;
pub mod panel;
pub mod patience;
mod prepare;
pub mod program;
pub mod promql;
pub mod reach;
pub mod realism;
pub mod render;
pub mod rulefile;
pub mod rules;
pub mod rules_error;
pub mod scorecard;
mod scratch;
pub mod size;
mod spread;
pub mod supervise;
pub mod truth;
pub mod verdict;
pub mod why;
