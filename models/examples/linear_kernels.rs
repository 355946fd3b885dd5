//! Times of libtorch's dense and packed matrix products for the linear layers of a model, by rows of activations.
//!
//! `cargo run --release -p acumen-models --example linear_kernels [-- THREADS]`. The shapes are those of SmolLM2-135M
//! with Q, K, V and gate, up stacked: thirty layers and the output head. Every variant is measured in turn within one
//! round and the median over rounds is printed, in milliseconds for all layers, so that a busy machine slows all alike.

use std::time::Instant;

use anyhow::Result;
use tch::{Kind, Tensor};

/// Outputs, inputs, how many of them in the model.
const SHAPES: [(i64, i64, usize); 5] =
    [(960, 576, 30), (576, 576, 30), (3072, 576, 30), (576, 1536, 30), (49_152, 576, 1)];
const ROWS: [i64; 7] = [1, 2, 4, 8, 16, 32, 128];
const ROUNDS: usize = 7;
const GROUP: i64 = 32;

type Product = Box<dyn Fn(&Tensor) -> Result<Tensor, tch::TchError>>;

fn options(kind: Kind) -> (Kind, tch::Device) {
    (kind, tch::Device::Cpu)
}

fn dense(outputs: i64, inputs: i64, kind: Kind) -> Result<Product> {
    let weight = Tensor::f_randn([outputs, inputs], options(kind))?;
    Ok(Box::new(move |x| x.f_linear(&weight, None::<&Tensor>)))
}

fn int8(outputs: i64, inputs: i64, kind: Kind) -> Result<Product> {
    let weight = Tensor::f_randint_low(-127, 127, [outputs, inputs], options(Kind::Int8))?;
    let scales = Tensor::f_rand([outputs], options(kind))?;
    Ok(Box::new(move |x| x.f_internal_weight_int8pack_mm(&weight, &scales)))
}

fn int4(outputs: i64, inputs: i64, kind: Kind) -> Result<Product> {
    let weight = Tensor::f_randint(15, [outputs, inputs], options(Kind::Int))?;
    let packed = weight.f_internal_convert_weight_to_int4pack_for_cpu(1)?;
    let scales = Tensor::f_rand([inputs / GROUP, outputs, 2], options(kind))?;
    Ok(Box::new(move |x| x.f_internal_weight_int4pack_mm_for_cpu(&packed, GROUP, &scales)))
}

type Make = fn(i64, i64, Kind) -> Result<Product>;

fn main() -> Result<()> {
    let threads = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2);
    tch::set_num_threads(threads);
    let _guard = tch::no_grad_guard();
    let variants: [(&str, Kind, Make); 6] = [
        ("f32", Kind::Float, dense),
        ("bf16", Kind::BFloat16, dense),
        ("int8/f32", Kind::Float, int8),
        ("int8/bf16", Kind::BFloat16, int8),
        ("int4/f32", Kind::Float, int4),
        ("int4/bf16", Kind::BFloat16, int4),
    ];
    let mut layers = Vec::new();
    for (name, kind, make) in variants {
        let mut products = Vec::new();
        for (outputs, inputs, count) in SHAPES {
            // Every layer has weights of its own: a cache that holds one layer must not help.
            for _ in 0..count {
                products.push((inputs, make(outputs, inputs, kind)?));
            }
        }
        layers.push((name, kind, products));
    }
    print!("{:>6}", "rows");
    layers.iter().for_each(|(name, ..)| print!("{name:>11}"));
    println!("   (ms for all layers, median of {ROUNDS}, {threads} threads)");
    for rows in ROWS {
        let mut times = vec![Vec::new(); layers.len()];
        for _ in 0..=ROUNDS {
            for ((_, kind, products), times) in layers.iter().zip(&mut times) {
                let narrow = Tensor::f_randn([rows, 576], options(*kind))?;
                let wide = Tensor::f_randn([rows, 1536], options(*kind))?;
                let start = Instant::now();
                for (inputs, product) in products {
                    drop(product(if *inputs == 576 { &narrow } else { &wide })?);
                }
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        print!("{rows:>6}");
        for mut times in times {
            // The first round warms up.
            times.remove(0);
            times.sort_by(f64::total_cmp);
            print!("{:>11.1}", times[times.len() / 2]);
        }
        println!();
    }
    Ok(())
}
