from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest

import likeness
from likeness.evidence.face_verdict import REASONS
from likeness.evidence.geometry import PROPORTIONS
from likeness.faces.findings import CODES as FINDINGS
from likeness.faces.regions import REGIONS
from likeness.messages.notice import LANGUAGES, Language, catalogue
from likeness.restore.controls import PRESETS
from likeness.server.http.problems import CODES as PROBLEMS

SOURCE = Path(likeness.__file__).parent
FIGURES = (
    *(
        "whole_face",
        "hair_width",
        "hair_jaggedness",
        "highlights",
        "iris",
        "skin_texture",
        "plastic_skin",
        "identity",
        "stretch",
    ),
    *("lid_fold", "colour_skin", "colour_eyes", "overshoot", "seam", *PROPORTIONS),
)
GROUPS = ("face", "hair edge", "highlights", "iris", "skin", "identity", "geometry", "colour", "edges")
FAMILIES = {
    "region": REGIONS,
    "gift": REGIONS,
    "figure": FIGURES,
    "group": GROUPS,
    "letter": tuple(FINDINGS),
    "preset": tuple(PRESETS),
    "verdict": REASONS,
    "proof.detail": ("eyes", "hair", "skin", "face"),
    "proof.note": ("eyes", "hair", "skin"),
    # What only a browser sees, and every code that the server sends.
    "problem": (*PROBLEMS, "camera", "offline", "sending", "too-many-references"),
}
"""Codes that are put together from a name."""

FORMS = re.compile(r"|,|g|\.\d[f%]|[,;，、；] ?")
"""How a value may be written: what the page's script knows of `format`, and what stands between sentences."""


def places(sentence: str) -> dict[str, str]:
    """Name and form of every place of a sentence."""
    return {name: form or "" for _, name, form, _ in Formatter().parse(sentence) if name is not None}


def plain(language: Language) -> dict[str, str]:
    """The sentences for all, without those for an audience."""
    return {code: text for code, text in catalogue(language).items() if "@" not in code}


def test_every_code_is_said_in_every_language() -> None:
    english, *others = (plain(language) for language in LANGUAGES)
    for other in others:
        assert list(other) == list(english)
        for code, sentence in english.items():
            assert places(other[code]).keys() == places(sentence).keys(), code
    for code, sentence in catalogue("zh").items():
        words = re.sub(r"\{[^}]*\}", "", catalogue("en").get(code, sentence))
        assert re.search(r"[\u4e00-\u9fff]", sentence) or not re.search(r"[a-z]{2}", words), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_for_an_audience_are_of_a_sentence_for_all(language: Language) -> None:
    for code, sentence in catalogue(language).items():
        base, _, audience = code.partition("@")
        assert base in plain(language)
        assert audience in ("", "page")
        assert all(FORMS.fullmatch(form) for form in places(sentence).values()), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_told_of_no_flags(language: Language) -> None:
    told = catalogue(language)
    for code in plain(language):
        if code.startswith(("finding.", "problem.", "outcome.", "control.")):
            assert "--" not in told.get(f"{code}@page", told[code]), code


def test_every_finding_has_words_for_the_page() -> None:
    told = {code.split(".")[1].partition("@")[0] for code in catalogue("en") if code.startswith("finding.")}
    assert told | {"unreadable", "raw"} == set(FINDINGS)  # those two say what the error says
    for language in LANGUAGES:
        for code in plain(language):
            assert not code.startswith("finding.") or f"{code}@page" in catalogue(language)


def trees() -> Iterator[ast.Module]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def texts(node: ast.AST) -> set[str]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def test_every_code_is_used_and_every_used_code_is_there() -> None:
    used = set().union(*(texts(tree) for tree in trees()))
    for script in files("likeness.server").joinpath("page").iterdir():
        if script.name.endswith(".js"):
            used |= set(re.findall(r'"([^"\n]+)"', script.read_text(encoding="utf-8")))
    composed = {f"{family}.{name}" for family, names in FAMILIES.items() for name in names}
    codes = set(plain("en"))
    assert composed <= codes
    assert codes - composed - used == set()


def test_every_sentence_gets_its_values() -> None:
    """Of every call whose values stand there or just before it, in a dictionary."""
    seen: set[str] = set()
    for tree in trees():
        for function in ast.walk(tree):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            named = {
                target.id: node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for call in ast.walk(function):
                if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Notice"):
                    continue
                # Of a choice between codes the condition is none.
                choices = [call.args[0]]
                codes: set[str] = set()
                while choices:
                    choice = choices.pop()
                    if isinstance(choice, ast.IfExp):
                        choices += [choice.body, choice.orelse]
                    elif isinstance(choice, ast.Constant):
                        codes.add(str(choice.value))
                given = call.args[1] if len(call.args) > 1 else ast.Dict(keys=[], values=[])
                given = named.get(given.id, given) if isinstance(given, ast.Name) else given
                for code in codes:
                    assert code in plain("en"), code
                    if isinstance(given, ast.Dict) and all(isinstance(key, ast.Constant) for key in given.keys):
                        names = {key.value for key in given.keys if isinstance(key, ast.Constant)}
                        wanted = {
                            name
                            for language in LANGUAGES
                            for key, sentence in catalogue(language).items()
                            if key.partition("@")[0] == code
                            for name in places(sentence)
                        }
                        assert wanted <= names, code
                        seen.add(code)
    assert len(seen) > 100
