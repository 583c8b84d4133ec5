from __future__ import annotations

import base64
import io
import re
import shlex
import wave
import zipfile
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from browsing import FAULTS, HOSTS, drop, let_fall, new_page, seen, settled, slide, until
from numpy.typing import NDArray
from PIL import Image as PillowImage
from running import Running, served
from sayings import capital, every_verdict

from likeness.batch.journal import STATES
from likeness.cli.flags import Parser, add_options, typed_settings
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image
from likeness.messages.notice import LANGUAGES
from likeness.restore.controls import PRESETS
from likeness.restore.pipeline import Restorer
from likeness.server.http.settings import ServerSettings
from likeness.server.live.editing import Editing
from likeness.server.live.page import PAGE_FILES

GREY = Image(pixels=np.full((64, 64, 3), 0.5, np.float32))


def _accept(dialog: Any) -> None:
    dialog.accept()


@pytest.fixture(scope="module")
def page(browser: Any, server: Running, two_faces: bytes) -> Any:
    """A page on which the two faces were dropped."""
    opened = new_page(browser, server)
    drop(opened, two_faces, "couple.png")
    return opened


def box_of(page: Any, face: int) -> dict[str, float]:
    return page.locator(f".mark-face[data-face='{face}']").bounding_box()


def within(canvas: NDArray[np.int16], page: Any, face: int) -> NDArray[np.int16]:
    stage = page.locator("#canvas").bounding_box()
    box = box_of(page, face)
    top, left = int(box["y"] - stage["y"]), int(box["x"] - stage["x"])
    return canvas[top : top + int(box["height"]), left : left + int(box["width"])]


def test_drop_tick_slide_compare_and_download(page: Any, two_faces: bytes) -> None:
    assert page.locator(".mark-face").count() == 2
    assert page.locator("#tag-before").text_content() == "Before"
    # Everything after: the divider at the left end.
    page.locator("#divider").focus()
    page.keyboard.press("Home")
    both = settled(page)
    page.locator(".mark-face[data-face='1'] .mark-number").click()
    assert page.locator(".mark-face[data-face='1']").get_attribute("aria-checked") == "false"
    one = settled(page)
    assert np.array_equal(within(one, page, 0), within(both, page, 0))
    assert np.abs(within(one, page, 1) - within(both, page, 1)).mean() > 0.3

    slide(page, "strength", 0.4)
    weaker = settled(page)
    assert np.abs(within(weaker, page, 0) - within(one, page, 0)).mean() > 0.2
    assert np.array_equal(within(weaker, page, 1), within(one, page, 1))

    page.locator("#divider").focus()
    page.keyboard.press("End")
    before = settled(page)
    assert page.locator("#divider").get_attribute("aria-valuenow") == "100"
    assert np.abs(within(weaker, page, 0) - within(before, page, 0)).mean() > 0.1
    page.keyboard.press("Home")

    with page.expect_download() as waiting:
        page.locator("[data-take='png']").click()
    assert waiting.value.suggested_filename == "couple_restored.png"
    restored = np.asarray(PillowImage.open(waiting.value.path()).convert("RGB")).astype(np.int16)
    original = np.asarray(PillowImage.open(io.BytesIO(two_faces))).astype(np.int16)
    changed = np.abs(restored - original).max(axis=2) > 0
    middle = original.shape[1] // 2
    assert changed[:, :middle].any()
    assert not changed[:, middle:].any()
    assert changed[:, :middle].mean() < 0.9


def test_a_preview_is_what_the_server_then_draws(page: Any) -> None:
    for key, value in (("latent_step_decay", 0.03), ("eye", 1.8), ("strength", 0.9)):
        page.evaluate("document.getElementById('canvas').dataset.drawn = '0'")
        slide(page, key, value)
        page.locator("#canvas:not([data-drawn='0'])").wait_for()
        preview = seen(page)
        exact = settled(page)
        assert np.abs(within(preview, page, 0) - within(exact, page, 0)).mean() < 1.0, key


def test_an_enlarged_result_is_seen_and_compared_at_its_size(page: Any, two_faces: bytes) -> None:
    """Views get as fine as the result, places stay where they are, previews go on."""
    size = page.locator("#take-size")
    width, height = PillowImage.open(io.BytesIO(two_faces)).size
    place = box_of(page, 0)
    page.evaluate("document.getElementById('canvas').dataset.drawn = '0'")
    size.select_option(index=1)
    page.locator("#canvas:not([data-drawn='0'])").wait_for()
    settled(page)
    assert f"{2 * width} × {2 * height}" in size.locator("option:checked").text_content()
    assert page.locator("#tag-before").text_content() == "Before, interpolated"
    # It is fitted into the same window, so that only what a pixel is has changed.
    assert (
        abs(box_of(page, 0)["width"] / place["width"] - 1) < 0.02 or page.locator("#zoom-now").text_content() == "200%"
    )
    test_a_preview_is_what_the_server_then_draws(page)
    page.locator("[data-zoom='1']").click()
    assert page.locator("#zoom-now").text_content() == "100%"
    with page.expect_download() as waiting:
        page.locator("[data-take='png']").click()
    with PillowImage.open(waiting.value.path()) as file:
        assert file.size == (2 * width, 2 * height)
    page.locator("[data-zoom='fit']").click()
    size.select_option(index=3)
    settled(page)
    assert re.search(r"detail, \d+ × \d+$", size.locator("option:checked").text_content())
    size.select_option(index=0)
    settled(page)
    assert page.locator("#tag-before").text_content() == "Before"


def test_the_first_preset_says_what_was_chosen(page: Any) -> None:
    first = page.locator(".preset").first
    assert first.get_attribute("data-preset") == "auto"
    first.click()
    assert " was chosen: " in page.locator(".sets").text_content()
    page.locator("[data-preset=standard]").click()


def test_undo_redo_and_back_to_the_preset(page: Any) -> None:
    page.locator("[data-preset='natural']").click()
    assert page.locator("#slider-latent_step_decay").input_value() == "0.04"
    assert page.locator("#slider-eye").input_value() == "1.3"
    assert "0.04" in page.locator(".sets").text_content()
    slide(page, "nose", 0.3)
    assert page.locator(".back").is_visible()
    page.locator("#undo").click()
    assert page.locator("#slider-nose").input_value() == "1"
    page.locator("#redo").click()
    assert page.locator("#slider-nose").input_value() == "0.3"
    page.locator(".back").click()
    assert page.locator("#slider-nose").input_value() == "1"
    assert not page.locator(".back").is_visible()


