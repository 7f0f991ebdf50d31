"""A plain client: gRPC's own library and code generated from proto/, nothing of podlaunch.

pip install grpcio-tools
python -m grpc_tools.protoc -I proto --python_out=gen --grpc_python_out=gen proto/podlaunch/v1/*.proto
PYTHONPATH=gen python examples/plain_client.py unix:/run/podlaunch.sock
"""

import sys
import time

import grpc
from podlaunch.v1 import attach_pb2, launch_pb2, reason_pb2, service_pb2_grpc, spec_pb2, state_pb2, task_pb2

UNKNOWN = {"UNAVAILABLE", "UNKNOWN", "INTERNAL", "DEADLINE_EXCEEDED", "CANCELLED"}


def run(stub, namespace, task_id, image, command):
    """Launches a task, writes its log to stdout, returns its outcome: over as many streams as it takes."""
    key = task_pb2.TaskKey(namespace=namespace, task_id=task_id, attempt=1)
    spec = spec_pb2.TaskSpec(container={"image": image, "command": command})
    launch = launch_pb2.LaunchTaskRequest(key=key, spec=spec)
    cursor = b""
    while True:
        attach = attach_pb2.AttachTaskRequest(key=key, cursor=cursor)
        seen = False
        try:
            for response in stub.AttachTask(attach) if cursor else stub.LaunchTask(launch):
                seen = True
                if response.HasField("accepted") and not cursor:
                    key, cursor = response.accepted.key, response.accepted.cursor
                if response.HasField("event"):
                    event = response.event
                    sys.stdout.buffer.write(event.log_chunk.data)
                    cursor = event.cursor
                    if event.HasField("termination"):
                        return event.termination.outcome
        except grpc.RpcError as error:
            if not seen and error.code().name not in UNKNOWN:
                raise
        time.sleep(1)


def main(address, namespace=""):
    # For unix sockets this library makes an authority of the path, which HTTP/2 servers refuse.
    with grpc.insecure_channel(address, options=[("grpc.default_authority", "localhost")]) as channel:
        stub = service_pb2_grpc.PodlaunchServiceStub(channel)
        program = ["-c", "print('hello world')"]
        for name, image, command in [("passing", "python:3.6", "python"), ("failing", "ubuntu:16.04", "Python")]:
            end = run(stub, namespace, f"{name}-task", image, [command, *program])
            state, reason = state_pb2.TaskState.Name(end.state), reason_pb2.Reason.Name(end.reason)
            print(name, state, reason, end.kubernetes_message, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
