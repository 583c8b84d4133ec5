"""Many mixed pictures in one run of `likeness batch`: is every file accounted for, how fast is it, does memory stay flat?

`python benchmarks/soak.py` makes 600 pictures from examples/ (every format that is read, from 60 px to 48 megapixels, one in
twenty broken), restores them, looks at every result, and writes soak.md and soak.svg. With `--folder` it can be broken off
at any moment and called again: it goes on where it was, also beside a batch that went on without it. Memory is what the
kernel says that the process and those of its lanes and decoders hold (PSS), asked twice a second, so it runs on Linux.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import astuple, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from processes import family
from soak_pictures import Made, make

from likeness import Image, LikenessError, read_image
from likeness.batch.journal import Item, Journal
from likeness.core.hashing import sha256_of_bytes
from likeness.core.outputs import JOURNAL
from likeness.core.parallel import map_in_order
from likeness.imaging.filters import resize
from likeness.imaging.image import Pixels, Size

TABLE, CURVE = (Path(__file__).with_name(name) for name in ("soak.md", "soak.svg"))
STATES = ("final", "review", "skipped", "failed")
SAID_EVERY = 20.0

ALIKE = 0.06
"""Mean difference up to which two pictures at 24 x 24 pixels are the same one. Restoring moves that by some 0.01."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The batch at one moment: the how manieth it is, the clock (since 1970), seconds of work since the first began,
    megabytes, pictures done."""

    start: int
    clock: float
    seconds: float
    megabytes: float
    done: int


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """What of the pictures does not add up; empty where all do."""

    missing: tuple[str, ...]
    wrong_state: tuple[str, ...]
    wrong_content: tuple[str, ...]
    promised: int
    there: int
    others: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--folder", type=Path, help="where pictures and results stay, to go on there; else a temporary one"
    )
    parser.add_argument("--out", type=Path, default=TABLE.parent, help="folder for soak.md and soak.svg")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (flags.folder or Path(temporary)).resolve()
        inbox, out = folder / "in", folder / "out"
        inbox.mkdir(parents=True, exist_ok=True)
        made: list[Made] = []
        for number in told(range(flags.pictures), "made"):
            made.append(make(inbox, number))  # noqa: PERF401 - one by one, to be told
        samples, status = run(folder, inbox, out, flags.pictures, flags.workers)
        with Journal(out / JOURNAL) as journal:
            items = {str(Path(item.source).relative_to(inbox)): item for item in journal.items()}
        found = account(made, inbox, out, items)
        text = report(
            made, items, found, json.loads((out / "summary.json").read_text("utf-8"))["summary"], samples, status
        )
        (flags.out / TABLE.name).write_text(text, encoding="utf-8")
        (flags.out / CURVE.name).write_text(curve(samples), encoding="utf-8")
        print(text)
        print(f"the summary page: {out / 'summary.html'}" if flags.folder else "")


def told(numbers: range, word: str) -> Iterator[int]:
    """The numbers, told of now and then."""
    said = time.monotonic()
    for number in numbers:
        yield number
        if time.monotonic() - said > SAID_EVERY or number == numbers[-1]:
            said = time.monotonic()
            print(f"{number + 1} of {len(numbers)} {word}", flush=True)


def run(folder: Path, inbox: Path, out: Path, total: int, workers: int) -> tuple[list[Sample], int]:
    """The command, watched from outside, until it ends by itself; what was sampled, and its exit status.

    No projections are kept, so that every picture goes through the network.
    """
    log, number = folder / "samples.csv", folder / "batch.pid"
    samples = earlier(log)
    command = [sys.executable, "-m", "likeness", "batch", str(inbox), str(out), "--keep-projections", "0"]
    while True:
        pid = int(number.read_text("ascii")) if number.exists() else 0
        own: subprocess.Popen[bytes] | None = None
        start = samples[-1].start if samples else 0
        if not is_batch(pid, out):
            # One that is only asked for its status does not count.
            start += not samples or finished(out / JOURNAL) < total
            with (folder / "batch.log").open("ab") as stream:
                own = subprocess.Popen([*command, "--workers", str(workers)], stdout=stream, stderr=stream)
            pid = own.pid
            number.write_text(str(pid), encoding="ascii")
        samples += watched(pid, own, out / JOURNAL, samples[-1:], start, total, log)
        # Only of a process of its own can the status be asked: after another's end the command is run once more.
        if own is not None:
            number.unlink()
            return samples, own.returncode


def watched(
    pid: int,
    own: subprocess.Popen[bytes] | None,
    journal: Path,
    last: list[Sample],
    start: int,
    total: int,
    log: Path,
) -> list[Sample]:
    """The process until its end, sampled twice a second; ``last`` is what was sampled last before, if anything was."""
    offset = last[0].seconds if last else 0.0
    if own is None and last:  # it went on meanwhile
        offset += time.time() - last[0].clock
    began = said = time.perf_counter()
    samples: list[Sample] = []
    with log.open("a", encoding="ascii", newline="") as stream:
        rows = csv.writer(stream)
        while own.poll() is None if own is not None else is_batch(pid, journal.parent):
            now, megabytes = time.perf_counter(), resident(pid)
            if megabytes:
                one = Sample(
                    start=start,
                    clock=time.time(),
                    seconds=offset + now - began,
                    megabytes=megabytes,
                    done=finished(journal),
                )
                samples.append(one)
                rows.writerow(astuple(one))
                stream.flush()
                if now - said > SAID_EVERY:
                    said = now
                    print(f"{one.done} of {total} done in {one.seconds:.0f} s, {megabytes:.0f} MB", flush=True)
            time.sleep(0.5)
    return samples


def earlier(log: Path) -> list[Sample]:
    """What was sampled before this call; a line that was cut off is left out."""
    if not log.exists():
        return []
    with log.open(encoding="ascii", newline="") as stream:
        rows = [row for row in csv.reader(stream) if len(row) == 5]
    return [
        Sample(start=int(start), clock=float(clock), seconds=float(seconds), megabytes=float(megabytes), done=int(done))
        for start, clock, seconds, megabytes, done in rows
    ]


def is_batch(pid: int, out: Path) -> bool:
    """Whether the process is alive, and the batch into this folder."""
    try:
        return str(out).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def resident(pid: int) -> float:
    """What a process and all that it has started hold, MB: a page that several of them share counts once (PSS)."""
    total = 0.0
    for one in family(pid):
        with suppress(OSError):  # it has ended
            lines = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii").splitlines()
            total += next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
    return total


def finished(path: Path) -> int:
    """Pictures that have ended; read without a lock, so that the run is not disturbed."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            query = "SELECT count(*) FROM item WHERE state NOT IN ('queued', 'running')"
            return int(database.execute(query).fetchone()[0])
    except sqlite3.Error:  # not there yet
        return 0


