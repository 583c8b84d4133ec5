"""Gives each of pytest-xdist's workers processor cores of its own, which the programs that its tests start share.

Networks and filters take as many threads as there are cores, in every worker. Where those are more threads than cores, they
wait for one another, PyTorch's at each layer, and training takes several times as long. It is done when this is imported,
which must be before the libraries that count the cores.
"""

from __future__ import annotations

import os
import sys

__all__: list[str] = []

if sys.platform == "linux" and "PYTEST_XDIST_WORKER" in os.environ:
    _worker, _workers = int(os.environ["PYTEST_XDIST_WORKER"][2:]), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    _all = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, _all[_worker::_workers] or [_all[_worker % len(_all)]])
