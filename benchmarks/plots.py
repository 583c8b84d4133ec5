"""The plots of scale.py: six small ones in one SVG, drawn with Matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["curve", "draw"]

Rows = Sequence[Mapping[str, float]]

GREEN, ORANGE, GREY = "#1a6b3c", "#c4661f", "#8a8a8a"


def draw(parts: Mapping[str, Rows], path: Path) -> None:
    """Write the plots of scale.json; the place of a part that was not measured stays empty."""
    style = {"svg.fonttype": "none", "svg.hashsalt": "likeness", "font.family": "sans-serif", "font.size": 9}
    style |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10, "axes.titlelocation": "left"}
    with mpl.rc_context(style):
        figure = Figure(figsize=(10, 5.6), layout="constrained")
        places = figure.subplots(2, 3).ravel()
        named = {"seconds": "restore", "coding": "decode and encode"}
        precisions = {name: name for name in parts.get("batch", [{}])[0] if name != "batch"}
        panels: list[tuple[str, Callable[[Axes, Rows], None]]] = [
            (
                "faces",
                lambda axes, rows: curve(axes, rows, "faces", {"seconds": "restore"}, "Faces in one picture, s"),
            ),
            ("size", lambda axes, rows: curve(axes, rows, "megapixels", named, "Megapixels, one face, s")),
            ("size", _memory),
            ("batch", lambda axes, rows: curve(axes, rows, "batch", precisions, "Faces in one call, ms")),
            ("workers", _bars),
            ("memory", _over_time),
        ]
        for axes, (part, panel) in zip(places, panels, strict=True):
            if part in parts:
                panel(axes, parts[part])
            else:
                axes.set_axis_off()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
    # Matplotlib ends some lines with a space.
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")


def curve(axes: Axes, rows: Rows, x: str, lines: Mapping[str, str], title: str) -> None:
    """Log-log, with a dashed line of exponent 1 through the first point of one curve: a curve under it is better than
    linear."""
    places = [row[x] for row in rows]
    for (name, label), colour in zip(lines.items(), (GREEN, ORANGE), strict=False):
        axes.plot(places, [row[name] for row in rows], "o-", color=colour, markersize=3.5, linewidth=1.4, label=label)
    first = rows[0][next(iter(lines))] / places[0]
    axes.plot(places, [first * place for place in places], "--", color=GREY, linewidth=1, label="linear")
    axes.set(xscale="log", yscale="log", title=title)
    axes.set_xticks(places, [f"{place:.1f}" if place < 1 else f"{place:.0f}" for place in places], minor=False)
    axes.minorticks_off()
    low, high = axes.get_ylim()
    ticks = [digit * 10.0**power for power in range(-3, 5) for digit in (1, 2, 5) if low <= digit * 10.0**power <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.legend(frameon=False, fontsize=8)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)


def _memory(axes: Axes, rows: Rows) -> None:
    axes.plot(
        [row["megapixels"] for row in rows], [row["megabytes"] for row in rows], "o-", color=GREEN, markersize=3.5
    )
    axes.axhline(1500, color=GREY, linewidth=1, linestyle="--")
    axes.text(0.3, 1520, "target for 24 megapixels", color=GREY, fontsize=8, va="bottom")
    axes.set(title="Megapixels, peak memory, MB", ylim=(0, 1.15 * max(1500, *(row["megabytes"] for row in rows))))
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)


def _bars(axes: Axes, rows: Rows) -> None:
    names, heights = [f"{row['workers']:.0f}" for row in rows], [row["hourly"] for row in rows]
    bars = axes.bar(names, heights, color=GREEN, width=0.6)
    axes.bar_label(bars, [f"{height:.0f}" for height in heights], fontsize=8)
    axes.set(title="Pictures at a time, pictures an hour")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _over_time(axes: Axes, rows: Rows) -> None:
    done, held = [row["done"] for row in rows], [row["megabytes"] for row in rows]
    axes.plot(done, held, color=GREEN, linewidth=1.2)
    axes.set(title=f"{done[-1]:.0f} pictures in one process, MB", ylim=(0, float(np.max(held)) * 1.15))
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
