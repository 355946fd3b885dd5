#!/usr/bin/env python3
"""The official OpenAI SDK against a gateway: `pip install openai`, then `openai_sdk.py [http://127.0.0.1:8000]`.

Checks what it shows, so that it is a test too: exit code 0 means that everything below holds.
"""

import sys

import openai

base = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
client = openai.OpenAI(base_url=f"{base}/v1", api_key="open", max_retries=0)

model = client.models.list().data[0].id
assert client.models.retrieve(model).id == model
print("model", model)

# A completion with its provenance and exact usage (a token is a byte).
answer = client.completions.create(model=model, prompt="With malice ", max_tokens=32, temperature=0, logprobs=2)
choice = answer.choices[0]
assert answer.usage.completion_tokens == 32 == len(choice.logprobs.tokens)
assert answer.usage.prompt_tokens == len("With malice ")
assert choice.finish_reason == "length"
print("completion", repr(choice.text))
subnet = answer.model_extra["subnet"]
for miner in subnet["miners"]:
    print("  miner", miner["uid"], miner["model"], "weight", round(miner["weight"], 3), "answered", miner["answered"])

# Streaming shows the same text.
stream = client.completions.create(model=model, prompt="With malice ", max_tokens=32, temperature=0, stream=True)
assert "".join(chunk.choices[0].text for chunk in stream) == choice.text

# A chat, streamed, with usage at the end.
messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What shall we strive for?"}]
chunks = list(
    client.chat.completions.create(
        model=model,
        messages=messages,
        max_completion_tokens=48,
        temperature=0.7,
        seed=7,
        stream=True,
        stream_options={"include_usage": True},
    )
)
streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
assert chunks[0].choices[0].delta.role == "assistant"
assert chunks[-2].choices[0].finish_reason in ("stop", "length")
assert chunks[-1].usage.total_tokens == chunks[-1].usage.prompt_tokens + chunks[-1].usage.completion_tokens
print("chat", repr(streamed))

# The same seed gives the same answer, with log-probabilities when asked for.
again = client.chat.completions.create(
    model=model, messages=messages, max_tokens=48, temperature=0.7, seed=7, logprobs=True, top_logprobs=3
)
assert again.choices[0].message.content == streamed
assert len(again.choices[0].logprobs.content[0].top_logprobs) == 3
assert again.system_fingerprint == chunks[0].system_fingerprint

# Several choices; stop strings.
several = client.completions.create(model=model, prompt=["the ", "with "], n=2, max_tokens=16, stop=["\n", "zzz"])
assert [c.index for c in several.choices] == [0, 1, 2, 3]

# A byte that is banned does not come; a request has a name that every miner's log knows, too.
named = client.completions.with_raw_response.create(
    model=model, prompt="of the ", max_tokens=48, logit_bias={ord("e"): -100}, extra_headers={"x-request-id": "mine-1"}
)
assert "e" not in named.parse().choices[0].text and named.headers["x-request-id"] == "mine-1"

# Refusals are the SDK's own exceptions.
for expected, kwargs in [
    (openai.NotFoundError, {"model": "gpt-9", "prompt": "x"}),
    (openai.BadRequestError, {"model": model, "prompt": "x", "suffix": "y"}),
    (openai.BadRequestError, {"model": model, "prompt": "x", "temperature": 3}),
    (openai.BadRequestError, {"model": model, "prompt": "x", "extra_body": {"temprature": 1}}),
]:
    try:
        client.completions.create(**kwargs)
    except expected as error:
        print("refused", error.status_code, error.code, error.param, error.request_id is not None)
    else:
        raise AssertionError(f"{kwargs} was accepted")

print("ok, openai", openai.__version__)
