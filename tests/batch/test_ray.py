"""The batch on a real Ray cluster of several nodes on this machine, one of which is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from likeness.batch.journal import Item, Journal, Task
from likeness.batch.network import Answer
from likeness.batch.ray_ import RayExecutor
from likeness.batch.ray_cluster import Cluster
from likeness.batch.work import Handed, Result
from likeness.errors import BatchError, ConfigError
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.image import Image

ray = pytest.importorskip("ray", reason="Ray is not installed", exc_type=ImportError)

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="Ray's clusters of one machine do not run on Windows"),
    # Ray leaves sockets and log files to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

_STORE = 100 * 1024**2


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head that does no work, and two nodes of one processor each."""
    from ray.cluster_utils import Cluster as Nodes

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Workers cannot import this module: what they need of it travels by value.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    nodes = Nodes(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "include_dashboard": False,
            "object_store_memory": _STORE,
            "_system_config": {
                "health_check_initial_delay_ms": 0,
                "worker_niceness": 0,
                "health_check_period_ms": 1000,
                "health_check_failure_threshold": 5,
            },
        },
    )
    try:
        for _ in range(2):
            nodes.add_node(num_cpus=1, object_store_memory=_STORE)
        yield nodes
    finally:
        nodes.shutdown()


def _start(nodes: Any, inbox: Path, out: Path, model: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "likeness", "batch", inbox, out, "--model", model, "--no-guard"]
    return subprocess.Popen(
        [*map(str, command), "--executor", "ray", "--address", nodes.address], stderr=subprocess.PIPE, encoding="utf-8"
    )


def _wait(process: subprocess.Popen[str], journal: Path, least: int) -> None:
    """Until so many pictures are done; the process must not end before, nor hang."""
    latest = time.monotonic() + 180
    while process.poll() is None:
        if time.monotonic() > latest:
            process.kill()
        if journal.exists():
            with Journal(journal) as opened:
                if opened.counts()["final"] >= least:
                    return
        time.sleep(0.02)
    raise AssertionError(process.communicate()[1])


def test_a_node_is_lost_and_the_driver_is_killed(
    nodes: Any, tmp_path: Path, astronaut: Image, tiny_model: Path
) -> None:
    inbox, out = tmp_path / "in", tmp_path / "out"
    (inbox / "more").mkdir(parents=True)
    for number in range(8):
        name = f"more/{number}.png" if number % 2 else f"{number}.jpg"
        pixels = astronaut.pixels * np.float32(1 - number / 100)
        (inbox / name).write_bytes(encode_image(Image(pixels=pixels), "PNG" if number % 2 else "JPEG"))

    process = _start(nodes, inbox, out, tiny_model)
    _wait(process, out / "journal.sqlite", 2)
    # Its raylet and its workers are killed as they are.
    nodes.remove_node(sorted(nodes.worker_nodes, key=lambda node: node.node_id)[0], allow_graceful=False)
    _wait(process, out / "journal.sqlite", 5)
    process.kill()
    process.communicate()
    with Journal(out / "journal.sqlite") as journal:
        finished = {item.target: item.changed for item in journal.items(states=["final"])}
    assert 5 <= len(finished) < 8

    process = _start(nodes, inbox, out, tiny_model)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "8 delivered" in said
    with Journal(out / "journal.sqlite") as journal:
        items = list(journal.items())
    assert len(items) == 8
    assert all(item.state == "final" for item in items)
    assert all(finished.get(item.target, item.changed) == item.changed for item in items), "nothing is done twice"
    # One picture was on the lost node, and two at most were with the driver.
    assert 8 <= sum(item.attempts for item in items) <= 8 + 1 + 2 * 2
    results = {str(path.relative_to(out / "final")) for path in (out / "final").rglob("*") if path.is_file()}
    assert results == {item.target for item in items}
    assert all(read_image(out / "final" / name).size.width == 256 for name in results)
    assert not (out / "review").exists()


@dataclass(frozen=True)
class Trouble:
    """What workers without a network do with pictures of these names."""

    dies: str = ""
    hangs: str = ""
    once: str = ""

    def __call__(self) -> Callable[[Item, Handed | None], Answer]:
        def work(item: Item, handed: Handed | None) -> Answer:
            if item.target == self.dies:
                os.kill(os.getpid(), signal.SIGKILL)
            if item.target == self.hangs and not Path(self.once).exists():
                Path(self.once).touch()
                time.sleep(600)
            outcome = {} if handed is None else {"handed": handed.picture.decode()}
            return Answer(result=Result(state="final", outcome=outcome))

        return work


def _queue(path: Path, count: int) -> Journal:
    journal = Journal(path / "journal.sqlite")
    for number in range(count):
        (path / f"{number}.jpg").write_text(f"picture {number}")
    journal.put(
        Task(target=str(number), source=str(path / f"{number}.jpg"), content="", model="none")
        for number in range(count)
    )
    return journal


def _broken() -> Callable[[Item, Handed | None], Answer]:
    raise ConfigError("no such network")


def test_workers_that_die_hang_or_cannot_begin(nodes: Any, tmp_path: Path) -> None:
    trouble = Trouble(dies="1", hangs="2", once=str(tmp_path / "hung"))
    executor = RayExecutor(Cluster(nodes.address), trouble, hand=True, workers=1, patience=2.0)
    with _queue(tmp_path, 5) as journal, closing(executor):
        done = {one.item.target: one for one in executor.run(journal)}
        assert all(one.counted for one in done.values())
        items = {item.target: item for item in journal.items()}
    assert set(done) == {"0", "2", "3", "4"}
    assert items["1"].state == "failed"
    assert "ended 3 times without a result" in items["1"].reason
    # Only the picture that a worker was at is held against it.
    assert {name: item.attempts for name, item in items.items()} == {"0": 1, "1": 3, "2": 2, "3": 1, "4": 1}
    assert done["4"].result.outcome["handed"] == "picture 4", "its bytes travelled"

    (tmp_path / "again").mkdir()
    with (
        _queue(tmp_path / "again", 2) as journal,
        closing(RayExecutor(Cluster(nodes.address), _broken, workers=1)) as executor,
    ):
        with pytest.raises(ConfigError, match="no such network"):
            list(executor.run(journal))
        assert journal.counts()["queued"] == 2


def test_stopped_what_is_begun_is_finished(nodes: Any, tmp_path: Path) -> None:
    executor = RayExecutor(Cluster(nodes.address), Trouble(), workers=1)
    stop = threading.Event()
    with _queue(tmp_path, 20) as journal, closing(executor):
        results = executor.run(journal, stop=stop)
        next(results)
        stop.set()
        rest = list(results)
        assert len(rest) < 19
        counts = journal.counts()
        assert counts["final"] == 1 + len(rest)
        assert counts["queued"] == 20 - counts["final"]
        assert sum(item.attempts for item in journal.items()) == counts["final"]
        # Closed at once: what was out comes back as if it had never been.
        results = executor.run(journal)
        next(results)
        results.close()
        assert journal.counts()["running"] == 0
        assert sum(item.attempts for item in journal.items()) == journal.counts()["final"]


def test_addresses_that_cannot_be_used() -> None:
    with pytest.raises(ConfigError, match="client"):
        Cluster("ray://head:10001")
    with pytest.raises(BatchError, match="cannot be joined"):
        Cluster("no port at all")
