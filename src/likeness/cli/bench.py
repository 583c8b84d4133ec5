"""``likeness bench``: how fast Likeness is on the user's own machine."""

from __future__ import annotations

import json
import os
import shutil
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.cli.table import table
from likeness.models.catalog import DEFAULT_MODEL

if TYPE_CHECKING:
    from likeness.cli.timing import Laps, Start
    from likeness.imaging.image import Image
    from likeness.restore.pipeline import Restorer
    from likeness.runtimes.base import Batch

__all__ = ["bench", "make_parser"]

_DESCRIPTION = """\
Measure how fast Likeness is on this machine: the network, a whole restoration from a cold and a warm start, a slider, and a
folder, on a portrait of the package. It takes about a minute with the network of the package. Figures are medians, and what
is compared takes turns; let nothing else run meanwhile."""

_EPILOG = """\
exit status:
  0    measured
  1    the model cannot be had, or a file cannot be written
  2    nothing was begun: a flag cannot be used

examples:
  likeness bench
  likeness bench --quick --json bench.json
  likeness bench --model GPEN-BFR-512"""

_Rates = dict[int, float]


@dataclass(frozen=True, kw_only=True)
class _Effort:
    """How much is measured.

    Attributes:
        rounds: turns of what takes milliseconds.
        seconds: after which no further turn of the network is begun.
        starts: of each kind of cold start.
        pictures: in the folder.
        folders: turns of each number of workers.
    """

    rounds: int
    seconds: float
    starts: int
    pictures: int
    folders: int


_FULL = _Effort(rounds=8, seconds=8.0, starts=3, pictures=16, folders=2)
_QUICK = _Effort(rounds=1, seconds=4.0, starts=1, pictures=4, folders=1)


