"""A server under load on this machine: `python benchmarks/load.py` writes benchmarks/load.md.

Method: `likeness serve` runs as a program of its own with its defaults; eight clients, each from an address of its own
(127.0.0.2 and so on), send a portrait, wait for the restored one, and send it again. The library's own figures are taken
in the same run: the same picture from bytes to bytes, one after the other and with as many threads as the server has. Client
and server share the processors, as on a studio's machine. Memory is the server's VmHWM. Linux only: other systems have one
loopback address, and no /proc.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx
import numpy as np
from processes import memory, served

from likeness import LikenessClient, Restorer, read_image
from likeness.core.parallel import map_in_order
from likeness.imaging.encode import encode_image

__all__ = ["Client", "main"]

HERE = Path(__file__).resolve().parent
PICTURE = HERE.parent / "examples" / "portrait.jpg"
CLIENTS = 8
JOBS, PICTURES = 20, 3


@dataclass(kw_only=True)
class Client:
    """A client on an address of its own, and what it met with."""

    number: int
    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def run(self, url: str, ends: float, data: bytes) -> None:
        """Send the picture again and again until the time is over."""
        transport = httpx.HTTPTransport(local_address=f"127.0.0.{self.number + 2}")
        with httpx.Client(base_url=url, timeout=120, transport=transport) as http:
            while time.perf_counter() < ends:
                began = time.perf_counter()
                answer = http.post("/v1/restore", files={"file": ("a.jpg", data)})
                self.statuses.append(answer.status_code)
                if answer.status_code == 200:
                    self.seconds.append(time.perf_counter() - began)
                else:
                    time.sleep(min(float(answer.headers.get("retry-after", "1")), 1.0))


def storm(url: str, data: bytes, seconds: float, numbers: list[int]) -> list[Client]:
    """Clients at the same time, one thread each; a number that comes twice is one address with two requests at a time."""
    clients = [Client(number=number) for number in numbers]
    ends = time.perf_counter() + seconds
    threads = [threading.Thread(target=client.run, args=(url, ends, data)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clients


def quantile(values: list[float], share: float) -> float:
    """Milliseconds."""
    if not values:
        raise SystemExit("a client got no picture at all: give it more --seconds on a machine with less to do")
    return float(np.quantile(values, share)) * 1e3


def rate(work: Callable[[], object], seconds: float) -> float:
    """How often a second, after a first time that does not count."""
    work()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        work()
        count += 1
    return count / (time.perf_counter() - began)


def library(data: bytes, seconds: float, workers: int) -> tuple[float, float, float]:
    """Pictures a second, bytes to bytes: one after the other, with threads; and the median of one alone, milliseconds."""
    restorer = Restorer()
    times: list[float] = []

    def one(_: object = None) -> bytes:
        began = time.perf_counter()
        made = encode_image(restorer.restore(read_image(data)).image, "JPEG")
        times.append(time.perf_counter() - began)
        return made

    alone = rate(one, seconds)
    median = statistics.median(times[1:]) * 1e3
    count = max(8, round(alone * seconds))
    began = time.perf_counter()
    for _ in map_in_order(one, range(count), workers=workers):
        pass
    return alone, count / (time.perf_counter() - began), median


def killed(folder: Path) -> tuple[int, int, float]:
    """Kill -9 in the middle of twenty jobs: pictures sent, pictures restored in the end, and share done at the kill."""
    pictures = [PICTURE] * PICTURES
    with served(folder) as (process, url), LikenessClient(url) as client:
        jobs = [client.submit(pictures) for _ in range(JOBS)]
        while sum(client.job(job).counts["final"] for job in jobs) < JOBS * PICTURES * 0.3:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    with served(folder) as (_, url), LikenessClient(url) as client:
        done = [client.job(job).counts["final"] for job in jobs]
        counts = [client.wait(job).counts["final"] for job in jobs]
    return JOBS * PICTURES, sum(counts), sum(done) / (JOBS * PICTURES)


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each storm")
    parser.add_argument("--output", type=Path, default=HERE / "load.md")
    flags = parser.parse_args()
    seconds = flags.seconds
    data = PICTURE.read_bytes()
    size = read_image(data).size
    workers = max(1, min(4, os.cpu_count() or 1))
    rows: list[tuple[str, ...]] = []

    alone, threaded, median = library(data, seconds / 3, workers)
    rows.append(("the library, one after the other", f"{alone:.2f}", f"{median:.0f}", "", "", "", ""))
    rows.append((f"the library, {workers} threads", f"{threaded:.2f}", "", "", "", "", ""))
    with tempfile.TemporaryDirectory() as folder:
        with served(Path(folder) / "a") as (process, url):
            storm(url, data, 2, [0])
            for title, numbers, length in (
                ("the server, 1 client", [0], seconds / 2),
                (f"the server, {CLIENTS} clients", list(range(CLIENTS)), seconds),
                ("the same again", list(range(CLIENTS)), seconds),
            ):
                began = time.perf_counter()
                clients = storm(url, data, length, numbers)
                rows.append(row(title, clients, time.perf_counter() - began, memory(process.pid, "VmHWM")))
            greedy = storm(url, data, seconds / 2, [0] * 7 + [1])
            shares = (sum(len(client.seconds) for client in greedy[:7]), len(greedy[7].seconds))
            waits = (quantile([s for c in greedy[:7] for s in c.seconds], 0.5), quantile(greedy[7].seconds, 0.5))
        with served(Path(folder) / "b", "--queue", "2") as (process, url):
            began = time.perf_counter()
            clients = storm(url, data, seconds / 2, list(range(CLIENTS)))
            title = f"--queue 2, {CLIENTS} clients"
            rows.append(row(title, clients, time.perf_counter() - began, memory(process.pid, "VmHWM")))
            refused = sum(status == 429 for client in clients for status in client.statuses)
        sent, restored, share = killed(Path(folder) / "c")
    text = PAGE.format(
        date=date.today().isoformat(),
        machine=f"{os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}",
        picture=f"examples/{PICTURE.name}, {size}, one face",
        table="\n".join(f"| {' | '.join(cells)} |" for cells in rows),
        refused=refused,
        greedy=shares[0],
        modest=shares[1],
        greedy_wait=f"{waits[0]:.0f}",
        modest_wait=f"{waits[1]:.0f}",
        jobs=JOBS,
        sent=sent,
        restored=restored,
        share=f"{share:.0%}",
        ratio=f"{float(rows[3][1]) / threaded:.0%}",
    )
    flags.output.write_text(text, encoding="utf-8")
    print(text)
    return 0 if restored == sent else 1


def row(title: str, clients: list[Client], seconds: float, peak: float) -> tuple[str, ...]:
    """A line of the table."""
    times = [second for client in clients for second in client.seconds]
    statuses = [status for client in clients for status in client.statuses]
    errors = sum(status not in (200, 429) for status in statuses)
    counts = [len(client.seconds) for client in clients]
    spread = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(counts[0])
    return (
        title,
        f"{len(times) / seconds:.2f}",
        f"{quantile(times, 0.5):.0f}",
        f"{quantile(times, 0.95):.0f}",
        spread,
        str(errors),
        f"{peak:.0f}",
    )


PAGE = """\
# The server under load

Written by `python benchmarks/load.py` on {date}; {machine}. Picture: {picture}. The method is told at the top of that file.

| | pictures/s | p50 ms | p95 ms | pictures of each client | errors | peak MB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{table}

- Eight clients together get {ratio} of what the library does with as many threads and no server; the clients and their
  connections share its processors.
- Fair order: one address with seven requests at a time and one with a single one got {greedy} and {modest} pictures in the
  same time; half of their answers came within {greedy_wait} ms and {modest_wait} ms. Whoever asks for more at a time waits
  for it longer; others do not.
- A line for two: {refused} requests were answered with 429 and a time to come back, none in another way. Turns are taken in
  the line only; who gets into one that is too short is a matter of when it comes back.
- Killed with `kill -9` in the middle of {jobs} jobs ({share} of their {sent} pictures done) and started again: {restored} of
  {sent} pictures restored.
"""

if __name__ == "__main__":
    sys.exit(main())
