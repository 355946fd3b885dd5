//! Memory for packed weights: large chunks of whole large pages that matrices share.
//!
//! A step of one text reads every weight once, so its speed is that of a read through memory, and large pages save a
//! quarter of that time. Matrices are packed one after the other in the order in which a step reads them. A chunk goes
//! when the last matrix in it does.

use std::cell::RefCell;
use std::sync::Arc;

/// Size of a large page.
const PAGE: usize = 2 << 20;
/// Size of a chunk. Only what is touched takes memory.
const CHUNK: usize = 64 << 20;
/// Each region starts on a line of the cache.
const LINE: usize = 64;

struct Chunk {
    start: *mut u8,
    bytes: usize,
}

// SAFETY: plain memory, freed once; regions are handed out once each.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

/// Numbers of one matrix, zero at first.
pub(crate) struct Region<T> {
    chunk: Arc<Chunk>,
    offset: usize,
    length: usize,
    kind: std::marker::PhantomData<T>,
}

impl<T: Copy> Region<T> {
    /// `T` is a number for which zero bytes are a value.
    pub(crate) fn zeroed(length: usize) -> Self {
        thread_local!(static CURRENT: RefCell<Option<(Arc<Chunk>, usize)>> = const { RefCell::new(None) });
        let bytes = length.checked_mul(size_of::<T>()).expect("a matrix that memory can hold");
        CURRENT.with_borrow_mut(|current| {
            let fits = |(chunk, used): &&mut (Arc<Chunk>, usize)| bytes <= chunk.bytes - *used;
            let (chunk, offset) = match current.as_mut().filter(fits) {
                Some((chunk, used)) => {
                    let offset = *used;
                    *used = (offset + bytes).next_multiple_of(LINE).min(chunk.bytes);
                    (Arc::clone(chunk), offset)
                }
                None => {
                    let chunk = Arc::new(Chunk::new(bytes.max(CHUNK).next_multiple_of(PAGE)));
                    *current = Some((Arc::clone(&chunk), bytes.next_multiple_of(LINE).min(chunk.bytes)));
                    (chunk, 0)
                }
            };
            Self { chunk, offset, length, kind: std::marker::PhantomData }
        })
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: the stretch is this region's alone, aligned, initialised with zeros or by `as_mut_slice`.
        unsafe { std::slice::from_raw_parts(self.chunk.start.add(self.offset).cast(), self.length) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above, and `self` is borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(self.chunk.start.add(self.offset).cast(), self.length) }
    }
}

#[cfg(unix)]
impl Chunk {
    fn new(bytes: usize) -> Self {
        let whole = bytes + PAGE;
        // SAFETY: fresh private memory of the system's choice.
        let start = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(std::ptr::null_mut(), whole, access, libc::MAP_PRIVATE | libc::MAP_ANON, -1, 0)
        };
        assert!(start != libc::MAP_FAILED, "no memory for {bytes} bytes of weights");
        let lead = start.align_offset(PAGE);
        // SAFETY: both ends lie inside the mapping; only whole pages outside the chunk are given back.
        unsafe {
            let start = start.cast::<u8>();
            libc::munmap(start.cast(), lead);
            libc::munmap(start.add(lead + bytes).cast(), PAGE - lead);
            let start = start.add(lead);
            // Advice only: without large pages the memory is as good.
            #[cfg(target_os = "linux")]
            libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE);
            Self { start, bytes }
        }
    }
}

#[cfg(unix)]
impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`; no region is left.
        unsafe { libc::munmap(self.start.cast(), self.bytes) };
    }
}

#[cfg(not(unix))]
impl Chunk {
    fn layout(bytes: usize) -> std::alloc::Layout {
        std::alloc::Layout::from_size_align(bytes, LINE).expect("a matrix that memory can hold")
    }

    fn new(bytes: usize) -> Self {
        // SAFETY: the layout is not empty.
        let start = unsafe { std::alloc::alloc_zeroed(Self::layout(bytes)) };
        assert!(!start.is_null(), "no memory for {bytes} bytes of weights");
        Self { start, bytes }
    }
}

#[cfg(not(unix))]
impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout; no region is left.
        unsafe { std::alloc::dealloc(self.start, Self::layout(self.bytes)) };
    }
}

impl<T> std::fmt::Debug for Region<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} numbers", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_apart_and_outlive_each_other() {
        let mut regions: Vec<Region<u32>> =
            [1, 17, 1000, 20 << 20, 3].iter().map(|length| Region::zeroed(*length)).collect();
        for (mark, region) in regions.iter_mut().enumerate() {
            assert!(region.as_slice().iter().all(|number| *number == 0));
            assert_eq!(region.as_slice().as_ptr().align_offset(LINE), 0);
            region.as_mut_slice().fill(mark as u32 + 1);
        }
        regions.remove(0);
        for (mark, region) in regions.iter().enumerate() {
            assert!(region.as_slice().iter().all(|number| *number == mark as u32 + 2));
        }
    }
}
