"""The client against a real server on a free port."""

# The server's tests lend their helpers (conftest.py), which is more than pyright sees.
# pyright: reportMissingImports=false, reportUnknownParameterType=false

from __future__ import annotations

import socket
import threading
import time
import zipfile
from collections.abc import Generator
from pathlib import Path

import httpx
import numpy as np
import pytest
from clips import decoded, moving_frames, plain_frames, write_clip
from running import Running, served

from likeness import LikenessClient, RequestOptions
from likeness.client import http as client_http
from likeness.errors import (
    ArgumentError,
    ConfigError,
    ControlError,
    FileWriteError,
    ImageReadError,
    ImageTooLargeError,
    NoFaceError,
    PairError,
    ServerBusyError,
    ServerError,
    VideoError,
)
from likeness.evidence.figures import Figure
from likeness.faces.preflight import preflight
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.messages.notice import Notice, notice_of
from likeness.repair.repairs import Repairs
from likeness.restore.controls import PRESETS, Controls
from likeness.restore.face_controls import FaceControls
from likeness.restore.pipeline import Restorer
from likeness.restore.selection import Selection
from likeness.server.http.settings import ServerSettings

KEY = "correct-horse-battery"


@pytest.fixture
def client(keyed: Running) -> Generator[LikenessClient]:
    with LikenessClient(keyed.url, KEY, patience=0) as made:
        yield made


def test_a_picture_goes_there_and_comes_back_as_from_the_library(
    client: LikenessClient, keyed: Running, astronaut_file: Path, astronaut: Image, tmp_path: Path
) -> None:
    controls = Controls.natural().with_weights({"ear": 0.5})
    options = RequestOptions(
        selection=Selection(which=(0,), min_size=10), repairs=Repairs(balance=0.4), file_format="png", evidence=True
    )
    restored = client.restore(astronaut_file, controls, options=options)
    expected = keyed.state.restorer.restore(astronaut, controls, repairs=Repairs(balance=0.4))
    assert (restored.image.to_uint8() == expected.image.to_uint8()).all()
    assert restored.media_type == "image/png"
    assert restored.report["controls"]["face_mask_weights"]["ear"] == 0.5
    assert restored.report["faces"][0]["evidence"]["figures"]
    assert list(restored.warnings) == [
        *controls.warnings,
        *(f"face {face.index}: {text}" for face in expected.faces for text in face.warnings),
    ]
    restored.save(tmp_path / "restored.png")
    assert (tmp_path / "restored.png").read_bytes() == restored.data


def test_a_picture_in_memory_and_bytes_serve_as_well(client: LikenessClient, astronaut: Image, portrait: bytes) -> None:
    options = RequestOptions(preset="standard", file_format="png")
    results = [client.restore(picture, options=options).image.to_uint8() for picture in (astronaut, portrait)]
    assert (results[0] == results[1]).all()


@pytest.fixture(scope="session")
def portrait(astronaut_file: Path) -> bytes:
    return astronaut_file.read_bytes()


def test_paths_and_presets_may_be_text(
    client: LikenessClient, astronaut: Image, astronaut_file: Path, tmp_path: Path
) -> None:
    restored = client.restore(str(astronaut_file), "natural", options=RequestOptions(file_format="png"))
    assert restored.report["preset"] == "natural"
    restored.save(str(tmp_path / "restored.png"))
    assert (tmp_path / "restored.png").read_bytes() == restored.data
    with astronaut_file.open("rb") as stream:
        assert client.check(stream).findings == client.check(astronaut.to_uint8()).findings
    with pytest.raises(ArgumentError, match="picture must be a path, the bytes of a file"):
        client.check(3)  # type: ignore[arg-type]
    with pytest.raises(ControlError, match='did you mean "natural"'):
        client.restore(str(astronaut_file), "naturl")


