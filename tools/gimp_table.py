"""What the plug-in of GIMP can set and say, out of the table of options and the catalogues.

    python tools/gimp_table.py

writes ``src/likeness/integrations/gimp/table.json``: GIMP's Python has no Likeness that could be asked.
"""

from __future__ import annotations

import ast
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from likeness.messages.notice import LANGUAGES, catalogue
from likeness.restore.config import Settings
from likeness.restore.controls import BESIDE_PRESETS, PRESETS
from likeness.restore.kinds import Choice, Number, Option, Switch, Text, Weights
from likeness.restore.options import OPTIONS

__all__ = ["TABLE", "made"]

FOLDER = Path(__file__).resolve().parents[1] / "src/likeness/integrations/gimp"
TABLE = FOLDER / "table.json"

_GROUPS = ("controls", "repairs", "faces", "references")
"""What is set for a layer: turning, cropping and enlarging are GIMP's own, and files are not the user's here."""

_ALSO = ("model", "device")

_FOLDERS = ("references",)
"""Files that are asked for, as folders; a mask of damage would have to be one of the layer."""

_MOST = 100_000


def made() -> str:
    """The file as it must be."""
    rows = [row for row in OPTIONS if (row.group in _GROUPS or row.key in _ALSO) and "flag" in row.given]
    arguments = [argument for row in rows for argument in _arguments(row)]
    presets = {name: _preset(name) for name in PRESETS}
    sentences = {code: {language: catalogue(language)[code] for language in LANGUAGES} for code in _codes()}
    table = {"arguments": arguments, "presets": presets, "sentences": sentences}
    return f"{json.dumps(table, ensure_ascii=False, indent=1)}\n"


def _arguments(row: Option) -> list[dict[str, Any]]:
    """The arguments that an option comes to; none if it is nothing that GIMP can ask for."""
    kind = row.kind
    common = {"group": row.group, "flag": row.flag_name, "label": row.label._asdict(), "help": row.help._asdict()}
    if isinstance(kind, Weights):
        usual = row.default.to_dict()
        return [
            {
                **common,
                **_number(kind.each),
                "name": f"weight-{region}",
                "group": "regions",
                "prefix": f"{region}=",
                "label": words._asdict(),
                "usual": usual[region],
            }
            for region, words in kind.regions.items()
        ]
    common = {"name": _name(row.key), **common}
    if isinstance(kind, Switch):
        return [{**common, "kind": "switch", "usual": bool(row.default)}]
    if isinstance(kind, Number):
        number = _number(kind)
        return [{**common, **number, "usual": 0 if row.default is None else row.default}]
    choices = list(kind.values) if isinstance(kind, Choice) else row.kind.schema().get("enum")
    if choices:
        return [{**common, "kind": "choice", "values": choices, "usual": row.default or choices[0]}]
    if isinstance(kind, Text) and (not kind.file or row.key in _FOLDERS):
        return [{**common, "kind": "folder" if kind.file else "text", "usual": row.default or ""}]
    return []


def _number(kind: Number) -> dict[str, Any]:
    low, high = kind.useful or (kind.low, kind.high)
    ends = {"low": 0 if kind.off else low, "high": _MOST if high is None else high}
    return {"kind": "whole" if kind.whole else "number", **ends, "digits": kind.shown()["digits"]}


def _preset(name: str) -> dict[str, Any]:
    """What a preset sets, by the arguments' names."""
    settings = Settings({"preset": name})
    controls, repairs = asdict(settings.controls()), asdict(settings.repairs())
    weights = controls.pop("face_mask_weights")
    found = {_name(key): value for key, value in controls.items() if key not in BESIDE_PRESETS}
    found |= {_name(row.key): repairs[row.field_name] for row in OPTIONS if row.part == "repairs"}
    return found | {f"weight-{region}": weight for region, weight in weights.items()}


def _name(key: str) -> str:
    return key.replace("_", "-")


def _codes() -> list[str]:
    """The sentences that the plug-in's own modules name."""
    named = {
        part.value
        for path in FOLDER.glob("*.py")
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }
    return [code for code in catalogue("en") if code in named]


def main() -> None:
    TABLE.write_text(made(), encoding="utf-8")


if __name__ == "__main__":
    main()
