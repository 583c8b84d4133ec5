"""The real server, over HTTP and in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import pytest
from test_review_session import NAMES, picture

from likeness.studio.review.making import SessionOptions, make_session
from likeness.studio.review.session import ReviewSession

pytest.importorskip("fastapi", reason="the review's page needs the extra serve")
uvicorn = pytest.importorskip("uvicorn", reason="the review's page needs the extra serve")


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sides")
    for number, name in enumerate(NAMES):
        picture(root / "gentle-tool" / f"{name}.png", number)
        picture(root / "strong-tool" / f"{name}.png", 10 + number)
    return {"gentle setting": root / "gentle-tool", "strong setting": root / "strong-tool"}


@pytest.fixture
def session(sides: dict[str, Path], tmp_path: Path) -> ReviewSession:
    options = SessionOptions(title="Portraits", originals=sides["gentle setting"], seed="a secret")
    return make_session(tmp_path / "session", sides, options)


@pytest.fixture
def serve() -> Generator[Callable[..., str]]:
    """Starts servers in threads, and gives their addresses."""
    from likeness.studio.review.app import make_app

    running = []

    def start(session: ReviewSession, **options: object) -> str:
        app = make_app(session, **options)  # type: ignore[arg-type]
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
        up = threading.Event()
        begin = server.startup

        async def startup(sockets=None) -> None:
            await begin(sockets=sockets)
            up.set()

        server.startup = startup
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        assert up.wait(20)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


def test_a_vote_over_http(session: ReviewSession, serve: Callable[..., str]) -> None:
    with httpx.Client(base_url=serve(session)) as client:
        token = client.post("/api/raters", json={"name": "Ana"}).json()["token"]
        state = client.get(f"/api/raters/{token}").json()
        assert (state["name"], state["positions"], state["original"], len(state["screens"])) == (
            "Ana",
            ["A", "B"],
            True,
            3,
        )
        answer = client.put(f"/api/raters/{token}/screens/2/B", json={"score": 5, "comment": " 自然 "})
        assert answer.status_code == 204
        # On the disk, for another reader, before the answer came.
        (ballot,) = [b for b in ReviewSession(session.folder).ballots() if b.score]
        assert (ballot.rater, ballot.place, ballot.position, ballot.score, ballot.comment) == ("Ana", 2, 1, 5, "自然")
        assert client.get(f"/api/raters/{token}").json()["screens"][2][1] == {"score": 5, "comment": "自然"}
        assert client.post("/api/raters", json={"name": "ana"}).json()["token"] == token


def test_nothing_tells_the_sides(session: ReviewSession, serve: Callable[..., str]) -> None:
    telling = re.compile(rb"gentle|strong|setting|-tool|aunt|uncle|\xe7\x8e\x8b|%E7%8E%8B|secret", re.IGNORECASE)
    with httpx.Client(base_url=serve(session)) as client:
        token = client.post("/api/raters", json={"name": "Ana"}).json()["token"]
        pictures = [f"/api/raters/{token}/screens/{n}/{x}.webp" for n in range(3) for x in ("A", "B", "original")]
        for path in ("/", "/review.js", "/review.css", "/words.js", "/api/session", f"/api/raters/{token}", *pictures):
            answer = client.get(path)
            assert answer.status_code == 200
            assert not telling.search(answer.content)
            assert not telling.search(repr(answer.headers).encode())
            assert not {"last-modified", "etag", "content-disposition"} & set(answer.headers)
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["referrer-policy"] == "no-referrer"
        dates = {client.get(path).headers["content-type"] for path in pictures}
        assert dates == {"image/webp"}
        for path in ("/docs", "/openapi.json", "/redoc", "/session.sqlite", "/pictures", "/../session.sqlite"):
            assert client.get(path).status_code == 404


def test_what_is_refused(session: ReviewSession, serve: Callable[..., str]) -> None:
    with httpx.Client(base_url=serve(session, hosts=("127.0.0.1",))) as client:
        token = client.post("/api/raters", json={"name": "Ana"}).json()["token"]
        screens = f"/api/raters/{token}/screens"
        for path, body, status in (
            (f"{screens}/0/A", {"score": 6}, 422),
            (f"{screens}/0/A", {"score": 0}, 422),
            (f"{screens}/0/A", {"comment": "x" * 2001}, 422),
            (f"{screens}/3/A", {"score": 1}, 404),
            (f"{screens}/0/C", {"score": 1}, 404),
            (f"{screens}/0/original", {"score": 1}, 404),
            (f"{screens}/0/AB", {"score": 1}, 404),
            ("/api/raters/nobody/screens/0/A", {"score": 1}, 404),
        ):
            assert client.put(path, json=body).status_code == status
        assert client.get(f"{screens}/0/D.webp").status_code == 404
        assert client.get("/api/raters/nobody").status_code == 404
        assert client.post("/api/raters", json={"name": "  "}).status_code == 422
        assert "1 to 60 characters" in client.post("/api/raters", json={"name": "x" * 61}).json()["detail"]
        # A page elsewhere that has its own name point here (DNS rebinding) gets nothing.
        assert client.get("/", headers={"Host": "evil.example.com"}).status_code == 400
    assert not [ballot for ballot in session.ballots() if ballot.score]


def test_a_key_keeps_strangers_out(session: ReviewSession, serve: Callable[..., str]) -> None:
    with httpx.Client(base_url=serve(session, key="sesame")) as client:
        for headers in ({}, {"X-Review-Key": "open"}):
            assert client.post("/api/raters", json={"name": "Ana"}, headers=headers).status_code == 403
        assert client.post("/api/raters", json={"name": "Ana"}, headers={"X-Review-Key": "sesame"}).status_code == 200


def test_votes_outlive_a_killed_server(session: ReviewSession) -> None:
    command = [sys.executable, "-m", "likeness", "review", "--session", str(session.folder), "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        assert server.stderr is not None
        address = re.search(r"http://127\.0\.0\.1:\d+/", server.stderr.readline())
        assert address is not None
        transport = httpx.HTTPTransport(retries=8)  # it listens, but may not have begun to answer
        with httpx.Client(base_url=address[0], transport=transport, timeout=20) as client:
            token = client.post("api/raters", json={"name": "Ana"}).json()["token"]
            assert client.put(f"api/raters/{token}/screens/0/A", json={"score": 3}).status_code == 204
            os.kill(server.pid, signal.SIGKILL)
    finally:
        server.wait(10)
        if server.stderr is not None:
            server.stderr.close()
    assert [ballot.score for ballot in session.ballots()].count(3) == 1


def test_a_review_in_a_browser(session: ReviewSession, serve: Callable[..., str], tmp_path: Path) -> None:
    """Rate two pictures by keyboard, reload, go on, and find it all in the report."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    address = serve(session)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        view = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB")
        faults: list[str] = []
        view.on("pageerror", lambda error: faults.append(str(error)))
        view.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        view.goto(address)
        view.get_by_label("Your name").fill("Ana")
        view.keyboard.press("Enter")
        view.get_by_text("1 of 3").wait_for()
        assert view.locator(".panel").count() == 3  # the original, A and B
        for keys in ("42", "55"):  # each key rates a picture and chooses the next
            for key in keys:
                with view.expect_response(lambda answer: answer.request.method == "PUT"):
                    view.keyboard.press(key)
            view.keyboard.press("Enter")
        view.get_by_text("3 of 3").wait_for()
        # A rated picture's comment, from the keyboard; the letters in it are no commands.
        view.keyboard.press("Backspace")
        view.keyboard.press("b")
        view.keyboard.press("m")
        with view.expect_response(lambda answer: answer.request.method == "PUT"):
            view.keyboard.type("a1 flat")
        view.keyboard.press("Escape")
        view.reload()
        view.get_by_text("3 of 3").wait_for()  # goes on where it stopped
        assert view.locator("#progress").get_attribute("value") == "2"
        # Zoom and loupe move all pictures together.
        view.keyboard.press("+")
        transforms = view.locator(".view img").evaluate_all("images => images.map((image) => image.style.transform)")
        assert len(set(transforms)) == 1
        assert "scale(" in transforms[0]
        view.keyboard.press("l")
        view.locator(".view").nth(1).hover()
        assert view.locator(".glass:visible").count() == 3
        for key in "31":
            with view.expect_response(lambda answer: answer.request.method == "PUT"):
                view.keyboard.press(key)
        view.keyboard.press("Enter")
        view.get_by_text("Thank you, Ana").wait_for()
        assert faults == []
        browser.close()
    ballots = session.ballots()
    assert [ballot.score for ballot in ballots] == [4, 2, 5, 5, 3, 1]
    assert [ballot.comment for ballot in ballots] == ["", "", "", "a1 flat", "", ""]
    report = [sys.executable, "-m", "likeness", "review", "--report", str(session.folder), "--html", "report.html"]
    done = subprocess.run(report, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    assert "3 pictures, 1 rater, 6 of 6 ratings given" in done.stdout
    assert "a1 flat" in done.stdout
    assert "gentle setting" in (tmp_path / "report.html").read_text(encoding="utf-8")
