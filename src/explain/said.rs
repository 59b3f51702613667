//! Clauses that a sentence has only where something is known.

use crate::units;

/// A size that may not be known, as a clause.
pub trait Said {
    /// The clause with the size in the place of its `@`; nothing where there is no size.
    fn said(self, clause: &str) -> String;
}

impl Said for Option<u64> {
    fn said(self, clause: &str) -> String {
        let put = |size| clause.replace('@', &units::bytes(size));
        self.map(put).unwrap_or_default()
    }
}
