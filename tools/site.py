"""Gathers the Markdown of the repository for the documentation's site: `make docs`, or

    python tools/site.py && mkdocs build

README, documents, and every file that they link to go into build/site-sources, in the folders that they have here, so that
each link leads where it does in the repository. Links to folders become plain words there: a site shows files.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

__all__ = ["gather", "main"]

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "build" / "site-sources"

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<path>(?!https?:|#|mailto:)[^)#\s]+)(?P<anchor>#[^)]*)?\)")


def gather(root: Path, target: Path) -> list[Path]:
    """Copy the pages and what they link to; returns the pages, relative to both folders.

    Raises:
        FileNotFoundError: if a link leads nowhere.
    """
    shutil.rmtree(target, ignore_errors=True)
    waiting = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    pages: list[Path] = []
    done: set[Path] = set()
    while waiting:
        source = waiting.pop(0)
        if source in done:
            continue
        done.add(source)
        copy = target / source.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix != ".md":
            shutil.copyfile(source, copy)
            continue
        text = source.read_text(encoding="utf-8")
        for found in _LINK.finditer(text):
            linked = (source.parent / found["path"]).resolve()
            if not linked.exists():
                raise FileNotFoundError(f"{source.relative_to(root)} links to {found['path']}, which is not there")
            if linked.is_file():
                waiting.append(linked)
        copy.write_text(_LINK.sub(lambda found, at=source: _for_site(found, at), text), encoding="utf-8")
        pages.append(source.relative_to(root))
    return pages


def _for_site(found: re.Match[str], page: Path) -> str:
    return f"`{found['text']}`" if (page.parent / found["path"]).is_dir() else found[0]


def main() -> int:
    pages = gather(ROOT, TARGET)
    print(f"{len(pages)} pages in {TARGET.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
