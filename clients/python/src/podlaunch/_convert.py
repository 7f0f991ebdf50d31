"""From messages to dataclasses, by the names of their fields.

@of(v1.Outcome)                       plan: one reader per field, made at first use
class Outcome: ...          ------->  from_proto(Outcome, message) -> Outcome

A scalar or message that is unset becomes None if the contract tells unset from zero. Timestamps become aware datetimes
(microseconds), durations timedeltas, enums members of `enums`, lists tuples. A field `x_time_ns` holds the timestamp
`x_time` in nanoseconds since 1970, which a datetime cannot.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any, Callable, TypeVar

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from podlaunch import enums

T = TypeVar("T")
Reader = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_classes: dict[str, type] = {}
_messages: dict[type, type[Message]] = {}


def of(message: type[Message]) -> Callable[[type[T]], type[T]]:
    """The decorated dataclass stands for `message`."""

    def register(cls: type[T]) -> type[T]:
        _classes[message.DESCRIPTOR.full_name] = cls
        _messages[cls] = message
        return cls

    return register


def registered() -> Mapping[type, type[Message]]:
    """Each dataclass and what it stands for."""
    return _messages


def from_proto(cls: type[T], message: Message) -> T:
    """The dataclass `cls` of `message`."""
    return cls(*values(cls, message))


def values(cls: type, message: Message) -> list[Any]:
    """The values of the fields that `cls` adds to its bases, in order."""
    return [read(message) for read in _plan(cls)]


@cache
def _plan(cls: Any) -> tuple[Reader, ...]:
    """A reader for each field of `cls`, those of the message it stands for; base classes' are left out."""
    fields: Mapping[str, Any] = _messages[cls].DESCRIPTOR.fields_by_name
    return tuple(_reader(fields, name) for name in own_fields(cls))


def own_fields(cls: type) -> list[str]:
    """The names of the fields that `cls` adds to its dataclass bases."""
    bases = [base for base in cls.__mro__[1:] if dataclasses.is_dataclass(base)]
    inherited = {field.name for base in bases for field in dataclasses.fields(base)}
    return [field.name for field in dataclasses.fields(cls) if field.name not in inherited]


def _reader(fields: Mapping[str, FieldDescriptor], name: str) -> Reader:
    if name.endswith("_time_ns"):
        stamp = name[: -len("_ns")]
        return lambda message: nanoseconds(getattr(message, stamp)) if message.HasField(stamp) else None
    field = fields[name]
    if _is_repeated(field):
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return lambda message: dict(getattr(message, name))
        item = _value(field)
        return lambda message: tuple(map(item, getattr(message, name)))
    value = _value(field)
    if field.message_type is not None or field.has_presence:
        return lambda message: value(getattr(message, name)) if message.HasField(name) else None
    return lambda message: value(getattr(message, name))


def _is_repeated(field: Any) -> bool:
    # `label` goes away in newer runtimes, `is_repeated` is not there in older ones.
    repeated = getattr(field, "is_repeated", None)
    return bool(field.label == FieldDescriptor.LABEL_REPEATED if repeated is None else repeated)


def _value(field: FieldDescriptor) -> Reader:
    if field.enum_type is not None:
        return _enum(field.enum_type)
    if field.message_type is None:
        return lambda value: value
    name = field.message_type.full_name
    if name == Timestamp.DESCRIPTOR.full_name:
        return to_datetime
    if name == Duration.DESCRIPTOR.full_name:
        return to_timedelta
    return lambda message: from_proto(_classes[name], message)


def _enum(descriptor: EnumDescriptor) -> Reader:
    member: Reader = getattr(enums, descriptor.name)
    return member


def nanoseconds(stamp: Timestamp) -> int:
    """Nanoseconds since 1970."""
    return stamp.seconds * 1_000_000_000 + stamp.nanos


def to_datetime(stamp: Timestamp) -> datetime:
    """An aware datetime in UTC; what is finer than a microsecond is cut off."""
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)


def datetime_of(nanos: int) -> datetime:
    """An aware datetime in UTC of nanoseconds since 1970."""
    return _EPOCH + timedelta(microseconds=nanos // 1000)


def to_timedelta(duration: Duration) -> timedelta:
    """A timedelta; what is finer than a microsecond is cut off."""
    return timedelta(seconds=duration.seconds, microseconds=duration.nanos // 1000)
