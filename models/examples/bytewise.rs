//! What a token model loses by the byte: summed over the spellings of the text, against its loss over the tokenizer's
//! own spelling divided by the bytes.
//!
//! `cargo run --release -p acumen-models --example bytewise -- MODEL TEXT [CONTEXT_BYTES [SCORED_BYTES]]`
//!
//! The first `CONTEXT_BYTES` of the text are given, the next `SCORED_BYTES` are scored.

use std::path::Path;
use std::time::Instant;

use acumen_models::{LanguageModel, LoadOptions, Tokenizer, byte_tokens, load};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().ok_or("name a model")?;
    let text = std::fs::read(arguments.next().ok_or("name a text")?)?;
    let context = arguments.next().map_or(Ok(256), |count| count.parse())?;
    let scored = arguments.next().map_or(Ok(512), |count| count.parse())?;
    let text = text.get(..context + scored).ok_or("the text is too short")?;
    let options = LoadOptions { threads: Some(2), ..LoadOptions::default() };
    let path = Path::new(&model);

    let by_bytes = load(path, &LoadOptions { bytes: true, ..options })?;
    let started = Instant::now();
    let mut session = by_bytes.open(&[byte_tokens(&text[..context])])?;
    let opened = started.elapsed();
    let mut nats = 0.0;
    for byte in &text[context..] {
        nats -= f64::from(session.predict()[0][usize::from(*byte)]);
        session.advance(&[u32::from(*byte)])?;
    }
    let bits = |nats: f64, bytes: usize| nats / bytes as f64 / std::f64::consts::LN_2;
    println!("by the byte      {:.4} bits per byte", bits(nats, scored));
    let each = (started.elapsed() - opened).as_secs_f64() * 1e3 / scored as f64;
    println!("opening {:.0} ms, then {each:.1} ms a byte", opened.as_secs_f64() * 1e3);

    let tokenizer = Tokenizer::of_model(path, options.max_file_bytes)?.ok_or("no tokenizer")?;
    let (nats, bytes) = by_tokens(&*load(path, &options)?, &tokenizer, text, context)?;
    println!("by the tokenizer {:.4} bits per byte over {bytes} bytes", bits(nats, bytes));
    Ok(())
}

/// Loss over the tokens that begin after `context` bytes, in nats, and their bytes.
fn by_tokens(
    model: &dyn LanguageModel,
    tokenizer: &Tokenizer,
    text: &[u8],
    context: usize,
) -> Result<(f64, usize), Box<dyn std::error::Error>> {
    let text = format!("\n{}", std::str::from_utf8(text)?);
    let tokens = tokenizer.encode(&text, true)?;
    let lengths: Vec<usize> =
        tokens.iter().map(|token| tokenizer.bytes(*token).map_or(0, <[u8]>::len)).collect();
    let mut begun = 0;
    let first = lengths
        .iter()
        .take_while(|length| {
            begun += **length;
            begun <= context + 1
        })
        .count();
    let mut session = model.open(&[tokens[..first].to_vec()])?;
    let mut nats = 0.0;
    for token in &tokens[first..] {
        nats -= f64::from(session.predict()[0][*token as usize]);
        session.advance(&[*token])?;
    }
    Ok((nats, lengths[first..].iter().sum()))
}