@pytest.fixture(scope="module")
def couple(browser: Any, server: Running, two_faces: bytes) -> Any:
    """A page with two faces, both ticked, and everything after: the divider at the left end."""
    opened = new_page(browser, server)
    drop(opened, two_faces, "couple.png")
    opened.locator("#divider").focus()
    opened.keyboard.press("Home")
    return opened


def test_one_face_is_set_by_itself(couple: Any, two_faces: bytes) -> None:
    page = couple
    shared = settled(page)
    # The left one is looked at, and set by itself.
    page.locator(".face-chip[data-face='0']").click()
    page.locator("[data-zoom='fit']").click()
    settled(page)
    page.locator("#whose-one").click()
    assert page.locator("#whose-one").text_content() == "Face 1 only"
    assert page.locator("#whose-one").get_attribute("aria-pressed") == "true"
    # What is of the whole picture is not offered for one face.
    assert not page.locator("#slider-warmth").is_visible()
    assert not page.locator("#slider-mend_scratches").is_visible()
    assert page.locator("#slider-strength").is_visible()

    # A preview, drawn without the server, is what the server then draws; the other face is left alone.
    for key, value in (("strength", 0.4), ("eye", 0.2), ("latent_step_decay", 0.05)):
        page.evaluate("document.getElementById('canvas').dataset.drawn = '0'")
        slide(page, key, value)
        page.locator("#canvas:not([data-drawn='0'])").wait_for()
        preview, exact = seen(page), settled(page)
        assert np.abs(within(preview, page, 0) - within(exact, page, 0)).mean() < 1.0, key
        # Where the two touch, JPEG's cells hold something of both.
        assert np.abs(within(exact, page, 1) - within(shared, page, 1)).mean() < 0.02, key
    assert np.abs(within(exact, page, 0) - within(shared, page, 0)).mean() > 0.2
    assert "settings of its own" in page.locator(".mark-face[data-face='0']").get_attribute("aria-label")
    assert page.locator(".face-chip.own").count() == 1

    # The others' settings are as they were, and theirs move on without its own.
    page.locator("#whose-all").click()
    assert page.locator("#slider-strength").input_value() == "1"
    assert "Face 1 has settings of its own" in page.locator(".whose").text_content()
    slide(page, "strength", 0.7)
    page.locator(".face-chip[data-face='1']").click()
    page.locator("#whose-one").click()
    assert page.locator("#slider-strength").input_value() == "0.7"
    page.locator("[data-preset='natural']").click()
    assert page.locator("#slider-latent_step_decay").input_value() == "0.04"
    # A preset has no strength of its own for one face.
    assert page.locator("#slider-strength").input_value() == "0.7"
    assert page.locator("[data-preset='natural']").get_attribute("aria-pressed") == "true"
    assert page.locator(".face-chip.own").count() == 2
    page.locator("#undo").click()
    assert page.locator(".face-chip.own").count() == 1
    page.locator("#redo").click()
    assert page.locator(".face-chip.own").count() == 2
    # On a phone as well, it is within reach.
    size = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#whose-back").click(trial=True)
    page.set_viewport_size(size)
    page.locator("#whose-back").click()
    assert page.locator(".face-chip.own").count() == 1
    assert not page.locator("#whose-back").is_visible()

    # What is seen can be said as a command, for another day.
    page.locator("details:has(#command) > summary").click()
    until(page, lambda: "--face" in page.locator("#command").input_value())
    said = shlex.split(page.locator("#command").input_value())
    assert said[:3] == ["likeness", "restore", "couple.png"]
    parser = Parser(prog="try")
    add_options(parser)
    told = typed_settings(parser.parse_args(said[3:]))
    assert told["strength"] == 0.7
    assert told["face_controls"] == {
        "1": {"strength": 0.4, "latent_step_decay": 0.05, "face_mask_weights": {"eye": 0.2}}
    }

    # A slider that is moved back to where the others are is one of theirs again; a reload keeps what a face has.
    page.locator(".face-chip[data-face='0']").click()
    assert page.locator("#slider-strength").input_value() == "0.4"
    for key, value in (("strength", 0.7), ("eye", 1), ("latent_step_decay", 0.1)):
        assert page.locator(".face-chip.own").count() == 1
        slide(page, key, value)
    assert page.locator(".face-chip.own").count() == 0
    slide(page, "nose", 0.3)
    settled(page)
    page.reload()
    page.locator("#canvas[data-ready]").wait_for()
    assert page.locator(".face-chip.own").count() == 1
    assert page.locator("#slider-nose").input_value() == "1"
    page.locator("#whose-one").click()
    assert page.locator("#slider-nose").input_value() == "0.3"
    page.locator("#whose-all").click()
    page.locator("[data-preset='standard']").click()
    drop(page, two_faces, "couple.png")
    # It belonged to the faces of that picture.
    assert page.locator(".face-chip.own").count() == 0


def test_the_grain_of_one_face_is_previewed_on_it_alone(couple: Any) -> None:
    page = couple
    page.locator("#keep-grain").check()
    every = settled(page)
    page.locator(".face-chip[data-face='0']").click()
    page.locator("[data-zoom='fit']").click()
    page.locator("#whose-one").click()
    settled(page)
    page.evaluate("document.getElementById('canvas').dataset.drawn = '0'")
    slide(page, "grain_amount", 0)
    page.locator("#canvas:not([data-drawn='0'])").wait_for()
    preview, exact = seen(page), settled(page)
    assert np.abs(within(preview, page, 0) - within(exact, page, 0)).mean() < 1.0
    assert np.abs(within(preview, page, 1) - within(every, page, 1)).mean() < 0.2
    assert np.abs(within(exact, page, 1) - within(every, page, 1)).mean() < 0.02


