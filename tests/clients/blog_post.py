"""A plain client: runs the two tasks of the blog post with nothing but what grpcio-tools generated from the contract.

Exits with 0 if both went as they must.
"""

import argparse
import os

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from podlaunch.v1 import launch_pb2, outcome_pb2, pod_spec_pb2, reason_pb2, service_pb2_grpc, spec_pb2, state_pb2
from podlaunch.v1 import query_pb2, task_pb2

DEADLINE = 100  # seconds, a guard


def launch(stub, namespace, task_id, image, command):
    """Launches a task and reads its stream to the end: (output, outcome, states)."""
    request = launch_pb2.LaunchTaskRequest(
        key=task_pb2.TaskKey(namespace=namespace, task_id=task_id, attempt=1),
        spec=spec_pb2.TaskSpec(
            container=pod_spec_pb2.ContainerSpec(image=image, command=command),
            pod=pod_spec_pb2.PodOptions(labels={"foo": "bar"}),
        ),
    )
    output, states, termination, sequence = b"", [], None, 0
    for number, message in enumerate(stub.LaunchTask(request, timeout=DEADLINE)):
        kind = message.WhichOneof("message")
        assert (kind == "accepted") == (number == 0), f"message {number} is {kind}"
        if kind != "event":
            continue
        assert termination is None, "an event after the Termination"
        event = message.event
        sequence += 1
        assert event.stream_sequence == sequence and event.cursor
        body = event.WhichOneof("body")
        if body == "state_change":
            states.append(event.state_change.state)
        elif body == "log_chunk":
            output += event.log_chunk.data
        elif body == "termination":
            termination = event.termination
    assert termination is not None, "the stream ended without a Termination"
    return output, termination.outcome, states


def hello_world(stub, arguments):
    program = [arguments.python, "-c", "print('hello world')"]
    output, outcome, states = launch(stub, arguments.namespace, "hello", arguments.python_image, program)
    assert output == b"hello world\n", output
    assert outcome.state == state_pb2.TASK_STATE_SUCCEEDED, outcome
    assert outcome.HasField("exit_code") and outcome.exit_code == 0, outcome
    assert states == sorted(states), states


def missing_program(stub, arguments):
    program = ["Python", "-c", "print('hello world')"]
    output, outcome, _ = launch(stub, arguments.namespace, "missing", arguments.other_image, program)
    assert output == b"", output
    assert outcome.state == state_pb2.TASK_STATE_FAILED, outcome
    assert outcome.reason == reason_pb2.REASON_START_ERROR, outcome
    assert outcome.retry_advice == outcome_pb2.RETRY_ADVICE_SAFE_NEVER_STARTED, outcome
    assert not outcome.HasField("exit_code"), outcome
    assert "executable file not found in $PATH" in outcome.kubernetes_message, outcome


def unknown_task(stub, arguments):
    """Errors carry their details in the standard way."""
    key = task_pb2.TaskKey(namespace=arguments.namespace, task_id="nobody")
    try:
        stub.GetTask(query_pb2.GetTaskRequest(key=key), timeout=DEADLINE)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND, error
        info = error_details_pb2.ErrorInfo()
        details = rpc_status.from_call(error).details
        assert any(detail.Unpack(info) for detail in details), details
        assert (info.domain, info.reason) == ("podlaunch.dev", "TASK_UNKNOWN"), info
    else:
        raise AssertionError("an unknown task was found")


def main():
    parser = argparse.ArgumentParser()
    for name in ["address", "namespace", "python-image", "other-image", "python"]:
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    # A proxy of the environment is not for a server on this machine.
    os.environ["no_grpc_proxy"] = arguments.address
    with grpc.insecure_channel(arguments.address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = service_pb2_grpc.PodlaunchServiceStub(channel)
        hello_world(stub, arguments)
        missing_program(stub, arguments)
        unknown_task(stub, arguments)


if __name__ == "__main__":
    main()