@dataclass(frozen=True, kw_only=True)
class _Network:
    """One way to run the network; ``threads`` is None on a CUDA device."""

    device: Literal["cpu", "cuda"]
    precision: str
    threads: int | None
    faces: int
    laps: Laps

    @property
    def milliseconds(self) -> float:
        """Of one face."""
        return self.laps.median / self.faces

    def to_dict(self) -> dict[str, Any]:
        return {
            "device": self.device,
            "precision": self.precision,
            "threads": self.threads,
            "faces_at_once": self.faces,
            "milliseconds_per_face": round(self.milliseconds, 2),
            **self.laps.to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One kind of whole job; peak memory in MB only of a program of its own, and where the system tells."""

    title: str
    laps: Laps
    megabytes: float | None = None

    def to_dict(self) -> dict[str, Any]:
        peak = None if self.megabytes is None else round(self.megabytes, 1)
        return {"what": self.title, **self.laps.to_dict(), "peak_megabytes": peak}


def bench(argv: Sequence[str], console: Console) -> int:
    """Measure; print the tables, and write what was asked for.

    Returns:
        0.

    Raises:
        CheckpointError: if the model cannot be had.
        FileWriteError: if the file cannot be written.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    effort = _QUICK if flags.quick else _FULL
    if flags.json is not None and str(flags.json) != "-":
        console.ledger.claim([flags.json], overwrite=flags.overwrite)
    began = time.perf_counter()
    from likeness.cli.timing import machine_facts
    from likeness.core.files import write_text_atomically
    from likeness.core.temporary import temporary_folder
    from likeness.imaging.files import read_image
    from likeness.restore.pipeline import Restorer

    facts = machine_facts()
    with temporary_folder("bench") as folder:
        picture = folder / "portrait.jpg"
        picture.write_bytes((files("likeness.server") / "page" / "sample.jpg").read_bytes())
        image = read_image(picture)
        console.say("1 of 4: the network ...")
        restorer = Restorer(flags.model)
        restorer.need_faces()
        networks = _networks(flags.model, restorer, image, effort, console)
        console.say("2 of 4: cold starts ...")
        jobs = _cold(flags.model, picture, folder, effort)
        console.say("3 of 4: warm, and a slider ...")
        jobs += _warm(restorer, image, effort)
        console.say(f"4 of 4: a folder of {effort.pictures} portraits ...")
        rates, bound = _folder(restorer, picture, folder, effort)
    content: dict[str, Any] = {
        "machine": facts,
        "model": {"name": flags.model, "size": restorer.runtime.spec.side, "runtime": restorer.runtime.description},
        "picture": {"width": image.size.width, "height": image.size.height, "faces": 1},
        "quick": flags.quick,
        "network": [one.to_dict() for one in networks],
        "job": [one.to_dict() for one in jobs],
        "folder": {
            "pictures": effort.pictures,
            "pictures_per_hour": {str(workers): round(rate, 1) for workers, rate in rates.items()},
            "network_alone_per_hour": round(bound, 1),
        },
        "seconds": round(time.perf_counter() - began, 1),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    if flags.json is not None and str(flags.json) == "-":
        console.show(text)
        return 0
    console.show(_text(content, networks, jobs, rates, bound))
    if flags.json is not None:
        write_text_atomically(text + "\n", flags.json)
        console.say(f"figures written to {flags.json}")
    return 0


def make_parser() -> Parser:
    """The command's flags."""
    parser = Parser(
        prog="likeness bench",
        usage="likeness bench [flags]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("--model", metavar="NAME|FILE", default=DEFAULT_MODEL, help=f"the network ({DEFAULT_MODEL})")
    parser.add_argument("--quick", action="store_true", help="fewer turns: a quarter of the time, less steady figures")
    parser.add_argument(
        "--json", metavar="FILE", type=_json_file, help="write the figures; - prints them, and no tables"
    )
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    return parser


def _json_file(text: str) -> Path:
    """Refused before a minute of work, not after it."""
    path = Path(text)
    if text != "-" and (path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK)):
        raise ArgumentTypeError(f'"{text}" cannot be written; name a file in a folder that is there')
    return path


def _networks(model: str, restorer: Restorer, image: Image, effort: _Effort, console: Console) -> list[_Network]:
    """One face in every precision of the processor, with 1, 2, 4 ... threads, and on the CUDA device if there is one."""
    from likeness.cli.timing import in_turns, network_face, processors
    from likeness.errors import ConfigError, MissingExtraError
    from likeness.models.store import Store
    from likeness.runtimes.load import load_runtime
    from likeness.runtimes.openvino_ import OpenVinoRuntime, Precision

    checkpoint = Store().load(model)
    face = network_face(restorer, image)
    fastest = OpenVinoRuntime(checkpoint.state, checkpoint.spec).precision
    precisions: tuple[Precision, ...] = ("bf16", "f32") if fastest == "bf16" else ("f32",)
    count = processors()
    threads = [number for number in (1 << bit for bit in range(count.bit_length())) if number < count] + [count]
    found: list[_Network] = []
    for precision in precisions:  # one after the other: each compiled network holds the weights again
        console.detail(f"the network on the processor, {precision}, {', '.join(map(str, threads))} threads")
        runtimes = {
            number: OpenVinoRuntime(checkpoint.state, checkpoint.spec, precision=precision, threads=number)
            for number in threads
        }
        runs = {number: _projecting(runtime.run, face) for number, runtime in runtimes.items()}
        laps = in_turns(runs, rounds=effort.rounds, settle=True, seconds=effort.seconds)
        found += [
            _Network(device="cpu", precision=precision, threads=number, faces=1, laps=laps[number])
            for number in threads
        ]
    try:
        cuda = load_runtime(Store(), model, device="cuda")
    except (ConfigError, MissingExtraError) as error:
        console.detail(f"nothing was measured on a CUDA device: {error}")
        return found
    import numpy as np

    runs = {number: _projecting(cuda.run, np.repeat(face, number, axis=0)) for number in (1, 8)}
    laps = in_turns(runs, rounds=effort.rounds, settle=True, seconds=effort.seconds)
    precision = cuda.description.rsplit(", ", 1)[-1]
    found += [
        _Network(device="cuda", precision=precision, threads=None, faces=number, laps=laps[number]) for number in runs
    ]
    return found


def _projecting(project: Callable[[Batch], Batch], faces: Batch) -> Callable[[], object]:
    return lambda: project(faces)


def _cold(model: str, picture: Path, folder: Path, effort: _Effort) -> list[_Job]:
    """`likeness restore` as a program of its own: first starts, which compile the networks, and later ones."""
    from likeness.cli.timing import Laps, start

    arguments = ["restore", str(picture), "--model", model, "-q", "-o", str(folder / "restored.jpg")]
    first: list[Start] = []
    later: list[Start] = []
    for number in range(effort.starts):
        cache = folder / f"compiled-{number}"
        first.append(start(arguments, cache=cache))
        later.append(start(arguments, cache=cache))
        shutil.rmtree(cache)
    kinds = {"first start, compiles the networks": first, "later start, finds them compiled": later}
    return [
        _Job(
            title=title,
            laps=Laps(milliseconds=tuple(one.milliseconds for one in starts)),
            megabytes=max((one.megabytes for one in starts if one.megabytes is not None), default=None),
        )
        for title, starts in kinds.items()
    ]


def _warm(restorer: Restorer, image: Image, effort: _Effort) -> list[_Job]:
    """A `Restorer` that is kept, as a server keeps it, and the arithmetic of a slider."""
    from likeness.cli.timing import in_turns
    from likeness.restore.controls import Controls

    controls = (Controls.natural(), Controls(degradation_scale=0.7, latent_step_decay=0.06))
    kept = restorer.project_all(image, restorer.find_faces(image), controls[0])
    turns = 0

    def slide() -> None:
        nonlocal turns
        turns += 1
        restorer.compose(image, kept, controls[turns % 2])

    runs: dict[str, Callable[[], object]] = {
        "restored by a program that runs": lambda: restorer.restore(image),
        "a slider moved": slide,
    }
    laps = in_turns(runs, rounds=effort.rounds, settle=True)
    return [_Job(title=title, laps=laps[title]) for title in runs]


def _folder(restorer: Restorer, picture: Path, folder: Path, effort: _Effort) -> tuple[_Rates, float]:
    """Pictures an hour with one and two workers, and what the network alone would allow."""
    from likeness.cli.timing import folder_laps

    inputs, out = folder / "in", folder / "out"
    inputs.mkdir()
    out.mkdir()
    pictures = [Path(shutil.copy(picture, inputs / f"{number}.jpg")) for number in range(effort.pictures)]
    laps, alone = folder_laps(restorer, pictures, out, workers=(1, 2), rounds=effort.folders)
    rates = {workers: len(pictures) / times.median * 3.6e6 for workers, times in laps.items()}
    return rates, len(pictures) / alone.median * 3.6e6


def _text(
    content: dict[str, Any], networks: Sequence[_Network], jobs: Sequence[_Job], rates: _Rates, bound: float
) -> str:
    size, picture = content["model"]["size"], content["picture"]
    facts = {**content["machine"], "restored by": content["model"]["runtime"]}
    width = max(map(len, facts))
    lines = [f"{name:{width}}  {value}" for name, value in facts.items()]
    lines += ["", f"The network, {content['model']['name']}, one face of {size} x {size} px", ""]
    lines.append(
        table(
            ("on", "precision", "threads", "faces at once", "ms a face"),
            [
                (
                    "processor" if one.device == "cpu" else "CUDA",
                    one.precision,
                    "" if one.threads is None else str(one.threads),
                    str(one.faces),
                    f"{one.milliseconds:.1f}",
                )
                for one in networks
            ],
        )
    )
    lines += ["", f"One portrait of {picture['width']} x {picture['height']} px", ""]
    lines.append(
        table(
            ("", "seconds", "peak memory"),
            [
                (
                    one.title,
                    f"{one.laps.median / 1e3:.2f}",
                    "" if one.megabytes is None else f"{one.megabytes:.0f} MB",
                )
                for one in jobs
            ],
        )
    )
    lines += ["", f"A folder of {content['folder']['pictures']} such portraits: read, restored and written", ""]
    lines.append(
        table(
            ("pictures at a time", "pictures an hour", "of the network's own rate"),
            [(str(workers), f"{rate:.0f}", f"{rate / bound:.0%}") for workers, rate in rates.items()],
        )
    )
    lines += ["", f"The network alone would do {bound:.0f} faces an hour. Medians; {content['seconds']:.0f} s in all."]
    return "\n".join(lines)
