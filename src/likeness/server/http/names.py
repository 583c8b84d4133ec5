"""Names for results: what a client called its picture, made safe for every file system and every unpacker."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import quote

__all__ = ["attachment", "safe_names", "safe_stem", "safe_suffix"]

_LONGEST = 80
_FORBIDDEN = re.compile(r'[<>:"|?*%]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def safe_stem(name: str) -> str:
    """A picture's name without folders, suffix, and anything that a file system or a terminal would take for more.

    "../../aunt.jpg" and "C:\\\\photos\\\\aunt.jpg" become "aunt"; what has nothing left becomes "picture".
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    visible = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C")
    stem = _FORBIDDEN.sub("_", visible)
    stem = stem.rpartition(".")[0] or stem
    # A dash at the front is a flag to many programs.
    stem = stem[:_LONGEST].strip(" .").lstrip("-. ")
    if _RESERVED.fullmatch(stem):
        stem = f"_{stem}"
    return stem or "picture"


def safe_suffix(name: str) -> str:
    """The end of a file's name as it came, such as ".docx"; "" if that is more than a few plain letters and digits."""
    return found[0] if (found := re.search(r"\.[A-Za-z0-9]{1,8}\Z", name)) else ""


def safe_names(names: Sequence[str], suffixes: Sequence[str]) -> list[str]:
    """A name for each result, no two alike even where case does not count: the second "aunt.jpg" is "aunt-2.jpg"."""
    taken: set[str] = set()
    found: list[str] = []
    for name, suffix in zip(names, suffixes, strict=True):
        stem, number = safe_stem(name), 1
        result = f"{stem}{suffix}"
        while result.casefold() in taken:
            number += 1
            result = f"{stem}-{number}{suffix}"
        taken.add(result.casefold())
        found.append(result)
    return found


def attachment(name: str) -> dict[str, str]:
    """The header by which a browser keeps an answer as a file of that name (RFC 6266)."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
