//! The judge: detectors against recordings whose truth is known.
//!
//! A [`corpus::Corpus`] holds recordings with their truth; each becomes a [`feed::Feed`] of
//! scrapes; a detector of one of three kinds (built in, a program, Prometheus rules) gives an
//! [`verdict::Answer`]; a [`scorecard::Scorecard`] adds it all up.

pub mod answers;
pub mod baseline;
pub mod builtin;
pub mod corpus;
pub mod descendants;
pub mod feed;
pub mod manifest;
pub mod panel;
pub mod program;
pub mod realism;
pub mod render;
pub mod rules;
pub mod scorecard;
mod scratch;
pub mod supervise;
pub mod truth;
pub mod verdict;
