#!/usr/bin/env python3
"""Random configurations of the decoders: our logits and greedy tokens against those of Hugging Face transformers.

    pip install torch==2.13.0 transformers==5.23.0
    python models/tests/parity/random_networks.py --acumen target/release/acumen --count 100 --seed 7

Every field that the configuration classes of Llama, Mistral, Qwen2 and GPT-2 know is drawn at random, in the spelling of
transformers 5 or 4, with weights stored in f32, f16 or bf16, whole or in shards, with and without the prefix of the
causal class. The reference is what `from_pretrained` makes of the folder, in f32. Prints one line for each network that
differs, and a count. Folders of those stay under --keep.
"""
import argparse
import copy
import json
import os
import random
import shutil
import subprocess
import tempfile

import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from make_references import randomise

ACTIVATIONS = ["silu", "swish", "gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "gelu_python_tanh",
               "gelu_accurate", "gelu_10", "quick_gelu", "relu", "relu2", "relu6", "leaky_relu", "tanh", "sigmoid", "mish",
               "hardswish", "linear"]
TOLERANCE = 1e-3
CLASSES = {"llama": hf.LlamaConfig, "mistral": hf.MistralConfig, "qwen2": hf.Qwen2Config, "gpt2": hf.GPT2Config}


def maybe(draw, share, value):
    return value if draw.random() < share else None


def drawn(draw, **choices):
    """Each field with one of its values; None leaves the field to its default."""
    fields = {name: draw.choice(values) for name, values in choices.items()}
    return {name: value for name, value in fields.items() if value is not None}


