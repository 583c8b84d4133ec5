"""``likeness completion``: scripts with which bash, zsh and fish complete commands, flags, presets and regions.

They are made from the commands' own parsers, and hold everything: the shell asks no program, so completion takes no time.
(argcomplete starts Python at every press of the tab key; shtab knows no fish.)
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from likeness.cli.console import Console
from likeness.cli.flags import Parser, of_single_faces, subparsers_of, words_for

__all__ = ["SHELLS", "Flag", "Subject", "completion", "make_parser", "script", "subject_of"]

_DESCRIPTION = """\
Print what completes likeness in a shell: commands, flags, presets, regions. The shell reads it when it starts."""

_EPILOG = """\
exit status:
  0    printed
  2    an argument cannot be used

examples:
  likeness completion bash > ~/.local/share/bash-completion/completions/likeness
  likeness completion zsh > "${fpath[1]}/_likeness"
  likeness completion fish > ~/.config/fish/completions/likeness.fish"""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A flag of a command.

    Attributes:
        names: all of them, such as "-o" and "--output".
        text: what it does.
        value: whether something follows it.
        words: what may follow, as far as that is known; files where ``value`` is true and nothing is known.
        behind_colon: whether they follow a colon, and one another with commas, as in ``--face 2:strength=0.5,grain``.
    """

    names: tuple[str, ...]
    text: str
    value: bool
    words: tuple[str, ...]
    behind_colon: bool = False


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A command as far as it can be completed.

    Attributes:
        text: what it does.
        flags: its flags.
        actions: words that follow it, such as "list" and "fetch"; files where there are none.
    """

    text: str
    flags: tuple[Flag, ...]
    actions: tuple[str, ...]


def completion(argv: Sequence[str], console: Console) -> int:
    """Print the script; returns 0."""
    shell = make_parser().parse_args(argv).shell
    from likeness.cli import COMMANDS

    console.hand_over(
        script(shell, {name: subject_of(entry.load().make_parser(), entry.summary) for name, entry in COMMANDS.items()})
    )
    return 0


def make_parser() -> Parser:
    """The command's flags."""
    usage = f"likeness completion {'|'.join(SHELLS)}"
    parser = Parser(prog="likeness completion", usage=usage, description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("shell", metavar="SHELL", choices=tuple(SHELLS), help=f"{', '.join(SHELLS)}")
    return parser


def subject_of(parser: argparse.ArgumentParser, text: str) -> Subject:
    """A command from its parser; flags that its help leaves out are left out."""
    flags: list[Flag] = []
    actions: list[str] = []
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage] - argparse has no other way to list them
        inner = subparsers_of(action)
        actions += inner
        for one in inner.values():
            flags += subject_of(one, "").flags
        if not action.option_strings:
            actions += () if inner else words_for(action)
        elif action.help != argparse.SUPPRESS:
            value = action.nargs != 0
            words = words_for(action) if value else ()
            names = tuple(action.option_strings)
            colon = of_single_faces(action)
            flags.append(Flag(names=names, text=action.help or "", value=value, words=words, behind_colon=colon))
    unique = {flag.names: flag for flag in flags}
    return Subject(text=text, flags=tuple(unique.values()), actions=tuple(actions))


def script(shell: str, commands: Mapping[str, Subject]) -> str:
    """The script for a shell, without the end of its last line."""
    lines = [f"# likeness completion {shell}: made by likeness; do not edit", SHELLS[shell](commands)]
    if shell == "zsh":
        # compinit looks for this in the first line of a file alone.
        lines.insert(0, "#compdef likeness")
    return "\n".join(lines)


def _bash(commands: Mapping[str, Subject]) -> str:
    lines = [
        "_likeness() {",
        '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" words=""',
        "  COMPREPLY=()",
        "  # bash takes eye=1.3 and 2:eye=1.3 apart, and gives = and : by themselves",
        '  local at=$COMP_CWORD typed="$cur" before=""',
        '  while [ "$at" -gt 2 ] && [[ "${COMP_WORDS[at]}" == [:=] || "${COMP_WORDS[at-1]}" == [:=] ]]; do',
        '    at=$((at - 1)); typed="${COMP_WORDS[at]}$typed"',
        "  done",
        '  case "${COMP_WORDS[1]} ${COMP_WORDS[at-1]}" in',
        *(f"    {case}) _likeness_face; return ;;" for case in _behind_colon(commands)),
        "  esac",
        '  if [ "$prev" = "=" ] || [ "$cur" = "=" ]; then return; fi',
        '  if [ "$COMP_CWORD" -eq 1 ]; then',
        f"    words={shlex.quote(' '.join(commands))}",
        "  else",
        '    case "${COMP_WORDS[1]} $prev" in',
    ]
    for name, subject in commands.items():
        for flag in subject.flags:
            if flag.value:
                cases = "|".join(f'"{name} {one}"' for one in flag.names)
                then = f"words={shlex.quote(' '.join(flag.words))}" if flag.words else "return"
                lines.append(f"      {cases}) {then} ;;")
    lines += ["      *)", '        case "${COMP_WORDS[1]}" in']
    for name, subject in commands.items():
        flags = " ".join(one for flag in subject.flags for one in flag.names)
        lines.append(f"          {name})")
        lines.append(f'            case "$cur" in -*) words={shlex.quote(flags)} ;;')
        lines.append(f"              *) words={shlex.quote(' '.join(subject.actions))} ;; esac ;;")
    lines += [
        "        esac ;;",
        "    esac",
        "  fi",
        '  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$cur")); fi',
        '  case "${COMPREPLY[0]-}" in *=) compopt -o nospace ;; esac',
        "}",
        "# what stands behind the numbers of faces and a colon, one after the other with commas",
        "_likeness_face() {",
        '  case "$typed" in *:*) ;; *) return ;; esac',
        '  case "${typed##*[:,]}" in *=*) return ;; esac',
        '  case "$cur" in *,*) before="${cur%,*}," ;; esac',
        '  local word="${cur#"$before"}"',
        f'  COMPREPLY=($(compgen -P "$before" -W {shlex.quote(_of_faces(commands))} -- "${{word#:}}"))',
        '  case "${COMPREPLY[0]-}" in *=) compopt -o nospace ;; esac',
        "}",
        "complete -o bashdefault -o default -F _likeness likeness",
    ]
    return "\n".join(lines)


