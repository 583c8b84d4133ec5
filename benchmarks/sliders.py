"""How soon the page answers a slider: `python benchmarks/sliders.py` measures in a real browser and writes sliders.md.

A server is started as a person starts it, Chromium opens its page, and the mouse drags each slider from end to end and back.
What is timed is what the browser itself knows: from the time stamp of the input event to the task after the frame in which
the page drew the answer (User Timing). `preview` is arithmetic in the browser; `server` is the first result of the server's
for that place of the slider. Where previews serve, the server is asked only when the slider rests. The last rows are
measured while the same server works on a job of many pictures. "4x" is a result four times as large as the photograph; with
--enlarged only its rows are measured, with those of the photograph's own size beside them, and printed.

With --url and --selector any other page's slider is moved by arrow keys and timed from the input event until a picture on
the page has changed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pictures import four_thousand, portrait
from playwright.sync_api import Page, ViewportSize, sync_playwright
from processes import served

from likeness import LikenessClient

MOVES, PAUSE = 40, 40
JOB = 150
SIZES = (1, 2, 4)
"""What the page's list of sizes offers, in its order."""
SLIDERS = ("strength", "latent_step_decay", "eye", "grain_amount", "warmth", "degradation_scale")
TABLE = Path(__file__).with_name("sliders.md")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

_WATCH = """
() => {
  // Any page: the time from an input event to the next change of a picture, in the frame that shows it.
  window.__answers = [];
  let asked = null;
  document.addEventListener("input", (event) => { asked = event.timeStamp; }, true);
  const seen = new WeakMap();
  const look = () => {
    for (const image of document.querySelectorAll("img")) {
      const now = image.currentSrc;
      if (image.complete && seen.get(image) !== undefined && seen.get(image) !== now && asked !== null) {
        window.__answers.push(performance.now() - asked);
        asked = null;
      }
      if (image.complete) seen.set(image, now);
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Milliseconds of one slider on one picture; empty where there were none."""

    picture: str
    slider: str
    preview: list[float]
    server: list[float]


def measured(page: Page, name: str) -> list[float]:
    found: list[dict[str, Any]] = page.evaluate(
        "name => { const found = performance.getEntriesByName(name).map(e => ({ms: e.duration}));"
        " performance.clearMeasures(name); return found; }",
        name,
    )
    return [entry["ms"] for entry in found]


def drag(page: Page, selector: str) -> None:
    """From the middle to one end, to the other, and back, in steps at a hand's pace."""
    slider = page.locator(selector)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    inside = box["width"] - 16
    places = 0.5 + 0.5 * np.sin(np.linspace(0, 1.8 * np.pi, MOVES))
    page.mouse.move(box["x"] + 8 + inside / 2, y)
    page.mouse.down()
    for place in places:
        page.mouse.move(box["x"] + 8 + inside * float(place), y)
        page.wait_for_timeout(PAUSE)
    page.mouse.up()


def one_picture(
    page: Page, url: str, picture: Path, name: str, sliders: Sequence[str] = SLIDERS, *, upscale: int = 1
) -> list[Row]:
    page.goto(url)
    page.locator("body.ready").wait_for()
    page.set_input_files("#file", picture)
    page.locator("#canvas[data-ready]").wait_for(timeout=60_000)
    if upscale > 1:
        page.select_option("#take-size", index=SIZES.index(upscale))
        page.wait_for_timeout(500)
        page.locator("#busy").wait_for(state="hidden", timeout=120_000)
        page.wait_for_timeout(3000)
    rows: list[Row] = []
    for slider in sliders:
        if slider == "grain_amount":
            page.locator("#keep-grain").check()
        page.locator(f"#slider-{slider}").hover()
        page.wait_for_timeout(2500)
        for name_of_measure in ("likeness:preview", "likeness:exact"):
            measured(page, name_of_measure)  # what was measured before goes
        drag(page, f"#slider-{slider}")
        page.wait_for_timeout(2500)
        rows.append(
            Row(
                picture=name,
                slider=slider,
                preview=measured(page, "likeness:preview"),
                server=measured(page, "likeness:exact"),
            )
        )
        print(line(rows[-1]), flush=True)
        if slider == "grain_amount":
            page.locator("#keep-grain").uncheck()
        page.locator("#undo").click()
    return rows


def line(row: Row) -> str:
    def shown(values: list[float]) -> str:
        if not values:
            return "| | | "
        return f"| {np.percentile(values, 50):.0f} | {np.percentile(values, 95):.0f} | {len(values)} "

    return f"| {row.picture} | `{row.slider}` {shown(row.preview)}{shown(row.server)}|"


def other_page(page: Page, url: str, selector: str) -> list[float]:
    page.goto(url)
    page.locator(selector).wait_for()
    page.wait_for_timeout(3000)
    page.evaluate(_WATCH)
    page.locator(selector).focus()
    for move in range(MOVES):
        page.keyboard.press("ArrowRight" if move < MOVES // 2 else "ArrowLeft")
        # Far enough apart that each answer is to the move before it.
        page.wait_for_timeout(1000)
    return page.evaluate("window.__answers")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="another page, instead of ours")
    parser.add_argument("--job", action="store_true", help="only the rows with a job behind, printed and not written")
    parser.add_argument(
        "--enlarged", action="store_true", help="only 1 MP, as it is and at 4x, printed and not written"
    )
    parser.add_argument("--selector", default="input[type=range]", help="its slider")
    flags = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium was found: install one")
    with sync_playwright() as tools, tempfile.TemporaryDirectory() as folder:
        browser = tools.chromium.launch(executable_path=chromium, args=FLAGS)
        size: ViewportSize = {"width": 1280, "height": 860}
        if flags.url:
            page = browser.new_page(viewport=size)
            answers = other_page(page, flags.url, flags.selector)
            print(
                f"{len(answers)} answers, p50 {np.percentile(answers, 50):.0f} ms, p95 {np.percentile(answers, 95):.0f} ms"
            )
            return
        rows: list[Row] = []
        with served(Path(folder) / "data") as (_, url):
            small, large = portrait(Path(folder) / "small.jpg"), four_thousand(Path(folder) / "large.jpg")
            pictures = [(small, "1 MP", 1), (small, "1 MP at 4x", 4), (large, "12 MP", 1)]
            for picture, name, upscale in [] if flags.job else pictures[:2] if flags.enlarged else pictures:
                # A window of its own: nothing of the last picture is left in it.
                page = browser.new_page(viewport=size)
                rows += one_picture(page, url, picture, name, upscale=upscale)
                page.close()
            if flags.enlarged:
                return
            with LikenessClient(url) as client:
                job = client.submit([small] * JOB)
                page = browser.new_page(viewport=size)
                rows += one_picture(page, url, small, "1 MP, a job behind", ("strength", "degradation_scale"))
                page.close()
                assert not client.job(job).done, "the job was over too soon: raise JOB"
                client.delete(job)
        browser.close()
    if flags.job:
        return
    names = "| picture | slider | preview p50 | p95 | answers | server p50 | p95 | answers |"
    head = f"{names}\n|---|---|--:|--:|--:|--:|--:|--:|"
    text = f"# Sliders in the browser\n\nMilliseconds; `benchmarks/sliders.py` says how.\n\n{head}\n"
    TABLE.write_text(text + "\n".join(line(row) for row in rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
