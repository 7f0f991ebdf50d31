"""Calls, arguments and errors of the blocking client."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, Callable

import grpc
import pytest
from conftest import SPEC
from fake import Fake, Refuse, Running, retry_info
from google.rpc import error_details_pb2

from podlaunch import (
    Client,
    GaveUpError,
    InvalidRequestError,
    NotFoundError,
    PodlaunchError,
    PreviousActivePolicy,
    TaskKey,
    Tls,
    token_file,
)
from podlaunch.errors import ErrorDetails, error_of

Code = grpc.StatusCode
Start = Callable[[Fake], Running]


def test_a_delete_says_which_attempt(start: Start) -> None:
    fake = Fake()
    with Client(start(fake).target) as client:
        until = client.delete(TaskKey("t", 2, "n"), pod_uid="u")
        assert until is not None
        assert until.timestamp() == 3
        client.delete("t")
        with pytest.raises(ValueError, match="attempt"):
            client.delete(TaskKey("t"))
    first, second = fake.calls
    assert (first.key.task_id, first.key.attempt, first.key.namespace, first.pod_uid) == ("t", 2, "n", "u")
    assert (second.key.attempt, second.pod_uid) == (1, "")


def test_calls(start: Start) -> None:
    fake = Fake()
    with Client(start(fake).target, metadata=[("traceparent", "00-1-2-03")]) as client:
        assert client.get(TaskKey("t", 3, "n")).key == TaskKey("t", 3, "n")
        assert client.cancel("t", grace=0, reason="enough").result == 1
        assert client.server_info().has("launch")
        assert not client.server_info().has("watch_tasks")
        assert client.validate("t", SPEC).pod_name == "pod"
        with client.launch("t", SPEC, if_previous_active=PreviousActivePolicy.ATTACH) as stream:
            assert stream.wait_accepted().key is not None
            assert stream.wait().outcome.exit_code == 0
    cancel = fake.calls[1]
    assert (cancel.HasField("grace"), cancel.grace.seconds, cancel.reason) == (True, 0, "enough")
    assert fake.calls[-1].if_previous_active == 2
    assert all(metadata["traceparent"] == "00-1-2-03" for metadata in fake.metadata)
    assert "podlaunch-python/" in fake.metadata[0]["user-agent"]


def test_a_call_is_repeated_while_its_effect_is_unknown(start: Start) -> None:
    fake = Fake(
        script=[Refuse(Code.UNAVAILABLE), Refuse(Code.UNKNOWN), Refuse(Code.FAILED_PRECONDITION, (retry_info(0),))]
    )
    with Client(start(fake).target) as client:
        assert client.get("t").key is not None
    assert len(fake.calls) == 4


def test_an_error_keeps_what_the_server_said(start: Start) -> None:
    details = (
        error_details_pb2.ErrorInfo(reason="INVALID_REQUEST", domain="podlaunch.dev", metadata={"field": "spec.image"}),
        error_details_pb2.BadRequest(
            field_violations=[error_details_pb2.BadRequest.FieldViolation(field="spec.image", description="is bad")]
        ),
        error_details_pb2.ResourceInfo(resource_type="Pod", resource_name="p"),
        error_details_pb2.QuotaFailure(
            violations=[error_details_pb2.QuotaFailure.Violation(subject="s", description="d")]
        ),
        retry_info(1.5),
        error_details_pb2.Help(),
    )
    with Client(start(Fake(script=[Refuse(Code.INVALID_ARGUMENT, details)])).target) as client:
        with pytest.raises(InvalidRequestError) as caught:
            client.get("t")
    error = caught.value
    assert (error.code, error.reason, error.metadata) == (
        Code.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "spec.image"},
    )
    assert [one.field for one in error.field_violations] == ["spec.image"]
    assert error.resource is not None
    assert error.resource.name == "p"
    assert error.violations[0].subject == "s"
    assert error.retry_delay == 1.5
    assert not error.repeatable
    assert str(error) == "INVALID_ARGUMENT/INVALID_REQUEST: no; spec.image: is bad"
    assert isinstance(error.__cause__, grpc.RpcError)


def test_errors_are_picklable() -> None:
    error = NotFoundError(Code.NOT_FOUND, "gone", ErrorDetails(reason="TASK_UNKNOWN", metadata={"task_id": "t"}))
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.reason, copy.metadata) == (NotFoundError, "TASK_UNKNOWN", {"task_id": "t"})
    copy = pickle.loads(pickle.dumps(GaveUpError.after(3.0, error)))
    assert (copy.seconds, copy.reason) == (3.0, "TASK_UNKNOWN")


def test_damaged_details_are_no_error_of_their_own() -> None:
    error = error_of(Code.NOT_FOUND, "gone", [("grpc-status-details-bin", b"\xff\xff")])
    assert (type(error), error.reason) == (NotFoundError, "")


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
def test_each_code_has_a_class(code: Code) -> None:
    error = error_of(code, "")
    assert isinstance(error, PodlaunchError)
    repeatable = {Code.UNAVAILABLE, Code.UNKNOWN, Code.INTERNAL, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.ABORTED}
    assert error.repeatable == (code in repeatable)


@pytest.mark.parametrize(
    "target", ["", "host", "unix:", "unix:///", "http://", "http://host", "a b:1", "host:", "ftp://h:1x"]
)
def test_a_wrong_target_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="target"):
        Client(target)


@pytest.mark.parametrize(
    "target", ["host:1", "unix:x", "unix:///x", "dns:///h:1", "http://h:1/", "https://h:1", "[::1]:5"]
)
def test_targets(target: str) -> None:
    Client(target).close()


def test_a_token_is_not_sent_in_the_clear(start: Start, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="token"):
        Client("host:1", token="secret")
    Client("host:1", token="secret", tls=Tls())
    Client("127.0.0.1:1", token="secret")
    with pytest.raises(ValueError, match="cert and key"):
        Tls(cert="x")
    fake = Fake()
    path = tmp_path / "token"
    with Client(start(fake).target, token=token_file(path)) as client:
        for token in ("one", "two"):
            path.write_text(f"{token}\n")
            client.get("t")
    assert [metadata["authorization"] for metadata in fake.metadata] == ["Bearer one", "Bearer two"]


def test_a_launch_must_say_its_attempt() -> None:
    client = Client("host:1")
    with pytest.raises(ValueError, match="attempt"):
        client.launch(TaskKey("t"), SPEC)
    with pytest.raises(ValueError, match="only one"):
        client.attach("t", cursor=b"x", tail_lines=3)


def test_a_forked_process_gets_a_connection_of_its_own(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with Client(start(Fake()).target) as client:
        client.get("t")
        before: Any = client._channel
        monkeypatch.setattr(os, "getpid", lambda: -1)
        client.get("t")
        assert client._channel is not before
        before.close()


def test_a_closed_client_stays_closed(start: Start) -> None:
    fake = Fake(hold_after=2)
    client = Client(start(fake).target)
    stream = client.launch("t", SPEC)
    next(stream)
    client.close()
    with pytest.raises(ValueError, match="closed"):
        list(stream)
    with pytest.raises(ValueError, match="closed"):
        client.get("t")
