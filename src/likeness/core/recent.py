"""What was made for a key, kept for the keys that were asked for last."""

from __future__ import annotations

import threading
from collections import OrderedDict
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
        self._kept: OrderedDict[_Key, _Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """The value of a key; made if it is not kept, while other threads wait for theirs."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return self._kept[key]

    def values(self) -> list[_Value]:
        """What is kept now; does not wait for what is being made."""
        return list(self._kept.values())

    def forget(self, key: _Key) -> None:
        """Let go of what is kept of a key, if anything is."""
        with self._lock:
            self._kept.pop(key, None)