def test_the_keyboard_alone_is_enough(page: Any) -> None:
    page.locator("#slider-strength").focus()
    value = float(page.locator("#slider-strength").input_value())
    page.keyboard.press("ArrowLeft")
    assert float(page.locator("#slider-strength").input_value()) == pytest.approx(value - 0.01)
    page.keyboard.press("Control+z")
    assert float(page.locator("#slider-strength").input_value()) == pytest.approx(value)
    page.locator("#canvas").focus()
    page.keyboard.press("2")
    assert page.locator("#zoom-now").text_content() == "200%"
    page.keyboard.press("0")
    page.locator(".mark-face[data-face='1']").focus()
    page.keyboard.press("Space")
    assert page.locator(".mark-face[data-face='1']").get_attribute("aria-checked") == "true"
    # Every control can be reached and says what it is.
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a[href], [role=slider]")]
          .filter((it) => it.offsetParent && !it.hidden && it.type !== "file")
          .filter((it) => !(it.getAttribute("aria-label") || it.labels?.length || it.textContent.trim()))
          .map((it) => it.outerHTML)"""
    )
    assert nameless == []
    reached = set()
    page.locator("body").press("Tab")
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"divider", "undo", "slider-strength", "slider-hair", "keep-grain", "canvas"} <= reached


def test_the_picture_is_repaired_by_slider_and_by_brush(page: Any) -> None:
    page.locator("[data-preset='standard']").click()
    plain = settled(page)
    assert page.locator("#slider-mend_scratches").input_value() == "0"
    page.locator("[data-preset='film-scan']").click()
    # What surely is damage is mended.
    sliders = ("mend_scratches", "mend_sensitivity", "balance", "descreen")
    assert [page.locator(f"#slider-{key}").input_value() for key in sliders] == ["1", "0", "0.8", "1"]
    settled(page)
    assert page.locator("#repair-found").text_content()
    slide(page, "mend_scratches", 0)
    # Repairs of the preset go with it; those set by hand stay.
    page.locator("[data-preset='natural']").click()
    assert page.locator("#slider-balance").input_value() == "0"
    slide(page, "balance", 0.5)
    page.locator("[data-preset='standard']").click()
    assert page.locator("#slider-balance").input_value() == "0.5"
    slide(page, "balance", 0)
    # The brush, by pointer: seen at once, mended, and one step of the history.
    page.locator("[data-tool='paint']").click()
    assert page.locator("#show-marks").is_checked()
    box = page.locator("#canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + 40, y)
    page.mouse.down()
    page.mouse.move(x + 90, y + 30, steps=4)
    page.mouse.up()
    assert page.locator("#announce").text_content() == "Mended here"
    settled(page)
    # Scratches were not looked for.
    assert not page.locator("#repair-found").text_content()
    page.locator("[data-tool='paint']").click()
    assert page.locator("#brush-size").is_hidden()
    page.locator("#show-marks").click()
    painted = settled(page)
    assert np.abs(painted - plain).max() > 8
    page.locator("#undo").click()
    assert np.abs(settled(page) - plain).max() <= 8
    page.locator("#redo").click()
    assert page.get_by_text("Clear the brush").is_visible()
    page.get_by_text("Clear the brush").click()
    assert np.abs(settled(page) - plain).max() <= 8
    # And by keys: taken up with Space, moved with arrows, painting with Enter, laid down with Escape.
    page.locator("[data-tool='rub']").focus()
    page.keyboard.press("Space")
    page.locator("#canvas").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert page.locator("#announce").text_content() == "Left as it is"
    page.keyboard.press("Escape")
    assert page.locator("[data-tool='rub']").get_attribute("aria-pressed") == "false"
    page.get_by_text("Clear the brush").click()
    page.locator("#show-marks").click()


def test_more_of_a_scan_is_offered_to_be_mended_if_there_is_more(
    browser: Any, server: Running, dusty_scan: PillowImage.Image
) -> None:
    page = new_page(browser, server)
    stream = io.BytesIO()
    dusty_scan.save(stream, "PNG")
    drop(page, stream.getvalue(), "scan.png")
    offer = page.locator("#repair-offer")
    assert offer.is_hidden(), "other presets are for other pictures"
    page.locator("[data-preset='film-scan']").click()
    offer.wait_for()
    assert (offer.text_content() or "").startswith("Less sure, and left: scratches ")
    mended = settled(page)
    assert page.locator("#repair-found").text_content() == "Mended: specks 4"
    offer.locator("button").click()
    sliders = ("mend_scratches", "mend_sensitivity")
    assert [page.locator(f"#slider-{key}").input_value() for key in sliders] == ["1", "0.5"]
    assert page.locator("#show-marks").is_checked()
    assert offer.is_hidden()
    page.locator("#show-marks").click()
    assert np.abs(settled(page) - mended).max() > 8
    page.locator("#undo").click()
    offer.wait_for()
    # Another sensitivity is another count; of nothing nothing is said.
    none = {"scratches": 0, "specks": 0, "pieces": 0}
    page.route("**/left", lambda route: route.fulfill(json=none))
    slide(page, "mend_sensitivity", 0.1)
    until(page, offer.is_hidden)


def test_a_picture_that_lies_on_its_side_is_turned_by_a_click(
    browser: Any, server: Running, astronaut_file: Path
) -> None:
    picture, stream = PillowImage.open(astronaut_file).convert("RGB"), io.BytesIO()
    picture.crop((0, 0, 512, 400)).transpose(PillowImage.Transpose.ROTATE_90).save(stream, "PNG")
    page = new_page(browser, server)
    drop(page, stream.getvalue(), "lying.png")
    assert "The picture lies on its side." in page.locator(".findings").text_content()
    page.get_by_role("button", name="Turn it upright").click()
    until(page, lambda: "lies on its side" not in page.locator(".findings").text_content())
    page.locator("#undo").click()
    until(page, lambda: "lies on its side" in page.locator(".findings").text_content())
    page.close()


def test_the_picture_is_turned_straightened_and_cut(page: Any) -> None:
    page.locator("[data-preset='standard']").click()
    page.locator("[data-zoom='fit']").click()
    plain = settled(page)
    size = page.locator("#canvas").bounding_box()
    # Turned: other proportions, faces looked for anew (these two lie on their sides now), and one step back.
    page.locator(".framing [data-turn='90']").click()
    assert page.locator("#announce").text_content() == "Turned"
    settled(page)
    page.locator("#undo").click()
    assert np.abs(settled(page) - plain).mean() < 0.5
    # Straightened: seen with a grid while the slider moves, drawn by the server when it rests.
    slider = page.locator("#slider-straighten")
    slider.evaluate("e => { e.value = 5; e.dispatchEvent(new Event('input')); }")
    assert "tilting" in page.locator("#stage").get_attribute("class")
    slider.evaluate("e => e.dispatchEvent(new Event('change'))")
    leaning = settled(page)
    assert "tilting" not in page.locator("#stage").get_attribute("class")
    assert np.abs(leaning - plain).mean() > 3
    assert page.locator(".mark-face[aria-checked='true']").count() == 2, "ticks go with the faces"
    page.locator("#undo").click()
    assert np.abs(settled(page) - plain).mean() < 0.5
    # Cut: by a handle, by proportions, by keys.
    page.locator("#crop").click()
    x, y = size["x"] + size["width"] / 2, size["y"] + size["height"] / 2
    kept = page.locator("#crop-size")
    assert kept.text_content() == "512 × 256 px"
    right = page.evaluate("document.getElementById('stage').clientWidth") - 20
    page.mouse.move(size["x"] + right, y)
    page.mouse.down()
    page.mouse.move(x, y, steps=5)
    page.mouse.up()
    width = int((kept.text_content() or "").split()[0])
    assert 240 < width < 272
    page.locator("#crop-ratio").select_option("1:1")
    page.locator("#canvas").focus()
    page.keyboard.press("-")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator("#crop").get_attribute("aria-pressed") == "false"
    across, _, down, _ = (kept.text_content() or "").split()
    assert abs(int(across) - int(down)) <= 1
    with page.expect_download() as saved:
        page.locator("[data-take='png']").click()
    with PillowImage.open(saved.value.path()) as file:
        assert file.size == (int(across), int(down)), "the file is what is seen"
    assert page.locator(".mark-face.cut").count() == 1
    # Escape takes back what was done since the frame was taken.
    page.locator("#crop").click()
    page.locator("#canvas").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    assert kept.text_content() == f"{across} × {down} px"
    page.get_by_text("Keep all of it").click()
    page.locator("#undo").click()
    assert kept.text_content() == f"{across} × {down} px"
    page.locator("#redo").click()
    assert np.abs(settled(page) - plain).mean() < 0.5


def test_a_region_lights_up_in_the_drawing_and_on_the_picture(page: Any) -> None:
    plain = settled(page)
    page.locator(".part[data-region='nose'] path").hover()
    assert "lit" in page.locator("[data-slider='nose']").get_attribute("class")

    def lit() -> NDArray[np.int16]:
        return np.abs(within(seen(page), page, 0) - within(plain, page, 0)).max(axis=2)

    # As soon as the page has what shows where the nose is.
    until(page, lambda: lit().max() > 40)
    change = lit()
    assert (change > 20).mean() < 0.3  # the nose, not the face
    page.mouse.move(5, 5)
    assert np.array_equal(within(seen(page), page, 0), within(plain, page, 0))


def test_evidence_in_plain_words(page: Any) -> None:
    page.get_by_role("button", name="Measure face").click()
    page.locator(".figure-group").first.wait_for()
    assert page.locator(".figure-group").count() >= 5
    assert "Iris" in page.locator(".figures").text_content()


def test_chinese_and_a_reload(page: Any) -> None:
    page.get_by_role("button", name="中文").click()
    text = page.locator("body").inner_text()
    for words in ("单图增强", "批量处理", "增强强度", "肤色保护", "保留颗粒", "高级参数", "模型设置"):
        assert words in text
    with page.expect_response("**/evidence"):
        page.get_by_role("button", name="测量人脸").click()
    page.locator(".measured button:not(:disabled)").wait_for()
    said = page.evaluate(
        """async () => {
          return [...document.querySelectorAll(".figure-said, .figure-title")].map((it) => it.textContent);
        }"""
    )
    assert said
    assert all(re.search(r"[\u4e00-\u9fff]", sentence) for sentence in said if sentence)
    look = page.locator("#slider-latent_step_decay").input_value()
    page.reload()
    page.locator("#canvas[data-ready]").wait_for()
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert page.locator("#slider-latent_step_decay").input_value() == look
    page.get_by_role("button", name="EN").click()


def test_a_picture_that_the_server_forgot_is_brought_again(page: Any, server: Running, two_faces: bytes) -> None:
    drop(page, two_faces, "again.png")
    slide(page, "strength", 0.5)
    key = page.evaluate("JSON.parse(sessionStorage.getItem('likeness.open')).id")
    with server.http() as client:
        assert client.delete(f"/live/pictures/{key}").status_code == 204
    slide(page, "strength", 0.2)
    until(page, lambda: page.evaluate("JSON.parse(sessionStorage.getItem('likeness.open')).id") != key)
    settled(page)
    assert page.locator("#slider-strength").input_value() == "0.2"
    assert page.locator("#problem").is_hidden()


def test_what_is_no_picture_is_said_in_the_pages_language(page: Any) -> None:
    page.set_input_files("#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"})
    page.locator("#problem:not([hidden])").wait_for()
    # What is seen is another file.
    assert (
        page.locator("#problem-text").text_content().startswith("notes.txt: This file is no picture that can be read.")
    )
    page.locator("#problem-close").click()


def test_a_picture_is_pasted(page: Any, two_faces: bytes) -> None:
    page.evaluate("delete document.getElementById('canvas').dataset.ready")
    page.evaluate(
        """(text) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }""",
        base64.b64encode(two_faces).decode(),
    )
    until(page, lambda: page.title() == "pasted.png · Likeness")
    page.locator("#canvas[data-ready]").wait_for()
    assert page.locator(".mark-face").count() == 2


def test_a_picture_is_taken_with_the_camera(browser: Any, server: Running) -> None:
    opened = new_page(browser, server)
    opened.locator("#camera").click()
    opened.locator("#camera-dialog[open]").wait_for()
    opened.locator("#camera-take").click()
    # The device's test picture has no face.
    opened.locator("#faceless").wait_for()
    assert opened.title() == "camera.png · Likeness"
    assert "No face was found" in opened.locator("#faceless").inner_text()
    for nothing in ("#divider", "#tag-before", "#take", "#panel", "#hold"):
        assert not opened.locator(nothing).is_visible()
    assert opened.evaluate("document.getElementById('camera-view').srcObject") is None
    opened.context.close()


def test_another_photograph_is_brought_refused_trusted_and_taken_away(
    browser: Any, server: Running, astronaut: Image, portrait: bytes, stranger: bytes
) -> None:
    blurred = encode_image(astronaut.with_pixels(gaussian_blur(astronaut.pixels, 1.5)), "PNG")
    page = new_page(browser, server)
    drop(page, blurred, "blurred.png")
    page.locator("#divider").focus()
    page.keyboard.press("Home")
    alone = settled(page)
    assert not page.locator("#slider-reference_strength").is_visible()

    def bring(data: bytes, name: str) -> Any:
        page.locator("#reference-files").set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": data})
        card = page.locator(f".reference:has-text('{name}')")
        card.wait_for()
        return card

    own = bring(portrait, "sharp.jpg")
    until(page, lambda: "Gives eyes, brows, nose" in own.text_content())
    assert page.locator(".mark-face[data-face='0'] .mark-lent img").is_visible()
    served = settled(page)
    assert np.abs(served - alone).max() > 20
    # What the browser previews is what the server then draws.
    page.evaluate("document.getElementById('canvas').dataset.drawn = '0'")
    slide(page, "reference_strength", 0.4)
    page.locator("#canvas:not([data-drawn='0'])").wait_for()
    preview, exact = seen(page), settled(page)
    assert np.abs(exact - served).max() > 8
    assert np.abs(preview - exact).mean() < 0.5
    slide(page, "reference_strength", 1)
    settled(page)

    other = bring(stranger, "stranger.jpg")
    until(page, lambda: "likely another person (likeness 0." in other.text_content())
    assert np.array_equal(settled(page), served)
    other.locator("text=Use it anyway").click()
    until(page, lambda: "Used on your word" in other.text_content() or "nothing to add" in other.text_content())
    assert page.locator("text=Use it anyway").count() == 0
    page.locator("#undo").click()
    until(page, lambda: "likely another person" in other.text_content())

    own.locator("button[aria-label='Take sharp.jpg away']").click()
    assert own.count() == 0
    until(page, lambda: page.locator(".mark-lent").count() == 0)
    page.locator("#undo").click()
    until(page, lambda: "Gives eyes" in own.text_content())
    page.locator("[data-language='zh']").click()
    until(page, lambda: "眼睛、眉毛" in own.text_content())
    page.reload()
    page.locator("body.ready").wait_for()
    until(page, lambda: own.count() == 1 and "眼睛、眉毛" in own.text_content())
    page.locator("[data-language='en']").click()

    # Dropped over the section they are other photographs, and no picture to open.
    let_fall(page, "[data-drop='one']", encode_image(GREY, "PNG"), "wall.png")
    until(page, lambda: "all.png shows no face" in page.locator("#problem-text").text_content())
    assert page.title().startswith("blurred.png")
    page.context.close()


def test_the_queue_goes_on_after_a_restart_under_the_open_page(
    browser: Any, tiny_restorer: Restorer, portrait: bytes, tmp_path: Path
) -> None:
    settings = ServerSettings(port=0, data=tmp_path, workers=1)
    with served(settings, tiny_restorer) as first:
        state = first.state
        # The only thread is busy until the server is told to stop: nothing of the job is done before.
        state.pool.submit_background(lambda: state.closing.wait(60))
        opened = new_page(browser, first)
        opened.locator("#tab-many").click()
        pictures = [{"name": f"{n}.jpg", "mimeType": "image/jpeg", "buffer": portrait} for n in range(3)]
        opened.set_input_files("#many-files", pictures)
        opened.locator("#many-start").click()
        opened.locator(".job .state.queued").nth(2).wait_for()
    # The page stays open, asks in vain, and finds the server again on its port.
    with served(replace(settings, port=first.port), tiny_restorer):
        opened.locator(".job[data-state='done']").wait_for()
        assert opened.locator(".job .state.final").count() == 3
        assert opened.locator("#problem").is_hidden()
    opened.context.close()


def test_many_pictures_survive_a_reload(page: Any, portrait: bytes) -> None:
    page.locator("#tab-many").click()
    pictures = [{"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": portrait} for name in ("one", "two")]
    page.set_input_files("#many-files", pictures)
    # What they begin with is what one picture begins with, and the command line.
    chosen = [select.input_value() for select in page.locator("#many .staging select").all()]
    assert chosen == ["standard", "rest", "rest"]
    assert page.locator("[data-preset='standard']").get_attribute("aria-pressed") == "true"
    page.locator(".staging .tile select").nth(1).select_option("natural")
    page.locator("#many-start").click()
    page.locator(".job[data-state='done']").wait_for()
    page.reload()
    page.locator(".job[data-state='done']").wait_for()
    assert page.locator(".job .tile").count() == 2
    assert page.locator(".job .tile .state.final").count() == 2
    with page.expect_download() as waiting:
        page.locator(".job a.button").click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert {"one.jpg", "two.jpg", "report.json"} == set(archive.namelist())
        report = archive.read("report.json").decode()
    assert '"preset": "natural"' in report
    page.on("dialog", _accept)
    page.locator(".job header button").click()
    page.locator(".job").wait_for(state="detached")


def test_a_picture_of_a_job_large_and_opened_with_its_settings(browser: Any, server: Running, portrait: bytes) -> None:
    page = new_page(browser, server)
    page.locator("#tab-many").click()
    names = [f"{name}.jpg" for name in ("one", "two", "three")]
    page.set_input_files(
        "#many-files", [{"name": name, "mimeType": "image/jpeg", "buffer": portrait} for name in names]
    )
    # What a picture is to look like is kept from the moment of its choice, whatever the other page shows later.
    page.locator(".staging .tile select").nth(1).select_option("natural")
    page.locator("#tab-one").click()
    slide(page, "strength", 0.5)
    page.locator("#tab-many").click()
    page.locator(".staging .tile select").nth(2).select_option("own")
    page.locator("#tab-one").click()
    slide(page, "strength", 1)
    page.locator("#tab-many").click()
    page.locator("#many-start").click()
    page.locator(".job[data-state='done']").wait_for()
    assert page.locator(".job-told").last.inner_text().startswith("3 restored")
    assert page.locator(".job a.button").inner_text() == "Download 3 results (ZIP)"

    page.locator(".job .flip").nth(1).click()
    box = page.locator(".lightbox")
    shown = [box.locator(f"img.{side}") for side in ("before", "after")]
    for image in shown:
        until(page, lambda image=image: image.evaluate("(image) => image.complete && image.naturalWidth > 0"))
    assert shown[0].bounding_box() == shown[1].bounding_box()
    assert (box.locator("h2").inner_text(), box.locator(".count").inner_text()) == ("two.jpg", "2 of 3")
    # The divider goes by its keys; elsewhere the arrows lead on.
    box.locator("input").press("Home")
    assert "100%" in shown[0].evaluate("(image) => getComputedStyle(image).clipPath")
    box.get_by_text("Next").press("ArrowRight")
    assert box.locator("h2").inner_text() == "three.jpg"
    assert box.get_by_text("Next").is_disabled()
    box.get_by_text("Open in One picture").click()
    page.locator("#canvas[data-ready]").wait_for()
    assert page.locator("#slider-strength").input_value() == "0.5"
    assert page.title().startswith("three.jpg")

    # Restored again it begins with what it was restored with; and results are fetched as they are wanted.
    page.locator("#tab-many").click()
    page.get_by_label("Restore three.jpg again").click()
    page.locator(".again[open]").wait_for()
    assert page.locator(".again select").input_value() == "kept"
    assert page.locator("#again-strength").input_value() == "0.5"
    page.locator(".again .dialog-actions button").last.click()
    page.locator(".job header select").select_option("web")
    with page.expect_download() as waiting:
        page.locator(".job a.button").click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert {"one_web.jpg", "two_web.jpg", "three_web.jpg", "report.json"} == set(archive.namelist())
    page.context.close()


def test_an_eye_is_seen_in_small_and_in_large_faces(browser: Any, server: Running, portrait: bytes) -> None:
    with PillowImage.open(io.BytesIO(portrait)) as whole:
        small = whole.convert("RGB").resize((whole.width * 45 // 200, whole.height * 45 // 200))
    wide = PillowImage.new("RGB", (600, 400), (90, 90, 90))
    wide.paste(small, (200, 100))
    stream = io.BytesIO()
    wide.save(stream, "PNG")
    page = new_page(browser, server)
    drop(page, stream.getvalue(), "far.png")
    # 150 px of loupe show half of the face's width, not 75 pixels of the photograph as at 200%.
    percent = int(page.locator(".loupe .number").first.inner_text().rstrip("%"))
    assert 400 < percent <= 800
    # Of a large face an eye is seen whole, and not the half of it that 200% would show.
    with PillowImage.open(io.BytesIO(portrait)) as whole:
        large = whole.convert("RGB").resize((whole.width * 8, whole.height * 8))
    stream = io.BytesIO()
    large.save(stream, "JPEG")
    page.set_viewport_size({"width": 900, "height": 860})
    drop(page, stream.getvalue(), "near.jpg")
    percent = int(page.locator(".loupe .number").first.inner_text().rstrip("%"))
    assert 100 <= percent < 200
    page.context.close()


def test_all_faces_are_ticked(browser: Any, server: Running, portrait: bytes) -> None:
    with PillowImage.open(io.BytesIO(portrait)) as whole:
        one = whole.convert("RGB").resize((160, round(whole.height * 160 / whole.width)))
    crowd = PillowImage.new("RGB", (one.width * 5, one.height * 3))
    for place in range(15):
        crowd.paste(one, (place % 5 * one.width, place // 5 * one.height))
    stream = io.BytesIO()
    crowd.save(stream, "PNG")
    page = new_page(browser, server)
    drop(page, stream.getvalue(), "crowd.png")
    assert page.locator(".face-chip").count() == page.locator(".face-chip.on").count() > 12
    # Numbers as large as the faces would hide them.
    number = page.locator(".mark-face:not(.current) .mark-number").first
    assert number.evaluate("number => number.offsetWidth") > 12
    page.set_viewport_size({"width": 390, "height": 844})
    until(page, lambda: number.evaluate("number => number.offsetWidth") == 8)
    page.context.close()


def test_a_narrow_dark_page_fits(browser: Any, server: Running) -> None:
    page = new_page(
        browser, server, viewport={"width": 390, "height": 844}, color_scheme="dark", is_mobile=True, has_touch=True
    )
    # A finger neither drops nor presses Ctrl+V.
    assert page.locator("#empty h2").text_content() == "Choose a portrait"
    assert "Ctrl" not in page.locator("#empty").inner_text()
    page.locator("#sample").click()
    page.locator("#canvas[data-ready]").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#divider").is_visible()
    download = page.locator("[data-take='png']").bounding_box()
    assert 700 < download["y"] < 844 - download["height"]
    page.evaluate("window.scrollTo(0, 99999)")
    # At the end as at the beginning the stage begins where the bar ends: nothing is seen between them.
    bar, stage = page.locator(".bar").bounding_box(), page.locator("#stage").bounding_box()
    assert (bar["y"], stage["y"]) == (0, bar["height"])
    red = page.evaluate("getComputedStyle(document.body).backgroundColor").partition("(")[2].partition(",")[0]
    assert int(red) < 60
    page.context.close()


def middle_rows(canvas: NDArray[np.int16]) -> NDArray[np.int16]:
    middle = len(canvas) // 2
    return canvas[middle - 150 : middle + 150]


def test_the_picture_is_seen_before_it_is_sent(browser: Any, server: Running, two_faces: bytes) -> None:
    page = new_page(browser, server)
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/live/pictures", hold)
    empty = seen(page)
    let_fall(page, "body", two_faces, "couple.png")
    until(page, lambda: len(held) == 1)
    drawn = seen(page)
    assert np.abs(drawn - empty).mean() > 20
    assert "Sending the picture" in page.locator("#busy").text_content()
    assert not page.locator("#divider").is_visible()
    assert page.locator("#canvas").get_attribute("aria-busy") == "true"
    held[0].continue_()
    page.locator("#canvas[data-ready]").wait_for()
    page.locator("#divider").focus()
    page.keyboard.press("End")
    # The server's own drawing of what was before, as large, in the middle of a stage that the loupes have made lower.
    own = settled(page)
    assert np.abs(middle_rows(own) - middle_rows(drawn)).mean() < 4
    page.context.close()


def test_a_file_that_is_edited_is_there_and_saved(
    browser: Any, tiny_restorer: Restorer, astronaut: Image, tmp_path: Path
) -> None:
    endings: list[str] = []
    target = tmp_path / "photo-likeness.png"
    editing = Editing(astronaut, "photo.jpg", target, on_end=endings.append)
    with served(ServerSettings(port=0, data=tmp_path / "data"), tiny_restorer, editing) as running:
        page = new_page(browser, running)
        page.locator("#canvas[aria-busy=false]").wait_for()
        assert page.title().startswith("photo.jpg")
        assert not page.locator("#tab-many").is_visible()
        let_fall(page, "body", encode_image(GREY, "PNG"), "other.png")
        page.reload()
        page.locator("#canvas[aria-busy=false]").wait_for()
        page.locator("#edited-save").click()
        page.locator("#edited-note").wait_for()
        assert target.name in page.locator("#edited-said").inner_text()
        assert endings == ["saved"]
        page.context.close()
    assert read_image(target).size == astronaut.size


def test_a_file_that_is_no_picture_leaves_the_open_one(page: Any, two_faces: bytes) -> None:
    page.locator("#tab-one").click()
    drop(page, two_faces, "stays.png")
    before = settled(page)
    page.set_input_files("#file", {"name": "cut.png", "mimeType": "image/png", "buffer": two_faces[:2000]})
    page.locator("#problem:not([hidden])").wait_for()
    page.locator("#problem-close").click()
    assert np.array_equal(settled(page), before)
    assert page.title().startswith("stays.png")
    assert not page.evaluate("document.getElementById('panel').inert")


def test_what_is_found_of_several_faces_is_said_once(page: Any, two_faces: bytes) -> None:
    with PillowImage.open(io.BytesIO(two_faces)) as picture:
        small = picture.resize((picture.width * 2 // 5, picture.height * 2 // 5))
    stream = io.BytesIO()
    small.save(stream, "PNG")
    page.locator("#tab-one").click()
    drop(page, stream.getvalue(), "small.png")
    said = page.locator(".findings .saying.many")
    assert said.count() == 1
    assert "2 of 2 faces are less than 48 px wide: enlarge" in said.text_content()
    assert said.locator(".face-link").all_text_contents() == ["1", "2"]
    # What there is to know comes before what there is to set.
    assert page.locator("#panel-scroll > .section").first.get_attribute("class") == "section findings"


def test_enlarging_is_advised_where_a_face_is_too_small_to_show_what_was_drawn(page: Any, two_faces: bytes) -> None:
    page.locator("#tab-one").click()
    drop(page, two_faces, "medium.png")
    advised = page.locator(".findings .saying", has_text="too small here to show all that is restored")
    assert advised.count() == 1
    # What is advised is one press away, and no longer advised when it is done.
    advised.get_by_role("button", name="Enlarge the result").click()
    assert page.locator("#take-size").evaluate("select => select.selectedIndex") == 3
    assert advised.count() == 0


def test_what_speaks_against_several_faces_is_said_once(page: Any, two_faces: bytes) -> None:
    told = [
        {"face": face, "level": "bad", "notice": {"code": "verdict.little-held", "values": {"pixels": pixels}}}
        for face, pixels in enumerate((21.6, 37.2))
    ]
    page.route("**/verdicts", lambda route: route.fulfill(json={"verdicts": told}))
    page.locator("#tab-one").click()
    drop(page, two_faces, "soft.png")
    said = page.locator(".section:not(.findings) .saying.many.refuse")
    said.wait_for()
    assert said.locator("> span").first.text_content() == "Bad: The photograph holds only 22 to 37 px here."
    assert said.locator(".face-link").all_text_contents() == ["1", "2"]
    # Another part of the same result, drawn later, takes back nothing of what was said of its faces.
    with page.expect_response("**/views") as drawn:
        page.locator("[data-zoom='1']").click()
    drawn.value.finished()
    settled(page)
    assert said.count() == 1
    page.locator("[data-zoom='fit']").click()
    page.unroute("**/verdicts")


@pytest.mark.parametrize(
    "options", [{}, {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    scheme: str,
    options: dict[str, Any],
    browser: Any,
    server: Running,
    two_faces: bytes,
    astronaut: Image,
    tmp_path: Path,
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = new_page(browser, server, color_scheme=scheme, **options)
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"], "resultTypes": ["violations"]}

    def serious() -> list[str]:
        found = axe.Axe().run(page, options=rules).response["violations"]
        return [
            f"{rule['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    assert serious() == []
    drop(page, two_faces, "couple.png")
    settled(page)
    assert serious() == []
    page.locator("#tab-many").click()
    page.set_input_files("#many-files", [{"name": "a.png", "mimeType": "image/png", "buffer": two_faces}])
    assert serious() == []
    page.locator("#many-start").click()
    page.locator(".job[data-state='done']").wait_for()
    assert serious() == []
    page.locator(".job .flip").click()
    assert serious() == []
    page.keyboard.press("Escape")
    page.locator("#tab-video").click()
    assert serious() == []
    film = one_person(tmp_path, astronaut, 2)
    page.set_input_files("#video-file", film)
    page.locator(".person img").wait_for()
    assert serious() == []
    page.locator("#video-start").click()
    page.locator(".film-job[data-state='final']").wait_for(timeout=90_000)
    assert serious() == []
    page.context.close()


def one_person(folder: Path, portrait: Image, count: int = 12) -> Path:
    """A film of a second, of a kind that every browser plays."""
    clips = pytest.importorskip("clips", reason="PyAV is not installed (the extra [video])")
    frames = [cv2.resize(frame, None, fx=2, fy=2) for frame in clips.moving_frames(portrait, count)]
    return clips.write_clip(folder / "film.webm", frames * 2, codec="libvpx-vp9", options={"deadline": "realtime"})


def silence() -> bytes:
    """A second of sound, without a picture."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(16_000))
    return stream.getvalue()


