#!/usr/bin/env python3
"""Random BERT encoders in folders of sentence-transformers: our vectors against that package's.

    pip install torch==2.13.0 transformers==5.23.0 sentence-transformers==6.2.0
    python models/tests/parity/random_encoders.py --acumen target/release/acumen --count 40 --seed 7

The networks, their tokenizers (WordPiece, trained on a few lines), the pooling, layers behind it, bounds on length and the
place of the files are drawn at random. Prints one line for each folder that differs, and a count.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import tempfile

import torch
import transformers as hf
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from make_references import randomise
from random_networks import ACTIVATIONS, drawn

TOLERANCE = 1e-4
LINES = ["Call me Ishmael. Some years ago, never mind how long precisely, having little money in my purse,",
         "I thought I would sail about a little and see the watery part of the WORLD. Naïve café, Zürich, 東京!"] * 10
TEXTS = ["a cat", "Call me Ishmael!", "  spaces \n around  ", "NAÏVE Café 東京", "x", " ".join(LINES[:2]), "sail " * 60]
POOLINGS = ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]
DENSE = ["Tanh", "Identity", "ReLU", "GELU", "Sigmoid"]


def tokenizer(draw):
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=draw.random() < 0.5)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made.train_from_iterator(LINES, trainers.WordPieceTrainer(vocab_size=160, special_tokens=special, show_progress=False))
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    made.decoder = decoders.WordPiece()
    return made


def network(draw, seed, folder):
    made = tokenizer(draw)
    heads = draw.choice([1, 2, 3, 4])
    fields = dict(vocab_size=made.get_vocab_size(), num_attention_heads=heads, hidden_size=heads * draw.choice([3, 8, 16]),
                  num_hidden_layers=draw.choice([1, 2, 3]), intermediate_size=draw.choice([5, 24, 64]), initializer_range=0.4,
                  max_position_embeddings=draw.choice([24, 40, 80]))
    fields |= drawn(draw, hidden_act=[None, draw.choice(ACTIVATIONS)], layer_norm_eps=[None, 1e-3],
                    type_vocab_size=[None, 1, 3])
    torch.manual_seed(seed)
    config = hf.BertConfig(**fields)
    model = draw.choice([hf.BertModel, hf.BertModel, hf.BertForMaskedLM])(config).eval()
    randomise(model, seed)
    model = model.to(draw.choice([torch.float32, torch.float32, torch.float16, torch.bfloat16]))
    model.save_pretrained(folder)
    most = draw.choice([16, config.max_position_embeddings, 512, 10**30])
    hf.PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=most).save_pretrained(folder)
    return config.hidden_size, config.max_position_embeddings


def write(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    json.dump(value, open(path, "w"))


def make(draw, seed, folder):
    """Writes a folder; gives what it is in words."""
    place = draw.choice(["", "", "0_Transformer"])
    inner = os.path.join(folder, place)
    width, positions = network(draw, seed, inner)
    if draw.random() < 0.6:
        write(os.path.join(inner, "sentence_bert_config.json"),
              {"max_seq_length": draw.choice([8, 20, positions, None]), "do_lower_case": draw.random() < 0.5})
    pools = draw.sample(POOLINGS, draw.choice([1, 1, 1, 2, 3]))
    write(os.path.join(folder, "1_Pooling/config.json"),
          {"word_embedding_dimension": width} | {f"pooling_mode_{name}": name in pools for name in POOLINGS})
    modules, after = [place, "1_Pooling"], draw.sample(["Dense", "Normalize", "Dense"], draw.choice([0, 1, 2, 3]))
    width *= len(pools)
    for kind in after:
        modules.append(f"{len(modules)}_{kind}")
        if kind == "Dense":
            width = dense(draw, os.path.join(folder, modules[-1]), width)
    kinds = ["Transformer", "Pooling", *after]
    write(os.path.join(folder, "modules.json"),
          [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
           for i, (path, kind) in enumerate(zip(modules, kinds))])
    for i, (path, kind) in enumerate(zip(modules, kinds)):
        os.makedirs(os.path.join(folder, path), exist_ok=True)
    if draw.random() < 0.3:
        write(os.path.join(folder, "config_sentence_transformers.json"),
              {"prompts": {"query": "sail: "}, "default_prompt_name": draw.choice(["query", None])})
    return " ".join([place or "flat", *pools, *after])


def dense(draw, folder, inputs):
    from safetensors.torch import save_file
    outputs, bias = draw.choice([4, 12]), draw.random() < 0.7
    os.makedirs(folder)
    tensors = {"linear.weight": torch.randn(outputs, inputs) / inputs ** 0.5}
    if bias:
        tensors["linear.bias"] = torch.randn(outputs)
    save_file(tensors, os.path.join(folder, "model.safetensors"))
    name = draw.choice(DENSE)
    at = "torch.nn.modules.linear." if name == "Identity" else "torch.nn.modules.activation."
    write(os.path.join(folder, "config.json"),
          {"in_features": inputs, "out_features": outputs, "bias": bias, "activation_function": at + name})
    return outputs


def compare(binary, folder):
    model = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32})
    wanted = torch.tensor(model.encode(TEXTS))
    line = [binary, "model", "embed", "--model", folder, "--json"]
    for text in TEXTS:
        line += ["--text", text]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    if done.returncode:
        return done.stderr.strip(), 0.0
    found = torch.tensor([json.loads(line)["embedding"] for line in done.stdout.splitlines()])
    if found.shape != wanted.shape:
        return f"shape {tuple(found.shape)}, expected {tuple(wanted.shape)}", 0.0
    far = (found - wanted).abs().amax(1) / wanted.abs().max().clamp(min=1)
    if far.max() > TOLERANCE:
        return f"vectors differ by {[round(value, 4) for value in far.tolist()]}", 0.0
    return None, far.max().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--acumen", required=True)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="folder for those that differ")
    args = parser.parse_args()
    torch.set_num_threads(1)
    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()
    worst, different = 0.0, 0
    for number in range(args.seed * 100_000, args.seed * 100_000 + args.count):
        draw = random.Random(number)
        with tempfile.TemporaryDirectory() as folder:
            name = make(draw, number, folder)
            problem, far = compare(args.acumen, folder)
            worst = max(worst, far)
            if problem:
                different += 1
                print(number, name, "|", problem, flush=True)
                if args.keep:
                    shutil.copytree(folder, os.path.join(args.keep, str(number)), dirs_exist_ok=True)
    print(f"{args.count} encoders, {different} differ, largest difference of the others {worst:.2g}")


if __name__ == "__main__":
    main()