def test_a_face_s_own_settings_go_to_the_server_and_come_back(
    client: LikenessClient, keyed: Running, astronaut: Image
) -> None:
    pair = Image(pixels=np.ascontiguousarray(np.hstack([astronaut.pixels, astronaut.pixels])))
    own = FaceControls.of({1: {"strength": 0.5, "face_mask_weights": {"eye": 0.0}}})
    answer = client.restore(pair, options=RequestOptions(face_controls=own, preset="natural", file_format="png"))
    expected = keyed.state.restorer.restore(Image.from_uint8(pair.to_uint8()), "natural", face_controls=own)
    assert np.array_equal(answer.image.to_uint8(), expected.image.to_uint8())
    first, second = answer.report["faces"]
    assert first["controls"] is None
    assert (second["controls"]["strength"], second["controls"]["latent_step_decay"]) == (0.5, 0.04)
    with pytest.raises(ControlError, match="there is no face 2 to have settings of its own"):
        client.restore(astronaut, options=RequestOptions(face_controls=own))


def test_check_gives_the_library_s_findings(client: LikenessClient, keyed: Running, astronaut: Image) -> None:
    small = Image(pixels=astronaut.pixels[:100, 60:160])
    checked = client.check(small)
    faces = keyed.state.restorer.find_faces(small)
    again = read_image_of(small)
    assert [finding.code for finding in checked.findings] == [f.code for f in preflight(again, faces)]
    assert checked.status == "refuse"
    assert checked.size is not None
    assert (checked.size.width, checked.size.height) == (100, 100)
    assert [box.left for box in checked.faces] == pytest.approx([face.box.left for face in faces], abs=0.1)
    unreadable = client.check(b"nothing")
    assert (unreadable.size, unreadable.findings[0].code) == (None, "unreadable")
    assert "文本文件" in Notice.of(unreadable.findings[0].message).say("zh")


def read_image_of(image: Image) -> Image:
    from likeness.imaging.encode import encode_image

    return read_image(encode_image(image, "PNG"))


def test_inspect_gives_the_library_s_figures(client: LikenessClient, keyed: Running, astronaut: Image) -> None:
    after = keyed.state.restorer.restore(astronaut).image
    after = Image.from_uint8(after.to_uint8())
    found = client.inspect(Image.from_uint8(astronaut.to_uint8()), after)
    expected = keyed.state.inspector.inspect(Image.from_uint8(astronaut.to_uint8()), after)
    assert found.verdict == expected.verdict
    assert isinstance(found.faces[0].figures[0], Figure)
    assert [f.to_dict() for f in found.faces[0].figures] == [f.to_dict() for f in expected.faces[0].figures]