def account(made: list[Made], inbox: Path, out: Path, items: dict[str, Item]) -> Accounts:
    """Hold every picture, and every file in the output, against the journal, and each result against its input."""
    results = {path for folder in ("final", "review") for path in (out / folder).rglob("*") if path.is_file()}
    promised = {out / item.outcome["output"] for item in items.values() if item.state in ("final", "review")}
    present = [one for one in made if one.name in items]

    def content(one: Made) -> str:
        item = items[one.name]
        if item.content != sha256_of_bytes((inbox / one.name).read_bytes()):
            return f"{one.name}: the journal knows another content"
        if item.state not in ("final", "review"):
            return ""
        return unlike(inbox / one.name, out / item.outcome["output"])

    wrong: list[str] = []
    checked = map_in_order(content, present, workers=2, ahead=0)
    for _, sentence in zip(told(range(len(present)), "looked at"), checked, strict=True):
        wrong += [sentence] if sentence else []
    return Accounts(
        missing=tuple(one.name for one in made if one.name not in items),
        wrong_state=tuple(
            f"{one.name} ({one.kind}): {items[one.name].state}"
            for one in present
            if items[one.name].state not in one.expected
        ),
        wrong_content=tuple(wrong),
        promised=len(promised),
        there=len(results & promised),
        others=len(results - promised),
    )


def unlike(before: Path, after: Path) -> str:
    """Why a result is none of its picture; "" if it is: readable to its end, as large, and the same at a glance."""
    try:
        one, other = read_image(before), read_image(after)
    except LikenessError as error:
        return str(error)
    if one.size != other.size:
        return f"{after}: {other.size} instead of {one.size}"
    distance = float(np.abs(_glance(one) - _glance(other)).mean())
    return f"{after} is another picture ({distance:.3f})" if distance > ALIKE else ""


def _glance(image: Image) -> Pixels:
    return resize(image.pixels, Size(24, 24), "area")


