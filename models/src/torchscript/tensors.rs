//! Any TorchScript module, tensors in and tensors out, on an OS thread of its own.
//!
//! Where [`super::ScriptModel`] wants a language model, this one wants nothing: `forward` takes the tensors in the order
//! in which they are given and answers with a tensor, a tuple or a list of them.
//!
//! Invariants: the module is loaded, run and dropped on one thread; at most `QUEUE` requests of at most `QUEUE_BYTES` together
//! wait; one whose caller has gone is not run; [`TensorModule::busy`] says for how long the module has been at one of them; a tensor's bytes are exactly what its shape and type need, before libtorch sees it; a panic fails the
//! request that met it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tch::{CModule, IValue, Kind, Tensor};
use tokio::sync::oneshot;

use crate::files::{self, Digest};
use crate::torch::{prepare, size, words};
use crate::{ModelError, ReplicaError};

#[cfg(test)]
mod tests;

/// Requests that may wait for the module.
const QUEUE: usize = 256;

/// Bytes of the tensors of requests that wait or run: four of the largest that a server takes.
const QUEUE_BYTES: usize = 256 << 20;

/// What a caller is told to wait who meets a full queue.
const RETRY_AFTER_MS: u64 = 100;

/// Most values in one tensor: 2^31 is what libtorch's own kernels index with 32 bits.
const MAX_VALUES: usize = 1 << 31;

/// Types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum DataType {
    Bool,
    Uint8,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
}

const TYPES: [(DataType, &str, Kind, usize); 10] = [
    (DataType::Bool, "BOOL", Kind::Bool, 1),
    (DataType::Uint8, "UINT8", Kind::Uint8, 1),
    (DataType::Int8, "INT8", Kind::Int8, 1),
    (DataType::Int16, "INT16", Kind::Int16, 2),
    (DataType::Int32, "INT32", Kind::Int, 4),
    (DataType::Int64, "INT64", Kind::Int64, 8),
    (DataType::Fp16, "FP16", Kind::Half, 2),
    (DataType::Bf16, "BF16", Kind::BFloat16, 2),
    (DataType::Fp32, "FP32", Kind::Float, 4),
    (DataType::Fp64, "FP64", Kind::Double, 8),
];

impl DataType {
    fn entry(self) -> &'static (Self, &'static str, Kind, usize) {
        // Every type has its line: the tests count them.
        TYPES.iter().find(|(datatype, ..)| *datatype == self).unwrap_or(&TYPES[0])
    }

    /// KServe's name, such as `FP32`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// From KServe's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TYPES.iter().find(|(_, known, ..)| *known == name).map(|(datatype, ..)| *datatype)
    }

    /// Bytes of one value.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.entry().3
    }

    fn kind(self) -> Kind {
        self.entry().2
    }

    fn of(kind: Kind) -> Option<Self> {
        TYPES.iter().find(|(_, _, known, _)| *known == kind).map(|(datatype, ..)| *datatype)
    }
}

/// A tensor as bytes: row-major, little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorData {
    /// Type of the values.
    pub datatype: DataType,
    /// Sizes.
    pub shape: Vec<i64>,
    /// The values.
    pub bytes: Vec<u8>,
}

/// Bytes that a tensor needs; `None` for a negative size or too many values.
#[must_use]
pub fn bytes_of(datatype: DataType, shape: &[i64]) -> Option<usize> {
    let values = shape.iter().try_fold(1_usize, |product, size| {
        product.checked_mul(usize::try_from(*size).ok()?).filter(|values| *values <= MAX_VALUES)
    })?;
    values.checked_mul(datatype.bytes())
}

type Answer = Result<Vec<TensorData>, ReplicaError>;
type Job = (Vec<TensorData>, Held, oneshot::Sender<Answer>);

/// What callers and the thread know of each other.
#[derive(Debug, Default)]
struct Gauge {
    /// Bytes that wait or run.
    bytes: AtomicUsize,
    /// Since when the module has been at one request.
    busy: Mutex<Option<Instant>>,
}