def test_a_job_from_files_to_a_zip_file(client: LikenessClient, astronaut_file: Path, tmp_path: Path) -> None:
    told: list[int] = []
    job = client.submit(
        [astronaut_file, ("letter.txt", b"dear all")],
        options=RequestOptions(preset="natural"),
        overrides={0: {"strength": 0, "format": "png"}},
    )
    assert len(job.pictures) == 2
    done = client.wait(job, told=lambda now: told.append(now.counts["final"]))
    assert done.done
    assert done.ended is not None
    assert [picture.state for picture in done.pictures] == ["final", "failed"]
    assert told[-1] == 1
    result = read_image(client.result(job, 0)).to_uint8()
    assert (result == read_image(astronaut_file).to_uint8()).all()
    report = client.report(job, 0)
    assert report is not None
    assert report["preset"] == "natural"
    assert client.report(job, 1) is None
    assert read_image(client.result(job, 0, version="print")).size.width == round(1.5 * result.shape[1])
    client.download(job, tmp_path / "results.zip", version="web")
    assert zipfile.ZipFile(tmp_path / "results.zip").namelist() == ["astronaut_web.jpg", "report.json"]
    client.download(job, tmp_path / "results.zip")
    assert zipfile.ZipFile(tmp_path / "results.zip").namelist() == ["astronaut.png", "report.json"]
    with pytest.raises(FileWriteError, match="cannot be written"):
        client.download(job, tmp_path / "no" / "results.zip")
    with pytest.raises(FileWriteError):
        client.save(job, 0, tmp_path / "nowhere" / "a.mp4")
    client.delete(job)
    with pytest.raises(ServerError, match="there is no such job"):
        client.job(job)
    with pytest.raises(ServerError, match="there is no such job"):
        client.download(job, tmp_path / "other.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["results.zip"]


def test_a_video_from_a_file_to_a_file(
    client: LikenessClient, astronaut: Image, astronaut_file: Path, tmp_path: Path
) -> None:
    film = write_clip(tmp_path / "film.mp4", moving_frames(astronaut, 4), sound="aac")
    job = client.submit_video(film, Controls.natural(), references=[astronaut_file], every=2, begin=0.04)
    (video,) = job.pictures
    assert (video.name, video.share) == ("film.mp4", None)
    shares: list[float | None] = []
    done = client.wait(job, told=lambda seen: shares.append(seen.pictures[0].share))
    assert done.pictures[0].state == "final"
    assert shares[-1] is None
    assert all(share is None or 0 <= share <= 1 for share in shares)
    report = client.report(job, 0)
    assert report is not None
    assert (report["kind"], report["frames"]) == ("video", 3)
    result = tmp_path / "restored.mp4"
    client.save(job, 0, result)
    assert len(decoded(result)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "restored.mp4"]
    client.delete(job)
    with pytest.raises(ServerError, match="there is no such job"):
        client.save(job, 0, tmp_path / "gone.mp4")


def test_videos_that_are_refused(client: LikenessClient, film_bytes: bytes, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"the video is no video that can be read"):
        client.submit_video(("a.mp4", b"no video"))
    with pytest.raises(ConfigError, match="codec cannot be used as it is given"):
        client.submit_video(("a.mp4", film_bytes), codec="xvid")
    with pytest.raises(NoFaceError, match="shows no face by which a person could be found"):
        client.submit_video(("a.mp4", film_bytes), person=Image(pixels=np.full((64, 64, 3), 0.5, np.float32)))
    with pytest.raises(ConfigError):
        client.submit_video(("a.mp4", film_bytes), options=RequestOptions(repairs=Repairs(balance=0.5)))
    with pytest.raises(ImageReadError):
        client.submit_video(tmp_path / "none.mp4")


@pytest.fixture(scope="module")
def film_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("sea") / "a.mp4", plain_frames(2)).read_bytes()


def test_presets_and_models_are_the_server_s(client: LikenessClient) -> None:
    assert client.presets() == PRESETS
    assert client.models()["loaded"] == "tiny"


def test_errors_are_the_library_s_own(client: LikenessClient, astronaut: Image, tmp_path: Path) -> None:
    grey = Image(pixels=np.full((200, 200, 3), 0.5, np.float32))
    with pytest.raises(NoFaceError, match="no face was found"):
        client.restore(grey)
    with pytest.raises(ImageReadError, match="no picture that can be read") as refused:
        client.restore(b"nothing at all")
    assert notice_of(refused.value).say("zh", "page").startswith("这个文件不是可读取的图片")
    with pytest.raises(ImageTooLargeError, match="more than the limit"):
        client.restore(Image(pixels=np.zeros((6000, 9000, 3), np.float32)))
    with pytest.raises(PairError):
        client.inspect(astronaut, Image(pixels=grey.pixels[:31, :100]))
    with pytest.raises(ControlError, match="unknown preset"):
        client.restore(grey, options=RequestOptions(preset="none"))
    with pytest.raises(ConfigError, match="quality must be 1 to 100"):
        client.restore(grey, options=RequestOptions(quality=500))
    with pytest.raises(ConfigError, match="give one"):
        client.restore(grey, Controls(), options=RequestOptions(preset="natural"))
    with pytest.raises(ImageReadError, match="cannot be read"):
        client.restore(tmp_path / "missing.jpg")
    for address in ("localhost:8470", "/tmp", "http://", "ftp://localhost", "http://\n"):
        with pytest.raises(ConfigError, match="is no address of a server"):
            LikenessClient(address)