def test_films_are_told_by_the_names_that_the_batch_knows(page: Any) -> None:
    page.locator("#tab-many").click()
    let_fall(page, "body", b"no film", "Wedding.MXF")  # no browser knows its kind
    page.locator("#video h2", has_text="Wedding.MXF").wait_for()
    assert ".mxf" in page.locator("#video-file").get_attribute("accept").split(",")
    assert page.locator("#many .staging .tile").count() == 0


def test_a_film_is_brought_its_person_chosen_watched_and_fetched(
    browser: Any, server: Running, astronaut: Image, two_faces: bytes, stranger: bytes, tmp_path: Path
) -> None:
    film = one_person(tmp_path, astronaut)
    page = new_page(browser, server)
    # Wherever it is dropped, a film is for the page of films.
    page.locator("#tab-many").click()
    let_fall(page, "body", film.read_bytes(), "film.webm", "other.webm")
    page.get_by_text("One video is restored at a time; the first one was taken.").wait_for()
    assert page.locator("#video").is_visible()
    assert urlsplit(page.url).fragment == "video"
    assert page.locator("#video h2").first.text_content() == "film.webm"
    page.locator(".person img").wait_for()
    assert page.locator("#video-people input").count() == 2
    page.locator(".person:has(img)").click()
    until(page, lambda: "To restore one person" in page.locator(".film-who .help").text_content())
    # At another moment who was chosen stays on offer, and is not counted among those who are seen there.
    page.locator(".person input:checked").focus()
    page.evaluate("document.querySelector('.film').currentTime = 0.5")
    page.locator(".person", has_text="The person you chose").wait_for()
    assert page.evaluate("document.activeElement.checked"), "who chooses by the keyboard stays there"
    assert page.locator(".person input").evaluate_all("radios => radios.map(({ checked }) => checked)") == [
        *(False, True, False)
    ]
    assert page.locator(".person img").evaluate_all("pictures => pictures.map(({ alt }) => alt)") == [
        *("", "Person 1 at this moment")
    ]
    page.locator("#video select").select_option("natural")
    page.set_input_files("#video-reference-files", {"name": "s.jpg", "mimeType": "image/jpeg", "buffer": stranger})
    assert page.locator("#video .reference-row li").count() == 1
    page.locator("#video-start").click()
    page.locator(".film-job[data-state='final']").wait_for(timeout=90_000)
    until(page, lambda: "The other photograph was not used: reference 1" in page.locator(".film-job").text_content())
    job = page.locator(".film-job").get_attribute("data-job")
    with server.http() as client:
        told = client.get(f"/v1/jobs/{job}/pictures/0").json()
    assert told["options"] == {"preset": "natural"}
    assert told["report"]["faces_restored"] == 24
    assert (server.state.settings.data / "jobs" / job / "person" / "0000").is_file()

    def times() -> list[float]:
        return page.evaluate("[...document.querySelectorAll('.twin video')].map((film) => film.currentTime)")

    # Nothing is fetched before it is to be watched, and a pause while it begins is no failure.
    assert page.evaluate("[...document.querySelectorAll('.twin video')].map((film) => film.readyState)") == [0, 0]
    page.evaluate("for (const _ of [1, 2]) document.querySelector('.twin-play').click()")
    until(page, lambda: page.evaluate("document.querySelector('.twin figure:last-child video').readyState") > 1)
    assert page.locator(".twin-controls").is_visible()
    # Slowly: a film of a second might be over, and the next click begin it anew.
    page.evaluate("for (const film of document.querySelectorAll('.twin video')) film.playbackRate = 0.25")
    page.locator(".twin-play").click()
    until(page, lambda: min(times()) > 0.2)
    page.locator(".twin-play").click()
    # A film says a moment later that it paused.
    until(page, lambda: page.locator(".twin-play").text_content() == "Play")
    page.locator(".twin input").fill("0.5")
    until(page, lambda: all(abs(seconds - 0.48) < 0.05 for seconds in times()))
    # What nobody sees is not heard.
    page.locator(".twin-play").click()
    until(page, lambda: page.locator(".twin-play").text_content() == "Pause")
    page.locator("#tab-many").click()
    until(page, lambda: page.locator(".twin-play").text_content() == "Play")
    page.locator("#tab-video").click()
    page.get_by_role("button", name="Closer").click()
    assert page.locator(".twin.closer").count() == 1
    with page.expect_download() as download:
        page.locator(".film-job a").click()
    assert download.value.suggested_filename == "film.webm"
    page.reload()
    page.locator("body.ready").wait_for()
    assert page.locator("#video").is_visible()
    page.locator(".film-job[data-state='final']").wait_for()
    page.locator(".twin input").fill("0.5")
    until(page, lambda: all(abs(seconds - 0.48) < 0.05 for seconds in times()))
    # Of some films a browser plays the sound alone.
    page.set_input_files("#video-file", {"name": "a.mp4", "mimeType": "video/mp4", "buffer": silence()})
    until(page, lambda: "cannot play" in page.locator(".film-who .help").text_content())
    page.locator(".staging.some .quiet:visible").click()
    page.set_input_files("#video-file", {"name": "b.mp4", "mimeType": "video/mp4", "buffer": b"no film"})
    until(page, lambda: "cannot play" in page.locator(".film-who .help").text_content())
    page.locator("#video-start").click()
    page.locator("#problem:not([hidden])").wait_for()
    assert "no video that can be read" in page.locator("#problem-text").text_content()
    page.once("dialog", _accept)
    page.locator(".film-job button.quiet").click()
    page.locator(".film-job").wait_for(state="detached")
    let_fall(page, "body", two_faces, "couple.png")
    page.locator("#canvas[data-ready]").wait_for()
    assert page.locator("#one").is_visible()
    page.context.close()