impl Gauge {
    fn set_busy(&self, since: Option<Instant>) {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

/// Bytes of one request; given back when it is dropped.
#[derive(Debug)]
struct Held {
    gauge: Arc<Gauge>,
    bytes: usize,
}

impl Held {
    fn take(gauge: &Arc<Gauge>, bytes: usize) -> Option<Self> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= QUEUE_BYTES);
        gauge.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).ok()?;
        Some(Self { gauge: Arc::clone(gauge), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauge.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// A module on its thread. Dropping it ends the thread after what it is at.
#[derive(Debug)]
pub struct TensorModule {
    jobs: SyncSender<Job>,
    gauge: Arc<Gauge>,
    digest: [u8; 32],
}

impl TensorModule {
    /// Starts the thread and loads a module of at most `limit` bytes on it. Blocks while it loads.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn spawn(path: &Path, limit: u64, threads: usize) -> Result<Self, ModelError> {
        let (jobs, waiting) = sync_channel(QUEUE);
        let (started, loaded) = sync_channel(1);
        let path = path.to_owned();
        let gauge = Arc::<Gauge>::default();
        let shown = Arc::clone(&gauge);
        std::thread::Builder::new()
            .name("acumen-tensors".into())
            .spawn(move || {
                prepare(Some(threads));
                match load(&path, limit) {
                    Ok((module, digest)) => {
                        // Who spawned it may have gone; then there are no jobs either.
                        let _ = started.send(Ok(digest));
                        serve(&module, &waiting, &shown);
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            })
            .map_err(|error| ModelError::Engine(format!("cannot start a thread: {error}")))?;
        let digest =
            loaded.recv().map_err(|_| ModelError::Panicked("the thread ended while loading".into()))??;
        Ok(Self { jobs, gauge, digest })
    }

    /// blake2b-256 of the file.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// How long the module has been at one request; none while it waits for one.
    #[must_use]
    pub fn busy(&self) -> Option<Duration> {
        let since = *self.gauge.busy.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed())
    }

    /// Runs `forward` on these tensors. Dropping the future withdraws the request if it has not run yet.
    ///
    /// # Errors
    /// [`ReplicaError::Overloaded`]; what the module says; a tensor whose bytes do not fit its shape.
    pub async fn run(&self, inputs: Vec<TensorData>) -> Answer {
        let (reply, answer) = oneshot::channel();
        let bytes = inputs.iter().map(|input| input.bytes.len()).sum();
        let overloaded = ReplicaError::Overloaded { retry_after_ms: RETRY_AFTER_MS };
        let held = Held::take(&self.gauge, bytes).ok_or(overloaded)?;
        self.jobs.try_send((inputs, held, reply)).map_err(|error| match error {
            TrySendError::Full(_) => ReplicaError::Overloaded { retry_after_ms: RETRY_AFTER_MS },
            TrySendError::Disconnected(_) => ReplicaError::Dead,
        })?;
        answer.await.map_err(|_| ReplicaError::Dead)?
    }
}

fn load(path: &Path, limit: u64) -> Result<(CModule, [u8; 32]), ModelError> {
    let _guard = tch::no_grad_guard();
    // As for language models: shapes vary, and the profiling executor keeps something for each that it has seen.
    tch::jit::f_set_profiling_mode(false)?;
    tch::jit::f_set_graph_executor_optimize(false)?;
    let bytes = files::read(path, limit)?;
    let module = CModule::load_data(&mut bytes.as_slice())
        .map_err(|error| files::corrupt(path, format!("not a TorchScript file: {}", words(&error))))?;
    Ok((module, Digest::of(&bytes)))
}

fn serve(module: &CModule, jobs: &Receiver<Job>, gauge: &Gauge) {
    while let Ok((inputs, held, reply)) = jobs.recv() {
        if reply.is_closed() {
            continue;
        }
        gauge.set_busy(Some(Instant::now()));
        let answer = catch_unwind(AssertUnwindSafe(|| forward(module, &inputs)))
            .unwrap_or_else(|_| Err(ModelError::Panicked("in the module's thread; it goes on".into())));
        gauge.set_busy(None);
        drop((inputs, held));
        // The caller may have gone meanwhile.
        let _ = reply.send(answer.map_err(ReplicaError::from));
    }
}

fn forward(module: &CModule, inputs: &[TensorData]) -> Result<Vec<TensorData>, ModelError> {
    let _guard = tch::no_grad_guard();
    let inputs: Vec<IValue> =
        inputs.iter().map(|input| tensor(input).map(IValue::Tensor)).collect::<Result<_, _>>()?;
    outputs(module.forward_is(&inputs)?)?.iter().map(data).collect()
}

fn tensor(input: &TensorData) -> Result<Tensor, ModelError> {
    let needed = bytes_of(input.datatype, &input.shape);
    if needed != Some(input.bytes.len()) {
        let (name, shape, found) = (input.datatype.name(), &input.shape, input.bytes.len());
        let reason = format!("{found} bytes do not fill {name} {shape:?}");
        return Err(ModelError::Config { field: "tensor", reason });
    }
    Ok(Tensor::f_from_data_size(&input.bytes, &input.shape, input.datatype.kind())?)
}

fn outputs(value: IValue) -> Result<Vec<Tensor>, ModelError> {
    let no_tensor = |other: &IValue| {
        let words: String = format!("{other:?}").chars().take(60).collect();
        ModelError::Engine(format!("`forward` answers with {words}, not with tensors"))
    };
    match value {
        IValue::Tensor(tensor) => Ok(vec![tensor]),
        IValue::TensorList(tensors) => Ok(tensors),
        IValue::Tuple(values) | IValue::GenericList(values) => values
            .into_iter()
            .map(|value| match value {
                IValue::Tensor(tensor) => Ok(tensor),
                other => Err(no_tensor(&other)),
            })
            .collect(),
        other => Err(no_tensor(&other)),
    }
}

fn data(tensor: &Tensor) -> Result<TensorData, ModelError> {
    let kind = tensor.f_kind()?;
    let datatype = DataType::of(kind)
        .ok_or_else(|| ModelError::Engine(format!("the module answers with values of type {kind:?}")))?;
    let shape = tensor.size();
    let tensor = tensor.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let values = size(shape.iter().product());
    let mut bytes = vec![0; values * datatype.bytes()];
    tensor.f_copy_data_u8(&mut bytes, values)?;
    Ok(TensorData { datatype, shape, bytes })
}
