//! A linear layer whose weights are numbers of the activations' type: packed for our own kernels where the processor
//! has the instructions that they are written for, else libtorch's.

use acumen_models_kernels::Matrix;
use tch::{Kind, TchError, Tensor};

use super::numbers::{by_kind, is_host, read, write};
use crate::torch::{dim, size};

/// See the module.
#[derive(Debug)]
pub(crate) enum Dense {
    /// On the processor.
    Packed {
        /// The matrix with its bias.
        matrix: Matrix,
        /// Type of activations.
        kind: Kind,
    },
    /// Anywhere.
    Plain {
        /// `[outputs, inputs]`, in the type of activations.
        weight: Tensor,
        /// Added to each row, where there is one.
        bias: Option<Tensor>,
    },
}

impl Dense {
    /// Stores a matrix `[outputs, inputs]`.
    pub(crate) fn new(weight: Tensor, bias: Option<Tensor>) -> Result<Self, TchError> {
        match pack(&weight, bias.as_ref())? {
            Some(matrix) => Ok(Self::Packed { matrix, kind: weight.kind() }),
            None => Ok(Self::Plain { weight, bias }),
        }
    }

    /// Applies the layer to rows.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Packed { matrix, kind } => product(matrix, *kind, x, *kind),
            Self::Plain { weight, bias } => x.f_linear(weight, bias.as_ref()),
        }
    }

    /// Adds the layer's result to `sum`, which is a tensor of its own.
    pub(crate) fn add_to(&self, mut sum: Tensor, x: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Packed { matrix, kind } if is_host(&sum) && sum.kind() == *kind => {
                let x = checked(matrix, *kind, x)?;
                if sum.numel() / matrix.size().0 * matrix.size().1 != x.numel() {
                    return Err(shape(matrix, &sum));
                }
                by_kind!(x, T => matrix.multiply(read::<T>(&x), write::<T>(&mut sum), true));
                Ok(sum)
            }
            _ => sum.f_add(&self.forward(x)?),
        }
    }

    /// As [`Dense::forward`], in 32-bit floats where that costs nothing.
    pub(crate) fn scores(&self, x: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Packed { matrix, kind } => product(matrix, *kind, x, Kind::Float),
            Self::Plain { .. } => self.forward(x),
        }
    }

    /// Bytes that one use of the layer reads.
    pub(crate) fn bytes(&self) -> usize {
        let of = |tensor: &Tensor| tensor.numel() * tensor.kind().elt_size_in_bytes();
        match self {
            Self::Packed { matrix, .. } => matrix.bytes(),
            Self::Plain { weight, bias } => of(weight) + bias.as_ref().map_or(0, of),
        }
    }
}

fn pack(weight: &Tensor, bias: Option<&Tensor>) -> Result<Option<Matrix>, TchError> {
    let (outputs, inputs) = weight.size2()?;
    if !is_host(weight) || outputs == 0 || inputs == 0 {
        return Ok(None);
    }
    let bias = bias.map(|bias| bias.f_to_kind(Kind::Float)?.f_contiguous()).transpose()?;
    let bias = bias.as_ref().map(read::<f32>);
    let (outputs, inputs) = (size(outputs), size(inputs));
    Ok(match weight.kind() {
        Kind::Float => Matrix::floats(read(weight), outputs, inputs, bias),
        _ => Matrix::pairs(read(weight), outputs, inputs, bias),
    })
}

fn product(matrix: &Matrix, kind: Kind, x: &Tensor, result: Kind) -> Result<Tensor, TchError> {
    let x = checked(matrix, kind, x)?;
    let mut sizes = x.size();
    if let Some(last) = sizes.last_mut() {
        *last = dim(matrix.size().0);
    }
    let mut y = Tensor::f_empty(sizes, (result, x.device()))?;
    by_kind!(x, X => by_kind!(y, Y => matrix.multiply(read::<X>(&x), write::<Y>(&mut y), false)));
    Ok(y)
}

/// Activations without gaps, of the width and type that the matrix takes.
fn checked(matrix: &Matrix, kind: Kind, x: &Tensor) -> Result<Tensor, TchError> {
    let x = x.f_contiguous()?;
    let fits = is_host(&x)
        && x.kind() == kind
        && x.size().last().is_some_and(|width| size(*width) == matrix.size().1);
    if fits { Ok(x) } else { Err(shape(matrix, &x)) }
}

fn shape(matrix: &Matrix, x: &Tensor) -> TchError {
    TchError::Shape(format!("{x:?} does not fit a layer of {:?} outputs and inputs", matrix.size()))
}

#[cfg(test)]
mod tests;
