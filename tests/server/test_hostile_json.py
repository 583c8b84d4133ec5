"""JSON that is none, or more than it seems: half characters, names twice, depth, numbers without end.

Every route answers with the one shape of an error in the 400s, in one sentence that can be sent and shown."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any

import httpx
import pytest
from running import Running

LOOK = {"left": 0, "top": 0, "right": 9, "bottom": 9, "width": 9}
HALF = '"\\ud800"'
"""A lone surrogate as JSON writes it: valid JSON, and no text in UTF-8."""

JSON = {"content-type": "application/json"}


def assert_refused(answer: httpx.Response) -> None:
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "code", "detail", "notice"}
    assert problem["status"] == answer.status_code
    assert problem["detail"].isprintable()
    assert 0 < len(problem["detail"]) <= 1000
    assert "\n" not in problem["detail"]


FORMS = {
    "a half in a name": ("face_mask_weights", f"{{{HALF}: 1}}"),
    "a half in a value": ("face_mask_weights", f'{{"eye": {HALF}}}'),
    "a half instead of an object": ("face_mask_weights", HALF),
    "a half for a number": ("strength", HALF),
    "a half for a flag": ("keep_grain", HALF),
    "a second half": ("refine", '"\\udc00"'),
    "halves in the wrong order": ("strength", '"\\udc00\\ud83d"'),
    "a name twice": ("face_mask_weights", '{"eye": 1, "eye": 2}'),
    "not a number": ("face_mask_weights", '{"eye": NaN}'),
    "infinity": ("face_mask_weights", '{"eye": -Infinity}'),
    "a number beyond all": ("face_mask_weights", '{"eye": 1e400}'),
    "900 digits": ("refine", "9" * 900),
    "900 digits, negative": ("min_face", "-" + "9" * 900),
    "depth": ("face_mask_weights", '{"eye":' * 120 + "1" + "}" * 120),
    "depth without end": ("strength", "[" * 999),
    "true for an amount": ("balance", "true"),
    "a list of faces": ("faces", "[0]"),
    "a face beyond all": ("faces", "9" * 400),
    "a size over the maximum": ("max_face", "100001"),
    "control characters": ("preset", "\x1b[31mred\x07"),
    "a direction mark": ("format", "\u202egnp"),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("path", ["/v1/restore", "/v1/jobs"])
def test_a_form_s_field(name: str, path: str, server: Running, portrait: bytes) -> None:
    field, text = FORMS[name]
    with server.http() as client:
        file = "files" if path == "/v1/jobs" else "file"
        assert_refused(client.post(path, files={file: ("a.jpg", portrait)}, data={field: text}))
        if path == "/v1/jobs" and field not in ("faces", "preset", "format"):
            overrides = f'{{"0": {{"{field}": {text}}}}}'
            assert_refused(client.post(path, files={file: ("a.jpg", portrait)}, data={"overrides": overrides}))


OVERRIDES = [
    f'{{"0": {{"preset": {HALF}}}}}',
    f'{{"0": {{"faces": {HALF}}}}}',
    f'{{"0": {{{HALF}: 1}}}}',
    f"{{{HALF}: {{}}}}",
    f"[{HALF}]",
    HALF,
    '{"0": {"max_face": 100001}}',
    '{"0": {"faces": [0]}}',
    '{"0": {"faces": 0}}',
    '{"0": {"faces": "largest\\n"}}',
    '{"0": {"balance": true}}',
    '{"0": {"min_face": 9, "max_face": 3}}',
    '{"0": {"strength": 1e400}}',
    '{"0": {"strength": 1}, "0": {"strength": 0}}',
    '{"0": {"strength": 1}, "00": {"strength": 0}}',
    '{"0": {"strength": 1, "strength": 0}}',
    '{"1": {}}',
    '{"-1": {}}',
    '{"٠": {}}',
    '{"0": null}',
    "null",
    "[" * 5000,
]


@pytest.mark.parametrize("text", OVERRIDES, ids=range(len(OVERRIDES)))
def test_overrides(text: str, server: Running, portrait: bytes) -> None:
    with server.http() as client:
        assert_refused(client.post("/v1/jobs", files={"files": ("a.jpg", portrait)}, data={"overrides": text}))
    assert not [path for path in (server.state.settings.data / "jobs").iterdir() if not any(path.iterdir())]


WEBUI = {
    "a half in the picture": f'{{"image": {HALF}, "gfpgan_visibility": 1}}',
    "a half in a name": f'{{"image": "AA==", {HALF}: 1}}',
    "a half in a preset": f'{{"image": "AA==", "gfpgan_visibility": 1, "preset": {HALF}}}',
    "a half in an upscaler": f'{{"image": "AA==", "upscaler_1": {HALF}}}',
    "not a number": '{"image": "AA==", "gfpgan_visibility": NaN}',
    "infinity": '{"image": "AA==", "gfpgan_visibility": Infinity}',
    "a number beyond all": '{"image": "AA==", "gfpgan_visibility": 1e400}',
    "digits without end": '{"image": "AA==", "resize_mode": ' + "9" * 5000 + "}",
    "an empty picture": '{"image": "", "gfpgan_visibility": 1}',
    "an empty picture and nothing to do": '{"image": ""}',
    "space only": '{"image": " \\t\\n ", "gfpgan_visibility": 1}',
    "a prefix only": '{"image": "data:image/png;base64,", "gfpgan_visibility": 1}',
    "no base64": '{"image": "data:image/png;base64,@@@@", "gfpgan_visibility": 1}',
    "full-width letters": '{"image": "ＡＡ＝＝", "gfpgan_visibility": 1}',
    "depth": '{"image": ' + "[" * 50_000,
    "depth beside it": '{"x": ' + "[" * 50_000 + "]" * 50_000 + ', "image": "AA=="}',
    "a million values": '{"x": [' + "0," * 1_000_000 + '0], "image": "AA=="}',
    "a million names": '{"x": {' + ",".join(f'"{n}":0' for n in range(200_000)) + '}, "image": "AA=="}',
    "no object": "[]",
    "nothing": "",
    "two objects": '{"image": "AA=="}{"image": "AA=="}',
    "no UTF-8": '{"image": "\udcff"}',
}


@pytest.mark.parametrize("name", WEBUI)
def test_the_web_ui_s_body(name: str, server: Running) -> None:
    body = WEBUI[name].encode(errors="surrogateescape")
    with server.http() as client:
        assert_refused(client.post("/sdapi/v1/extra-single-image", content=body, headers=JSON))
        listed = body.replace(b'"image": ', b'"imageList": [{"data": ').replace(b'"gfpgan', b'}], "gfpgan')
        assert_refused(client.post("/sdapi/v1/extra-batch-images", content=listed, headers=JSON))
    assert server.state.upload_memory.bytes == 0


def test_base64_is_taken_with_prefix_and_space_and_costs_no_more_for_it(server: Running, portrait: bytes) -> None:
    text = base64.b64encode(portrait).decode()
    spaced = "data:image/jpeg;base64," + "\r\n ".join(text[at : at + 1] for at in range(len(text)))
    body = json.dumps({"image": spaced, "gfpgan_visibility": 1})
    with server.http() as client:
        assert client.post("/sdapi/v1/extra-single-image", content=body, headers=JSON).status_code == 200


LIVE: dict[str, str] = {
    "a half for a region": f'{{"faces": [0], "face_mask_weights": {{{HALF}: 1}}}}',
    "a half for a weight": f'{{"faces": [0], "face_mask_weights": {{"eye": {HALF}}}}}',
    "a half for a name": f'{{"faces": [0], {HALF}: 1}}',
    "a half for a face": f'{{"faces": [{HALF}]}}',
    "a half for a preset": f'{{"faces": [0], "preset": {HALF}}}',
    "a half for a language": f'{{"faces": [0], "language": {HALF}}}',
    "a half alone": HALF,
    "not a number": '{"faces": [0], "strength": NaN}',
    "infinity": '{"faces": [0], "exposure": Infinity}',
    "a number beyond all": '{"faces": [0], "strength": 1e400}',
    "digits without end": '{"faces": [' + "9" * 5000 + "]}",
    "a face beyond all": '{"faces": [' + "9" * 400 + "]}",
    "a face below all": '{"faces": [-1]}',
    "a face that is infinite": '{"faces": [1e400]}',
    "depth": '{"faces": ' + "[" * 100_000,
    "depth beside it": '{"x": ' + "[" * 50_000 + "]" * 50_000 + "}",
    "a name of 100 KB": '{"faces": [0], "' + "x" * 100_000 + '": 1}',
    "a region of 100 KB": '{"faces": [0], "face_mask_weights": {"' + "x" * 100_000 + '": 1}}',
    "20,000 regions": '{"faces": [0], "face_mask_weights": {' + ",".join(f'"{n}":1' for n in range(20_000)) + "}}",
    "257 faces": json.dumps({"faces": list(range(257))}),
    "no object": "[1]",
    "no JSON": "faces=0",
    "nothing": "",
}


@pytest.mark.parametrize("name", LIVE)
def test_the_page_s_bodies(name: str, server: Running, portrait: bytes) -> None:
    with server.http() as client:
        opened = client.post("/live/pictures", files={"file": ("a.jpg", portrait)}).json()["id"]
        for what in ("fields", "views", "evidence", "files/web"):
            answer = client.post(f"/live/pictures/{opened}/{what}", content=LIVE[name].encode(), headers=JSON)
            assert_refused(answer)
        client.delete(f"/live/pictures/{opened}")


AREAS: list[dict[str, Any]] = [
    {**LOOK, "right": 1e308},
    {**LOOK, "left": -1e308, "right": 1e308},
    {**LOOK, "left": 1e300, "right": 1e301},
    {**LOOK, "left": 5, "right": 5},
    {**LOOK, "left": 9, "right": 0},
    {**LOOK, "width": 10**30},
    {**LOOK, "width": 0},
    {**LOOK, "width": 8193},
]


@pytest.mark.parametrize("area", AREAS, ids=range(len(AREAS)))
def test_an_area_beyond_all_is_refused_or_cut(area: dict[str, Any], server: Running, portrait: bytes) -> None:
    with server.http() as client:
        opened = client.post("/live/pictures", files={"file": ("a.jpg", portrait)}).json()["id"]
        answer = client.post(f"/live/pictures/{opened}/views", json={"areas": [{**area, "before": True}]})
        assert answer.status_code in (200, 422)
        assert len(answer.content) < 1 << 20
        for sides in ([1e308, 1e308], [0, 0], [-5, 5], [10, 10, 10]):
            assert_refused(client.post(f"/live/pictures/{opened}/files/print", json={"millimetres": sides}))
        for more in ({"scale": 1e308}, {"side": -1}, {"side": 1}, {"preset": "\u202e"}):
            kind = "web" if "side" in more else "print"
            assert_refused(client.post(f"/live/pictures/{opened}/files/{kind}", json=more))
        client.delete(f"/live/pictures/{opened}")


def raw(server: Running, sent: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(sent)
        answer = b""
        while more := connection.recv(65536):
            answer += more
            head, ends, body = answer.partition(b"\r\n\r\n")
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"")
            if ends and (not length or len(body) >= int(length.split(b":")[1])):
                break
    return int(answer.split(b" ", 2)[1]), answer


HOST = b" HTTP/1.1\r\nHost: localhost\r\n"

REQUESTS: dict[str, tuple[bytes, set[int]]] = {
    "an address of 15 KB": (b"GET /" + b"a" * 15_000 + HOST + b"\r\n", {404}),
    "an address of 100 KB": (b"GET /" + b"a" * 100_000 + HOST + b"\r\n", {400}),
    "a query of 100 KB": (b"GET /v1/presets?" + b"a" * 100_000 + HOST + b"\r\n", {400}),
    "1,000 headers": (b"GET /v1/presets" + HOST + b"X: yyyyyyyyyyyyyyyy\r\n" * 1000 + b"\r\n", {400}),
    "a query": (b"GET /v1/presets?x=%ff%00&x=1" + HOST + b"\r\n", {200}),
    "a path that is no UTF-8": (b"GET /page/%ff%fe" + HOST + b"\r\n", {404}),
    "a path with a half": (b"GET /live/pictures/%ed%a0%80" + HOST + b"\r\n", {410}),
    "a number of many digits": (b"GET /v1/jobs/" + b"0" * 32 + b"/pictures/" + b"9" * 5000 + HOST + b"\r\n", {422}),
    "a look at the head": (b"HEAD /healthz" + HOST + b"\r\n", {200}),
    "which methods there are": (b"OPTIONS /v1/restore" + HOST + b"\r\n", {405}),
    "all methods there are": (b"OPTIONS *" + HOST + b"\r\n", {404, 405}),
    "another server's address": (b"GET http://evil.example/v1/presets" + HOST + b"\r\n", {404}),
    "a tunnel": (b"CONNECT evil.example:443" + HOST + b"\r\n", {404, 405}),
    "a trace": (b"TRACE /v1/presets" + HOST + b"\r\n", {405}),
    "a lone line feed": (b"GET /v1/presets" + HOST + b"X: a\nY: b\r\n\r\n", {200, 400}),
    "a folded header": (b"GET /v1/presets" + HOST + b"X: a\r\n b\r\n\r\n", {200, 400}),
    "space before a colon": (b"GET /v1/presets" + HOST + b"X : a\r\n\r\n", {400}),
    "a length with a sign": (b"POST /v1/check" + HOST + b"Content-Length: +5\r\n\r\nabcde", {400}),
    "two lengths in one": (b"POST /v1/check" + HOST + b"Content-Length: 5, 6\r\n\r\nabcde", {400}),
    "chunks of another kind": (
        b"POST /v1/check" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        {400, 501},
    ),
    "chunks twice": (b"POST /v1/check" + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "chunks by a vertical tab": (
        b"POST /v1/check" + HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        {400, 501},
    ),
    "HTTP/1.0": (b"GET /v1/presets HTTP/1.0\r\nHost: localhost\r\n\r\n", {200}),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 421}),
    "a kind of its own": (
        b"POST /v1/check" + HOST + b"Content-Type: \xff/\xfe; boundary=\r\nContent-Length: 0\r\n\r\n",
        {415},
    ),
    "JSON where a form belongs": (
        b"POST /v1/restore" + HOST + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        {415},
    ),
    "a boundary of 10 KB": (
        b"POST /v1/check"
        + HOST
        + b"Content-Type: multipart/form-data; boundary="
        + b"x" * 10_000
        + b"\r\nContent-Length: 0\r\n\r\n",
        {400, 415},
    ),
}
"""Whole requests, and the statuses that may answer them."""


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_at_the_edge_of_what_one_is(name: str, server: Running) -> None:
    sent, statuses = REQUESTS[name]
    status, answer = raw(server, sent)
    assert status in statuses, answer[:500]
    assert b"x-content-type-options: nosniff" in answer.lower()


def test_a_body_in_chunks_without_a_length_is_bounded(server: Running, portrait: bytes) -> None:
    def chunks(count: int) -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(count):
            yield b"y" * (1 << 20)
        yield b"\r\n--x--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=x"}
    with server.http() as client:
        assert client.post("/v1/check", content=chunks(1), headers=headers).json()["status"] == "refuse"
        assert client.post("/v1/check", content=chunks(30), headers=headers).status_code == 413
        extra = [("file", ("a.jpg", portrait)), ("other", ("b.jpg", portrait))]
        assert_refused(client.post("/v1/check", files=extra))
        assert_refused(client.post("/v1/check", files=[("file", ("a.jpg", portrait))] * 3))


def test_nothing_of_it_was_held_or_unforeseen(server: Running) -> None:
    assert server.state.upload_memory.bytes == 0
    assert server.state.pool.admitted == 0
    with server.http() as client:
        page = client.get("/metrics").text
    assert not [
        line for line in page.splitlines() if line.startswith("likeness_requests_total") and 'status="500"' in line
    ]
