from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest

import likeness
from likeness import errors
from likeness.evidence.face_verdict import REASONS
from likeness.evidence.geometry import PROPORTIONS
from likeness.faces.findings import CODES as FINDINGS
from likeness.faces.regions import REGIONS
from likeness.messages.notice import LANGUAGES, Language, catalogue
from likeness.models.spec import PURPOSES
from likeness.restore.controls import PRESETS
from likeness.server.http.problems import CODES as PROBLEMS
from likeness.studio.acceptance import ANSWERS

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
_ORDERED = list(FINDINGS)
PER_FACE = tuple(_ORDERED[_ORDERED.index("face-small") : _ORDERED.index("background-busy") + 1])
"""Findings of which a picture may have one for each face."""

FAMILIES = {
    "region": REGIONS,
    "gift": REGIONS,
    "figure": FIGURES,
    "group": GROUPS,
    "letter": tuple(FINDINGS),
    "grouped": PER_FACE,
    "preset": tuple(PRESETS),
    "verdict": REASONS,
    "proof.detail": ("eyes", "hair", "skin", "face"),
    "proof.note": ("eyes", "hair", "skin"),
    "proof.part": ("eyes", "nose", "mouth", "shape"),
    "answers": (*ANSWERS, "kept", "lost", "subject", "attach", "machine", "count"),
    "purpose": PURPOSES,
    "storage": ("read", "written", "removed"),
    # What only a browser sees, and every code that the server sends.
    "problem": (*PROBLEMS, "camera", "offline", "sending", "too-many-references"),
}
"""Codes that are put together from a name."""

VIDEO = {f"video.{name}" for name in ("damaged", "corrupt", "breaks-off", "changes", "large", "late")}
"""What the page says of a video that was sent."""

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
    for_all = plain(language)
    for code, sentence in catalogue(language).items():
        base, _, audience = code.partition("@")
        assert base in for_all
        assert audience in ("", "page")
        assert all(FORMS.fullmatch(form) for form in places(sentence).values()), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_told_of_no_flags(language: Language) -> None:
    told = catalogue(language)
    for code in plain(language):
        if code.startswith(("finding.", "problem.", "outcome.", "control.")) or code in VIDEO:
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


def is_free_text(node: ast.AST, named: dict[str, ast.expr]) -> bool:
    """Whether an expression is English written in place, or the text of another error, whose code is lost with `str`."""
    if isinstance(node, ast.Name) and node.id in named:
        return is_free_text(named[node.id], {})
    if isinstance(node, ast.IfExp):
        return is_free_text(node.body, named) or is_free_text(node.orelse, named)
    if isinstance(node, ast.BinOp):
        return is_free_text(node.left, named) or is_free_text(node.right, named)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "str"
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_every_error_for_people_has_a_code() -> None:
    """`ArgumentError` alone is written in place: only who writes Python meets it."""
    kinds = set(errors.__all__) - {"ArgumentError"}
    uncoded: list[str] = []
    coded = 0
    for path in sorted(SOURCE.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            named = {
                target.id: node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for call in ast.walk(function):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Name)
                    and call.func.id in kinds
                    and call.args
                ):
                    coded += 1
                    if is_free_text(call.args[0], named):
                        uncoded.append(f"{path.relative_to(SOURCE)}:{call.lineno}")
    assert not uncoded
    assert coded > 300


def test_free_text_is_known_when_it_is_seen() -> None:
    """So that the test above can fail."""
    named: dict[str, ast.expr] = {"sentence": ast.parse("f'{x} is bad'", mode="eval").body}
    for text in ("'bad'", "f'{x} is bad'", "'bad ' + x", "str(error)", "sentence", "Notice('a') if x else 'bad'"):
        assert is_free_text(ast.parse(text, mode="eval").body, named), text
    for text in ("Notice('a')", "error.notice", "notice_of(error)", "refusal"):
        assert not is_free_text(ast.parse(text, mode="eval").body, named), text


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
