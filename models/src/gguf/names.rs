//! llama.cpp's tensor names as those of Hugging Face's checkpoints, and what the conversion did to the values.
//!
//! llama.cpp's converter reorders the rows of Q and K of the `llama` architecture so that the two halves of a rotary
//! pair are neighbours; the architectures here rotate halves, as Hugging Face does, so the rows are put back. It also
//! transposes GPT-2's matrices, which Hugging Face stores as `[inputs, outputs]`.

/// Architectures that are read from GGUF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Architecture {
    /// `llama`: Llama, Mistral, SmolLM2.
    Llama,
    /// `qwen2`.
    Qwen2,
    /// `gpt2`.
    Gpt2,
}

impl Architecture {
    /// The one with this name in `general.architecture`.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "llama" => Ok(Self::Llama),
            "qwen2" => Ok(Self::Qwen2),
            "gpt2" => Ok(Self::Gpt2),
            other => {
                Err(format!("`{other}` is not read; llama (also Mistral and SmolLM2), qwen2 and gpt2 are"))
            }
        }
    }

    /// Its name in metadata keys.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Gpt2 => "gpt2",
        }
    }

    /// The Hugging Face name of a tensor; none if the architecture has no such tensor.
    pub(super) fn name(self, gguf: &str) -> Option<String> {
        match self {
            Self::Llama | Self::Qwen2 => llama(gguf),
            Self::Gpt2 => gpt2(gguf),
        }
    }

    /// What was done to a tensor's rows and columns, by its name in the file.
    pub(super) fn layout(self, gguf: &str) -> Layout {
        let tail = gguf.strip_prefix("blk.").and_then(|rest| rest.split_once('.')).map(|(_, tail)| tail);
        match (self, tail) {
            (Self::Llama, Some("attn_q.weight" | "attn_q.bias")) => Layout::Queries,
            (Self::Llama, Some("attn_k.weight" | "attn_k.bias")) => Layout::Keys,
            (
                Self::Gpt2,
                Some("attn_qkv.weight" | "attn_output.weight" | "ffn_up.weight" | "ffn_down.weight"),
            ) => Layout::Transposed,
            _ => Layout::Same,
        }
    }
}

/// How a tensor differs from Hugging Face's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Not at all.
    Same,
    /// Rows of each query head are in rotary pairs.
    Queries,
    /// Rows of each key head are in rotary pairs.
    Keys,
    /// Rows and columns are swapped.
    Transposed,
}

/// Splits `blk.N.tail` into N and tail.
fn block(gguf: &str) -> Option<(u32, &str)> {
    let (number, tail) = gguf.strip_prefix("blk.")?.split_once('.')?;
    // `parse` takes "+1" and "01" too, which would give two tensors one name.
    let parsed: u32 = number.parse().ok()?;
    (parsed.to_string() == number).then_some((parsed, tail))
}

fn llama(gguf: &str) -> Option<String> {
    match gguf {
        "token_embd.weight" => return Some("model.embed_tokens.weight".into()),
        "output_norm.weight" => return Some("model.norm.weight".into()),
        "output.weight" => return Some("lm_head.weight".into()),
        _ => {}
    }
    let (number, tail) = block(gguf)?;
    let (part, kind) = tail.rsplit_once('.')?;
    let name = match (part, kind) {
        ("attn_norm", "weight") => "input_layernorm",
        ("ffn_norm", "weight") => "post_attention_layernorm",
        ("attn_q", "weight" | "bias") => "self_attn.q_proj",
        ("attn_k", "weight" | "bias") => "self_attn.k_proj",
        ("attn_v", "weight" | "bias") => "self_attn.v_proj",
        ("attn_output", "weight" | "bias") => "self_attn.o_proj",
        ("ffn_gate", "weight" | "bias") => "mlp.gate_proj",
        ("ffn_up", "weight" | "bias") => "mlp.up_proj",
        ("ffn_down", "weight" | "bias") => "mlp.down_proj",
        _ => return None,
    };
    Some(format!("model.layers.{number}.{name}.{kind}"))
}

fn gpt2(gguf: &str) -> Option<String> {
    match gguf {
        "token_embd.weight" => return Some("transformer.wte.weight".into()),
        "position_embd.weight" => return Some("transformer.wpe.weight".into()),
        "output_norm.weight" => return Some("transformer.ln_f.weight".into()),
        "output_norm.bias" => return Some("transformer.ln_f.bias".into()),
        "output.weight" => return Some("lm_head.weight".into()),
        _ => {}
    }
    let (number, tail) = block(gguf)?;
    let (part, kind) = tail.rsplit_once('.').filter(|(_, kind)| matches!(*kind, "weight" | "bias"))?;
    let name = match part {
        "attn_norm" => "ln_1",
        "ffn_norm" => "ln_2",
        "attn_qkv" => "attn.c_attn",
        "attn_output" => "attn.c_proj",
        "ffn_up" => "mlp.c_fc",
        "ffn_down" => "mlp.c_proj",
        _ => return None,
    };
    Some(format!("transformer.h.{number}.{name}.{kind}"))
}

/// Where row `row` of Hugging Face's order lies in the file, for heads of `width` rows in rotary pairs: there, row
/// `2 j + s` of a head is row `s · width / 2 + j` here.
pub(super) fn paired_row(row: usize, width: usize) -> usize {
    let (head, place) = (row / width, row % width);
    let (half, pair) = (place / (width / 2), place % (width / 2));
    head * width + 2 * pair + half
}
