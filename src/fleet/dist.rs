//! The numbers of a population: how a quantity differs from pod to pod.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp, LogNormal};

/// One number of a pod, drawn once.
#[derive(Debug, Clone, PartialEq)]
pub enum Dist {
    /// Always the same.
    Fixed(f64),
    /// Any between the two alike.
    Uniform(f64, f64),
    /// One of these, each as likely.
    Choice(Vec<f64>),
    /// Exponential, by its mean.
    Exponential(Exp<f64>),
    /// Log-normal, by its median and the sigma of the logarithm.
    LogNormal(LogNormal<f64>),
}

impl Dist {
    /// Draws one.
    pub fn draw(&self, rng: &mut impl Rng) -> f64 {
        match self {
            Dist::Fixed(x) => *x,
            Dist::Uniform(low, high) if low < high => rng.random_range(*low..*high),
            Dist::Uniform(low, _) => *low,
            Dist::Choice(all) => all[rng.random_range(0..all.len())],
            Dist::Exponential(exp) => exp.sample(rng),
            Dist::LogNormal(normal) => normal.sample(rng),
        }
    }
}
