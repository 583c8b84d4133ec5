"""The page in a browser, as tests use it."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from running import Running

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A camera that shows a test picture, and is lent without a question.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
HOSTS: set[str] = set()
"""Where requests went since the browser was started."""
FAULTS: list[str] = []
"""What its pages said of errors."""
THROWN: list[str] = []
"""Those among them that no script caught."""


@contextmanager
def started() -> Generator[Any]:
    """Chromium; skips the test where it or Playwright is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as tools:
        launched = tools.chromium.launch(executable_path=chromium, args=FLAGS)
        for told in (HOSTS, FAULTS, THROWN):
            told.clear()
        yield launched
        launched.close()


def new_page(browser: Any, server: Running, **options: Any) -> Any:
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, "locale": "en-US", **options})
    page = context.new_page()
    page.on("request", _asked)
    page.on("pageerror", _failed)
    page.on("console", _said)
    page.goto(server.url)
    page.locator("body.ready").wait_for()
    return page


def _asked(request: Any) -> None:
    HOSTS.add(urlsplit(request.url).hostname or "")


def _failed(error: Any) -> None:
    FAULTS.append(str(error))
    THROWN.append(str(error))


def _said(message: Any) -> None:
    if message.type == "error":
        FAULTS.append(message.text)


def let_fall(page: Any, selector: str, data: bytes, *names: str) -> None:
    """Drop a file on a part of the page, under one name or at once under several."""
    page.evaluate(
        """([selector, text, ...names]) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const transfer = new DataTransfer();
          for (const name of names) transfer.items.add(new File([bytes], name, { type: "image/png" }));
          const under = document.querySelector(selector);
          for (const kind of ["dragenter", "dragover", "drop"])
            under.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        [selector, base64.b64encode(data).decode(), *names],
    )


def drop(page: Any, data: bytes, name: str) -> None:
    """Open a picture, and wait until it is drawn and can be previewed."""
    before = open_key(page)
    let_fall(page, "body", data, name)
    # The name alone does not tell: it may be that of the picture before.
    until(page, lambda: open_key(page) != before and page.title().startswith(name))
    page.locator("#canvas[data-ready]").wait_for()


def open_key(page: Any) -> str | None:
    """The server's name of the picture that the page shows; None before the first."""
    return page.evaluate("JSON.parse(sessionStorage.getItem('likeness.open'))?.id ?? null")


def until(page: Any, true: Callable[[], bool]) -> None:
    """Wait, 30 s at most; Playwright's own waiting for a function is what the page's Content-Security-Policy forbids."""
    for _ in range(600):
        if true():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came true")


def seen(page: Any) -> NDArray[np.int16]:
    """What is on the stage's canvas, H x W x 3."""
    url = page.evaluate("document.getElementById('canvas').toDataURL('image/png')")
    picture = PillowImage.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return np.asarray(picture.convert("RGB")).astype(np.int16)


def settled(page: Any) -> NDArray[np.int16]:
    """The canvas once the server's own result is drawn: the page says so, and it looks the same twice."""
    resting = page.locator("#canvas[aria-busy='false']")
    resting.wait_for()
    last = seen(page)
    for _ in range(20):
        page.wait_for_timeout(250)
        resting.wait_for()
        now = seen(page)
        if np.array_equal(now, last):
            return now
        last = now
    raise AssertionError("the canvas does not come to rest")


def slide(page: Any, key: str, value: float) -> None:
    """Move a slider as a hand does, and leave it there; the input event comes from the browser itself."""
    slider = page.locator(f"#slider-{key}")
    slider.focus()
    slider.fill(str(value))
