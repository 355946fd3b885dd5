"""Looks at a miner with generic gRPC tools from PyPI: reflection and health.

    pip install grpcio grpcio-reflection grpcio-health-checking protobuf
    python3 docs/examples/grpc_clients.py 127.0.0.1:8091
"""

import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

channel = grpc.insecure_channel(sys.argv[1])
health = health_pb2_grpc.HealthStub(channel)
for service in ("", "acumen.inference.v1.Inference"):
    status = health.Check(health_pb2.HealthCheckRequest(service=service)).status
    print("health of", repr(service), health_pb2.HealthCheckResponse.ServingStatus.Name(status))
    assert status == health_pb2.HealthCheckResponse.SERVING

# Without any .proto file: the server describes itself.
database = ProtoReflectionDescriptorDatabase(channel)
print("services", database.get_services())
pool = DescriptorPool(database)
service = pool.FindServiceByName("acumen.inference.v1.Inference")
print("methods", [method.name for method in service.methods])
request = GetMessageClass(pool.FindMessageTypeByName("acumen.inference.v1.GetInfoRequest"))()
answer = GetMessageClass(pool.FindMessageTypeByName("acumen.inference.v1.GetInfoResponse"))
call = channel.unary_unary(
    "/acumen.inference.v1.Inference/GetInfo",
    request_serializer=type(request).SerializeToString,
    response_deserializer=answer.FromString,
)
info, rpc = call.with_call(request, metadata=[("x-request-id", "example-1")])
print("serves", info.model, info.architecture, "vocabulary", info.vocabulary, "methods", list(info.methods))
assert ("x-request-id", "example-1") in [(key, value) for key, value in rpc.initial_metadata()]