def test_the_page_can_be_installed_and_opens_without_its_server(
    browser: Any, tiny_restorer: Restorer, tmp_path: Path
) -> None:
    settings = ServerSettings(port=0, data=tmp_path, workers=1)
    with served(settings, tiny_restorer) as running:
        page = new_page(browser, running)
        with running.http() as client:
            manifest = client.get("/page/manifest.webmanifest").json()
            for icon in manifest["icons"]:
                answer = client.get(icon["src"])
                assert answer.headers["content-type"] == icon["type"]
                if icon["sizes"] != "any":
                    with PillowImage.open(io.BytesIO(answer.content)) as picture:
                        assert f"{picture.width}x{picture.height}" == icon["sizes"]
        page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.reload()
    page.locator("#problem:not([hidden])").wait_for()
    assert "The server does not answer" in page.locator("#problem-text").text_content()
    assert page.locator(".brand").inner_text() == "Likeness"
    # As soon as it is back, the page is whole again.
    with served(replace(settings, port=running.port), tiny_restorer):
        page.locator("body.ready").wait_for()
    page.context.close()


def test_every_word_is_there_in_both_languages(page: Any) -> None:
    words = page.evaluate(
        """async () => {
          const { WORDS } = await import("/page/words.js");
          return WORDS;
        }"""
    )
    english, chinese = words["en"], words["zh"]
    assert set(english) == set(chinese)
    assert {state for key in english if (state := key.removeprefix("state.")) != key} == {*STATES, "look"}
    for name in PRESETS:
        assert f"preset.{name}" in english
        assert f"preset.{name}.for" in english
    for key, sentence in english.items():
        assert set(re.findall(r"\{(\w+)\}", sentence)) == set(re.findall(r"\{(\w+)\}", chinese[key])), key