def test_a_missing_key_and_a_server_that_is_not_there(keyed: Running, astronaut_file: Path) -> None:
    with LikenessClient(keyed.url) as stranger, pytest.raises(ServerError, match="wants its API key"):
        stranger.check(astronaut_file)
    with (
        LikenessClient("http://127.0.0.1:9") as nobody,
        pytest.raises(ServerError, match=r"be reached \(Connection refused\)"),
    ):
        nobody.check(astronaut_file)


def test_a_busy_server_is_asked_again_after_the_pause_it_names(
    client: LikenessClient, keyed: Running, astronaut_file: Path
) -> None:
    pool = keyed.state.pool
    held = [pool.admit("other"), pool.admit("other")]
    with pytest.raises(ServerBusyError) as refused:
        client.check(astronaut_file)
    assert refused.value.retry_after >= 1
    asked = threading.Event()

    class Watched(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            if response.status_code == 429:
                for ticket in held:
                    ticket.__exit__(None, None, None)
                asked.set()
            return response

    with LikenessClient(keyed.url, KEY, patience=30, transport=Watched()) as patient:
        assert patient.check(astronaut_file).status == "fine"
    assert asked.is_set()


def test_what_no_form_can_hold_is_said_before_it_is_sent(client: LikenessClient, astronaut_file: Path) -> None:
    with pytest.raises(ConfigError, match="preset holds half a character"):
        client.restore(astronaut_file, options=RequestOptions(preset="\ud800"))
    # A name on a disk may be no UTF-8; the picture is sent all the same.
    found = client.job(client.submit([("aunt-\udcff.jpg", astronaut_file.read_bytes())]))
    assert client.wait(found).pictures[0].name.startswith("aunt-")
    client.delete(found)


def test_a_server_with_too_many_connections_is_asked_again(
    tiny_model: Path, tmp_path: Path, astronaut_file: Path
) -> None:
    found = ServerSettings(port=0, data=tmp_path, connections=1, workers=1)
    head = b"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    with (
        served(found, Restorer(tiny_model, precision="f32")) as running,
        socket.create_connection(("127.0.0.1", running.port)) as taken,
    ):
        taken.sendall(head + b"Content-Length: 9\r\n\r\n")
        while not running.state.pool.admitted:
            time.sleep(0.01)
        with LikenessClient(running.url, patience=0) as hasty, pytest.raises(ServerBusyError) as busy:
            hasty.check(astronaut_file)
        assert busy.value.retry_after == 5
        threading.Timer(1.0, taken.shutdown, (socket.SHUT_RDWR,)).start()
        with LikenessClient(running.url) as patient:
            assert patient.check(astronaut_file).faces


def test_a_wait_outlives_a_restart_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also behind a proxy, and of a machine that is gone, whose every look takes as long as the timeout."""
    now = [0.0]
    monkeypatch.setattr(client_http.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(client_http.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    moment = "2026-01-01T00:00:00Z"
    job = {"id": "1", "state": "done", "counts": {}, "created": moment, "ended": moment, "deleted_at": moment}
    answers: list[httpx.Response | type[Exception]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        made = answers.pop(0) if answers else httpx.ConnectTimeout
        if isinstance(made, httpx.Response):
            return made
        now[0] += 20.0
        raise made("nobody answers", request=request)

    with LikenessClient("http://nowhere", patience=60, transport=httpx.MockTransport(answer)) as patient:
        working = httpx.Response(200, json={**job, "state": "working", "seconds_left": None, "pictures": []})
        done = httpx.Response(200, json={**job, "seconds_left": None, "pictures": []})
        answers += [working, httpx.Response(502, text="Bad Gateway"), httpx.ConnectError, httpx.Response(503), done]
        assert patient.wait("1").done
        began = now[0]
        with pytest.raises(ServerError):
            patient.wait("1")
        assert now[0] - began < 90
