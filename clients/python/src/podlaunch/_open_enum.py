"""Enums that keep values they do not know."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Optional


class OpenEnum(IntEnum):
    """An enum of the contract: 0 is `UNSPECIFIED`; a number without a name becomes `UNKNOWN_<number>`.

    Members compare and hash as their numbers.
    """

    @classmethod
    def _missing_(cls, value: object) -> Optional[OpenEnum]:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        # One object for a number, so that `is` holds for these too.
        known = cls._value2member_map_.setdefault(value, member)
        return known if isinstance(known, cls) else None

    @property
    def known(self) -> bool:
        """This version has a name for it."""
        return self._name_ in type(self).__members__

    def __str__(self) -> str:
        return self._name_


def number(member: OpenEnum) -> Any:
    """What a message takes for `member`: generated stubs name their own enums, of which plain numbers are members."""
    return int(member)
