"""Yes, Change and No on proofs: in a real browser, out of files and served, and back into the book."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Generator
from email.message import EmailMessage
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from likeness.errors import ConfigError
from likeness.imaging.image import Image
from likeness.studio.acceptance import open_book
from likeness.studio.answers import Asking, answers_in, asked_in
from likeness.studio.captions import Captions
from likeness.studio.proof import ProofOptions, make_proof
from likeness.studio.proof_index import entry_of, index_page
from likeness.studio.proof_page import proof_page

pytest.importorskip("fastapi", reason="the page of answers needs the extra serve")
uvicorn = pytest.importorskip("uvicorn", reason="the page of answers needs the extra serve")
sync = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")

CLIENT = "Ana <Lima>, & Söhne"
PICTURES = ("ada.jpg", 'b "2".png', "in/ada.jpg")


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory, astronaut: Image) -> Path:
    folder = tmp_path_factory.mktemp("proofs")
    asking = Asking(client=CLIENT, reply="studio@example.com")
    options = ProofOptions(side=320)
    entries = []
    captions = Captions(done="Restored.", kept="97% you.", figures="identity 0.02")
    for number, name in enumerate(PICTURES):
        proof = make_proof(astronaut, astronaut, [], captions, options, name=name)
        (folder / f"{number}.html").write_text(proof_page(proof, asking, index="index.html"), encoding="utf-8")
        entries.append(entry_of(proof, f"{number}.html"))
    (folder / "index.html").write_text(index_page(entries, options, asking), encoding="utf-8")
    (folder / "private.txt").write_text("nobody's business")
    return folder


@pytest.fixture(scope="module")
def browser() -> Generator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    with sync.sync_playwright() as tools:
        started = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Generator[Any]:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    opened = context.new_page()
    faults: list[str] = []

    def failed(error: Any) -> None:
        faults.append(str(error))

    opened.on("pageerror", failed)
    yield opened
    context.close()
    assert faults == []


@pytest.fixture
def serve() -> Generator[Callable[..., str]]:
    from likeness.studio.asking import AskingFolder, make_app

    running = []

    def start(folder: Path, book: Path, **options: Any) -> str:
        app = make_app(AskingFolder(folder), book, **options)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        while not server.started:
            assert thread.is_alive()
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(20)


def of(page: Any, picture: str) -> Any:
    return page.get_by_role("group", name=f"Your answer to {picture}", exact=True)


def stands(book: Path) -> dict[str, tuple[str, ...]]:
    with open_book(book) as opened:
        assert {state.client for state in opened.pictures()} == {CLIENT}
        return {state.picture: state.answers for state in opened.pictures()}


def notes(book: Path) -> list[str]:
    with open_book(book) as opened:
        return [entry.note for entry in opened.history() if entry.note]


def test_answers_out_of_a_file_come_back_as_a_file_and_as_a_mail(page: Any, proofs: Path, tmp_path: Path) -> None:
    page.goto((proofs / "index.html").as_uri())
    assert page.locator(".answered").inner_text() == "0 of 3 answered"
    assert page.get_by_role("button", name="Save as a file").is_disabled()
    of(page, PICTURES[0]).get_by_role("button", name="Yes").click()
    # On a proof's own page as well; it leads back with the answer, also where a browser keeps nothing of pages out of files.
    page.evaluate("localStorage.clear()")
    page.locator(".card a").nth(1).click()
    assert page.locator("details p").is_hidden()
    page.locator("summary").click()
    assert page.locator("details p").inner_text() == "identity 0.02"
    row = of(page, PICTURES[1])
    row.get_by_role("button", name="Change").click()
    row.locator("textarea").fill('softer, "please"\nand lighter: ü')
    row.locator("textarea").blur()
    page.evaluate("localStorage.clear()")
    page.get_by_role("link", name="All pictures").click()
    assert of(page, PICTURES[1]).get_by_role("button", pressed=True).inner_text() == "Change"
    of(page, PICTURES[0]).get_by_role("button", name="Yes").click()
    of(page, PICTURES[2]).get_by_role("button", name="No").click()
    assert page.locator(".answered").inner_text() == "3 of 3 answered"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as a file").click()
    assert waiting.value.suggested_filename.endswith(".csv")
    table = Path(waiting.value.path()).read_bytes()
    book = tmp_path / "book.sqlite"
    with open_book(book, create=True) as opened:
        assert opened.import_csv(answers_in(table, name="answers.csv"), name="answers.csv") == (3, 0)
    assert stands(book) == dict(zip(PICTURES, [("accepted",), ("revise",), ("rejected",)], strict=True))
    assert notes(book) == ['softer, "please" and lighter: ü']

    # The mail that the page prepares holds the same, however mail programs break and quote it.
    address = page.get_by_role("link", name="Send by e-mail").get_attribute("href")
    assert urlsplit(address).path == "studio@example.com"
    body = parse_qs(urlsplit(address).query)["body"][0]
    assert f"{PICTURES[2]}: No" in body
    broken = "\n".join(f"> {body[start : start + 60]}" for start in range(0, len(body), 60))
    mail = EmailMessage()
    mail["Subject"] = "Re: your proofs"
    mail.set_content(broken)
    with open_book(book) as opened:
        for data in (mail.as_bytes(), broken.encode()):
            assert opened.import_csv(answers_in(data, name="mail.eml"), name="mail.eml") == (0, 3)
    attached = EmailMessage()
    attached["Subject"] = "answers"
    attached.set_content("see there")
    attached.add_attachment(table, maintype="text", subtype="csv", filename="answers.csv")
    assert answers_in(attached.as_bytes(), name="mail.eml").startswith(b"picture,client")
    with pytest.raises(ConfigError, match="holds no answers"):
        answers_in(b"Subject: hello\n\nall is well", name="mail.eml")
    with pytest.raises(ConfigError, match="are damaged"):
        answers_in(b"[[likeness AAAAA likeness]]", name="mail.txt")


def test_answers_to_a_served_page_are_in_the_book_at_once(
    page: Any, proofs: Path, tmp_path: Path, serve: Callable[..., str]
) -> None:
    book = tmp_path / "book.sqlite"
    address = serve(proofs, book, hosts=("127.0.0.1",))
    page.goto(address)
    assert page.locator(".ways").is_hidden()
    row = of(page, PICTURES[1])
    row.get_by_role("button", name="No").click()
    row.get_by_text("Your studio has this answer.").wait_for()
    # Another button is a correction, and no revision.
    row.get_by_role("button", name="Yes").click()
    page.wait_for_timeout(300)
    assert stands(book) == {PICTURES[1]: ("accepted",)}
    page.evaluate("localStorage.clear()")
    page.goto(f"{address}/1.html")
    of(page, PICTURES[1]).get_by_role("button", name="Yes", pressed=True).wait_for()


def test_a_picture_that_is_done_anew_while_it_is_served_is_answered_anew(
    proofs: Path, tmp_path: Path, serve: Callable[..., str]
) -> None:
    """Its Yes stood as a correction of the Change before, as if it had been right at once."""
    book = tmp_path / "book.sqlite"
    said = {"picture": PICTURES[0], "client": CLIENT}
    with httpx.Client(base_url=serve(proofs, book)) as client:
        for answer, mark in (("rejected", "1"), ("revise", "1"), ("accepted", "2")):
            assert client.put("/answers", json={**said, "answer": answer, "mark": mark}).status_code == 204
        found = client.get("/answers", params={"client": CLIENT}).json()
    assert found == {PICTURES[0]: {"answer": "accepted", "note": "", "mark": "2"}}
    assert stands(book) == {PICTURES[0]: ("revise", "accepted")}


def test_another_proof_of_the_same_name_has_no_answer_yet(page: Any, proofs: Path, astronaut: Image) -> None:
    """Browsers keep one store for all pages out of files: what was said to the first version is no answer to the second."""
    page.goto((proofs / "0.html").as_uri())
    of(page, PICTURES[0]).get_by_role("button", name="Yes").click()
    page.get_by_role("link", name="All pictures").click()
    assert page.locator(".answered").inner_text() == "1 of 3 answered"
    carried = urlsplit(page.url).fragment
    page.goto("about:blank")
    page.goto((proofs / "index.html").as_uri())
    assert page.locator(".answered").inner_text() == "1 of 3 answered"
    again = make_proof(
        astronaut,
        Image(pixels=1 - astronaut.pixels),
        [],
        Captions(done="", kept=""),
        ProofOptions(side=320),
        name=PICTURES[0],
    )
    second = proofs / "again.htm"
    second.write_text(proof_page(again, Asking(client=CLIENT, reply="studio@example.com")), encoding="utf-8")
    # An address that a browser kept carries what was said to the first, too.
    for address in (second.as_uri(), f"{second.as_uri()}#{carried}"):
        page.goto("about:blank")
        page.goto(address)
        assert page.locator(".answered").inner_text() == "0 of 1 answered"


def test_pages_on_any_web_server_offer_mail_and_file(page: Any, proofs: Path) -> None:
    """A studio may lay its proofs on its own web space, which takes no answers."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(proofs))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
            of(page, PICTURES[0]).get_by_role("button", name="No").click()
            of(page, PICTURES[0]).get_by_role("button", name="No", pressed=True).wait_for()
            assert page.get_by_role("link", name="Send by e-mail").is_visible()
            with page.expect_download():
                page.get_by_role("button", name="Save as a file").click()
        finally:
            server.shutdown()
            thread.join()


