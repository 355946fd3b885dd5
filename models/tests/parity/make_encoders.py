#!/usr/bin/env python3
"""Small random BERT encoders with the vectors that transformers and sentence-transformers' pooling give.

    pip install torch==2.13.0 transformers==5.23.0
    python models/tests/parity/make_encoders.py --out models/tests/parity/encoders
"""
import argparse
import json
import os
import shutil

import torch
import transformers as hf

from make_references import randomise

CONFIG = dict(vocab_size=53, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24,
              max_position_embeddings=40, initializer_range=0.4)


def save(folder, model, mode, normalise, seed):
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    os.makedirs(os.path.join(folder, "1_Pooling"))
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": mode == "cls",
               "pooling_mode_mean_tokens": mode == "mean"}
    json.dump(pooling, open(os.path.join(folder, "1_Pooling/config.json"), "w"))
    modules = ["Transformer", "Pooling"] + (["Normalize"] if normalise else [])
    json.dump([{"idx": i, "type": f"sentence_transformers.models.{m}"} for i, m in enumerate(modules)],
              open(os.path.join(folder, "modules.json"), "w"))
    generator = torch.Generator().manual_seed(seed)
    texts = [torch.randint(1, 53, (length,), generator=generator).tolist() for length in (7, 1, 20, 12)]
    vectors = []
    for text in texts:
        with torch.no_grad():
            hidden = model(torch.tensor([text])).last_hidden_state[0]
        vector = hidden[0] if mode == "cls" else hidden.mean(0)
        vectors.append((vector / vector.norm() if normalise else vector).tolist())
    json.dump({"texts": texts, "vectors": vectors}, open(os.path.join(folder, "reference.json"), "w"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for number, (name, mode, normalise) in enumerate((("bert-mean", "mean", True), ("bert-cls-raw", "cls", False))):
        torch.manual_seed(args.seed + number)
        model = hf.BertModel(hf.BertConfig(**CONFIG)).eval()
        randomise(model, args.seed + number)
        save(os.path.join(args.out, name), model, mode, normalise, args.seed)
        print(name)


if __name__ == "__main__":
    main()
