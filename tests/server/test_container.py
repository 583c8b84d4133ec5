"""The Dockerfile, as far as it can be known without an engine; docs/serve.md says what was tried by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

from likeness.cli.serve import make_parser

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_command_is_one_that_there_is() -> None:
    (command,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    likeness, serve, *flags = json.loads(command)
    assert (likeness, serve) == ("likeness", "serve")
    asked = make_parser().parse_args(flags)
    # What is written lies in the volume, as the root may be read-only.
    assert asked.data.is_relative_to("/data")
    assert all(f"{name}=/data/" in DOCKERFILE for name in ("LIKENESS_HOME", "XDG_STATE_HOME"))


def test_everything_that_the_wheel_is_made_of_is_copied() -> None:
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    }
    let_in = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (included,) = re.findall(r"force-include\]\n((?:\".*\n)+)", project)
    needed = {line.split('"')[1].split("/")[0] for line in included.splitlines()} | {"src", "pyproject.toml"}
    needed |= set(re.findall(r"^readme = \"(.*)\"", project, re.MULTILINE)) | {"LICENSE"}
    assert needed <= copied
