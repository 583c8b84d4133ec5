"""What the page makes of answers that come late, twice, in another order, or not at all."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from browsing import THROWN, drop, let_fall, new_page, open_key, settled, slide, until
from running import Running


@pytest.fixture(scope="module")
def opened(browser: Any, server: Running) -> Any:
    return new_page(browser, server)


@pytest.fixture
def page(opened: Any, two_faces: bytes) -> Generator[Any]:
    """A page on which two faces were just opened, as they are at first."""
    opened.locator("#tab-one").click()
    drop(opened, two_faces, "couple.png")
    settled(opened)
    yield opened
    opened.unroute_all()
    opened.evaluate("sessionStorage.clear()")
    opened.reload()
    opened.locator("body.ready").wait_for()
    assert THROWN == []


def hold(page: Any, path: str) -> list[Any]:
    """Requests to an address, from now on: each waits until it is continued."""
    held: list[Any] = []

    def keep(route: Any) -> None:
        held.append(route)

    page.route(path, keep)
    return held


def refuse(page: Any, path: str, code: str = "busy", times: int = 1) -> list[Any]:
    """Have the server refuse an address so often; the requests that came, refused or not."""
    asked: list[Any] = []

    def answer(route: Any) -> None:
        asked.append(route)
        if len(asked) > times:
            route.continue_()
        else:
            route.fulfill(status=429, json={"code": code, "detail": code})

    page.route(path, answer)
    return asked


def forgotten(page: Any, server: Running) -> str:
    """Have the server forget the open picture; its name."""
    key = open_key(page)
    with server.http() as client:
        assert client.delete(f"/live/pictures/{key}").status_code == 204
    return key


def kept(page: Any) -> dict[str, Any]:
    """The open picture's name and look, as they are kept for a reload."""
    return page.evaluate("JSON.parse(sessionStorage.getItem('likeness.open'))")


def test_what_was_asked_of_a_forgotten_picture_is_done_once_it_is_brought_again(
    page: Any, server: Running, portrait: bytes
) -> None:
    slide(page, "strength", 0.6)
    settled(page)
    key = forgotten(page, server)
    with page.expect_download() as saved:
        page.locator("[data-take='png']").click()
    assert saved.value.suggested_filename == "couple_restored.png"
    until(page, lambda: open_key(page) != key)
    settled(page)
    # Its steps are still there.
    page.locator("#undo").click()
    assert page.locator("#slider-strength").input_value() == "1"
    settled(page)
    forgotten(page, server)
    page.locator("#reference-files").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": portrait})
    page.locator(".reference:has-text('a.jpg')").wait_for()
    forgotten(page, server)
    page.get_by_role("button", name="Measure face").click()
    page.locator(".figure-group").first.wait_for()
    settled(page)
    page.locator("button[aria-label='Take a.jpg away']").click()
    settled(page)


def test_a_turned_picture_does_not_take_the_place_of_one_that_was_opened_after_it(page: Any, two_faces: bytes) -> None:
    held = hold(page, "**/framed")
    page.locator(".framing [data-turn='90']").click()
    until(page, lambda: len(held) == 1)
    drop(page, two_faces, "second.png")
    key = open_key(page)
    held[0].continue_()
    page.wait_for_timeout(700)
    settled(page)
    assert page.title().startswith("second.png")
    assert open_key(page) == key
    assert page.locator("#busy").is_hidden()


def test_a_picture_that_cannot_be_turned_at_once_is_turned_later(page: Any) -> None:
    plain = settled(page)
    asked = refuse(page, "**/framed")
    page.locator(".framing [data-turn='90']").click()
    until(page, lambda: len(asked) == 2)
    settled(page)
    assert page.locator("#problem").is_hidden()
    page.locator("#undo").click()
    assert np.abs(settled(page) - plain).mean() < 0.5
    page.unroute("**/framed")
    # Any other failure is told; the next move tries again.
    page.route("**/framed", lambda route: route.fulfill(status=500, json={"code": "failed", "detail": "x"}))
    page.locator(".framing [data-turn='90']").click()
    page.locator("#problem:not([hidden])").wait_for()
    page.locator("#problem-close").click()
    page.unroute("**/framed")
    page.locator("#undo").click()
    assert np.abs(settled(page) - plain).mean() < 0.5
    assert page.locator(".mark-face").count() == 2


def test_two_turns_are_two_turns(page: Any) -> None:
    plain = settled(page)
    held = hold(page, "**/framed")
    for _ in range(2):
        page.locator(".framing [data-turn='90']").click()
    until(page, lambda: len(held) == 2)
    for route in reversed(held):
        route.continue_()
    page.unroute("**/framed")
    settled(page)
    assert kept(page)["look"]["turn"] == 180
    for _ in range(2):
        page.locator("#undo").click()
    assert np.abs(settled(page) - plain).mean() < 0.5


