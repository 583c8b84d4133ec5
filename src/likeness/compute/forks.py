"""Networks do not survive a fork: their threads stay in the parent, and the first call in the child waits for ever."""

from __future__ import annotations

import os
from functools import cache

from likeness.errors import ForkError
from likeness.messages.notice import Notice

__all__ = ["refuse_after_fork"]

_children: list[int] = []
"""Process numbers of this process as a forked child of one that had networks; empty in the parent."""


def refuse_after_fork() -> None:
    """To be called before any work of a network, and before any lock that another thread may have held at the fork.

    Raises:
        ForkError: in a process that was forked from one in which this had been called.
    """
    _watch()
    if _children:
        raise ForkError(Notice("compute.forked"))


@cache
def _watch() -> None:
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=lambda: _children.append(os.getpid()))
