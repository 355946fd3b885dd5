#!/bin/sh
# Measures how far the shipped byte models are from one another, and from copies of themselves in disguise.
# Usage, from the root of the repository: scoring/value/examples/tau/run.sh OUT [ACUMEN]
# Needs python3 with numpy and safetensors for the copies with disguised weights; without them those rows are left out.
# About ten minutes; prints the tables of docs/scoring.md.
set -eu
out=${1:?give a folder for the logits}
acumen=${2:-target/release/acumen}
models=models/checkpoints
mkdir -p "$out/texts" "$out/logits" "$out/copies"

# Every third held-out text, its first 240 bytes, ASCII only so that no cut falls inside a character.
ls models/corpus/heldout/*.txt | awk 'NR % 3 == 1' | head -20 | while read -r text; do
    tr -cd '\11\12\40-\176' < "$text" | head -c 240 > "$out/texts/$(basename "$text")"
done

python3 scoring/value/examples/tau/disguise.py "$models" "$out/copies" || echo "no copies with disguised weights" >&2

for model in "$models"/*.safetensors "$models"/gpt-traced.pt "$models"/bytes.ngram "$out"/copies/*.safetensors; do
    [ -e "$model" ] || continue
    name=$(basename "$model" | sed 's/\.[^.]*$//')
    : > "$out/logits/$name.jsonl"
    for text in "$out"/texts/*.txt; do
        "$acumen" model logits --model "$model" --prompt-file "$text" --positions all >> "$out/logits/$name.jsonl"
    done
done

cargo run --release -q -p acumen-scoring-value --example tau -- "$out"
