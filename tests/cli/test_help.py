"""Every command's help has one style, and mistakes are answered with what was meant."""

from __future__ import annotations

import re

import pytest

from likeness.cli import COMMANDS, main
from likeness.cli.opening import opens_page


@pytest.mark.parametrize("name", COMMANDS)
def test_one_style_of_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: likeness {name}")
    assert "\nexit status:\n  0    " in text
    examples = text[text.index("\nexamples:\n") :].splitlines()[2:]
    assert examples
    assert all(re.match(rf"  (\w+=.* )?(likeness {name}|likeness restore|curl)", line) for line in examples), examples
    assert max(map(len, text.splitlines())) <= 125
    assert COMMANDS[name].summary[0].islower()


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_the_help_parse(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    from likeness.cli.flags import AMOUNTS, with_amounts

    parser = COMMANDS[name].load().make_parser()
    main([name, "--help"])
    text = capsys.readouterr().out
    for line in text[text.index("\nexamples:\n") :].splitlines()[2:]:
        words = shlex.split(re.split(r" [<>] ", line)[0])
        if f"likeness {name} " in f"{line} ":
            words = words[words.index(name) + 1 :]
            try:
                parser.parse_intermixed_args(with_amounts(words, {**AMOUNTS, "--warmth": 1.0}))
            except TypeError:  # argparse mixes nothing where there are subcommands
                parser.parse_args(words)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["restor", "a.jpg"], 'there is no command "restor" (did you mean "restore"?)'),
        (["restore", "a.jpg", "--presett", "natural"], 'there is no flag --presett (did you mean "--preset"?)'),
        (["restore", "a.jpg", "--face_weight=eye=1"], 'there is no flag --face_weight (did you mean "--face-weight"?)'),
        (["batch", "in", "out", "--worker", "2"], 'there is no flag --worker (did you mean "--workers"?)'),
        (["models", "fetch", "a", "--acept-licence"], 'did you mean "--accept-licence"'),
        (["restore", "a.jpg", "--preset", "naturl"], 'unknown preset "naturl" (did you mean "natural"?)'),
        (["restore", "a.jpg", "--face-weight", "eyes=1"], 'unknown face region "eyes" (did you mean "eye"?)'),
        (
            ["restore", "a.jpg", "--fail-on", "lok"],
            '--fail-on: "lok" is not one of bad, look (did you mean "look"?)',
        ),
        (["presets", "natural"], "too many arguments: natural"),
        (["restore", "a.jpg", "--zzzz"], "there is no flag --zzzz; see likeness restore --help"),
    ],
)
def test_what_was_meant(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_where_likeness_alone_opens_the_page() -> None:
    assert opens_page({"DISPLAY": ":0"}, "linux", terminal=True)
    assert opens_page({"WAYLAND_DISPLAY": "wayland-0"}, "linux", terminal=True)
    assert opens_page({}, "darwin", terminal=True)
    assert opens_page({}, "win32", terminal=True)
    assert not opens_page({}, "linux", terminal=True)
    assert not opens_page({"DISPLAY": ":0"}, "linux", terminal=False)
    assert not opens_page({"DISPLAY": ":10", "SSH_CONNECTION": "1 2 3 4"}, "linux", terminal=True)


def test_the_demo_lies_where_the_program_is() -> None:
    from likeness.cli.demo import SAMPLES, sample_folder

    folder = sample_folder()
    assert all((folder / sample.file).is_file() for sample in SAMPLES)
