"""Speed and memory on this machine: `make bench` writes benchmarks/results.md and results.json.

Method: one process measures the network, one child process a command line measures the whole job. What is compared takes
turns, so that a disturbance hits all alike; each figure is the median of the rounds, and ratios stand beside them, as they
travel from machine to machine better than milliseconds. The first call of everything is left out, except where the row
says "cold": that is a program's whole life, Python's own start included, its files in the system's cache. Random weights
have random biases and scalars. `--parts` measures some tables and leaves the others as they are.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from naive import make_naive
from pictures import four_thousand, portrait, twenty_faces
from weights import State, random_state

from likeness import Controls, Enlargement, References, Restorer, read_image, write_image
from likeness.cli.timing import folder_laps, in_turns, machine_facts, network_face, start, timed
from likeness.core.stopwatch import Stopwatch
from likeness.imaging.filters import gaussian_blur
from likeness.models.catalog import CATALOG, DEFAULT_MODEL
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.network import Gpen
from likeness.models.store import Store
from likeness.runtimes.base import Batch
from likeness.runtimes.openvino_ import OpenVinoRuntime
from likeness.runtimes.torch_ import TorchRuntime

__all__ = ["Row", "main"]

HERE = Path(__file__).resolve().parent
Tables = dict[str, list["Row"]]

PUBLISHED = "GPEN-BFR-512"
PICTURES = 12
"""In a folder."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table; None where a figure does not apply.

    Attributes:
        name: what was measured.
        milliseconds: median.
        ratio: how many times faster than the table's first row.
        decibel: PSNR against the first row's output; the peak is that output's range.
        megabytes: peak resident memory of the process.
        hourly: pictures an hour.
        share: of the pictures an hour that the network alone would allow.
    """

    name: str
    milliseconds: float
    ratio: float | None = None
    decibel: float | None = None
    megabytes: float | None = None
    hourly: float | None = None
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Files: 1024 x 1024 with one face, 4000 x 3000 with one, and with twenty."""

    portrait: Path
    large: Path
    group: Path


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure speed and memory on this machine.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the network's figures; others take fewer (5)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="model of the whole job")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure; other tables stay as they are (all)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for results.md and results.json")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    machine = facts_with_device()
    tables = kept_tables(options.out / "results.json", machine)
    with tempfile.TemporaryDirectory() as folder:
        pictures = Pictures(
            portrait=portrait(Path(folder) / "portrait.jpg"),
            large=four_thousand(Path(folder) / "large.jpg"),
            group=twenty_faces(Path(folder) / "group.jpg"),
        )
        for part in PARTS:
            if part in parts:
                tables[part] = PARTS[part](options.model, pictures, Path(folder), options.rounds)
    tables = {part: tables[part] for part in PARTS if part in tables}
    results = {
        "machine": machine,
        "tables": {
            part: {title: [asdict(row) for row in rows] for title, rows in found.items()}
            for part, found in tables.items()
        },
    }
    (options.out / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    text = to_markdown(machine, {title: rows for found in tables.values() for title, rows in found.items()})
    (options.out / "results.md").write_text(text, encoding="utf-8")
    print(text)


def facts_with_device() -> dict[str, str]:
    facts = machine_facts()
    if torch.cuda.is_available():
        facts["cuda device"] = torch.cuda.get_device_name()
    return facts


def kept_tables(path: Path, machine: Mapping[str, str]) -> dict[str, Tables]:
    """Tables of an earlier run by their part; none if it was made on another machine or with other libraries."""
    if not path.is_file():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    passing = ("date", "load when it began")
    if any(machine.get(name, value) != value for name, value in content["machine"].items() if name not in passing):
        return {}
    return {
        part: {title: [Row(**row) for row in rows] for title, rows in found.items()}
        for part, found in content["tables"].items()
        if part in PARTS
    }


def network_tables(model: str, pictures: Pictures, _: Path, rounds: int) -> Tables:
    """One face through every path, with the model's own weights, and with the published structure."""
    own, config = Store().load(model), published()
    numbers = own.spec.config
    assert isinstance(numbers, GpenConfig)
    image = read_image(pictures.portrait)
    return {
        f"Network, one face: {model} ({describe(numbers)})": network_table(
            own.state, numbers, network_face(Restorer(model), image), rounds
        ),
        f"Network, one face: the structure of {PUBLISHED} ({describe(config)}), random weights": network_table(
            random_state(config), config, network_face(published_restorer(), image), rounds
        ),
    }


def published() -> GpenConfig:
    config = CATALOG[PUBLISHED].config
    assert isinstance(config, GpenConfig)
    return config


def published_restorer() -> Restorer:
    """With random weights: what it draws is noise, what it costs is not."""
    return Restorer(runtime=OpenVinoRuntime(random_state(published()), published().spec))


def describe(config: GpenConfig) -> str:
    return f"size {config.size}, c = {config.channel_multiplier:g}, n = {config.narrow:g}"


def network_table(state: State, config: GpenConfig, face: Batch, rounds: int) -> list[Row]:
    """The same face through every path; the first is the naive one."""
    naive = make_naive(Gpen(config)).eval().requires_grad_(False)
    naive.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    paths: dict[str, Callable[[Batch], Batch]] = {
        "PyTorch, naive, f32": lambda faces: naive(torch.from_numpy(faces)).numpy(),
        "PyTorch, modulation off the weights, f32": TorchRuntime(state, config.spec, precision="f32").run,
        "OpenVINO, f32": OpenVinoRuntime(state, config.spec, precision="f32").run,
    }
    if OpenVinoRuntime(state, config.spec).precision == "bf16":
        paths["OpenVINO, bf16"] = OpenVinoRuntime(state, config.spec, precision="bf16").run
    if torch.cuda.is_available():
        for precision in ("f32", "bf16"):
            runtime = TorchRuntime(state, config.spec, device="cuda", precision=precision)
            paths[f"PyTorch, {torch.cuda.get_device_name()}, {precision}"] = runtime.run
    outputs = {name: run(face) for name, run in paths.items()}
    runs: dict[str, Callable[[], object]] = {name: lambda run=run: run(face) for name, run in paths.items()}
    laps = in_turns(runs, rounds=rounds)
    first = next(iter(paths))
    return [
        Row(
            name=name,
            milliseconds=times.median,
            ratio=laps[first].median / times.median,
            decibel=None if name == first else decibel(outputs[name], outputs[first]),
        )
        for name, times in laps.items()
    ]


def job_tables(model: str, pictures: Pictures, folder: Path, _: int) -> Tables:
    """Programs of their own from their start to their end, then a `Restorer` that is kept, then its steps."""
    restorer = Restorer(model)
    cold: list[Row] = []
    cache = folder / "compiled"
    for title, path, first in (
        ("`likeness restore`, 1024x1024, one face, cold, first start (no cache)", pictures.portrait, True),
        ("`likeness restore`, 1024x1024, one face, cold", pictures.portrait, False),
        ("`likeness restore`, 4000x3000, one face, cold", pictures.large, False),
        ("`likeness restore`, 4000x3000, twenty faces, cold", pictures.group, False),
    ):
        arguments = ["restore", str(path), "--model", model, "-q", "-o", str(folder / "restored.jpg")]
        if not first:
            start(arguments, cache=cache)
        runs = [start(arguments, cache=folder / f"fresh-{number}" if first else cache) for number in range(3)]
        peaks = [run.megabytes for run in runs if run.megabytes is not None]
        cold.append(
            Row(
                name=title,
                milliseconds=statistics.median(run.milliseconds for run in runs),
                megabytes=max(peaks, default=None),
            )
        )
    images = {path: read_image(path) for path in (pictures.portrait, pictures.large, pictures.group)}
    coded = folder / "coded.jpg"
    warm: dict[str, Callable[[], object]] = {
        "4000x3000, one face: decode and encode alone": lambda: write_image(read_image(pictures.large), coded),
        "`Restorer.restore`, 1024x1024, one face, warm": lambda: restorer.restore(images[pictures.portrait]),
        "`Restorer.restore`, 4000x3000, one face, warm": lambda: restorer.restore(images[pictures.large]),
        "`Restorer.restore`, 4000x3000, twenty faces, warm": lambda: restorer.restore(images[pictures.group]),
    }
    laps = in_turns(warm, rounds=3)
    cold += [Row(name=name, milliseconds=times.median) for name, times in laps.items()]
    return {
        "Whole job": cold,
        "Where the time goes: 1024x1024, one face, warm": steps_table(restorer, pictures.portrait, coded),
        "Where the time goes: 4000x3000, one face, warm": steps_table(restorer, pictures.large, coded),
    }


def steps_table(restorer: Restorer, path: Path, target: Path) -> list[Row]:
    """Every step of one picture, from file to file; the steps of a face add up to "project" and a part of "compose"."""
    laps: dict[str, list[float]] = {}
    for _ in range(6):
        clock = Stopwatch()
        image = read_image(path)
        clock.lap("read: decode")
        restoration = restorer.restore(image)
        clock.skip()
        whole, (face,) = restoration.milliseconds, restoration.restored
        clock.add("detect: find the face and its mesh", whole["detect"])
        clock.add("align: warp the face to the network's size", face.milliseconds["align"])
        clock.add("masks: ten regions from the mesh", face.milliseconds["masks"])
        clock.add("network, with its pre-degradation", face.milliseconds["network"])
        steps = sum(face.milliseconds[name] for name in ("align", "masks", "network"))
        clock.add("project, the rest: detail held", max(whole["project"] - steps, 0.0))
        clock.add("controls: arbitration and relaxation", face.milliseconds["controls"])
        clock.add("lay back, and report", whole["compose"] - face.milliseconds["controls"])
        write_image(restoration.image, target)
        clock.lap("write: encode")
        for name, milliseconds in clock.laps.items():
            laps.setdefault(name, []).append(milliseconds)
        laps.setdefault("**all, file to file**", []).append(sum(clock.laps.values()))
    return [Row(name=name, milliseconds=statistics.median(times[1:])) for name, times in laps.items()]


def folder_tables(model: str, pictures: Pictures, folder: Path, _: int) -> Tables:
    """A folder of portraits, against what the network alone would allow."""
    return {
        f"A folder of {PICTURES} portraits, 1024x1024, read, restored and written: {title}": folder_table(
            restorer, pictures.portrait, folder / kind
        )
        for kind, title, restorer in (
            ("own", model, Restorer(model)),
            ("published", f"the structure of {PUBLISHED}, random weights", published_restorer()),
        )
    }


def folder_table(restorer: Restorer, picture: Path, folder: Path) -> list[Row]:
    inputs, out = folder / "in", folder / "out"
    inputs.mkdir(parents=True)
    out.mkdir()
    copies = [Path(shutil.copy(picture, inputs / f"{number}.jpg")) for number in range(PICTURES)]
    laps, alone = folder_laps(restorer, copies, out, workers=(1, 2), rounds=2)
    named = {"the network alone, one face after the other": alone}
    named |= {f"{count} picture{'s' if count > 1 else ''} at a time": times for count, times in laps.items()}
    return [
        Row(
            name=name,
            milliseconds=times.median / PICTURES,
            hourly=PICTURES / times.median * 3.6e6,
            share=None if times is alone else alone.median / times.median,
        )
        for name, times in named.items()
    ]


def controls_tables(model: str, pictures: Pictures, _: Path, __: int) -> Tables:
    """A slider moved on kept projections."""
    restorer = Restorer(model)
    named = {
        "1024x1024, one face": pictures.portrait,
        "4000x3000, one face": pictures.large,
        "4000x3000, twenty faces": pictures.group,
    }
    rows: list[Row] = []
    for title, path in named.items():
        image = read_image(path)
        first, second = Controls.natural(), Controls(degradation_scale=0.7, latent_step_decay=0.06)
        faces = restorer.find_faces(image)
        kept = restorer.project_all(image, faces, first)
        laps = [
            timed(lambda c=controls, i=image, k=kept: restorer.compose(i, k, c))
            for controls in (first, second, first, second, first, second)
        ]
        rows.append(Row(name=f"{title} ({len(faces)} found)", milliseconds=statistics.median(laps[1:])))
    return {"Controls: a slider moved on a kept projection (`Restorer.compose`)": rows}


def enlarging_tables(model: str, pictures: Pictures, _: Path, __: int) -> Tables:
    """A result enlarged, and sliders on it."""
    restorer = Restorer(model)
    rows: list[Row] = []
    for title, path, upscale in (
        ("1024x1024 to 2048x2048, one face", pictures.portrait, 2.0),
        ("4000x3000 to 8000x6000, one face", pictures.large, 2.0),
    ):
        image = read_image(path)
        wanted = Enlargement(upscale=upscale)
        laps = [timed(lambda i=image, e=wanted: restorer.restore(i, enlargement=e)) for _ in range(4)]
        rows.append(Row(name=f"`Restorer.restore`, {title}, warm", milliseconds=statistics.median(laps[1:])))
    image, controls = read_image(pictures.portrait), (Controls.natural(), Controls(degradation_scale=0.7))
    kept = restorer.project_all(image, restorer.find_faces(image), controls[0])
    canvas = restorer.canvas(image, kept, Enlargement(upscale=4))
    laps = [
        timed(lambda c=c: restorer.compose(image, kept, c, canvas=canvas)) for c in (*controls, *controls, *controls)
    ]
    rows.append(Row(name="a slider moved, 1024x1024 at 4096x4096, one face", milliseconds=statistics.median(laps[1:])))
    return {"Enlarged results": rows}


def reference_tables(model: str, pictures: Pictures, _: Path, __: int) -> Tables:
    """A blurred face served by other photographs: the picture itself, in other light."""
    restorer = Restorer(model)
    sharp = read_image(pictures.portrait)
    poor = sharp.with_pixels(gaussian_blur(sharp.pixels, 5))
    kept = restorer.project_all(poor, restorer.find_faces(poor)[:1], Controls())
    others = [sharp.with_pixels(sharp.pixels ** np.float32(gamma)) for gamma in (0.9, 1.0, 1.1)]
    rows: list[Row] = []
    for count in (1, 3):
        references = References(others[:count], trusted=True)
        began = timed(lambda r=references: r.prepare(restorer.detector, restorer.runtime.spec.side))
        laps = [timed(lambda r=references: restorer.serve(kept, r)) for _ in range(4)]
        title = "one reference" if count == 1 else f"{count} references"
        rows += [
            Row(name=f"{title}: read once, faces found and embedded", milliseconds=began),
            Row(name=f"{title} laid in a face's place (`Restorer.serve`)", milliseconds=statistics.median(laps[1:])),
        ]
    served = restorer.serve(kept, references)
    laps = [
        timed(lambda s=strength: restorer.compose(poor, served, Controls(reference_strength=s)))
        for strength in (1.0, 0.5, 1.0, 0.5)
    ]
    rows.append(Row(name="`reference_strength` moved, 1024x1024, one face", milliseconds=statistics.median(laps[1:])))
    return {"Other photographs of the person": rows}


PARTS: dict[str, Callable[[str, Pictures, Path, int], Tables]] = {
    "network": network_tables,
    "job": job_tables,
    "folder": folder_tables,
    "controls": controls_tables,
    "enlarging": enlarging_tables,
    "references": reference_tables,
}


def decibel(values: Batch, reference: Batch) -> float:
    peak = float(np.ptp(reference))
    return float(10 * np.log10(peak**2 / max(float(np.mean(np.square(values - reference))), 1e-20)))


def to_markdown(machine: Mapping[str, str], tables: Mapping[str, list[Row]]) -> str:
    lines = ["# Benchmarks", "", "Written by `make bench`; the method is at the top of `run.py`.", ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    for title, rows in tables.items():
        lines += ["", f"## {title}", ""]
        columns = [
            ("ms", [f"{row.milliseconds:.0f}" for row in rows]),
            ("times faster", ["" if row.ratio is None else f"{row.ratio:.1f}" for row in rows]),
            ("dB against the first", ["" if row.decibel is None else f"{row.decibel:.0f}" for row in rows]),
            ("pictures an hour", ["" if row.hourly is None else f"{row.hourly:.0f}" for row in rows]),
            ("of the network's rate", ["" if row.share is None else f"{row.share:.0%}" for row in rows]),
            ("peak memory, MB", ["" if row.megabytes is None else f"{row.megabytes:.0f}" for row in rows]),
        ]
        shown = [(head, cells) for head, cells in columns if any(cells)]
        lines += [f"| | {' | '.join(head for head, _ in shown)} |", f"| --- |{' ---: |' * len(shown)}"]
        lines += [f"| {row.name} | {' | '.join(cells[i] for _, cells in shown)} |" for i, row in enumerate(rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
