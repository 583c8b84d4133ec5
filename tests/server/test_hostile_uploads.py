"""What strangers send: every one of these gets an answer of the one shape, in time, and the server goes on."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image as PillowImage
from running import Running


def png(*chunks: tuple[bytes, bytes], size: tuple[int, int] = (64, 64), depth: int = 8, colour: int = 2) -> bytes:
    """A PNG file of these chunks after its header, whatever they hold."""
    head = (b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (head, *chunks, (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(width: int, height: int, **tags: int) -> bytes:
    """A TIFF whose header promises what its few bytes do not hold."""
    values = {
        256: width,
        257: height,
        258: tags.get("bits", 8),
        259: tags.get("compression", 1),
        262: 1,
        273: tags.get("offset", 200),
        277: tags.get("samples", 1),
        278: height,
        279: tags.get("count", width * height % 2**32),
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value % 2**32) for tag, value in sorted(values.items()))
    return (
        b"II*\0" + struct.pack("<IH", 8, len(values)) + entries + struct.pack("<I", tags.get("next", 0)) + b"\0" * 100
    )


def zipped(size: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/passwd.png", b"\0" * size)
    return stream.getvalue()


def saved(size: tuple[int, int], kind: str, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    PillowImage.new(mode, size).save(stream, kind)
    return stream.getvalue()


def bomb_png(side: int) -> bytes:
    """Some kilobytes that become ``side`` x ``side`` pixels."""
    return png((b"IDAT", zlib.compress(b"\0" * (side * 3 + 1) * 64, 9)), size=(side, side))


def of_many_passes(count: int) -> bytes:
    """A progressive JPEG whose last pass, of some 60 bytes, is there so many times; each costs a decoder as much."""
    stream = io.BytesIO()
    PillowImage.new("L", (4000, 4000)).save(stream, "JPEG", progressive=True)
    whole = stream.getvalue()
    end = whole.rindex(b"\xff\xd9")
    return whole[:end] + whole[whole.rindex(b"\xff\xda") : end] * count + whole[end:]


PICTURES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "one byte": lambda _: b"\xff",
    "text": lambda _: b"hello there, this is no picture",
    "script": lambda _: b"<script>alert(1)</script>",
    "svg that names a file": lambda _: (
        b'<svg xmlns:x="http://www.w3.org/1999/xlink"><image x:href="file:///etc/passwd"/></svg>'
    ),
    "entity bomb": lambda _: b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>',
    "pdf": lambda _: b"%PDF-1.7\n%\xe2\xe3\n1 0 obj<<>>endobj",
    "program": lambda _: b"\x7fELF" + os.urandom(4000),
    "random": lambda _: np.random.default_rng(0).bytes(200_000),
    "jpeg head and noise": lambda _: b"\xff\xd8\xff" + np.random.default_rng(1).bytes(100_000),
    "png head and noise": lambda _: b"\x89PNG\r\n\x1a\n" + np.random.default_rng(2).bytes(100_000),
    "tiff head and noise": lambda _: b"II*\0" + np.random.default_rng(3).bytes(100_000),
    "webp head and noise": lambda _: b"RIFF\xff\xff\xff\xffWEBP" + np.random.default_rng(4).bytes(100_000),
    "heic head and noise": lambda _: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + np.random.default_rng(5).bytes(100_000),
    "avif head and noise": lambda _: b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + np.random.default_rng(6).bytes(100_000),
    "gif head and noise": lambda _: b"GIF89a" + np.random.default_rng(7).bytes(100_000),
    "bmp head and noise": lambda _: b"BM\0\0\0\0\0\0\0\0" + np.random.default_rng(8).bytes(100_000),
    "cut jpeg": lambda portrait: portrait[: len(portrait) // 2],
    "cut png": lambda _: saved((64, 64), "PNG")[:-30],
    "jpeg of 10,000 passes": lambda _: of_many_passes(10_000),
    "jpeg of zeros": lambda portrait: portrait[:900] + b"\0" * (len(portrait) - 900),
    "png bomb": lambda _: bomb_png(30_000),
    "png wider than anything": lambda _: png((b"IDAT", zlib.compress(b"\0" * 100)), size=(2**31 - 1, 2**31 - 1)),
    "png of no size": lambda _: png((b"IDAT", zlib.compress(b"")), size=(0, 0)),
    "png of a million rows": lambda _: png((b"IDAT", zlib.compress(b"\0" * 1000)), size=(1, 2**31 - 1)),
    "png, 16 bits, cut": lambda _: png((b"IDAT", zlib.compress(b"\0" * 10)), depth=16),
    "png text bomb": lambda _: png((b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 10_000_000, 9))),
    "png profile bomb": lambda _: png((b"iCCP", b"a\0\0" + zlib.compress(b"\0" * 10_000_000, 9))),
    "png of many chunks": lambda _: png(*[(b"tEXt", b"a\0b")] * 10_000),
    "png chunk of a wrong length": lambda _: png()[:33] + struct.pack(">I", 2**31) + b"IDAT" + b"\0" * 40,
    "tiff bomb": lambda _: tiff(2**31, 2**31),
    "tiff whose width is negative": lambda _: tiff(-5, 100),
    "tiff beyond its end": lambda _: tiff(1000, 1000, offset=2**31),
    "tiff of many channels": lambda _: tiff(100, 100, samples=65535),
    "tiff whose pages go round": lambda _: tiff(100, 100, next=8),
    "tiff of deflated zeros": lambda _: tiff(6000, 6000, compression=8, count=100),
    "zip": lambda _: zipped(1000),
    "zip bomb": lambda _: zipped(10_000_000),
    "gzip": lambda _: b"\x1f\x8b\x08" + os.urandom(1000),
    "gif of a huge screen": lambda _: b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + b"\0" * 6 + b";",
    "bmp of negative height": lambda _: (
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 99, -99, 1, 24, 0, 0, 0, 0, 0, 0)
    ),
    "webp of promises": lambda _: (
        b"RIFF" + struct.pack("<I", 2**31) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\xff" * 10
    ),
}
"""Files that are no portrait, by what they are."""


@pytest.mark.parametrize("name", PICTURES)
def test_a_file_that_is_no_portrait_is_refused_in_one_sentence(name: str, server: Running, portrait: bytes) -> None:
    with server.http() as client:
        answer = client.post("/v1/restore", files={"file": ("a.jpg", PICTURES[name](portrait))})
        assert_problem(answer, 413, 422)
        assert answer.json()["detail"].startswith(("the picture ", "no face was found"))
        checked = client.post("/v1/check", files={"file": ("a.jpg", PICTURES[name](portrait))})
        assert checked.status_code == 200
        assert checked.json()["status"] == "refuse"


@pytest.mark.parametrize(
    "trailer", [b"<script>alert(1)</script>", zipped(100), b"%PDF-1.4"], ids=["html", "zip", "pdf"]
)
def test_a_picture_that_is_something_else_as_well_comes_back_as_a_picture_only(
    trailer: bytes, server: Running, portrait: bytes
) -> None:
    with server.http() as client:
        answer = client.post("/v1/restore", files={"file": ("a.html", portrait + trailer, "text/html")})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert trailer not in answer.content


def assert_problem(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, f"{answer.status_code} {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "code", "detail", "notice"}
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    assert len(answer.content) < 2000
    assert not any(word in answer.text for word in ("Traceback", "site-packages", "/tmp", ".py"))


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A body, and what the answer must be."""

    body: bytes
    status: int
    code: str
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/v1/restore"


