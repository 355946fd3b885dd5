//! Work shared by the threads of the OpenMP runtime that the process has loaded.
//!
//! libtorch computes with that runtime's pool, whose idle threads spin for a while: a second pool would fight with them
//! for the same cores. The runtime is looked up by the name of the one function that compilers call (GCC's, which
//! LLVM's runtime has, too); without it work is done by the caller alone. How many threads take part is the caller's
//! own number, the one that `torch.set_num_threads` sets.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

/// Splits `0..items` among the threads, each a stretch of its own, and returns when all are done. The caller is one of
/// them. A panic in one of them is the caller's, after all have ended.
pub fn parallel(items: usize, body: impl Fn(Range<usize>) + Sync) {
    let team = if items > 1 { runtime::team() } else { 1 };
    if team <= 1 {
        return body(0..items);
    }
    let job = Job { items, body: &body, panic: Mutex::new(None) };
    runtime::run(&job);
    if let Some(panic) = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(panic);
    }
}

struct Job<'a> {
    items: usize,
    body: &'a (dyn Fn(Range<usize>) + Sync),
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Job<'_> {
    /// The share of one of `team` threads.
    fn share(&self, thread: usize, team: usize) {
        let range = thread * self.items / team..(thread + 1) * self.items / team;
        if range.is_empty() {
            return;
        }
        // No panic may cross the runtime's frames.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.body)(range))) {
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
    }
}

#[cfg(unix)]
mod runtime {
    use std::ffi::{CStr, c_int, c_uint, c_void};
    use std::sync::OnceLock;

    use super::Job;

    type Parallel = unsafe extern "C" fn(extern "C" fn(*mut c_void), *mut c_void, c_uint, c_uint);
    type Number = unsafe extern "C" fn() -> c_int;

    /// Functions of the runtime.
    struct OpenMp {
        parallel: Parallel,
        thread: Number,
        threads: Number,
        most: Number,
    }

    fn openmp() -> Option<&'static OpenMp> {
        static FOUND: OnceLock<Option<OpenMp>> = OnceLock::new();
        FOUND.get_or_init(find).as_ref()
    }

    fn find() -> Option<OpenMp> {
        let symbol = |name: &CStr| {
            // SAFETY: the name ends with a zero; nothing is loaded, only looked up.
            let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
            (!address.is_null()).then_some(address)
        };
        let number = |name: &CStr| {
            // SAFETY: OpenMP's standard gives these functions this signature.
            symbol(name).map(|address| unsafe { std::mem::transmute::<*mut c_void, Number>(address) })
        };
        let parallel = symbol(c"GOMP_parallel")?;
        Some(OpenMp {
            // SAFETY: the interface between GCC and its runtime, fixed since version 4.9.
            parallel: unsafe { std::mem::transmute::<*mut c_void, Parallel>(parallel) },
            thread: number(c"omp_get_thread_num")?,
            threads: number(c"omp_get_num_threads")?,
            most: number(c"omp_get_max_threads")?,
        })
    }

    fn count(number: Number) -> usize {
        // SAFETY: takes nothing, changes nothing.
        usize::try_from(unsafe { number() }).unwrap_or(1)
    }

    /// Threads that a call takes.
    pub(super) fn team() -> usize {
        openmp().map_or(1, |openmp| count(openmp.most))
    }

    pub(super) fn run(job: &Job<'_>) {
        let Some(openmp) = openmp() else { return job.share(0, 1) };
        let data = std::ptr::from_ref(job).cast_mut().cast();
        // SAFETY: `job` outlives the call, which returns when all threads have left `enter`; they only read it. The
        // number 0 takes the caller's own number of threads.
        unsafe { (openmp.parallel)(enter, data, 0, 0) }
    }

    extern "C" fn enter(data: *mut c_void) {
        // SAFETY: `run` passes a job that lives until this returns.
        let job = unsafe { &*data.cast::<Job<'_>>() };
        if let Some(openmp) = openmp() {
            job.share(count(openmp.thread), count(openmp.threads).max(1));
        }
    }
}

#[cfg(not(unix))]
mod runtime {
    use super::Job;

    pub(super) fn team() -> usize {
        1
    }

    pub(super) fn run(job: &Job<'_>) {
        job.share(0, 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_item_is_in_one_share() {
        for (items, team) in [(0, 3), (1, 4), (7, 2), (7, 3), (64, 5)] {
            let seen: Vec<AtomicUsize> = (0..items).map(|_| AtomicUsize::new(0)).collect();
            let body = |range: Range<usize>| {
                range.for_each(|item| {
                    seen[item].fetch_add(1, Ordering::Relaxed);
                });
            };
            let job = Job { items, body: &body, panic: Mutex::new(None) };
            (0..team).for_each(|thread| job.share(thread, team));
            assert!(seen.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{items} over {team}");
        }
    }

    #[test]
    fn a_panic_in_a_share_is_kept_for_the_caller() {
        let body = |_: Range<usize>| panic!("of the body");
        let job = Job { items: 2, body: &body, panic: Mutex::new(None) };
        job.share(1, 2);
        assert!(job.panic.lock().unwrap().is_some());
    }
}
