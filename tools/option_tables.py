"""The tables of options in the README and the documents, out of the table in `likeness.restore.options`.

    python tools/option_tables.py

rewrites what stands between ``<!-- options: WHAT -->`` and ``<!-- /options -->``. WHAT is a group of the table (controls,
repairs, faces, enlarging, files), or ``keys`` for the names of everything in a file, or ``fields`` for those of a
request's form.
"""

from __future__ import annotations

import re
from pathlib import Path

from likeness.restore.kinds import Choice, Option, Switch, Weights
from likeness.restore.options import OPTIONS

__all__ = ["PAGES", "filled"]

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_MARKED = re.compile(r"(?<=<!-- options: )(\w+)( -->\n).*?(?=<!-- /options -->)", re.DOTALL)
_WIDTH = 135


def filled(text: str) -> str:
    """A page with its tables as they must be."""
    return _MARKED.sub(lambda found: f"{found[1]}{found[2]}{_made(found[1])}\n", text)


def _made(what: str) -> str:
    if what == "keys":
        return _listed([row for row in OPTIONS if "file" in row.given])
    if what == "fields":
        return _listed([row for row in OPTIONS if "request" in row.given])
    rows = [f"| {_flag(row)} | `{row.key}` | {_range(row)} | {row.help.en} |" for row in OPTIONS if row.group == what]
    return "\n".join(["| flag | key | range (default) | what it does |", "| --- | --- | --- | --- |", *rows])


def _flag(row: Option) -> str:
    if "flag" not in row.given:
        return ""
    return ", ".join(f"`{f'{name} {row.placeholder}'.strip()}`" for name in (row.flag_name, *row.aliases)).replace(
        "|", "\\|"
    )


def _range(row: Option) -> str:
    kind = row.kind
    if isinstance(kind, Switch):
        return f"on, off ({'on' if row.default else 'off'})"
    span = row.span if not isinstance(kind, Choice) else ", ".join(map(str, kind.values))
    usual = "1 each" if isinstance(kind, Weights) else "off" if row.part == "repairs" else row.usual
    unit = f" {row.unit}" if row.unit and usual else row.unit
    return f"{span} ({usual}{unit})" if span and usual else span or (f"({usual}{unit})" if usual else unit)


def _listed(rows: list[Option]) -> str:
    lines = [""]
    for row in rows:
        word = f"`{row.key}`{'.' if row is rows[-1] else ','}"
        if len(lines[-1]) + len(word) > _WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def main() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (now := filled(text)) != text:
            page.write_text(now, encoding="utf-8")


if __name__ == "__main__":
    main()
