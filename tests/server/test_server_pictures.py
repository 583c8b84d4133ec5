"""Restore, check, inspect and the lists, against what the library itself gives."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as PillowImage
from running import Running
from signals import tiff, tiff_page

from likeness.client.answers import RequestOptions
from likeness.client.http import LikenessClient
from likeness.errors import LikenessError, NoFaceError
from likeness.faces.preflight import preflight
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image
from likeness.repair.repairs import Repairs
from likeness.restore.controls import PRESETS, Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.pipeline import Restorer
from likeness.restore.selection import Selection
from likeness.server.api.pictures import wants_json


def sent(server: Running, path: str, files: dict[str, bytes], accept: str = "*/*", **fields: str) -> httpx.Response:
    with server.http(accept=accept) as client:
        return client.post(path, files={name: ("a.jpg", data) for name, data in files.items()}, data=fields)


def test_a_restored_picture_is_the_library_s_own(server: Running, portrait: bytes, astronaut: Image) -> None:
    controls = Controls.preset("film-scan").with_weights({"eye": 1.4})
    expected = server.state.restorer.restore(
        astronaut,
        controls,
        selection=Selection(which=(0,)),
        repairs=Repairs(scratches=1.0, balance=0.5),
    )
    answer = sent(
        server,
        "/v1/restore",
        {"file": portrait},
        preset="film-scan",
        face_mask_weights='{"eye": 1.4}',
        faces="0",
        balance="0.5",
        mend_scratches="1",
        format="png",
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert (answer.headers["likeness-faces"], answer.headers["likeness-restored"]) == ("1", "1")
    assert answer.content == encode_image(expected.image, "PNG")


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ('{"2": {"strength": 0.5}}', "there is no face 2 to have settings of its own"),
        ('{"1": {"strenth": 0.5}}', 'face 1: a face has no setting called "strenth" (did you mean "strength"?)'),
        ('{"1": {"strength": 5}}', "face 1: strength must be between 0 and 1"),
        ('{"0": {"strength": 0.5}}', 'faces are numbered from 1, so "0" is none'),
        ('{"1": 3}', "the settings of a face must be a table"),
        ("[]", "face_controls"),
        ("1:strength=0.5", "face_controls"),
    ],
)
def test_settings_of_a_face_that_cannot_be_used(server: Running, portrait: bytes, own: str, why: str) -> None:
    answer = sent(server, "/v1/restore", {"file": portrait}, face_controls=own)
    assert answer.status_code == 422
    assert why in answer.json()["detail"]


def test_whole_numbers_may_have_a_point_in_a_face_s_settings(server: Running, portrait: bytes) -> None:
    own = '{"1": {"refine": 2.0, "strength": 1}}'
    answer = sent(server, "/v1/restore", {"file": portrait}, "application/json", face_controls=own)
    assert answer.json()["report"]["faces"][0]["controls"]["refine"] == 2


def test_controls_are_chosen_on_request(server: Running, portrait: bytes, astronaut: Image) -> None:
    answer = sent(server, "/v1/restore", {"file": portrait}, "application/json", preset="auto", format="png").json()
    expected = server.state.restorer.restore(astronaut, "auto")
    assert expected.chosen is not None
    assert answer["report"]["chosen"]["notice"] == expected.chosen.sentence.to_dict()
    assert base64.b64decode(answer["image"]) == encode_image(expected.image, "PNG")
    assert RequestOptions(preset="auto").fields() == {"preset": "auto"}
    by_hand = RequestOptions(controls=Controls(strength=0.5), by_hand=("strength",))
    assert by_hand.fields() == {"preset": "auto", "strength": "0.5"}


def test_a_result_is_enlarged(server: Running, portrait: bytes, astronaut: Image) -> None:
    answer = sent(server, "/v1/restore", {"file": portrait}, "application/json", upscale="1.5", background="lanczos")
    report = answer.json()["report"]
    picture = read_image(base64.b64decode(answer.json()["image"]))
    assert (picture.size.width, report["result_width"], report["width"]) == (384, 384, 256)
    assert report["upscale"] == 1.5
    auto = sent(server, "/v1/restore", {"file": portrait}, "application/json", upscale="auto").json()["report"]
    in_python = server.state.restorer.restore(astronaut, enlargement=Enlargement(upscale="auto"))
    assert auto["upscale"] == in_python.upscale
    for fields in ({"upscale": "9"}, {"upscale": "2", "long_side": "512"}, {"background": "/etc/passwd"}):
        assert sent(server, "/v1/restore", {"file": portrait}, **fields).status_code == 422


def test_json_holds_the_picture_and_a_report(server: Running, portrait: bytes) -> None:
    answer = sent(
        server, "/v1/restore", {"file": portrait}, "application/json", evidence="true", degradation_scale="1.15"
    ).json()
    report = answer["report"]
    picture = read_image(base64.b64decode(answer["image"]))
    assert answer["media_type"] == "image/jpeg"
    assert (picture.size.width, picture.size.height) == (report["width"], report["height"]) == (256, 256)
    assert report["status"] == "restored"
    assert report["faces"][0]["evidence"]["figures"]
    assert "above 1.1" in report["warnings"][0]
    assert report["controls"]["degradation_scale"] == 1.15
    assert report["milliseconds"]["total"] > 0
    assert "input" not in report


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        ("*/*", False),
        ("image/*", False),
        ("application/json", True),
        ("text/html, application/json;q=0.9", True),
        ("application/json;q=0.5, image/png", False),
        ("application/json;q=0", False),
        ("application/json;q=x", False),
        ("", False),
    ],
)
def test_what_is_answered_goes_by_what_is_accepted(accept: str, json: bool) -> None:
    assert wants_json(accept) == json


def test_a_raw_file_and_further_pictures_are_told(server: Running, portrait: bytes) -> None:
    samples = np.asarray(PillowImage.open(io.BytesIO(portrait)).convert("RGB"))
    raw = tiff(tiff_page(samples, t50706=(1, [1, 4, 0, 0])))
    refused = sent(server, "/v1/restore", {"file": raw})
    assert (refused.status_code, refused.json()["code"]) == (422, "picture-raw")
    checked = sent(server, "/v1/check", {"file": raw}).json()
    assert [finding["code"] for finding in checked["findings"]] == ["raw"]
    pages = tiff(tiff_page(samples), tiff_page(samples))
    report = sent(server, "/v1/restore", {"file": pages}, "application/json").json()["report"]
    assert report["notes"] == [{"code": "several-pages", "value": 2}]


def test_a_damage_mask_is_filled_and_never_restored(server: Running, portrait: bytes) -> None:
    mask = np.zeros((256, 256), np.uint8)
    mask[68:82, 92:104] = 255
    stream = io.BytesIO()
    PillowImage.fromarray(mask).save(stream, "PNG")
    files = {"file": portrait, "damage_mask": stream.getvalue()}
    report = sent(server, "/v1/restore", files, "application/json").json()["report"]
    assert report["repairs"] is not None
    assert report["faces"][0]["filled"] > 0.005
    stream = io.BytesIO()
    PillowImage.new("L", (10, 10)).save(stream, "PNG")
    refused = sent(server, "/v1/restore", {"file": portrait, "damage_mask": stream.getvalue()})
    assert (refused.status_code, refused.json()["code"]) == (422, "control-out-of-range")


def test_other_photographs_serve_a_face_or_are_refused(server: Running, portrait: bytes, astronaut: Image) -> None:
    blurred = encode_image(astronaut.with_pixels(gaussian_blur(astronaut.pixels, 2.5)), "PNG")
    form = [("file", blurred), ("references", portrait), ("references", portrait)]
    with server.http() as client:

        def answer(*files: tuple[str, bytes], **fields: str) -> httpx.Response:
            return client.post(
                "/v1/restore",
                files=[(part, ("a", data)) for part, data in files],
                data=fields,
                headers={"Accept": "application/json"},
            )

        served = answer(*form, trust_references="true").json()["report"]
        (face,) = served["faces"]
        assert [match["name"] for match in face["references"]["matches"] if match["serves"]]
        assert {gift["name"] for gift in face["references"]["gifts"]} <= {"reference 1", "reference 2"}
        doubted = answer(*form[:2]).json()["report"]["faces"][0]
        assert not doubted["references"]["gifts"]
        assert doubted["notices"][-1]["code"] == "reference.doubt"
        without = answer(form[0]).json()["report"]["faces"][0]
        assert without["references"] is None
        flat = encode_image(Image(pixels=np.full((64, 64, 3), 0.5, np.float32)), "PNG")
        refused = answer(form[0], ("references", flat))
        assert (refused.status_code, refused.json()["code"]) == (422, "reference-unusable")
        assert refused.json()["notice"]["code"] == "reference.no-face"
        broken = answer(form[0], ("references", b"no picture"))
        assert (broken.status_code, broken.json()["code"]) == (422, "picture-unreadable")
        assert broken.json()["detail"].startswith("reference 1 is no picture")
        many = answer(form[0], *[("references", portrait)] * 9)
        assert (many.status_code, many.json()["code"]) == (413, "too-many-files")
    with LikenessClient(server.url) as likeness:
        asked = RequestOptions(trust_references=True)
        (face,) = likeness.restore(blurred, options=asked, references=[portrait]).report["faces"]
        assert {gift["name"] for gift in face["references"]["gifts"]} == {"reference 1"}
        with pytest.raises(NoFaceError, match="reference 1 shows no face"):
            likeness.restore(blurred, references=[flat])


@pytest.mark.parametrize(
    ("picture", "fields", "status"),
    [
        ("noise", {}, 422),
        ("portrait", {"faces": "7"}, 422),
        ("portrait", {"min_face": "5000"}, 422),
        ("large", {}, 413),
        ("portrait", {"bit_depth": "16", "format": "jpeg"}, 422),
        ("wide", {"aligned": "true"}, 422),
    ],
)
def test_an_error_has_the_library_s_sentence(
    picture: str, fields: dict[str, str], status: int, server: Running, portrait: bytes
) -> None:
    data = {"noise": flat(300, 300), "portrait": portrait, "large": flat(9000, 6000), "wide": flat(300, 200)}[picture]
    answer = sent(server, "/v1/restore", {"file": data}, **fields)
    assert answer.status_code == status
    with pytest.raises(LikenessError) as expected:
        by_hand(server, data, fields)
    assert answer.json()["detail"] == str(expected.value)


def flat(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    PillowImage.new("RGB", (width, height), (90, 120, 150)).save(stream, "PNG")
    return stream.getvalue()


def by_hand(server: Running, data: bytes, fields: dict[str, Any]) -> bytes:
    """What the command line does, in four lines."""
    image = read_image(data, max_pixels=server.state.settings.max_pixels, name="the picture")
    selection = Selection.parse(fields.get("faces", "all"), min_size=float(fields.get("min_face", 0)))
    found = server.state.restorer.restore(image, selection=selection, aligned=fields.get("aligned") == "true")
    return encode_image(found.image, fields.get("format", "png"), bit_depth=16 if "bit_depth" in fields else None)


def test_the_result_keeps_the_picture_s_kind(server: Running, astronaut: Image) -> None:
    for kind, expected in (("PNG", "image/png"), ("WEBP", "image/webp"), ("TIFF", "image/tiff")):
        answer = sent(server, "/v1/restore", {"file": encode_image(astronaut, kind)}, strength="0")
        assert answer.headers["content-type"] == expected


def test_check_finds_what_the_library_finds(server: Running, portrait: bytes, tiny_restorer: Restorer) -> None:
    answer = sent(server, "/v1/check", {"file": portrait}).json()
    image = read_image(portrait)
    faces = tiny_restorer.find_faces(image)
    assert answer["findings"] == [finding.to_dict() for finding in preflight(image, faces)]
    assert (answer["status"], answer["width"], len(answer["faces"])) == ("fine", 256, 1)
    assert answer["faces"][0]["box"]["left"] == round(faces[0].box.left, 1)


def test_inspect_measures_what_the_library_measures(server: Running, portrait: bytes, astronaut: Image) -> None:
    after = encode_image(server.state.restorer.restore(astronaut).image, "PNG")
    answer = sent(server, "/v1/inspect", {"before": portrait, "after": after}).json()
    assert answer == server.state.inspector.inspect(astronaut, read_image(after)).to_dict()
    unequal = sent(server, "/v1/inspect", {"before": portrait, "after": flat(100, 31)})
    assert (unequal.status_code, unequal.json()["code"]) == (422, "pair-unequal")


def test_lists_say_what_there_is(server: Running) -> None:
    with server.http() as client:
        models, presets = client.get("/v1/models").json(), client.get("/v1/presets").json()["presets"]
    assert (models["loaded"], models["size"]) == ("tiny", 128)
    assert "likeness-512" in [model["name"] for model in models["models"]]
    assert [preset["name"] for preset in presets] == list(PRESETS)
    assert presets[1]["face_mask_weights"] == PRESETS["natural"].face_mask_weights.to_dict()


def test_figures_for_prometheus_count_what_was_done(server: Running, portrait: bytes) -> None:
    def figure(name: str) -> float:
        with server.http() as client:
            lines = client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    names = (
        'likeness_faces_total{outcome="restored"}',
        'likeness_pictures_total{outcome="no face"}',
        'likeness_requests_total{method="POST",route="/v1/restore",status="200"}',
        'likeness_requests_total{method="other"',
    )
    before = [figure(name) for name in names]
    sent(server, "/v1/restore", {"file": portrait})
    sent(server, "/v1/restore", {"file": flat(200, 200)})
    with server.http() as client:
        client.request("MADEUP", "/v1/restore")
    assert [figure(name) - old for name, old in zip(names, before, strict=True)] == [1, 1, 1, 1]


def test_nothing_of_a_request_is_left_on_the_disk(server: Running, portrait: bytes, tmp_path: Path) -> None:
    import tempfile

    before = set(Path(tempfile.gettempdir()).iterdir())
    for _ in range(3):
        sent(server, "/v1/restore", {"file": portrait})
    new = {path.name for path in set(Path(tempfile.gettempdir()).iterdir()) - before}
    assert not [name for name in new if name.startswith(("tmp", "likeness"))]
    assert not list(tmp_path.iterdir())


def test_a_face_that_is_not_there_is_told_in_the_report(server: Running, portrait: bytes) -> None:
    with server.http() as client:
        answer = client.post(
            "/v1/restore", files={"file": portrait, "faces": (None, "1,5")}, headers={"Accept": "application/json"}
        )
    (told,) = answer.json()["report"]["notices"]
    assert told == {"code": "selection.missing", "values": {"count": 1, "numbers": "5"}}
