//! A live endpoint: the latest samples as cAdvisor's `/metrics` page would show them, with the
//! truth and every formula beside them.
//!
//! A [`Board`] holds the latest samples; a [`Publisher`] is the observer that puts them there; an
//! [`Endpoint`] is one small thread that answers scrapes. The thread only ever reads the board: a
//! slow scraper can't make a sample late by more than the copy of one page of numbers.

mod board;
mod page;
mod publisher;
mod serve;

pub use board::Board;
pub use publisher::{Publisher, Shared};
pub use serve::{Endpoint, ListenError};
