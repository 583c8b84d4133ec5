"""What `mkdocs build` does besides (mkdocs.yml): pages fetch nothing from elsewhere, and search out of files too.

Browsers start no worker out of a file, so the theme's plugin `offline` has each page fetch a substitute from the web.
This puts our own in its place.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["on_page_content", "on_post_build", "on_post_page"]

_ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
_OURS = "assets/javascripts/frame_worker.js"


_NO_HEAD = re.compile(r"<thead>\s*<tr>(?:\s*<th[^>]*></th>)+\s*</tr>\s*</thead>")
"""Of a table without headings, which Markdown cannot write without a row of empty ones."""


def on_page_content(html: str, **_: object) -> str:
    """A page's text as HTML: tables whose headings are all empty have none."""
    return _NO_HEAD.sub("", html)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """A page's HTML, with the address of our script instead of theirs."""
    del config
    return output.replace(_ELSEWHERE, quote("../" * page.url.count("/") + _OURS))


def on_post_build(config: Any) -> None:
    """Put the script where pages look for it; the page for missing ones is not told to `on_post_page`."""
    site = Path(config.site_dir)
    script = Path(__file__).with_name("frame_worker.js").read_text(encoding="utf-8")
    (site / _OURS).write_text(script, encoding="utf-8")
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        if _ELSEWHERE in text:
            page.write_text(text.replace(_ELSEWHERE, _OURS), encoding="utf-8")
