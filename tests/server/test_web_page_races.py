"""What the page makes of answers that come late, twice, in another order, or not at all."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from browsing import THROWN, drop, let_fall, new_page, open_key, seen, settled, slide, until
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


def test_the_size_that_shows_all_detail_is_asked_for_at_once(page: Any) -> None:
    asked: list[Any] = []
    page.on("request", lambda request: request.url.endswith("/views") and asked.append(request.post_data_json))
    size = page.locator("#take-size")
    for index, upscale in ((1, 2), (3, "auto"), (2, 4), (3, "auto"), (0, 1)):
        size.select_option(index=index)
        settled(page)
        assert asked[-1]["upscale"] == upscale
    size.select_option(index=3)
    # What it comes to is not said before the server has.
    assert "×" not in size.locator("option:checked").text_content()
    settled(page)
    assert "×" in size.locator("option:checked").text_content()
    assert page.locator("#tag-before").text_content() == "Before, interpolated"
    size.select_option(index=0)
    settled(page)


def test_a_preset_that_is_chosen_for_each_picture_is(page: Any, two_faces: bytes) -> None:
    def another(route: Any) -> None:
        answer = route.fetch()
        opened = answer.json()
        opened["chosen"]["controls"]["latent_step_decay"] = 0.03
        route.fulfill(response=answer, json=opened)

    page.locator("[data-preset='auto']").click()
    page.route("**/live/pictures", another)
    drop(page, two_faces, "other.png")
    assert page.locator("#slider-latent_step_decay").input_value() == "0.03"
    assert not page.locator(".back").is_visible()
    page.unroute("**/live/pictures")
    # What was moved is kept, as of any preset.
    slide(page, "strength", 0.5)
    drop(page, two_faces, "couple.png")
    assert page.locator("#slider-strength").input_value() == "0.5"
    page.locator("[data-preset='standard']").click()


def test_what_was_asked_for_meanwhile_is_drawn_where_the_first_fails(page: Any) -> None:
    # What the problem takes of the page's height has something drawn anew anyhow: here it is there before.
    page.evaluate("document.getElementById('problem').hidden = false")
    settled(page)
    held = hold(page, "**/views")
    slide(page, "degradation_scale", 0.5)
    until(page, lambda: len(held) == 1)
    slide(page, "degradation_scale", 0.7)
    page.wait_for_timeout(300)
    held[0].fulfill(status=422, json={"code": "control-out-of-range", "detail": "no"})
    until(page, lambda: len(held) == 2)
    assert held[1].request.post_data_json["degradation_scale"] == 0.7
    held[1].continue_()
    settled(page)


def test_what_was_the_matter_with_the_server_is_over_when_it_answers(page: Any) -> None:
    page.route("**/views", lambda route: route.abort())
    slide(page, "degradation_scale", 0.5)
    page.locator("#problem:not([hidden])").wait_for()
    page.unroute("**/views")
    slide(page, "degradation_scale", 0.6)
    page.locator("#problem").wait_for(state="hidden")


def test_nobody_waits_for_the_verdict_on_a_look_that_has_passed(page: Any) -> None:
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.url.rpartition("/")[2]))
    held = hold(page, "**/verdicts")
    slide(page, "degradation_scale", 0.5)
    until(page, lambda: len(held) == 1)
    slide(page, "strength", 0.5)
    until(page, lambda: given_up == ["verdicts"])
    until(page, lambda: len(held) == 2)
    assert page.locator("#problem").is_hidden()


def test_settings_of_one_face_are_of_one_picture(page: Any, two_faces: bytes) -> None:
    page.locator("#whose-one").click()
    drop(page, two_faces, "second.png")
    assert page.locator("#whose-all").get_attribute("aria-pressed") == "true"


def test_a_later_command_is_not_written_over_by_an_earlier_one(page: Any) -> None:
    held = hold(page, "**/command")
    page.locator("details:has(#command) > summary").click()
    until(page, lambda: len(held) == 1)
    slide(page, "strength", 0.5)
    until(page, lambda: len(held) == 2)
    command = page.locator("#command")
    held[1].continue_()
    until(page, lambda: "--strength 0.5" in command.input_value())
    with page.expect_response("**/command"):
        held[0].continue_()
    page.wait_for_timeout(200)
    assert "--strength 0.5" in command.input_value()


def test_damage_of_a_second_picture_is_counted_while_that_of_the_first_is(page: Any, two_faces: bytes) -> None:
    held = hold(page, "**/left")
    page.locator("[data-preset='film-scan']").click()
    until(page, lambda: len(held) == 1)
    drop(page, two_faces, "second.png")
    until(page, lambda: len(held) == 2)
    held[1].fulfill(json={"scratches": 2, "specks": 0, "pieces": 0})
    page.locator("#repair-offer").wait_for()
    held[0].fulfill(json={"scratches": 7, "specks": 0, "pieces": 0})
    # What was counted is said in the page's language.
    assert page.locator("#repair-offer span").inner_text() == "Less sure, and left: scratches 2"
    page.locator("[data-language='zh']").click()
    assert "scratches" not in page.locator("#repair-offer span").inner_text()
    page.locator("[data-language='en']").click()
    page.locator("[data-preset='standard']").click()


def test_a_key_that_is_let_go_elsewhere_holds_nothing(page: Any) -> None:
    after = settled(page)
    page.keyboard.down("b")
    assert page.locator("#hold").get_attribute("aria-pressed") == "true"
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    assert page.locator("#hold").get_attribute("aria-pressed") == "false"
    assert np.array_equal(seen(page), after)
    page.keyboard.up("b")


def test_photographs_that_are_brought_while_a_picture_is_turned_stay(page: Any, portrait: bytes) -> None:
    held = hold(page, "**/references")
    page.locator("#reference-files").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": portrait})
    until(page, lambda: len(held) == 1)
    slide(page, "straighten", 3)
    settled(page)
    held[0].continue_()
    page.locator(".reference:has-text('a.jpg')").wait_for()


def test_what_is_measured_is_measured_once(page: Any) -> None:
    held = hold(page, "**/evidence")
    measure = page.locator(".measured button")
    measure.click()
    until(page, lambda: len(held) == 1)
    slide(page, "strength", 0.5)
    assert measure.is_disabled()
    assert measure.text_content() == "Measuring …"
    held[0].continue_()
    page.locator(".figure-group").first.wait_for()
    assert measure.is_enabled()


def test_a_camera_that_is_asked_for_twice_is_given_back(browser: Any, server: Running) -> None:
    page = new_page(browser, server)
    page.evaluate(
        """() => {
          const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          window.lent = [];
          navigator.mediaDevices.getUserMedia = async (wanted) => {
            const stream = await ask(wanted);
            window.lent.push(...stream.getTracks());
            return stream;
          };
          for (const _ of [1, 2]) document.getElementById("camera").click();
        }"""
    )
    page.locator("#camera-dialog[open]").wait_for()
    page.wait_for_timeout(200)
    page.locator("#camera-cancel").click()
    until(page, lambda: page.evaluate("lent.map((track) => track.readyState)") == ["ended"])
    page.context.close()


@pytest.fixture
def many(browser: Any, server: Running) -> Generator[Any]:
    """A page of many pictures."""
    page = new_page(browser, server)
    page.locator("#tab-many").click()
    yield page
    page.context.close()
    assert THROWN == []


def stage_some(page: Any, data: bytes, *names: str) -> None:
    page.set_input_files("#many-files", [{"name": name, "mimeType": "image/jpeg", "buffer": data} for name in names])


def test_small_pictures_are_let_go(many: Any, portrait: bytes) -> None:
    many.evaluate(
        """() => {
          window.held = new Set();
          const { createObjectURL, revokeObjectURL } = URL;
          URL.createObjectURL = (blob) => {
            const url = createObjectURL.call(URL, blob);
            held.add(url);
            return url;
          };
          URL.revokeObjectURL = (url) => {
            held.delete(url);
            revokeObjectURL.call(URL, url);
          };
        }"""
    )
    stage_some(many, portrait, "a.jpg", "b.jpg", "c.jpg")
    until(many, lambda: many.evaluate("held.size") == 3)
    many.locator(".staging .tile .leave-out").first.click()
    many.locator("#many-start").click()
    many.locator(".job[data-state='done']").wait_for()
    many.on("dialog", lambda dialog: dialog.accept())
    many.locator(".job header button").click()
    many.locator(".job").wait_for(state="detached")
    stage_some(many, portrait, "d.jpg")
    many.set_input_files("#many-reference-files", {"name": "r.jpg", "mimeType": "image/jpeg", "buffer": portrait})
    many.locator(".staging .reference-row img[src]").wait_for()
    many.get_by_text("Clear").locator("visible=true").click()
    until(many, lambda: many.evaluate("held.size") == 0)


def test_pictures_that_are_brought_while_others_are_sent_stay(many: Any, portrait: bytes) -> None:
    held = hold(many, "**/v1/jobs")
    stage_some(many, portrait, "first.jpg")
    many.set_input_files("#many-reference-files", {"name": "r.jpg", "mimeType": "image/jpeg", "buffer": portrait})
    many.locator("#many-start").click()
    until(many, lambda: len(held) == 1)
    stage_some(many, portrait, "second.jpg")
    held[0].continue_()
    many.locator(".job[data-state='done']").wait_for()
    assert many.locator("#many .staging .grid .tile-name").all_text_contents() == ["second.jpg"]
    assert many.locator("#many .staging .reference-row li").count() == 0


def test_a_film_that_is_brought_while_another_is_sent_stays(many: Any) -> None:
    held = hold(many, "**/v1/videos")
    many.locator("#tab-video").click()
    many.set_input_files("#video-file", {"name": "first.mp4", "mimeType": "video/mp4", "buffer": b"no film"})
    many.locator("#video-start").click()
    until(many, lambda: len(held) == 1)
    many.set_input_files("#video-file", {"name": "second.mp4", "mimeType": "video/mp4", "buffer": b"no film"})
    film = {"number": 0, "name": "first.mp4", "state": "queued", "notice": None, "share": None}
    held[0].fulfill(status=201, json={"id": "x", "state": "queued", "pictures": [film]})
    many.locator(".film-job").wait_for()
    assert many.locator("#video .staging h2").text_content() == "second.mp4"


def test_jobs_of_two_windows_are_remembered(many: Any, server: Running, portrait: bytes) -> None:
    other = many.context.new_page()
    other.goto(f"{server.url}/#many")
    other.locator("body.ready").wait_for()
    for page in (many, other):
        stage_some(page, portrait, "a.jpg")
        page.locator("#many-start").click()
        page.locator(".job[data-state='done']").wait_for()
    many.reload()
    many.locator("body.ready").wait_for()
    assert many.locator(".job").count() == 2


def test_a_dialog_is_for_the_picture_that_was_asked_for_last_and_for_whoever_waits(many: Any, portrait: bytes) -> None:
    stage_some(many, portrait, "one.jpg", "two.jpg")
    many.locator("#many-start").click()
    many.locator(".job[data-state='done']").wait_for()
    held = hold(many, "**/pictures/0")
    many.get_by_label("Restore one.jpg again").click()
    until(many, lambda: len(held) == 1)
    many.get_by_label("Restore two.jpg again").click()
    many.locator(".again[open]").wait_for()
    held[0].continue_()
    many.wait_for_timeout(300)
    assert many.locator("#again-title").text_content() == "Restore two.jpg again"
    many.keyboard.press("Escape")
    # Large, one picture is never compared with another.
    many.locator(".job .flip").first.click()
    shown = many.locator(".lightbox-compare:not(.loading)")
    shown.wait_for()
    late = hold(many, "**/pictures/1/thumbnails/after**")
    many.get_by_text("Next").click()
    until(many, lambda: len(late) == 1)
    many.wait_for_timeout(200)
    assert not many.locator(".lightbox img.before").is_visible()
    late[0].continue_()
    shown.wait_for()
    many.keyboard.press("Escape")
    # In another tab it would stop the page, unseen.
    many.get_by_label("Restore one.jpg again").click()
    until(many, lambda: len(held) == 2)
    many.locator("#tab-one").click()
    held[1].continue_()
    many.wait_for_timeout(300)
    many.locator("#tab-many").click()
    assert many.locator(".again[open]").count() == 0