def test_steps_that_were_made_while_a_picture_was_turned_go_with_it(page: Any) -> None:
    page.locator("#crop").click()
    page.locator("#crop-ratio").select_option("1:1")
    page.locator("#crop").click()
    settled(page)
    held = hold(page, "**/framed")
    page.locator(".framing [data-turn='90']").click()
    until(page, lambda: len(held) == 1)
    slide(page, "strength", 0.5)
    held[0].continue_()
    page.unroute("**/framed")
    settled(page)
    crop = kept(page)["look"]["crop"]
    assert crop.split(",")[0] == "0", "it lay in the middle, and the picture stands upright now"
    page.locator("#undo").click()
    settled(page)
    assert kept(page)["look"]["crop"] == crop
    for _ in range(2):
        page.locator("#undo").click()
    settled(page)
    assert page.locator("#slider-strength").input_value() == "1"
    assert kept(page)["look"]["crop"] is None


def test_previews_of_a_second_picture_do_not_wait_for_those_of_the_first(page: Any, two_faces: bytes) -> None:
    held = hold(page, "**/fields")
    slide(page, "degradation_scale", 0.5)
    until(page, lambda: len(held) == 1)
    page.evaluate("delete document.getElementById('canvas').dataset.ready")
    let_fall(page, "body", two_faces, "third.png")
    until(page, lambda: page.title().startswith("third.png"))
    settled(page)
    assert len(held) == 2
    held[1].continue_()
    page.locator("#canvas[data-ready]").wait_for()
    held[0].continue_()


def test_previews_are_asked_for_again_of_a_server_that_was_busy(page: Any) -> None:
    asked = refuse(page, "**/fields")
    page.evaluate("delete document.getElementById('canvas').dataset.ready")
    slide(page, "degradation_scale", 0.7)
    page.locator("#canvas[data-ready]").wait_for()
    assert len(asked) == 2
    assert page.locator("#problem").is_hidden()


def test_a_verdict_is_asked_for_the_look_that_is_seen(page: Any) -> None:
    """Not for one that was seen when previews were asked for."""
    held = hold(page, "**/fields")
    asked: list[Any] = []
    page.on("request", lambda request: request.url.endswith("/verdicts") and asked.append(request.post_data_json))
    slide(page, "degradation_scale", 0.6)
    until(page, lambda: len(held) == 1)
    with page.expect_response("**/verdicts"):
        slide(page, "strength", 0.5)
        slide(page, "warmth", 0.3)
    settled(page)
    for route in held:
        route.continue_()
    page.unroute("**/fields")
    page.wait_for_timeout(500)
    assert [look["degradation_scale"] for look in asked] == [0.6] * len(asked)
    assert asked[-1]["strength"] == 0.5
    assert asked[-1]["warmth"] == 0.3


def test_a_file_that_is_no_picture_leaves_what_was_said_of_the_open_one(page: Any, two_faces: bytes) -> None:
    told = [{"face": 0, "level": "bad", "notice": {"code": "verdict.little-held", "values": {"pixels": 22}}}]
    page.route("**/verdicts", lambda route: route.fulfill(json={"verdicts": told}))
    mark = page.locator(".mark-face[data-face='0'][data-verdict='bad']")
    slide(page, "strength", 0.9)
    mark.wait_for()
    page.set_input_files("#file", {"name": "cut.png", "mimeType": "image/png", "buffer": two_faces[:2000]})
    page.locator("#problem:not([hidden])").wait_for()
    page.locator("#problem-close").click()
    mark.wait_for()
    # What it is described with is in the page's language.
    assert "holds only" in mark.get_attribute("aria-description")
    page.locator("[data-language='zh']").click()
    assert "holds only" not in mark.get_attribute("aria-description")
    page.locator("[data-language='en']").click()


def test_another_tab_has_nothing_drawn(page: Any) -> None:
    before = settled(page)
    asked: list[Any] = []
    page.on("request", lambda request: request.url.endswith("/views") and asked.append(request))
    page.locator("#tab-many").click()
    page.wait_for_timeout(500)
    page.locator("#tab-one").click()
    page.wait_for_timeout(500)
    assert np.array_equal(settled(page), before)
    assert asked == []


def test_a_failure_leaves_the_size_that_was_chosen(page: Any) -> None:
    size = page.locator("#take-size")
    size.select_option(index=1)
    settled(page)
    page.route("**/views", lambda route: route.abort())
    slide(page, "degradation_scale", 0.5)
    page.locator("#problem:not([hidden])").wait_for()
    assert size.evaluate("select => select.selectedIndex") == 1
    page.unroute("**/views")
    page.locator("#problem-close").click()
    settled(page)
    size.select_option(index=3)
    until(page, lambda: "×" in size.locator("option:checked").text_content())
