"""Completion: the scripts hold what the parsers take, and bash completes with its own."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from likeness.cli import COMMANDS, main
from likeness.cli.completion import SHELLS, subject_of
from likeness.restore.by_face import ByFace
from likeness.restore.controls import AUTO, PRESETS
from likeness.restore.options import row_of


@pytest.fixture(scope="module")
def bash() -> str:
    found = shutil.which("bash")
    if found is None:
        pytest.skip("there is no bash here")
    return found


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> str:
    assert main(["completion", request.param]) == 0
    return capsys.readouterr().out


def completed(bash: str, script: str, line: str) -> list[str]:
    """What bash offers for the last word of a line."""
    # As readline takes a line apart (COMP_WORDBREAKS): at spaces, and = and : are words of their own.
    words = [part for word in line.split(" ") for part in re.findall(r"[=:]|[^=:]+", word) or [""]]
    command = (
        f"{script}\nCOMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}\n"
        '_likeness 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run([bash, "-c", command], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("printed", ["bash"], indirect=True)
def test_bash_completes_commands_flags_and_values(bash: str, printed: str) -> None:
    assert completed(bash, printed, "likeness res") == ["restore"]
    assert set(completed(bash, printed, "likeness ")) == set(COMMANDS)
    assert completed(bash, printed, "likeness restore --pres") == ["--preset"]
    assert completed(bash, printed, "likeness restore a.jpg --preset na") == ["natural"]
    assert set(completed(bash, printed, "likeness batch in out --preset ")) == {*PRESETS, AUTO}
    assert completed(bash, printed, "likeness restore --face-weight ey") == ["eye="]
    assert completed(bash, printed, "likeness restore a.jpg --device cu") == ["cuda"]
    assert completed(bash, printed, "likeness models fe") == ["fetch"]
    assert completed(bash, printed, "likeness acceptance add a") == ["add", "ask"]
    assert completed(bash, printed, "likeness completion f") == ["fish"]
    assert completed(bash, printed, "likeness restore portr") == []  # bash goes on with files


@pytest.mark.parametrize("printed", ["bash"], indirect=True)
def test_bash_completes_what_a_face_has_of_its_own(bash: str, printed: str) -> None:
    names = completed(bash, printed, "likeness restore a.jpg --face 2:")
    assert {"strength=", "eye=", "grain", "natural"} <= set(names)
    assert completed(bash, printed, "likeness restore a.jpg --face 2:str") == ["strength="]
    assert completed(bash, printed, "likeness batch in out --face 1,3:nat") == ["natural"]
    # bash puts in place of the last word only, which is what stands behind the =.
    assert completed(bash, printed, "likeness restore a.jpg --face 2:strength=0.5,gra") == [
        "0.5,grain",
        "0.5,grain_amount=",
    ]
    assert completed(bash, printed, "likeness restore a.jpg --face 2:grain,ey") == ["grain,eye="]
    assert completed(bash, printed, "likeness restore a.jpg --face 2:strength=0") == []
    assert completed(bash, printed, "likeness restore a.jpg --face 2") == []


def test_every_word_behind_a_faces_number_is_taken() -> None:
    kind = row_of("face_controls").kind
    assert isinstance(kind, ByFace)
    values = {"preset=": "natural", "step=": "0.1"}
    for word in kind.beginnings:
        value = values.get(word, "1") if word.endswith("=") else ""
        assert kind.read(f"2:{word}{value}"), word


@pytest.mark.parametrize("printed", list(SHELLS), indirect=True)
def test_every_shell_knows_every_command_and_flag(printed: str) -> None:
    for name, entry in COMMANDS.items():
        assert name in printed
        for flag in subject_of(entry.load().make_parser(), entry.summary).flags:
            for one in flag.names:
                assert one in printed or f"-l {one[2:]}" in printed or f"-s {one[1:]} " in printed, (name, one)
    assert all(preset in printed for preset in PRESETS)
    assert "eye=" in printed
    assert "--no-keep-grain" not in printed  # what help leaves out


@pytest.mark.parametrize("printed", ["zsh", "fish"], indirect=True)
def test_quotes_are_closed_on_every_line(printed: str) -> None:
    for line in printed.splitlines():
        assert line.replace("'\"'\"'", "").count("'") % 2 == 0, line


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "csh"]) == 2
    assert "bash" in capsys.readouterr().err


def test_zsh_finds_in_the_first_line_what_the_file_completes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.startswith("#compdef likeness\n")