def _behind_colon(commands: Mapping[str, Subject]) -> list[str]:
    """A command and a flag, in quotes, of each whose words stand behind a colon."""
    return [
        f'"{name} {one}"'
        for name, subject in commands.items()
        for flag in subject.flags
        for one in flag.names
        if flag.behind_colon
    ]


def _of_faces(commands: Mapping[str, Subject]) -> str:
    """The words that stand behind a colon; every such flag has the same ones."""
    words = {" ".join(flag.words) for subject in commands.values() for flag in subject.flags if flag.behind_colon}
    return "".join(words)


def _zsh(commands: Mapping[str, Subject]) -> str:
    words = _of_faces(commands).split()
    open_ended, whole = ([word for word in words if word.endswith("=") == wanted] for wanted in (True, False))
    lines = [
        "_likeness_face() {",
        "  compset -P '*:' || { _message 'numbers of faces and a colon'; return; }",
        "  compset -P '*,'",
        "  if compset -P '*='; then _message value; return; fi",
        f"  compadd -S '' -- {' '.join(open_ended)}",
        f"  compadd -- {' '.join(whole)}",
        "}",
        "_likeness() {",
        "  local -a commands",
        "  commands=(",
    ]
    lines += [f"    {shlex.quote(f'{name}:{_plain(subject.text)}')}" for name, subject in commands.items()]
    lines += ["  )", "  if (( CURRENT == 2 )); then _describe command commands; return; fi", '  case "$words[2]" in']
    for name, subject in commands.items():
        lines.append(f"    {name})")
        lines.append("      _arguments -s '1: :' \\")
        for flag in subject.flags:
            values = _zsh_values(flag) if flag.value else ""
            for one in flag.names:
                lines.append(f"        {shlex.quote(f'*{one}[{_plain(flag.text)}]{values}')} \\")
        rest = f"({' '.join(subject.actions)})" if subject.actions else "_files"
        lines.append(f"        {shlex.quote(f'*:argument:{rest}')} ;;")
    lines += [
        "  esac",
        "}",
        'if [ "$funcstack[1]" = "_likeness" ]; then _likeness; else compdef _likeness likeness; fi',
    ]
    return "\n".join(lines)


def _zsh_values(flag: Flag) -> str:
    if flag.behind_colon:
        return ":value:_likeness_face"
    words = " ".join(flag.words)
    if words and all(word.endswith("=") for word in flag.words):
        return f":value:{{compadd -S '' -- {words}}}"
    return f":value:({words})" if words else ":value:_files"


def _fish(commands: Mapping[str, Subject]) -> str:
    lines = [
        "function __likeness_face",
        "  set -l typed (commandline -ct)",
        "  string match -q '*:*' -- $typed; or return",
        "  set -l before (string replace -r '[^:,]*$' '' -- $typed)",
        f"  for word in {_of_faces(commands)}",
        "    echo $before$word",
        "  end",
        "end",
    ]
    for name, subject in commands.items():
        text = shlex.quote(_plain(subject.text))
        lines.append(f"complete -c likeness -n __fish_use_subcommand -f -a {name} -d {text}")
        within = f"complete -c likeness -n '__fish_seen_subcommand_from {name}'"
        if subject.actions:
            lines.append(f"{within} -f -a {shlex.quote(' '.join(subject.actions))}")
        for flag in subject.flags:
            names = " ".join(f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in flag.names)
            words = "(__likeness_face)" if flag.behind_colon else " ".join(flag.words)
            values = f" -x -a {shlex.quote(words)}" if words else " -r" if flag.value else ""
            lines.append(f"{within} {names}{values} -d {shlex.quote(_plain(flag.text))}")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """A help text without what shells would take for signs of theirs."""
    return re.sub(r"[\[\]:'\"\\`$]", " ", text.replace("%%", "%")).strip()


SHELLS: dict[str, Callable[[Mapping[str, Subject]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
"""How a script is written for each shell."""
