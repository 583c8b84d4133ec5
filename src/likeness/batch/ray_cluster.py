"""A connection to Ray, quiet and private: no usage statistics, no dashboard, no logs of workers on the console."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from likeness.errors import BatchError, ConfigError, MissingExtraError
from likeness.messages.notice import Notice

__all__ = ["Cluster"]

_log = logging.getLogger(__name__)

_STORE = 256 * 1024**2
"""Bytes of shared memory for Ray's objects where Ray is started here: pictures are read and written in place then."""


class Cluster:
    """A Ray that was started here, or one that was joined; this process is its driver until `close`.

    Args:
        address: None or "local" starts Ray on this machine and for it alone; "auto", or host:port of the head, joins the
            cluster that this machine is a node of.
        processors: of the Ray that is started here; None for all of the machine's.

    Raises:
        MissingExtraError: if Ray is not installed.
        ConfigError: for an address that cannot be used.
        BatchError: if there is no cluster, or it cannot be joined.
    """

    def __init__(self, address: str | None = None, *, processors: int | None = None) -> None:
        self.local = address in (None, "local")
        if address is not None and "://" in address:
            raise ConfigError(Notice("ray.client", {"address": address}))
        # Read by Ray when it is imported and when it starts others.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        if self.local:
            # Ray's own switch, whatever its name: off, a Ray of one machine listens on the loopback address alone.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        with _signals_kept():
            try:
                self.ray: Any = importlib.import_module("ray")
            except ImportError as error:
                raise MissingExtraError(Notice("ray.missing")) from error
            self._joined_before = bool(self.ray.is_initialized())
            if not self._joined_before:
                self._connect(address or "local", processors)
                self._hush()

    def _hush(self) -> None:
        """Into the log with what Ray prints on stdout of every worker and node that dies, some of it pages long, although it
        was asked not to: it has no setting for these."""
        module = importlib.import_module("ray._private.worker")

        def quiet(data: dict[str, Any], **_: object) -> None:
            _log.debug("Ray: %s", "\n".join(map(str, data.get("lines", ()))))

        if hasattr(module, "print_to_stdstream"):
            module.print_to_stdstream = quiet  # pyright: ignore[reportAttributeAccessIssue]

    def _connect(self, address: str, processors: int | None) -> None:
        own: dict[str, Any] = {}
        if self.local:
            own = {"num_cpus": processors, "object_store_memory": _STORE}
        try:
            with warnings.catch_warnings():
                # Ray's own, on what later versions of it will do.
                warnings.simplefilter("ignore", FutureWarning)
                self.ray.init(
                    address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **own
                )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            reason = str(error).strip().partition("\n")[0]
            what = Notice("ray.not-started") if self.local else Notice("ray.cluster", {"address": address})
            raise BatchError(Notice("ray.not-joined", {"what": what, "reason": reason})) from error

    def size(self, resource: str) -> int:
        """How much of a resource ("CPU", "GPU") all nodes have together at the moment."""
        return int(self.ray.cluster_resources().get(resource, 0))

    def close(self) -> None:
        """Leave the cluster; a Ray that was started here ends. May be called twice."""
        if not self._joined_before and self.ray.is_initialized():
            with _signals_kept():
                self.ray.shutdown()


@contextmanager
def _signals_kept() -> Generator[None]:
    """Ray takes SIGTERM for itself, and would end the process with the work half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
