"""What is said to a client about each finding: the reason in plain words, and what to do."""

from __future__ import annotations

from likeness.errors import ConfigError
from likeness.faces.findings import Finding
from likeness.imaging.image import Size
from likeness.messages.notice import Language, Notice, Value, sentence

__all__ = ["ADVICE", "as_language", "counted", "reason_and_advice", "salutation"]

ADVICE: dict[str, str] = {
    "unreadable": "letter.advice.again",
    "raw": "letter.advice.again",
    "size-small": "letter.advice.original",
    "no-face": "letter.advice.upright",
    "several-faces": "letter.advice.which",
    "sideways": "letter.advice.upright",
    "face-small": "letter.advice.original",
    "blur": "letter.advice.other",
    "face-cut": "letter.advice.other",
    "face-unclear": "letter.advice.other",
    "face-turned": "letter.advice.other",
    "face-tilted": "letter.advice.other",
    "eyes-closed": "letter.advice.other",
    "face-dark": "letter.advice.light",
    "face-bright": "letter.advice.light",
    "backlit": "letter.advice.light",
    "glare-forehead": "letter.advice.other",
    "glare-nose": "letter.advice.other",
    "glare-spectacles": "letter.advice.other",
    "drawing": "letter.advice.ask",
    "background-busy": "letter.advice.other",
    "file-damaged": "letter.advice.again",
    "several-pages": "letter.advice.ask",
    "animated": "letter.advice.ask",
    "gain-map": "letter.advice.ask",
    "hdr": "letter.advice.ask",
    "cmyk": "letter.advice.colours",
    "profile-damaged": "letter.advice.colours",
    "profile-missing": "letter.advice.colours",
    "wide-gamut": "letter.advice.ask",
    "grey": "letter.advice.ask",
}
"""What a client is asked to do, by the finding's code; "letter." and that is the code of the reason."""


def as_language(text: str, where: str) -> Language:
    """A language by its code ("en", "zh", also "zh-CN" or "English").

    Raises:
        ConfigError: for one that there are no words in; ``where`` says where it was written.
    """
    known: dict[str, Language] = {"en": "en", "english": "en", "zh": "zh", "chinese": "zh", "中文": "zh", "英文": "en"}
    found = known.get(text.strip().lower().replace("_", "-").split("-")[0])
    if found is None:
        raise ConfigError(Notice("mail.language", {"where": where, "text": text}))
    return found


def reason_and_advice(finding: Finding, size: Size | None, language: Language, *, wanted: int) -> tuple[str, str]:
    """A finding in a client's words: the reason, and what to do.

    Args:
        finding: what is the matter.
        size: of the picture, where it is known.
        language: of the client.
        wanted: the shorter side that the studio likes to get, px.
    """
    shown = "" if size is None else Notice("letter.size", {"width": size.width, "height": size.height})
    values: dict[str, Value] = {
        "size": shown,
        "limit": 150 if finding.limit is None else finding.limit,
        "wanted": max(wanted, round(finding.limit or 0)),
    }
    reason, advice = (sentence(code, values, language) for code in (f"letter.{finding.code}", ADVICE[finding.code]))
    return reason, advice


def counted(number: int, language: Language) -> str:
    """Such as "1 picture", "3 pictures"."""
    return sentence("letter.one-picture" if number == 1 else "letter.pictures", {"count": number}, language)


def salutation(client: str, language: Language) -> str:
    """Such as "Dear Ana Lima,"; without a name "Dear client,"."""
    return sentence("letter.dear" if client else "letter.dear-client", {"client": client}, language)
