from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tags import Tags

from likeness.errors import ConfigError, PairError
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Image, Size
from likeness.imaging.resample import resample
from likeness.metrics import psnr
from likeness.studio.captions import Captions, Words
from likeness.studio.fonts import find_typeface
from likeness.studio.proof import Proof, ProofOptions, enlarged_by, make_proof, sections
from likeness.studio.proof_page import proof_page
from likeness.studio.sheet import sheet, sheet_text
from likeness.studio.watermark import watermarked

CAPTIONS = Captions(done="Restored <by> hand.", kept="Kept: all & everything.")


@pytest.fixture(scope="module")
def before(astronaut: Image) -> Image:
    pixels = resize(astronaut.pixels, Size(720, 720), "cubic")
    return Image(pixels=np.clip(gaussian_blur(pixels, 3.0), 0, 1))


@pytest.fixture(scope="module")
def after(astronaut: Image) -> Image:
    return Image(pixels=np.clip(resize(astronaut.pixels, Size(720, 720), "cubic"), 0, 1))


@pytest.fixture(scope="module")
def faces(before: Image) -> tuple[Face, ...]:
    return MediaPipeDetector().detect(before)


def made(before: Image, after: Image, faces: tuple[Face, ...], options: ProofOptions) -> Proof:
    typeface = find_typeface(options.watermark) if options.watermark else None
    return make_proof(before, after, faces, CAPTIONS, options, name="ada <1>.jpg", typeface=typeface)


def test_a_proof_has_fewer_pixels_than_the_picture(before: Image, after: Image, faces: tuple[Face, ...]) -> None:
    proof = made(before, after, faces, ProofOptions(side=1600))
    # Enlarged to be seen, but from three quarters of the pixels: nothing finer is in it.
    assert proof.after.shape == (1440, 1440, 3)
    through = resample(resample(after.pixels, Size(540, 540)), Size(1440, 1440))
    assert np.array_equal(proof.after, through)
    assert made(before, after, faces, ProofOptions(side=400)).after.shape == (400, 400, 3)


def test_tiny_pictures_are_shown_large_enough(astronaut: Image) -> None:
    tiny = Image(pixels=resample(astronaut.pixels, Size(120, 100)))
    assert made(tiny, tiny, (), ProofOptions()).before.shape == (400, 480, 3)


def test_details_are_the_same_place_at_200_percent(before: Image, after: Image, faces: tuple[Face, ...]) -> None:
    proof = made(before, after, faces, ProofOptions())
    (details,) = proof.faces
    assert [detail.name for detail in details] == ["eyes", "hair", "skin"]
    for detail in details:
        assert detail.before.shape == detail.after.shape == (256, 256, 3)
        # Sharper, and of the same place: it lies where shifting by two pixels fits worse.
        soft = gaussian_blur(detail.after, 6.0)
        here = psnr(detail.before, soft)
        assert here > psnr(detail.before, np.roll(soft, 12, axis=1)) + 3
        assert here > psnr(detail.before, np.roll(soft, 12, axis=0)) + 3


def test_an_enlarged_result_shows_the_same_places(before: Image, after: Image, faces: tuple[Face, ...]) -> None:
    large = Image(pixels=resample(after.pixels, Size(1080, 1080)))
    one, two = made(before, after, faces, ProofOptions()), made(before, large, faces, ProofOptions())
    assert one.after.shape == two.after.shape
    for a, b in zip(one.faces[0], two.faces[0], strict=True):
        assert a.after.shape == b.after.shape
        assert psnr(a.after, b.after) > 30


def test_pictures_of_other_shapes_are_no_pair(before: Image, after: Image) -> None:
    with pytest.raises(PairError, match="neither the same size"):
        made(before, Image(pixels=after.pixels[:500]), (), ProofOptions())


def test_large_and_small_faces_have_sections_of_their_own(before: Image) -> None:
    small = resample(before.pixels, Size(240, 240))
    below = np.pad(small, ((0, 480), (0, 0), (0, 0)))
    picture = Image(pixels=np.concatenate([before.pixels, below], axis=1))
    found = MediaPipeDetector().detect(picture)
    proof = made(picture, picture, found, ProofOptions(max_faces=3))
    assert [[detail.name for detail in face] for face in proof.faces] == [["eyes", "hair", "skin"], ["face"]]
    assert [section.title for section in sections(proof)] == ["Face 1 at 200%", "Face 2"]


