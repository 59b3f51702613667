//! Formulas: what each consumer of container memory makes of the same rows.
//!
//! Pure functions of one [`View`]. A formula whose row is missing gives none, not a number.

use crate::rows::View;

/// One consumer's way of computing "memory used".
pub struct Formula {
    /// Its name: API, used in scenarios, JSON and exports.
    pub name: &'static str,
    /// The expression for people: `usage - inactive_file, not below 0`.
    pub expression: &'static str,
    /// Who computes it so.
    pub used_by: &'static str,
    /// Bytes, or none where a row is missing. Signed: some formulas may be below zero.
    pub eval: fn(&View) -> Option<i64>,
}

/// All formulas, in the order they are shown.
pub const FORMULAS: &[Formula] = &[];

/// The formula of that name.
pub fn by_name(name: &str) -> Option<&'static Formula> {
    FORMULAS.iter().find(|f| f.name == name)
}