def test_the_page_says_what_the_library_says(page: Any) -> None:
    notices = [notice for notice in every_verdict() if notice.coded]
    found = page.evaluate(
        """async (notices) => {
          const { setLanguage } = await import("/page/words.js");
          const { said } = await import("/page/said.js");
          const found = {};
          for (const language of ["zh", "en"]) {
            setLanguage(language);
            found[language] = notices.map(said);
          }
          return found;
        }""",
        [notice.to_dict() for notice in notices],
    )
    for language in LANGUAGES:
        assert found[language] == [capital(notice.say(language, "page")) for notice in notices]


def test_no_request_left_the_machine_and_nothing_failed(page: Any, server: Running) -> None:
    assert page is not None
    assert {urlsplit(server.url).hostname} == HOSTS - {""}
    # A picture that is no longer open, a file that is no picture, and a server that is away are told by the browser as well.
    ours = [fault for fault in FAULTS if not any(word in fault for word in ("410", "422", "net::ERR_"))]
    assert ours == []


def test_the_page_is_complete_and_plain(server: Running) -> None:
    folder = files("likeness.server").joinpath("page")
    names = {entry.name for entry in folder.iterdir()}
    # Of which the server makes two itself: of the catalogues, and of the names.
    assert {*names, "messages.js", "files.json"} == set(PAGE_FILES)
    with server.http() as client:
        for name, media_type in PAGE_FILES.items():
            answer = client.get(f"/page/{name}")
            assert answer.headers["content-type"] == media_type
            head = client.head(f"/page/{name}")
            assert (head.status_code, head.content) == (200, b"")
            again = client.get(f"/page/{name}", headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            if not name.endswith((".jpg", ".png")):
                # Nothing from elsewhere; names of XML namespaces are no addresses.
                assert set(re.findall(r"https?://[^\s\"'`)]+", answer.text)) <= {"http://www.w3.org/2000/svg"}
        assert client.head("/").status_code == client.head("/healthz").status_code == 200
        policy = client.get("/").headers["content-security-policy"]
        assert "unsafe" not in policy
        html = client.get("/").text
        assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*\ssrc=)", html)
        for wrong in ("/page/", "/page/nothing.js", "/page/..%2flive.py", "/page/%2e%2e/live.py"):
            assert client.get(wrong).status_code == 404