def test_small_faces_of_a_group_share_a_section(after: Image) -> None:
    small = resample(after.pixels, Size(300, 300))
    group = Image(pixels=np.tile(small, (2, 4, 1)))
    found = MediaPipeDetector().detect(group)
    assert len(found) == 8
    proof = made(group, group, found, ProofOptions())
    assert [[detail.name for detail in face] for face in proof.faces] == [["face"]] * 6
    assert all(detail.after.shape == (384, 384, 3) for (detail,) in proof.faces)
    # A face of 60 px is shown with 256, and more of the picture around it.
    largest = sorted(found, key=lambda face: face.box.area)[-6:]
    least = min(max(face.box.width, face.box.height) for face in largest)
    assert enlarged_by(found, ProofOptions()) == pytest.approx(256 / least, rel=0.02)
    assert enlarged_by((), ProofOptions()) == 1
    (section,) = sections(proof)
    assert [label for label, _ in section.details] == [f"Face {number}" for number in range(1, 7)]
    drawn = sheet(proof, find_typeface(sheet_text(proof)))
    assert drawn.size.width > 2 * proof.before.shape[1]


def test_no_face_no_details(before: Image, after: Image) -> None:
    assert made(before, after, (), ProofOptions()).faces == ()


def test_a_watermark_is_in_the_pixels_and_softer_on_faces(before: Image, after: Image, faces: tuple[Face, ...]) -> None:
    plain = made(before, after, faces, ProofOptions())
    marked = made(before, after, faces, ProofOptions(watermark="PROOF"))
    change = np.abs(marked.after - plain.after).max(axis=2)
    assert (change > 0.1).mean() > 0.05  # readable
    assert (change > 0.02).mean() < 0.6  # and most of the picture is free
    unit = plain.after.shape[0] / before.size.height
    box = faces[0].box
    middle = box.centre
    x, y = round(middle.x * unit), round(middle.y * unit)
    half = round(0.3 * box.width * unit)
    face = change[y - half : y + half, x - half : x + half]
    assert 0.05 < face.max() < 0.75 * change.max()
    for a, b in zip(plain.faces[0], marked.faces[0], strict=True):
        assert np.abs(a.after - b.after).max() > 0.05


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_watermark_shows_on_every_ground(level: float) -> None:
    ground = np.full((300, 300, 3), level, np.float32)
    marked = watermarked(ground, "PROOF", find_typeface("PROOF"))
    assert np.abs(marked - ground).max() > 0.15
    # No corner of the picture stays free.
    changed = np.abs(marked - ground).max(axis=2) > 0.05
    assert all(changed[y : y + 100, x : x + 100].any() for y in (0, 100, 200) for x in (0, 100, 200))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_sheet_in_both_languages(before: Image, after: Image, faces: tuple[Face, ...], language: Any) -> None:
    proof = made(before, after, faces, ProofOptions(language=language, studio="Studio Lumen"))
    proof = replace(proof, captions=Captions(done="采用“自然”预设修复。" if language == "zh" else "Restored.", kept=""))
    typeface = find_typeface(sheet_text(proof))
    assert typeface.missing(sheet_text(proof)) == ""
    drawn = sheet(proof, typeface)
    assert drawn.size.width > 2 * proof.before.shape[1]
    samples = drawn.to_uint8()
    # Both pictures are in it, untouched, and beside each other.
    column = Image(pixels=proof.after).to_uint8()
    height, width = column.shape[:2]
    rows = [
        (y, x)
        for y in range(samples.shape[0] - height)
        for x in (drawn.size.width - width - (drawn.size.width - 2 * width - 20) // 2,)
        if np.array_equal(samples[y, x : x + width], column[0])
    ]
    assert len(rows) == 1
    y, x = rows[0]
    assert np.array_equal(samples[y : y + height, x : x + width], column)
    assert np.array_equal(samples[y : y + height, x - 20 - width : x - 20], Image(pixels=proof.before).to_uint8())


def test_wide_places_stay_on_the_sheet(before: Image, after: Image, faces: tuple[Face, ...]) -> None:
    """Places that are wider than both pictures beside each other make the sheet wider."""
    proof = made(before, after, faces, ProofOptions(side=320, detail=720))
    drawn = sheet(proof, find_typeface(sheet_text(proof))).to_uint8()
    detail = Image(pixels=sections(proof)[0].details[0][1].after).to_uint8()
    assert any(_holds(row, detail[0]) for row in drawn)


def _holds(row: np.ndarray, part: np.ndarray) -> bool:
    """Whether a row of pixels holds another."""
    starts = np.flatnonzero((row[: len(row) - len(part) + 1] == part[0]).all(axis=1))
    return any(np.array_equal(row[start : start + len(part)], part) for start in starts)


def test_long_texts_stay_on_the_sheet(before: Image, after: Image, faces: tuple[Face, ...]) -> None:
    proof = made(before, after, faces, ProofOptions(studio="Studio " * 60))
    short = sheet(proof, find_typeface(sheet_text(proof)))
    long = replace(proof, captions=Captions(done="many words " * 60, kept="修复" * 150))
    tall = sheet(long, find_typeface(sheet_text(long)))
    assert tall.size.width == short.size.width
    assert tall.size.height > short.size.height
    border = tall.to_uint8()[:, -20:]
    assert (border == 246).all()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_whole_and_needs_nothing_else(
    before: Image, after: Image, faces: tuple[Face, ...], language: Any
) -> None:
    text = proof_page(made(before, after, faces, ProofOptions(language=language, studio="A&B")))
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    pictures = [attributes for tag, attributes in tags.seen if tag == "img"]
    assert len(pictures) == 8
    assert all((picture["src"] or "").startswith("data:image/jpeg;base64,") and picture["alt"] for picture in pictures)
    assert not re.search(r"(?:src|href)\s*=\s*['\"](?!data:)|url\(|@import|https?://|fetch\(|XMLHttpRequest", text)
    assert "prefers-color-scheme: dark" in text
    assert tags.seen[0] == ("html", {"lang": Words(language=language).tag})
    assert "ada &lt;1&gt;.jpg" in text
    assert "Restored &lt;by&gt; hand." in text
    assert "A&amp;B" in text
    assert Words(language=language)("proof.small-print") in text


def test_bad_options_are_sentences() -> None:
    with pytest.raises(ConfigError, match="320 to 1600 px"):
        ProofOptions(side=4000)
    with pytest.raises(ConfigError, match="max_faces"):
        ProofOptions(max_faces=-1)
    with pytest.raises(ConfigError, match="one line each"):
        ProofOptions(studio="two\nlines")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed here")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=[*flags, "--disable-sync"])
        yield opened
        opened.close()


def test_the_slider_in_a_real_browser(
    browser: Any, before: Image, after: Image, faces: tuple[Face, ...], tmp_path: Path
) -> None:
    path = tmp_path / "proof.html"
    path.write_text(proof_page(made(before, after, faces, ProofOptions())), encoding="utf-8")
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    asked: list[str] = []
    wrong: list[str] = []

    def requested(request: Any) -> None:
        asked.append(request.url)

    def failed(error: Any) -> None:
        wrong.append(str(error))

    page.on("request", requested)
    page.on("pageerror", failed)
    page.goto(path.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == 390

    def at() -> float:
        return float(
            page.evaluate("getComputedStyle(document.querySelector('.compare')).getPropertyValue('--at')")[:-1]
        )

    box = page.locator(".compare").bounding_box()
    middle = box["y"] + box["height"] / 2
    assert at() == 50
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, middle, steps=4)
    page.mouse.up()
    assert at() == pytest.approx(20, abs=4)
    page.touchscreen.tap(box["x"] + box["width"] * 0.8, middle)
    assert at() == pytest.approx(80, abs=4)
    slider = page.get_by_role("slider", name="Compare before and after")
    slider.focus()
    was = at()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert at() == was - 4
    page.keyboard.press("Home")
    assert at() == 0
    assert slider.get_attribute("aria-valuetext") == "0% before"
    assert wrong == []
    context.close()
