from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as PillowImage
from running import Running

from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.restore.controls import Controls


def ask(server: Running, body: dict[str, Any], path: str = "extra-single-image") -> httpx.Response:
    with server.http() as client:
        return client.post(f"/sdapi/v1/{path}", json=body)


def picture(text: str) -> np.ndarray[Any, Any]:
    return read_image(base64.b64decode(text)).to_uint8()


# What the web UI's own page sends when only the face restorer was moved.
WHOLE = {
    "resize_mode": 0,
    "show_extras_results": True,
    "gfpgan_visibility": 0,
    "codeformer_visibility": 0,
    "codeformer_weight": 0,
    "upscaling_resize": 2,
    "upscaling_resize_w": 512,
    "upscaling_resize_h": 512,
    "upscaling_crop": True,
    "upscaler_1": "None",
    "upscaler_2": "None",
    "extras_upscaler_2_visibility": 0,
    "upscale_first": False,
}


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
@pytest.mark.parametrize(
    ("fields", "controls"),
    [
        ({"gfpgan_visibility": 1}, Controls()),
        ({"gfpgan_visibility": 0.5}, Controls(strength=0.5)),
        ({"codeformer_visibility": 1, "codeformer_weight": 1}, Controls(latent_step_decay=0.02)),
        ({"codeformer_visibility": 0.8, "codeformer_weight": 0.5}, Controls(strength=0.8, latent_step_decay=0.06)),
        ({"gfpgan_visibility": 0.5, "codeformer_visibility": 0.5}, Controls(strength=0.75)),
        ({"gfpgan_visibility": 1, "preset": "natural"}, Controls.natural()),
    ],
)
def test_the_web_ui_s_fields_are_controls(
    fields: dict[str, Any], controls: Controls, prefix: str, server: Running, portrait: bytes, astronaut: Image
) -> None:
    image = prefix + base64.b64encode(portrait).decode()
    answer = ask(server, {**WHOLE, **fields, "image": image}).json()
    expected = server.state.restorer.restore(astronaut, controls).image.to_uint8()
    # Half the step between two levels may fall either way, as weights are not kept to the last bit.
    assert np.abs(picture(answer["image"]).astype(int) - expected).max() <= 1
    assert answer["html_info"].startswith("<p>1 of 1 faces restored")


def test_nothing_asked_for_and_no_face_are_said_and_change_nothing(server: Running, portrait: bytes) -> None:
    image = base64.b64encode(portrait).decode()
    nothing = ask(server, {**WHOLE, "image": image}).json()
    assert "nothing was asked for" in nothing["html_info"]
    assert (picture(nothing["image"]) == read_image(portrait).to_uint8()).all()
    wall = base64.b64encode(wall_png()).decode()
    faceless = ask(server, {"gfpgan_visibility": 1, "image": wall}).json()
    assert "no face was found in the picture; the picture is as it came" in faceless["html_info"]
    assert (picture(faceless["image"]) == read_image(wall_png()).to_uint8()).all()


def wall_png() -> bytes:
    stream = io.BytesIO()
    PillowImage.new("RGB", (200, 160), (90, 120, 150)).save(stream, "PNG")
    return stream.getvalue()


def test_a_list_comes_back_in_its_order(server: Running, portrait: bytes) -> None:
    pictures = [{"data": base64.b64encode(data).decode(), "name": "x"} for data in (portrait, wall_png(), portrait)]
    answer = ask(server, {"imageList": pictures, "gfpgan_visibility": 1}, "extra-batch-images").json()
    assert [picture(image).shape for image in answer["images"]] == [(256, 256, 3), (160, 200, 3), (256, 256, 3)]
    assert answer["html_info"].count("<p>") == 3
    assert "<p>1: no face was found" in answer["html_info"]


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"upscaler_1": "R-ESRGAN 4x+"}, 422, "upscaler_1 must be one of None, Likeness faithful"),
        ({"upscaler_1": "Likeness clean", "upscaling_resize": 9}, 422, "upscale must be"),
        ({"upscaler_2": "Lanczos"}, 422, "upscaler_2 must be None"),
        ({"gfpgan_visibility": 2}, 422, "gfpgan_visibility: Input should be less than or equal to 1"),
        ({"resize_mode": False}, 422, "resize_mode: Input should be a valid integer"),
        ({"gfpgan_visibility": "1"}, 422, "gfpgan_visibility: Input should be a valid number"),
        ({"preset": "x"}, 422, 'unknown preset "x"'),
        ({"image": "https://example.org/a.jpg"}, 422, "pictures are not fetched from addresses"),
        ({"image": "data:text/html;base64,PGI+"}, 422, "the picture is no picture that can be read (a text file)"),
        ({"image": base64.b64encode(b"x" * (9 << 20)).decode()}, 413, "more than 11.7 MB"),
    ],
)
def test_what_cannot_be_done_is_said(
    fields: dict[str, Any], status: int, sentence: str, server: Running, portrait: bytes
) -> None:
    body = {"gfpgan_visibility": 1, "image": base64.b64encode(portrait).decode(), **fields}
    answer = ask(server, body)
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]


def test_tools_that_look_around_find_one_restorer_and_its_upscalers(server: Running) -> None:
    with server.http() as client:
        assert [found["name"] for found in client.get("/sdapi/v1/face-restorers").json()] == ["Likeness"]
        names = [found["name"] for found in client.get("/sdapi/v1/upscalers").json()]
    assert names == ["None", "Likeness faithful", "Likeness clean", "Likeness lanczos"]


@pytest.mark.parametrize("visibility", [0, 1])
def test_an_upscaler_enlarges_with_and_without_a_face(visibility: int, server: Running, portrait: bytes) -> None:
    grey = encode_image(Image(pixels=np.full((48, 64, 3), 0.5, np.float32)), "PNG")
    for data in (portrait, grey):
        before = read_image(data).size
        body = {
            "gfpgan_visibility": visibility,
            "upscaler_1": "Likeness faithful",
            "upscaling_resize": 2,
            "image": base64.b64encode(data).decode(),
        }
        answer = ask(server, body).json()
        after = read_image(base64.b64decode(answer["image"])).size
        assert (after.width, after.height) == (2 * before.width, 2 * before.height), answer["html_info"]