def test_nothing_else_is_served_or_taken(proofs: Path, tmp_path: Path, serve: Callable[..., str]) -> None:
    book = tmp_path / "book.sqlite"
    (tmp_path / "secret.html").write_text("x")
    address = serve(proofs, book, key="open-sesame")
    good = {"picture": PICTURES[0], "client": CLIENT, "answer": "accepted", "note": ""}
    with httpx.Client(base_url=address) as client:
        assert client.get("/index.html").status_code == 404
        assert client.get("/open-sesame/").headers["location"] == "/open-sesame/index.html"
        answer = client.get("/open-sesame/index.html")
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        for name in ("private.txt", "..%2fsecret.html", "nothing.html", "%00.html"):
            assert client.get(f"/open-sesame/{name}").status_code == 404
        for change in ({"picture": "other.jpg"}, {"client": "Bo"}, {"answer": "perhaps"}, {"answer": "withdrawn"}):
            assert client.put("/open-sesame/answers", json=good | change).status_code == 422
        assert client.put("/answers", json=good).status_code in (404, 405)
        assert not book.exists()
        assert client.put("/open-sesame/answers", json=good).status_code == 204
    assert stands(book) == {PICTURES[0]: ("accepted",)}


def test_what_a_page_asks() -> None:
    assert asked_in("<p>our studio</p>") == {}
    assert asked_in("<script type='application/json' id='answering'>{damaged</script>") == {}


def test_a_name_that_is_no_unicode_is_the_same_all_over_the_page(astronaut: Image) -> None:
    """As a lone surrogate in the script and as an escape at the buttons it was two, and no answer reached the studio."""
    captions = Captions(done="", kept="")
    proof = make_proof(astronaut, astronaut, [], captions, ProofOptions(side=320), name="n\udcff.jpg")
    html = proof_page(proof, Asking()).encode(errors="backslashreplace").decode()
    assert asked_in(html) == {"n\\udcff.jpg": ""}
    assert "data-picture='n\\udcff.jpg'" in html


def test_the_words_of_a_page_cannot_end_its_script(astronaut: Image) -> None:
    name = "</script><img src=x>.jpg"
    proof = make_proof(astronaut, astronaut, [], Captions(done="", kept=""), ProofOptions(side=320), name=name)
    html = proof_page(proof, Asking(client="<!--"))
    assert name not in html
    assert asked_in(html) == {name: "<!--"}
    assert json.dumps(name) not in html
