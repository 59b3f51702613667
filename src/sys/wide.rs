//! Work compiled twice: for every processor of its kind, and for those with wider vectors.
#![allow(unsafe_code)]

/// Does `work` with 256-bit vectors where the processor has them. The results are the same to the bit: no
/// operation is another one, only more of them are done at a time. For `#[inline(always)]` closures over
/// plain arithmetic; what is not inlined is compiled as ever.
#[inline]
pub fn with_wide_vectors<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the one condition of `wide` is that the processor has AVX2, which was just asked.
        return unsafe { wide(work) };
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide<R>(work: impl FnOnce() -> R) -> R {
    work()
}
