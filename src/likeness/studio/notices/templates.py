"""The letters' templates: the package's own, or the studio's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from likeness.errors import ConfigError
from likeness.messages.notice import Language, Notice, notice_of

__all__ = ["LETTER_WORDS", "PICTURE_WORDS", "LetterTemplate", "read_template"]

LETTER_WORDS = ("salutation", "client", "studio", "pictures", "count", "reply_to")
"""Placeholders that a template may use anywhere."""

PICTURE_WORDS = ("number", "picture", "reason", "advice", "thumbnail")
"""Placeholders that it may use between ``[[each picture]]`` and ``[[end]]`` as well."""

_SECTION = re.compile(
    r"^[ \t]*\[\[each picture\]\][ \t]*\n(?P<text>.*?)^[ \t]*\[\[end\]\][ \t]*\n?", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, kw_only=True)
class LetterTemplate:
    """A letter in one language, with its placeholders.

    Attributes:
        subject: a line.
        text, html: the two forms of the body.
    """

    subject: str
    text: str
    html: str

    def fill(self, part: str, values: Mapping[str, str], pictures: Sequence[Mapping[str, str]]) -> str:
        """One of the parts with its placeholders replaced and its section repeated for each picture."""

        def repeated(match: re.Match[str]) -> str:
            section = Template(match["text"])
            # What was filled in must not be taken for placeholders when the rest is filled.
            return "".join(section.substitute({**values, **picture}) for picture in pictures).replace("$", "$$")

        return Template(_SECTION.sub(repeated, part)).substitute(values)


def read_template(language: Language, folder: Path | None = None) -> LetterTemplate:
    """The template of a language.

    ``notice.<language>.txt`` holds "Subject: ..." in its first line, an empty one, and the text; ``notice.<language>.html``
    the same as HTML. Either may be missing from ``folder``: the package's own takes its place.

    Raises:
        ConfigError: if a file cannot be read, lacks its subject or section, or holds an unknown placeholder.
    """
    text_name, text = _read(f"notice.{language}.txt", folder)
    html_name, html = _read(f"notice.{language}.html", folder)
    head, _, body = text.partition("\n")
    kind, _, subject = head.partition(":")
    if kind.strip().lower() != "subject" or not subject.strip():
        raise ConfigError(Notice("template.subject", {"name": text_name}))
    for name, part in ((text_name, body), (html_name, html)):
        if len(_SECTION.findall(part)) != 1:
            raise ConfigError(Notice("template.section", {"name": name}))
        for section in _SECTION.findall(part):
            _check(name, section, (*LETTER_WORDS, *PICTURE_WORDS))
        _check(name, _SECTION.sub("", part), LETTER_WORDS)
    _check(text_name, subject, LETTER_WORDS)
    return LetterTemplate(subject=subject.strip(), text=body.lstrip("\n"), html=html)


def _read(name: str, folder: Path | None) -> tuple[str, str]:
    """A template's name for messages, and its text."""
    if folder is not None:
        if not folder.is_dir():
            raise ConfigError(Notice("template.no-folder", {"folder": str(folder)}))
        path = folder / name
        if path.exists():
            try:
                return str(path), path.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeError) as error:
                raise ConfigError(Notice("template.unread", {"path": str(path), "why": notice_of(error)})) from error
    return name, files("likeness.studio.notices").joinpath(name).read_text(encoding="utf-8")


def _check(name: str, text: str, words: Sequence[str]) -> None:
    # Template.get_identifiers came with Python 3.11.
    for match in Template.pattern.finditer(text):
        if match["invalid"] is not None:
            raise ConfigError(Notice("template.dollar", {"name": name}))
        word = match["named"] or match["braced"]
        if word and word not in words:
            known = ", ".join(f"${other}" for other in words)
            raise ConfigError(Notice("template.placeholder", {"name": name, "word": word, "known": known}))
