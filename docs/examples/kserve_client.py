"""Asks a miner's KServe v2 listener with PyPI's own client, unchanged.

    pip install 'tritonclient[grpc]'
    python3 docs/examples/kserve_client.py 127.0.0.1:8001 gpt-traced

The miner's configuration needs `[kserve]` with `listen = "127.0.0.1:8001"`, and a model that is a TorchScript file.
"""

import sys

import numpy
import tritonclient.grpc as triton

address, name = sys.argv[1], sys.argv[2]
client = triton.InferenceServerClient(address)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(name)
print(client.get_server_metadata(as_json=True))
metadata = client.get_model_metadata(name)
print(client.get_model_config(name, as_json=True))
print(client.get_model_repository_index(as_json=True))

ids = numpy.frombuffer(b"\nFellow citizens", dtype=numpy.uint8).astype(numpy.int64)[None]
question = triton.InferInput(metadata.inputs[0].name, list(ids.shape), metadata.inputs[0].datatype)
question.set_data_from_numpy(ids)
wanted = [triton.InferRequestedOutput(output.name) for output in metadata.outputs]
answer = client.infer(name, [question], outputs=wanted, request_id="1")
logits = answer.as_numpy(metadata.outputs[0].name)
print("shape", logits.shape, "most likely next byte", bytes([int(logits[0, -1].argmax())]))
assert logits.shape[:2] == ids.shape

# The same through the stream, and an error that says what is wrong.
answers = []
client.start_stream(lambda result, error: answers.append(error or result))
client.async_stream_infer(name, [question])
client.stop_stream()
assert numpy.array_equal(answers[0].as_numpy(metadata.outputs[0].name), logits)
wrong = triton.InferInput("nonsense", list(ids.shape), "INT64")
wrong.set_data_from_numpy(ids)
try:
    client.infer(name, [wrong])
except triton.InferenceServerException as error:
    print("refused:", error.message())
else:
    sys.exit("an input that the model does not have was accepted")
