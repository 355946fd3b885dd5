//! A slice that several threads write to in places of their own.

use std::marker::PhantomData;

/// See the module. Whoever writes promises that nobody else has the same place.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a, T> {
    start: *mut T,
    length: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: a pointer into a slice that is borrowed for 'a; see the contract of `part`.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), length: slice.len(), slice: PhantomData }
    }

    /// A stretch of it.
    ///
    /// # Safety
    /// No other stretch that lives at the same time overlaps it.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn part(&self, from: usize, length: usize) -> &mut [T] {
        assert!(from <= self.length && length <= self.length - from, "{from} + {length} of {}", self.length);
        // SAFETY: inside the slice; alone by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), length) }
    }

    /// Where a number lies: to fetch, not to read.
    #[inline(always)]
    pub(crate) fn place(&self, at: usize) -> *const T {
        self.start.wrapping_add(at)
    }
}
