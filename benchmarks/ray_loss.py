"""A batch past one machine: what is lost when a node and the driver die, and what bounds a million pictures.

`python benchmarks/ray_loss.py` starts a Ray cluster of three nodes on this machine (a head without processors, two nodes
with one each), restores pictures made from examples/, kills one node and then the driver in the middle, runs the command
again, and counts in the journal. Then it measures the driver alone, with workers that do nothing, and the journal with a
million rows. It writes ray_loss.md; --parts adds only some of them to it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from likeness import read_image
from likeness.batch.journal import Item, Journal, Task
from likeness.batch.network import Answer
from likeness.batch.options import WorkOptions
from likeness.batch.ray_ import RayExecutor
from likeness.batch.ray_cluster import Cluster
from likeness.batch.ray_worker import Work
from likeness.batch.work import Handed, Result
from likeness.imaging.encode import encode_image
from likeness.imaging.image import Image

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_name("ray_loss.md")
SAMPLES = ("portrait.jpg", "backlit.jpg", "early-digital.jpg", "low-light.jpg")
PARTS = ("losses", "driver", "journal")
SIDE = 768
STORE = 150 * 1024**2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--items", type=int, default=1500, help="through workers that do nothing")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--parts", default=",".join(PARTS))
    flags = parser.parse_args()
    parts = flags.parts.split(",")
    if not set(parts) <= set(PARTS):
        parser.error(f"the parts are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        texts = {
            "losses": lambda: losses(folder, flags.pictures),
            "driver": lambda: driver(folder, flags.items),
            "journal": lambda: journal_size(folder, flags.rows),
        }
        for part in parts:
            text = texts[part]()
            print(text, flush=True)
            with TABLE.open("w" if part == "losses" else "a", encoding="utf-8") as stream:
                stream.write(text)


@contextmanager
def nodes() -> Iterator[Any]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster as Nodes

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE}
    cluster = Nodes(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=STORE)
        yield cluster
    finally:
        cluster.shutdown()


def losses(folder: Path, count: int) -> str:
    """Kill a node, then the driver, then let it end."""
    inbox, out = folder / "in", folder / "out"
    inbox.mkdir()
    for number in range(count):
        pixels = read_image(ROOT / "examples" / SAMPLES[number % len(SAMPLES)]).pixels
        scale = SIDE / max(pixels.shape[:2])
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        small = np.clip(small * (1 - number / 400), 0, 1).astype(np.float32)
        (inbox / f"{number:03}.jpg").write_bytes(encode_image(Image(pixels=small), "JPEG"))
    rows = [("moment", "done", "with the driver", "waiting", "begun, in all")]
    with nodes() as cluster:
        command = [sys.executable, "-m", "likeness", "batch", str(inbox), str(out), "--executor", "ray"]
        command += ["--address", cluster.address]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8")
        wait(process, out, count // 3)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        rows.append(row("one of two nodes killed", out))
        wait(process, out, 2 * count // 3)
        process.kill()
        said = process.communicate()[1]
        before = {item.target: item.changed for item in ended(out)}
        rows.append(row("driver killed (kill -9)", out))
        done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", check=False)
        rows.append(row("the command run again, to its end", out))
    print(said + done.stderr)
    after = ended(out)
    results = [path for place in ("final", "review") for path in (out / place).rglob("*") if path.is_file()]
    twice = sum(before.get(item.target, item.changed) != item.changed for item in after)
    again = sorted(item.attempts for item in after if item.attempts > 1)
    return (
        "# Past one machine\n\n"
        f"`python benchmarks/ray_loss.py`. {count} pictures of {SIDE} px, `likeness-512`, guard on; a Ray cluster of a\n"
        "head and two nodes with one processor each, all on one machine.\n\n"
        + table(rows)
        + f"\nPictures {count}; results {len(results)}; lost {count - len(after)}; done before the kill and done again "
        f"{twice};\nbegun more than once {len(again)} (attempts {again}); exit status of the last run {done.returncode}.\n"
    )


def wait(process: subprocess.Popen[str], out: Path, least: int) -> None:
    while process.poll() is None:
        if (out / "journal.sqlite").exists() and len(ended(out)) >= least:
            return
        time.sleep(0.05)
    raise SystemExit(process.communicate()[1])


def ended(out: Path) -> list[Item]:
    with Journal(out / "journal.sqlite") as journal:
        return list(journal.items(states=["final", "review", "skipped", "failed"]))


def row(moment: str, out: Path) -> tuple[str, ...]:
    with Journal(out / "journal.sqlite") as journal:
        counts = journal.counts()
        begun = sum(item.attempts for item in journal.items())
    done = sum(counts[state] for state in ("final", "review", "skipped", "failed"))
    return moment, str(done), str(counts["running"]), str(counts["queued"]), str(begun)


def nothing(_: bytes | None) -> Work:
    """A worker that answers at once, with an outcome of the usual length."""
    outcome: dict[str, Any] = {"filler": "x" * 1200}

    def work(item: Item, handed: Handed | None) -> Answer:  # noqa: ARG001 - as `Work` has it
        return Answer(result=Result(state="final", outcome=outcome))

    return work


def driver(folder: Path, count: int) -> str:
    """Claim, to Ray and back, finish: pictures a second when the pictures cost nothing."""
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    options = WorkOptions().to_dict()
    source = folder / "picture.jpg"
    source.write_bytes(bytes(300_000))
    rows = [("", "pictures a second")]

    def queue(name: str) -> Journal:
        journal = Journal(folder / f"{name}.sqlite")
        journal.put(
            Task(target=f"{n}.jpg", source=str(source), content="", model="m", options=options) for n in range(count)
        )
        return journal

    with nodes() as cluster:
        for name, hand in (("workers open the files", False), ("the driver hands over files of 300 kB", True)):
            executor = RayExecutor(Cluster(cluster.address), nothing, workers=2, hand=hand)
            with closing(executor), queue(name) as journal:
                results = executor.run(journal, group="")
                next(results)
                began = time.perf_counter()
                done = sum(1 for _ in results)
                rows.append((name, f"{done / (time.perf_counter() - began):.0f}"))
    with queue("alone") as journal:
        began = time.perf_counter()
        while (item := journal.claim(group="")) is not None:
            journal.finish(item, "final", outcome={"filler": "x" * 1200})
        rows.append(("the journal alone: claim and finish", f"{count / (time.perf_counter() - began):.0f}"))
    return f"\n## The driver, with two workers that do nothing ({count} items)\n\n" + table(rows)


def journal_size(folder: Path, count: int) -> str:
    """The journal with many rows."""
    options = WorkOptions().to_dict()
    path = folder / "many.sqlite"
    with Journal(path) as journal:
        began = time.perf_counter()
        journal.put(
            Task(
                target=f"client-{n % 5000:04}/IMG_{n:07}.jpg",
                source=f"s3://studio/monday/client-{n % 5000:04}/IMG_{n:07}.jpg",
                content=f"{n:064x}",
                model="likeness-512-0123456789abcdef",
                options=options,
            )
            for n in range(count)
        )
        put = time.perf_counter() - began
        queued = path.stat().st_size
        claims: list[float] = []
        finishes: list[float] = []
        for _ in range(300):
            began = time.perf_counter()
            item = journal.claim(group="")
            claims.append(time.perf_counter() - began)
            assert item is not None
            began = time.perf_counter()
            journal.finish(item, "final", outcome={"filler": "x" * 1200})
            finishes.append(time.perf_counter() - began)
        began = time.perf_counter()
        journal.counts(group="")
        counted = time.perf_counter() - began
    rows = [
        ("", ""),
        ("put all of them", f"{put:.0f} s, {count / put:.0f} a second"),
        ("bytes a row, queued", f"{queued / count:.0f}"),
        ("claim, median of 300", f"{median(claims) * 1e3:.2f} ms"),
        ("finish, median of 300", f"{median(finishes) * 1e3:.2f} ms"),
        ("counts", f"{counted:.1f} s"),
    ]
    return f"\n## The journal with {count:,} rows\n\n" + table(rows)


def table(rows: list[tuple[str, ...]]) -> str:
    head, *rest = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join([head, "| " + " | ".join(["---"] * len(rows[0])) + " |", *rest]) + "\n"


if __name__ == "__main__":
    main()
