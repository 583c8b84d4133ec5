"""Settings as the command line has them, so that what was set on the page can be said again for another day."""

from __future__ import annotations

from likeness.restore.by_face import ByFace
from likeness.restore.config import Settings
from likeness.restore.kinds import Switch, Weights
from likeness.restore.options import OPTIONS

__all__ = ["flags_of"]


def flags_of(settings: Settings) -> list[str]:
    """The flags of ``likeness restore`` that say what settings say, in the table's order; what has no flag is left out.

    >>> flags_of(Settings({"preset": "natural", "keep_grain": True, "face_controls": {"2": {"strength": 0.5}}}))
    ['--preset', 'natural', '--keep-grain', '--face', '2:strength=0.5']
    """
    flags: list[str] = []
    for row in OPTIONS:
        value = settings[row.key]
        if value is None or "flag" not in row.given:
            continue
        name, kind = row.flag_name, row.kind
        if isinstance(kind, Switch):
            flags.append(name if value else f"--no-{name[2:]}")
        elif isinstance(kind, Weights):
            flags += [part for region, weight in value.items() for part in (name, f"{region}={weight:g}")]
        elif isinstance(kind, ByFace):
            flags += [part for number, changes in value.items() for part in (name, kind.typed(number, changes))]
        elif isinstance(value, tuple):
            flags += [name, *map(str, value)]
        else:
            text = f"{value:g}" if isinstance(value, float) else str(value)
            # What begins with a dash would be taken for a flag.
            flags += [f"{name}={text}"] if text.startswith("-") else [name, text]
    return flags
