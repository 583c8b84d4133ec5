"""What was made for a key, kept for the keys that were asked for last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Recent"]

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """Keeps values for the keys that were asked for last. Safe to use from several threads: each is made once.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[_Key, _Value] = {}
        self._lock = threading.Lock()

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """The value of a key; made if it is not kept, while other threads wait for theirs."""
        with self._lock:
            value = self._kept.pop(key) if key in self._kept else make()
            self._kept[key] = value
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
            return value

    def values(self) -> list[_Value]:
        """What is kept now; does not wait for what is being made, and may miss what is being moved."""
        # In one step, whatever other threads do: an `OrderedDict` would hash its keys on the way.
        return list(self._kept.values())

    def forget(self, key: _Key) -> None:
        """Let go of what is kept of a key, if anything is."""
        with self._lock:
            self._kept.pop(key, None)
