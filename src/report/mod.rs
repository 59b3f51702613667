//! What a run came to.

#[cfg(feature = "report")]
pub mod html;
