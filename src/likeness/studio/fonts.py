"""Type for proof sheets: a font that has every character that is to be drawn, or a sentence instead of empty boxes.

The package brings a subset of Noto Sans CJK SC (SIL Open Font License 1.1, `glyphs/OFL.txt`): Latin, the characters of the
built-in Chinese captions, and some that studios often use. Other Chinese text needs a font of the system or one that is
named.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import ImageFont, features

from likeness.core.home import expanded
from likeness.errors import ConfigError
from likeness.messages.notice import Notice

__all__ = ["Typeface", "find_typeface"]

_log = logging.getLogger(__name__)

# Fonts as systems bring them, best first; then whatever else there is.
_CHINESE = (
    "NotoSansCJK", "NotoSansSC", "SourceHanSans", "PingFang", "msyh", "MiSans", "HarmonyOS", "Hiragino Sans GB", "STHeiti",
    "simhei", "wqy-microhei", "wqy-zenhei", "DroidSansFallback", "uming", "ukai", "simsun", "Arial Unicode", "unifont",
)  # fmt: skip
_OTHERS = ("NotoSans-", "Inter", "segoeui.", "HelveticaNeue", "Roboto-", "Arial.", "LiberationSans-", "DejaVuSans.")

_SUFFIXES = {".ttf", ".otf", ".ttc", ".otc"}

_NOBODY = "\U000ffffe"
"""A character that no font has: what is drawn for it is drawn for everything that is missing."""

_FACES = 12
"""Fonts of a collection that are looked at; Noto Sans CJK has ten."""


@dataclass(frozen=True, kw_only=True)
class Typeface:
    """A font in two weights, if it is a variable one, else in its own.

    Attributes:
        data: the bytes of the font file.
        index: which font of a collection.
        name: family.
    """

    data: bytes
    index: int = 0
    name: str = ""

    def at(self, size: float, *, bold: bool = False, text: str = "") -> ImageFont.FreeTypeFont:
        """The font at a size in px, for a text: letters that run from right to left or join need another layout."""
        return _loaded(self.data, self.index, size, 600 if bold else 400, _layout(text))

    def missing(self, text: str) -> str:
        """The characters of a text that the font does not have, each once."""
        font = self.at(24)
        empty = _drawn(font, _NOBODY)
        letters = (letter for letter in sorted(set(text)) if letter.isprintable() and not letter.isspace())
        return "".join(letter for letter in letters if _drawn(font, letter) == empty)


def find_typeface(text: str, font: Path | None = None) -> Typeface:
    """A font that has every character of a text.

    Args:
        text: everything that will be drawn.
        font: a font file to take, or None: the package's own if it suffices, else the first of the system that does.

    Raises:
        ConfigError: if the file is no font or lacks characters, or no font of the system has them all.
    """
    if font is not None:
        return _named(text, font)
    own = _own()
    missing = own.missing(text)
    if not missing:
        return own
    chinese = any(letter >= "\u2e80" for letter in missing)
    for path in _system_fonts(_CHINESE if chinese else _OTHERS):
        for face in _faces_of(path):
            if not face.missing(missing) and not face.missing(text):
                return face
    raise ConfigError(Notice("font.none", {"shown": _shown(missing)}))


def _drawn(font: ImageFont.FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    """Size and pixels of a letter."""
    mask: Any = font.getmask(letter)
    return mask.size, bytes(mask)


@lru_cache(maxsize=1)
def _own() -> Typeface:
    data = files("likeness.studio").joinpath("glyphs/captions.otf").read_bytes()
    return Typeface(data=data, name="Noto Sans CJK SC")


def _named(text: str, path: Path) -> Typeface:
    if not path.is_file():
        raise ConfigError(Notice("font.missing", {"path": str(path)}))
    faces = list(_faces_of(path))
    if not faces:
        raise ConfigError(Notice("font.unread", {"path": str(path)}))
    for face in faces:
        if not face.missing(text):
            return face
    raise ConfigError(Notice("font.lacks", {"path": str(path), "shown": _shown(faces[0].missing(text))}))


def _faces_of(path: Path) -> Iterator[Typeface]:
    """The fonts of a file, simplified Chinese first; none if it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError:
        return
    found: list[Typeface] = []
    for index in range(_FACES if path.suffix.lower() in (".ttc", ".otc") else 1):
        try:
            font = _loaded(data, index, 24, 400, ImageFont.Layout.BASIC)
        except (OSError, ValueError):
            break
        family = str(font.getname()[0] or "")
        found.append(Typeface(data=data, index=index, name=family))
    yield from sorted(found, key=lambda face: not face.name.endswith(("SC", "GB")))


def _layout(text: str) -> ImageFont.Layout:
    """How a text is laid out: letter after letter, or by Raqm where it runs from right to left (Hebrew, Arabic) or has signs
    that join others (Devanagari, Thai, accents that stand by themselves)."""
    # Basic where it suffices: Raqm leaves out characters that it does not know instead of drawing the empty box.
    if not any(unicodedata.bidirectional(letter) in ("R", "AL", "NSM") for letter in text) or not _has_raqm():
        return ImageFont.Layout.BASIC
    return ImageFont.Layout.RAQM


@lru_cache(maxsize=1)
def _has_raqm() -> bool:
    found = bool(features.check("raqm")) and bool(features.check("fribidi"))
    if not found:
        _log.warning(
            "text that runs from right to left or joins is drawn letter by letter: install FriBiDi (libfribidi)"
        )
    return found


@lru_cache(maxsize=12)  # not more: a Chinese font may have 20 MB
def _loaded(data: bytes, index: int, size: float, weight: float, layout: ImageFont.Layout) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(io.BytesIO(data), size, index=index, layout_engine=layout)
    try:
        axes = [axis["name"] for axis in font.get_variation_axes()]
    except OSError:  # not a variable font
        return font
    if len(axes) == 1 and axes[0] == b"Weight":
        font.set_variation_by_axes([weight])
    return font


def _system_fonts(preferred: Sequence[str]) -> list[Path]:
    """Font files of the system, those whose names begin with the preferred ones first."""
    found: set[Path] = set()
    for folder in _folders():
        for place, _, names in os.walk(folder):
            found.update(Path(place, name) for name in names if Path(name).suffix.lower() in _SUFFIXES)

    def rank(path: Path) -> tuple[int, bool, str]:
        name = path.name.lower()
        places = [place for place, wanted in enumerate(preferred) if name.startswith(wanted.lower())]
        plain = "regular" in name or name.startswith(("msyh.", "pingfang"))
        return (places[0] if places else len(preferred), not plain, str(path))

    return sorted(found, key=rank)


def _folders() -> list[Path]:
    home = expanded("~")  # no folder where the user has none, and then nothing is found in it
    if sys.platform == "win32":
        windows = Path(os.environ.get("WINDIR", "C:/Windows"))
        return [windows / "Fonts", home / "AppData/Local/Microsoft/Windows/Fonts"]
    if sys.platform == "darwin":
        return [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    data = Path(os.environ.get("XDG_DATA_HOME", home / ".local/share"))
    return [data / "fonts", home / ".fonts", Path("/usr/local/share/fonts"), Path("/usr/share/fonts")]


def _shown(letters: str) -> str:
    """The first few of them."""
    return f"“{letters[:8]}”{' and others' if len(letters) > 8 else ''}"
