#!/usr/bin/env python3
"""Small random networks of each architecture, with what Hugging Face transformers says about them.

    pip install torch==2.13.0 transformers==5.23.0
    python models/tests/parity/make_references.py --out models/tests/parity/references
    python models/tests/parity/make_references.py --out /tmp/others --seed 7      # others of the same kinds

Each case is a Hugging Face folder with one file more, `reference.json`: token ids, the logits after each of them
(f32, eager attention), and the tokens of greedy generation. `models/tests/parity.rs` compares.
"""
import argparse
import copy
import json
import os
import shutil

import torch
import transformers as hf

VOCAB = 47
SMALL = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.4, eos_token_id=None)
GPT2 = dict(vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=2, n_positions=64, initializer_range=0.3,
            bos_token_id=None, eos_token_id=None)
FACTORS = [1.0 + 0.5 * pair for pair in range(4)]


def llama(**more):
    return hf.LlamaConfig(**{**SMALL, "head_dim": 8, **more})


def rope(kind, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **more}}


def cases():
    """Name, configuration, and what is changed in the saved folder."""
    yield "llama-mha-tied", llama(num_key_value_heads=4, tie_word_embeddings=True), {}
    yield "llama-gqa-biases", llama(attention_bias=True, mlp_bias=True, rms_norm_eps=1e-3), {}
    yield "llama-mqa-eos", llama(num_key_value_heads=1, head_dim=12, hidden_act="gelu", eos_token_id=[5, 9]), {}
    yield "llama-bf16-sharded", llama(), {"dtype": torch.bfloat16, "max_shard_size": "6KB"}
    yield "llama-f16-old-spelling", llama(num_key_value_heads=4, **rope("linear", factor=2.0)), {
        "dtype": torch.float16, "old": True, "drop": ["num_key_value_heads", "tie_word_embeddings", "head_dim"],
        "head_dim_is": 4}
    yield "llama-theta", llama(rope_parameters={"rope_type": "default", "rope_theta": 500.0}), {}
    yield "llama-dynamic", llama(max_position_embeddings=16, **rope("dynamic", factor=4.0)), {}
    yield "llama-yarn", llama(**rope("yarn", factor=4.0, original_max_position_embeddings=16)), {}
    yield "llama-yarn-mscale", llama(**rope("yarn", factor=4.0, original_max_position_embeddings=16, mscale=0.7,
                                            mscale_all_dim=0.5, beta_fast=4.0, truncate=False)), {}
    # Of the wavelengths 6, 63, 628 and 6283 one is kept, one lies in the band where both are mixed, two are divided.
    yield "llama-llama3", llama(**rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                       original_max_position_embeddings=128)), {}
    yield "llama-longrope", llama(**rope("longrope", factor=4.0, original_max_position_embeddings=16,
                                         short_factor=FACTORS, long_factor=[2 * f for f in FACTORS])), {}
    mistral = {**SMALL, "head_dim": 8}
    yield "mistral-window", hf.MistralConfig(**mistral, sliding_window=6), {}
    yield "mistral-whole", hf.MistralConfig(**mistral, sliding_window=None), {"old": True}
    yield "qwen2", hf.Qwen2Config(**SMALL, tie_word_embeddings=True), {}
    yield "qwen2-window", hf.Qwen2Config(**SMALL, use_sliding_window=True, sliding_window=5, max_window_layers=1), {}
    yield "gpt2", hf.GPT2Config(**GPT2), {}
    yield "gpt2-untied-scaled", hf.GPT2Config(**GPT2, tie_word_embeddings=False, n_inner=20,
                                              scale_attn_by_inverse_layer_idx=True, activation_function="relu"), {}
    yield "gpt2-bare-names", hf.GPT2Config(**GPT2, scale_attn_weights=False), {"bare": True}


def randomise(model, seed):
    """Norms and biases start as ones and zeros: a network that ignored them would pass."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                base = 0.0 if name.endswith("bias") else 1.0
                weight.copy_(base + 0.2 * torch.randn(weight.shape, generator=generator))


def rewrite(folder, change):
    """The spelling of transformers 4, names without their prefix, fields left out."""
    path = os.path.join(folder, "config.json")
    config = json.load(open(path))
    if change.get("old"):
        parameters = config.pop("rope_parameters")
        config["rope_theta"] = parameters.pop("rope_theta")
        kind = parameters.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind, **parameters}
        config["torch_dtype"] = config.pop("dtype")
    for field in change.get("drop", []):
        config.pop(field, None)
    json.dump(config, open(path, "w"), indent=2)
    if change.get("bare"):
        from safetensors.torch import load_file, save_file
        weights = os.path.join(folder, "model.safetensors")
        tensors = {name.removeprefix("transformer."): tensor for name, tensor in load_file(weights).items()}
        tensors["h.0.attn.bias"] = torch.ones(1, 1, 64, 64, dtype=torch.uint8)
        save_file(tensors, weights)


def reference(model, seed):
    ids = torch.randint(0, VOCAB, (1, 36), generator=torch.Generator().manual_seed(seed))
    prompt = ids[:, :20]
    with torch.no_grad():
        # Dynamic frequencies remember the longest text so far: each text gets a model that has seen none.
        fresh = lambda: copy.deepcopy(model)
        logits = fresh()(ids).logits[0]
        new = fresh().generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False,
                             pad_token_id=0)[0, prompt.shape[1]:]
        # Tokens of the prompt alone, for networks whose angles depend on its length.
        short = fresh()(prompt).logits[0, -1]
    return {
        "ids": ids[0].tolist(),
        "prompt": prompt[0].tolist(),
        "logits": [[round(value, 4) for value in row] for row in logits.tolist()],
        "prompt_logits": [round(value, 4) for value in short.tolist()],
        "greedy": new.tolist(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for number, (name, config, change) in enumerate(cases()):
        if "head_dim_is" in change:
            config.head_dim = change["head_dim_is"]
        torch.manual_seed(args.seed * 1000 + number)
        model = hf.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        randomise(model, args.seed * 1000 + number)
        dtype = change.get("dtype", torch.float32)
        model = model.to(dtype)
        folder = os.path.join(args.out, name)
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder, max_shard_size=change.get("max_shard_size", "5GB"))
        rewrite(folder, change)
        # What the folder says, computed in f32.
        model = hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        json.dump(reference(model.eval(), args.seed + number),
                  open(os.path.join(folder, "reference.json"), "w"), separators=(",", ":"))
        print(name)


if __name__ == "__main__":
    main()