def rope(draw, head, positions):
    kind = draw.choice(["default", "default", "linear", "dynamic", "yarn", "llama3", "longrope"])
    theta = draw.choice([10000.0, 500000.0, 1000.0, 100])
    fields = {"rope_type": kind, "rope_theta": theta}
    original = draw.choice([8, 16, 32, None])
    if kind != "default":
        fields["factor"] = draw.choice([1.0, 2, 4.0, 8.0, 3.5])
    if kind in ("yarn", "llama3", "longrope") and original:
        fields["original_max_position_embeddings"] = original
    if kind == "yarn":
        fields |= drawn(draw, beta_fast=[None, 32, 4.0, 16], beta_slow=[None, 1, 2.0], mscale=[None, 0.7, 1.0],
                        mscale_all_dim=[None, 0.5, 1.0], attention_factor=[None, None, 1.3], truncate=[None, True, False])
    if kind == "llama3":
        fields |= {"low_freq_factor": draw.choice([1.0, 2]), "high_freq_factor": draw.choice([4.0, 8])}
    if kind == "longrope":
        for name in ("short_factor", "long_factor"):
            fields[name] = [round(draw.uniform(0.8, 4.0), 3) for _ in range(head // 2)]
        fields |= drawn(draw, attention_factor=[None, None, 1.2])
        if draw.random() < 0.3:
            del fields["factor"]
    return fields


def rotary(draw, kind):
    heads = draw.choice([1, 2, 3, 4, 6, 8])
    keys = draw.choice([divisor for divisor in range(1, heads + 1) if heads % divisor == 0])
    width = heads * draw.choice([4, 6, 8, 16])
    head = draw.choice([None, 4, 6, 8, 10, 16, 32])
    positions = draw.choice([32, 48, 64, 100, 512])
    layers = draw.choice([1, 2, 3, 5])
    fields = dict(vocab_size=draw.choice([17, 47, 64, 130]), hidden_size=width, num_hidden_layers=layers,
                  intermediate_size=draw.choice([1, 7, 24, 33, 64]), num_attention_heads=heads,
                  max_position_embeddings=positions, initializer_range=draw.choice([0.1, 0.4]),
                  rope_parameters=rope(draw, head or width // heads, positions))
    fields |= drawn(draw, num_key_value_heads=[keys, keys, None], rms_norm_eps=[None, 1e-5, 1e-3], hidden_act=[
        None, draw.choice(ACTIVATIONS)], tie_word_embeddings=[None, True, False], head_dim=[head])
    if "num_key_value_heads" not in fields and kind != "llama":
        fields["num_key_value_heads"] = keys
    if kind == "llama":
        fields |= drawn(draw, attention_bias=[None, True, False], mlp_bias=[None, True, False], pretraining_tp=[None, 1])
    # Not 1: transformers' own cache does not forget then.
    window = draw.choice([None, 2, 3, 8, 20, 500])
    if kind == "mistral":
        fields["sliding_window"] = window
    if kind == "qwen2":
        fields |= drawn(draw, use_sliding_window=[None, True, False], max_window_layers=[None, 0, 1, 2],
                        sliding_window=[window], layer_types=[None, None, [
                            draw.choice(["full_attention", "sliding_attention"]) for _ in range(layers)]])
        # The class fails on layers with a window where there is none.
        if not fields.get("use_sliding_window") or "sliding_window" not in fields:
            fields.pop("layer_types", None)
    return fields


def gpt2(draw):
    heads = draw.choice([1, 2, 3, 4])
    width = heads * draw.choice([2, 3, 5, 8, 16])
    fields = dict(vocab_size=draw.choice([17, 47, 130]), n_embd=width, n_head=heads, n_layer=draw.choice([1, 2, 4]),
                  n_positions=draw.choice([40, 64, 100]), initializer_range=draw.choice([0.1, 0.3]))
    return fields | drawn(
        draw, n_inner=[None, 3, 20, 64], activation_function=[None, draw.choice(ACTIVATIONS)],
        layer_norm_epsilon=[None, 1e-3, 1e-6], scale_attn_weights=[None, True, False],
        scale_attn_by_inverse_layer_idx=[None, True], reorder_and_upcast_attn=[None, True],
        tie_word_embeddings=[None, True, False])


def configuration(draw):
    kind = draw.choice(list(CLASSES))
    fields = gpt2(draw) if kind == "gpt2" else rotary(draw, kind)
    ends = [draw.randrange(fields["vocab_size"]) for _ in range(2)]
    # Set also where there is none: the classes' own ids lie outside these vocabularies.
    fields |= {"bos_token_id": draw.choice([None, 1]), "eos_token_id": draw.choice([None, None, ends[0], ends])}
    return kind, CLASSES[kind](**fields)


def respell(draw, folder):
    """The spelling of transformers 4, fields without effect, fields left out that have their default."""
    path = os.path.join(folder, "config.json")
    config = json.load(open(path))
    told = []
    if "rope_parameters" in config and draw.random() < 0.5:
        told.append("old")
        parameters = config.pop("rope_parameters")
        config["rope_theta"] = parameters.pop("rope_theta")
        kind = parameters.pop("rope_type")
        named = {draw.choice(["type", "rope_type"]): kind}
        config["rope_scaling"] = None if kind == "default" else {**named, **parameters}
        if kind == "longrope" and "original_max_position_embeddings" in parameters and draw.random() < 0.5:
            config["original_max_position_embeddings"] = config["rope_scaling"].pop("original_max_position_embeddings")
        config["torch_dtype"] = config.pop("dtype", None)
    elif config.get("rope_parameters", {}).get("rope_theta") == 10000.0 and draw.random() < 0.3:
        del config["rope_parameters"]["rope_theta"]
    for name, default in (("tie_word_embeddings", config["model_type"] == "gpt2"), ("hidden_act", "silu"),
                          ("attention_bias", False), ("mlp_bias", False), ("rms_norm_eps", 1e-6)):
        if config.get(name) == default and draw.random() < 0.3:
            told.append("no " + name)
            del config[name]
    if draw.random() < 0.1:
        told.append("class only")
        del config["model_type"]
        config["model_type"] = {"L": "llama", "M": "mistral", "Q": "qwen2", "G": "gpt2"}[config["architectures"][0][0]]
    json.dump(config, open(path, "w"), indent=2)
    return told


def rename(draw, folder):
    """Names without the prefix of the causal class, buffers of old exports."""
    path = os.path.join(folder, "model.safetensors")
    if not os.path.exists(path) or draw.random() < 0.6:
        return []
    tensors = load_file(path)
    base = {name.removeprefix("model.").removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    if "wte.weight" in base and draw.random() < 0.5:
        base["h.0.attn.bias"] = torch.ones(1, 1, 4, 4, dtype=torch.uint8)
        base["h.0.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(base, path, {"format": "pt"})
    return ["bare"]


def make(draw, seed, folder):
    kind, config = configuration(draw)
    torch.manual_seed(seed)
    model = hf.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    randomise(model, seed)
    dtype = draw.choice([torch.float32, torch.float32, torch.float16, torch.bfloat16])
    model = model.to(dtype)
    shard = draw.choice(["5GB", "5GB", "4KB"])
    model.save_pretrained(folder, max_shard_size=shard)
    told = [kind, str(dtype).removeprefix("torch."), *respell(draw, folder), *rename(draw, folder)]
    return " ".join(told), hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def acumen(binary, command, folder, ids, *more):
    line = [binary, "model", command, "--model", folder, "--ids", ",".join(map(str, ids)), *more]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def noise(model, ids, wanted):
    """How far transformers' own f32 is from f64: some networks magnify the last bit."""
    with torch.no_grad():
        exact = copy.deepcopy(model).double()(torch.tensor([ids])).logits[0]
    return (exact - wanted).abs().max().item()


def compare(binary, draw, folder, model):
    """What differs, in words, and the largest difference of a logit."""
    vocab = model.config.vocab_size
    most = min(model.config.max_position_embeddings, 60)
    ids = [draw.randrange(vocab) for _ in range(draw.randrange(1, most + 1))]
    with torch.no_grad():
        wanted = copy.deepcopy(model)(torch.tensor([ids])).logits[0]
    found = torch.zeros_like(wanted)
    for row in acumen(binary, "logits", folder, ids, "--positions", "all"):
        for token, value in row["logits"]:
            found[row["pos"], token] = value
    far = (wanted - found).abs().max().item()
    if far > TOLERANCE and far > 3 * noise(model, ids, wanted):
        return f"logits differ by {far:.4g} of {wanted.abs().max():.3g}", far
    prompt = ids[:max(1, len(ids) // 2)]
    count = min(24, most - len(prompt))
    if count < 1:
        return None, far
    tensor = torch.tensor([prompt])
    with torch.no_grad():
        new = copy.deepcopy(model).generate(tensor, attention_mask=torch.ones_like(tensor), max_new_tokens=count,
                                            do_sample=False, pad_token_id=0)[0, len(prompt):].tolist()
    ours = acumen(binary, "generate", folder, prompt, "--max-tokens", str(count), "--json")[-1]["ids"]
    return (None if ours == new else f"greedy {ours}, expected {new}"), far


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--acumen", required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="folder for the networks that differ")
    args = parser.parse_args()
    torch.set_num_threads(1)
    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()
    worst, different = 0.0, 0
    for number in range(args.seed * 100_000, args.seed * 100_000 + args.count):
        draw = random.Random(number)
        with tempfile.TemporaryDirectory() as folder:
            name = "?"
            try:
                name, model = make(draw, number, folder)
            except Exception as refusal:  # the class refuses this configuration
                print(number, "transformers refuses:", str(refusal).splitlines()[0][:150])
                continue
            try:
                problem, far = compare(args.acumen, draw, folder, model)
                worst = max(worst, far)
            except RuntimeError as refusal:
                problem = str(refusal)
            if problem:
                different += 1
                print(number, name, "|", problem, flush=True)
                if args.keep:
                    shutil.copytree(folder, os.path.join(args.keep, str(number)), dirs_exist_ok=True)
    print(f"{args.count} networks, {different} differ, largest difference of the others' logits {worst:.2g}")


if __name__ == "__main__":
    main()