def report(
    made: list[Made],
    items: dict[str, Item],
    found: Accounts,
    summary: dict[str, object],
    samples: list[Sample],
    status: int,
) -> str:
    starts, seconds = samples[-1].start, samples[-1].seconds
    network = [sample for sample in samples if 0 < sample.done < len(made)]
    thirds = [network[i * len(network) // 3 : (i + 1) * len(network) // 3] for i in range(3)]
    medians = [median(sample.megabytes for sample in third) for third in thirds]
    peak = max(samples, key=lambda sample: sample.megabytes)
    kinds = list(dict.fromkeys(one.kind for one in made))
    formats = Counter(one.file_format for one in made)
    areas = [(item.outcome.get("width") or 0) * (item.outcome.get("height") or 0) for item in items.values()]
    lines = [
        "# Soak",
        "",
        f"`python benchmarks/soak.py --pictures {len(made)}`: one run of `likeness batch`, a picture per processor, over",
        f"pictures made from examples/, of every format that is read, from 60 px to {max(areas) / 1e6:.0f} megapixels, one",
        f"in twenty broken; no projections kept. {os.cpu_count()} processors.",
        "",
        "| kind | pictures | delivered | to review | left alone | failed |",
        "| --- | ---: |" + " ---: |" * len(STATES),
    ]
    for kind in [*kinds, "all"]:
        chosen = [one for one in made if kind in (one.kind, "all")]
        states = Counter(items[one.name].state for one in chosen if one.name in items)
        lines.append(f"| {kind} | {len(chosen)} | " + " | ".join(str(states[state]) for state in STATES) + " |")
    lines += [
        "",
        "Files: " + ", ".join(f"{count} {name}" for name, count in sorted(formats.items())) + ".",
        "",
        f"- Exit status {status}; begun {'once' if starts == 1 else f'{starts} times'}.",
        f"- {len(made) - len(found.missing)} of {len(made)} pictures stand in the journal, {summary['pictures']} in the "
        f"summary{_listed(found.missing)}.",
        f"- {len(found.wrong_state)} in a state that was not expected{_listed(found.wrong_state)}.",
        f"- {found.there} of {found.promised} promised results are there, and {found.others} other files.",
        f"- Each result was read to its end and held against its picture: {len(found.wrong_content)} do not fit"
        f"{_listed(found.wrong_content)}.",
        f"- {seconds:.0f} s in all, {len(made) / seconds:.2f} pictures a second, {sum(areas) / seconds / 1e6:.1f} "
        "megapixels a second.",
        f"- Memory: median {medians[0]:.0f}, {medians[1]:.0f} and {medians[2]:.0f} MB in the first, second and last third",
        f"  of the run; peak {peak.megabytes:.0f} MB after {peak.done} pictures.",
        "",
        "![Memory over the run](soak.svg)",
        "",
    ]
    return "\n".join(lines)


def _listed(sentences: tuple[str, ...]) -> str:
    return f": {'; '.join(sentences)}" if sentences else ""


def curve(samples: list[Sample]) -> str:
    """Memory against time, and pictures done, as SVG."""
    width, height, left, right, bottom, top = 900, 340, 60, 60, 46, 40
    end, most = samples[-1].seconds, max(sample.megabytes for sample in samples) * 1.1
    done = max(1, samples[-1].done)

    def x(seconds: float) -> float:
        return left + seconds / end * (width - left - right)

    def y(share: float) -> float:
        return height - bottom - share * (height - bottom - top)

    # Of the samples in one column of the drawing the highest: a long run has thousands.
    columns: dict[int, Sample] = {}
    for one in samples:
        column = round(x(one.seconds))
        columns[column] = max(columns.get(column, one), one, key=lambda sample: sample.megabytes)
    memory = " ".join(f"{column},{y(one.megabytes / most):.1f}" for column, one in columns.items())
    counted = " ".join(f"{column},{y(one.done / done):.1f}" for column, one in columns.items())
    lines = "".join(
        f'<line x1="{left}" x2="{width - right}" y1="{y(m / most):.1f}" y2="{y(m / most):.1f}" stroke="#e4e4e4"/>'
        f'<text x="{left - 8}" y="{y(m / most) + 4:.1f}" text-anchor="end" fill="#1a6b3c">{m:.0f}</text>'
        for m in np.arange(0, most, step_of(most))
    )
    numbers = "".join(
        f'<text x="{width - right + 8}" y="{y(n / done) + 4:.1f}" fill="#c4661f">{n:.0f}</text>'
        for n in np.arange(0, done + 1, step_of(done))
    )
    times = "".join(
        f'<text x="{x(s):.1f}" y="{height - bottom + 18}" text-anchor="middle" fill="#555">{s:.0f}</text>'
        for s in np.arange(0, end, step_of(end))
    )
    again = "".join(
        f'<line x1="{x(b.seconds):.1f}" x2="{x(b.seconds):.1f}" y1="{top}" y2="{height - bottom}" stroke="#b33" '
        'stroke-dasharray="2 3"/>'
        for a, b in pairwise(samples)
        if a.start != b.start
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{lines}{numbers}{times}{again}'
        f'<polyline points="{counted}" fill="none" stroke="#c4661f" stroke-width="1.5" stroke-dasharray="5 3"/>'
        f'<polyline points="{memory}" fill="none" stroke="#1a6b3c" stroke-width="1.5"/>'
        f'<text x="{left - 8}" y="20" fill="#1a6b3c" font-weight="bold">Memory held, MB</text>'
        f'<text x="{width - right + 8}" y="20" text-anchor="end" fill="#c4661f" font-weight="bold">'
        "Pictures done (dashed)</text>"
        f'<text x="{(left + width - right) / 2}" y="{height - 8}" text-anchor="middle" fill="#555">seconds</text></svg>\n'
    )


def step_of(most: float) -> float:
    """A round step that makes four to nine of ``most``."""
    power = 10.0 ** np.floor(np.log10(most / 4))
    return float(next(factor * power for factor in (5, 2, 1) if most / (factor * power) >= 4))


if __name__ == "__main__":
    main()