def form(*parts: tuple[str, bytes], boundary: bytes = b"xx", end: bool = True) -> bytes:
    """A form of parts with these Content-Disposition parameters, as they stand."""
    pieces = [
        b"--" + boundary + b"\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    ]
    return b"".join(pieces) + (b"--" + boundary + b"--\r\n" if end else b"")


FILE = 'name="file"; filename="a.jpg"'
FORM = {"content-type": "multipart/form-data; boundary=xx"}
JSON = {"content-type": "application/json"}

BODIES: dict[str, Sent] = {
    "no body": Sent(body=b"", status=415, code="form-needed"),
    "no boundary": Sent(body=b"x", headers={"content-type": "multipart/form-data"}, status=415, code="form-needed"),
    "json": Sent(body=b"{}", headers=JSON, status=415, code="form-needed"),
    "a boundary of 10,000 letters": Sent(
        body=b"x",
        headers={"content-type": "multipart/form-data; boundary=" + "x" * 10_000},
        status=400,
        code="form-invalid",
    ),
    "empty form": Sent(body=b"--xx--\r\n", headers=FORM, status=422, code="file-missing"),
    "another boundary": Sent(body=form((FILE, b"a"), boundary=b"yy"), headers=FORM, status=400, code="form-invalid"),
    "no end": Sent(body=form((FILE, b"a"), end=False), headers=FORM, status=400, code="form-invalid"),
    "noise": Sent(body=os.urandom(100_000), headers=FORM, status=400, code="form-invalid"),
    "no file": Sent(body=form(('name="preset"', b"natural")), headers=FORM, status=422, code="file-missing"),
    "two files": Sent(body=form((FILE, b"a"), (FILE, b"b")), headers=FORM, status=413, code="too-many-files"),
    "a file elsewhere": Sent(
        body=form(('name="other"; filename="x"', b"a")), headers=FORM, status=422, code="field-unknown"
    ),
    "a part without a name": Sent(body=form(("x=y", b"a")), headers=FORM, status=400, code="form-invalid"),
    "a field twice": Sent(
        body=form(('name="preset"', b"natural"), ('name="preset"', b"natural")),
        headers=FORM,
        status=422,
        code="field-twice",
    ),
    "100,000 fields": Sent(
        body=form(*((f'name="f{number}"', b"x") for number in range(100_000))),
        headers=FORM,
        status=413,
        code="too-many-fields",
    ),
    "a field of a megabyte": Sent(
        body=form(('name="preset"', b"x" * (1 << 20))), headers=FORM, status=413, code="field-too-long"
    ),
    "a header of 100 KB": Sent(
        body=form((f'name="{"x" * 100_000}"', b"a")), headers=FORM, status=400, code="form-invalid"
    ),
    "1,000 part headers": Sent(
        body=b'--xx\r\nContent-Disposition: form-data; name="file"\r\n' + b"X: y\r\n" * 1000 + b"\r\na\r\n--xx--\r\n",
        headers=FORM,
        status=400,
        code="form-invalid",
    ),
    "text that is no UTF-8": Sent(
        body=form(('name="preset"', b"\xff\xfe")), headers=FORM, status=400, code="form-invalid"
    ),
    "more bytes than a file may have": Sent(
        body=form((FILE, b"x" * (9 << 20))), headers=FORM, status=413, code="upload-too-large"
    ),
    "a form that is compressed": Sent(
        body=gzip.compress(form((FILE, b"a"))),
        headers={**FORM, "content-encoding": "gzip"},
        status=400,
        code="form-invalid",
    ),
    "settings of a megabyte": Sent(
        body=b'{"faces": [' + b"0," * 500_000 + b"0]}",
        path="/live/pictures/nobody/views",
        headers=JSON,
        status=413,
        code="upload-too-large",
    ),
    "deep json in a field": Sent(
        body=form((FILE, b"a"), ('name="face_mask_weights"', b"[" * 900)),
        headers=FORM,
        status=422,
        code="option-unusable",
    ),
    "deep json": Sent(
        body=b'{"image":' + b"[" * 500_000,
        path="/sdapi/v1/extra-single-image",
        headers=JSON,
        status=422,
        code="request-invalid",
    ),
    "json with a number of a million digits": Sent(
        body=b'{"image":"", "gfpgan_visibility":' + b"9" * 1_000_000 + b"}",
        path="/sdapi/v1/extra-single-image",
        headers=JSON,
        status=422,
        code="request-invalid",
    ),
    "an address instead of a picture": Sent(
        body=json.dumps({"image": "http://169.254.169.254/latest/", "gfpgan_visibility": 1}).encode(),
        path="/sdapi/v1/extra-single-image",
        headers=JSON,
        status=422,
        code="option-unusable",
    ),
    "a path instead of a picture": Sent(
        body=json.dumps({"image": "/etc/passwd", "gfpgan_visibility": 1}).encode(),
        path="/sdapi/v1/extra-single-image",
        headers=JSON,
        status=422,
        code="picture-unreadable",
    ),
    "100 pictures in a list for 64": Sent(
        body=json.dumps({"imageList": [{"data": "", "name": ""}] * 100}).encode(),
        path="/sdapi/v1/extra-batch-images",
        headers=JSON,
        status=422,
        code="request-invalid",
    ),
}
"""Bodies that are no form, or none that is taken."""


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_used_is_refused_in_one_sentence(name: str, server: Running) -> None:
    sent = BODIES[name]
    with server.http() as client:
        answer = client.post(sent.path, content=sent.body, headers=sent.headers)
    assert_problem(answer, sent.status)
    assert answer.json()["code"] == sent.code


VALUES = [
    ("strength", "-1", "strength must be between 0 and 1, not -1"),
    ("strength", "1e999", "strength must be between 0 and 1, not inf"),
    ("strength", "NaN", "strength must be a number"),
    ("strength", "Infinity", "strength must be a number"),
    ("strength", "１", "strength must be a number"),
    ("strength", "", "strength must be a number"),
    ("strength", "9" * 999, "strength must be between 0 and 1"),
    ("refine", "1.5", "refine must be a whole number"),
    ("refine", "999999999", "refine must be between 1 and 8"),
    ("keep_grain", "1", "keep_grain must be true or false"),
    ("quality", "0", "quality must be 1 to 100, not 0"),
    ("bit_depth", "-8", "bit_depth must be 8 or 16, not -8"),
    ("bit_depth", "16", "JPEG holds 8 bits per sample only; write PNG or TIFF to keep 16 bits"),
    ("faces", "-1", "numbers from 1 on"),
    ("faces", "../../etc/passwd", "faces must be all, largest, centre or numbers"),
    ("min_face", "-3", "face sizes from -3 to None select nothing"),
    ("preset", "../natural", 'unknown preset "../natural"'),
    ("format", "exe", "format must be one of"),
    ("face_mask_weights", '{"__class__": 1}', 'unknown face region "__class__"'),
    ("face_mask_weights", "null", "face_mask_weights must be a table"),
    ("model", "/etc/passwd", "the form has an unknown field"),
    ("model_path", "/etc/passwd", "the form has an unknown field"),
    ("damage_mask", "/etc/passwd", ""),
    ("threads", "100000", "the form has an unknown field"),
    ("max_pixels", "1000000000000", "the form has an unknown field"),
    ("__proto__", "{}", "the form has an unknown field"),
    ("strenght", "1", 'the form has an unknown field (did you mean "strength"?); known are preset'),
]
"""Fields, values, and how the sentence begins or what it holds."""


@pytest.mark.parametrize(("name", "value", "sentence"), VALUES, ids=lambda value: str(value)[:20])
def test_a_value_out_of_range_gets_the_command_line_s_sentence(
    name: str, value: str, sentence: str, server: Running, portrait: bytes
) -> None:
    with server.http() as client:
        answer = client.post("/v1/restore", files={"file": ("a.jpg", portrait)}, data={name: value})
    assert_problem(answer, 422)
    assert sentence in answer.json()["detail"]


NAMES = [
    "../../../etc/cron.d/x.jpg",
    "..\\..\\windows\\system32\\x.jpg",
    "/etc/passwd",
    "C:\\boot.ini",
    "a\0b.jpg",
    "a\nSet-Cookie: b=c.jpg",
    "con.jpg",
    "x" * 3000 + ".jpg",
    "‮gpj.exe",
    "~/.ssh/authorized_keys",
    "$(touch hacked).jpg",
    ".htaccess",
    "",
]


def test_no_name_of_a_client_s_reaches_the_file_system_or_leaves_a_zip_file(server: Running, portrait: bytes) -> None:
    parts = [
        b'--xx\r\nContent-Disposition: form-data; name="files"; filename="'
        + quoted(name)
        + b'"\r\n\r\n'
        + portrait
        + b"\r\n"
        for name in NAMES
    ]
    with server.http() as client:
        answer = client.post("/v1/jobs", content=b"".join(parts) + b"--xx--\r\n", headers=FORM)
        assert answer.status_code == 202, answer.text
        job = answer.json()["id"]
        with client.stream("GET", f"/v1/jobs/{job}/events") as events:
            assert "event: end" in "".join(events.iter_text())
        archive = zipfile.ZipFile(io.BytesIO(client.get(f"/v1/jobs/{job}/zip").content))
        names = [name for name in archive.namelist() if name != "report.json"]
        result = client.get(f"/v1/jobs/{job}/pictures/5/result")
        folder = server.state.settings.data / "jobs" / job
        stored = {path.name for path in folder.rglob("*")}
        client.delete(f"/v1/jobs/{job}")
    assert len(names) == len(set(map(str.casefold, names))) == len(NAMES)
    for name in names:
        assert name == Path(name).name
        assert name.endswith(".jpg")
        assert not name.startswith((".", "-", "con."))
        assert len(name) < 100
        assert name.isprintable()
        assert not set(name) & set('\\/:*?"<>|')
    assert "set-cookie" not in result.headers
    assert stored == {"in", "out", *(f"{number:04d}" for number in range(len(NAMES)))}
    assert not folder.exists()


def quoted(name: str) -> bytes:
    """As browsers write a file name into a form (HTML, section 4.10.21.8), all but the characters that matter here."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22").replace("\\", "\\\\").encode()


HEADS: dict[str, tuple[bytes, int]] = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100, 400),
    "a head without an end": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000, 400),
    "two lengths": (
        b"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        400,
    ),
    "length and chunks": (
        b"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        415,
    ),
    "a negative length": (b"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", 400),
    "a length of 10 GB": (
        b"POST /v1/restore HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: 10737418240\r\n\r\n--x\r\n",
        413,
    ),
    "a chunk of a wrong length": (
        b"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
    ),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
    "another host": (b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
    "a host with a name before it": (b"GET /healthz HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n", 421),
    "a folder up": (b"GET /page/../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    "a folder up, escaped": (b"GET /page/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    "a job by its path": (b"GET /v1/jobs/..%2f..%2fjournal.sqlite HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    "a method of its own": (b"FETCH /v1/check HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
    "upgrade": (
        b"GET /v1/presets HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        200,
    ),
}
"""What comes before a body, and the status of its answer."""


@pytest.mark.parametrize("name", HEADS)
def test_a_damaged_head_is_answered_and_reaches_nothing(name: str, server: Running) -> None:
    sent, status = HEADS[name]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(sent)
        head, body = answer_of(connection)
    assert int(head.split()[1]) == status, head
    assert b"x-content-type-options: nosniff" in head.lower()
    if status != 200:
        assert json.loads(body)["status"] == status


def answer_of(connection: socket.socket) -> tuple[bytes, bytes]:
    """The head and the body of an answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length"))
    while len(body) < length:
        body += received(connection)
    return head, body


def received(connection: socket.socket) -> bytes:
    more = connection.recv(65536)
    assert more, "the connection was closed without an answer"
    return more


def test_the_server_goes_on_after_all_of_it(server: Running, portrait: bytes) -> None:
    with server.http() as client:
        assert client.get("/healthz").json()["status"] == "ok"
        assert client.post("/v1/restore", files={"file": ("a.jpg", portrait)}).status_code == 200
    assert server.state.upload_memory.bytes == 0
    assert server.state.pool.admitted == 0
