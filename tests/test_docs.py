"""Runs every command and every piece of Python that the README and the documents show, and follows their links."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*?) -->\n+)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#]*)(?:#(?P<anchor>[^)]*))?\)")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its page, the line it begins on, what the comment before it says, its language and its text."""

    page: Path
    line: int
    mark: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page,
            line=text.count("\n", 0, match.start("text")),
            mark=match["mark"] or "",
            language=match["language"],
            text=match["text"],
        )
        for match in FENCE.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks(page)]
RUN = [
    block
    for block in BLOCKS
    if block.mark.startswith("output of:")
    or (block.language in ("sh", "python") and not block.mark.startswith("not run:"))
]


@pytest.fixture
def workplace(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like the repository's root: the samples, and files that blocks of the documents show.

    A block that names samples finds those alone, which is enough of them where it names the whole folder as well.
    """
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    shown = [other.text for other in BLOCKS if other.mark.startswith("file:")]
    named = set(re.findall(r"examples/([\w./-]+\.\w+)", "\n".join([block.text, *shown])))
    if block.language == "sh" and re.search(r"examples/\w", block.text) and ".py" not in block.text:
        for path in files(tmp_path / "examples"):
            if path.relative_to(tmp_path / "examples").as_posix() not in named:
                path.unlink()
    for name in ("README.md", "inference_gpen.py"):
        shutil.copy(ROOT / name, tmp_path)
    for block in BLOCKS:
        if block.mark.startswith("file:"):
            (tmp_path / block.mark.removeprefix("file:").strip()).write_text(block.text, encoding="utf-8")
    # The programs of this environment come first, and the user's own models stay out of it.
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "models"))
    monkeypatch.setenv("LIKENESS_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


QUICK = ("README.md", "check.md", "checkpoints.md", "controls.md", "inspect.md", "library.md")
"""Pages whose blocks run every time; the others' take minutes together."""


@pytest.mark.parametrize(
    "block", [pytest.param(b, marks=() if b.page.name in QUICK else pytest.mark.long) for b in RUN], ids=str
)
def test_what_the_documents_show_runs(block: Block, workplace: Path) -> None:
    if block.mark.startswith("output of:"):
        command = block.mark.removeprefix("output of:").strip()
        assert shell(command) == block.text, f"{block}: {command} prints something else now"
    elif block.language == "sh":
        before = files(workplace)
        shell(block.text)
        results = files(workplace) - before
        asked = set(re.findall(r"(?:-o|--compare-to|--report|>) ([\w.-]+\.\w+)", block.text))
        assert asked <= {path.name for path in results}
    else:
        namespace: dict[str, object] = {"__name__": "__main__"}
        exec(compile(block.text, str(block), "exec"), namespace)


def shell(script: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, encoding="utf-8", check=False, timeout=300
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_few_blocks_are_left_out_and_each_says_why() -> None:
    left_out = [block for block in BLOCKS if block.mark.startswith("not run:")]
    assert all(len(block.mark.removeprefix("not run:").strip()) > 10 for block in left_out)
    assert len(left_out) <= len(BLOCKS) / 6
    assert {block.language for block in BLOCKS} <= {"sh", "python", "text", "toml", "json"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.finditer(page.read_text(encoding="utf-8")):
        target = page.parent / link["path"] if link["path"] else page
        assert target.exists(), f"{page.name} links to {link['path']}, which is not there"
        if link["anchor"] and target.suffix == ".md":
            assert link["anchor"] in anchors(target), f"{page.name} links to {link[0]}, a heading that is not there"


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as hosts of Markdown make them."""
    plain = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = [heading.replace("`", "") for heading in re.findall(r"^#+ (.+)$", plain, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def tool(name: str) -> ModuleType:
    """A module of `tools/`."""
    spec = importlib.util.spec_from_file_location(f"{name}_tool", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_site_fetches_nothing_and_searches_out_of_files(tmp_path: Path) -> None:
    """By the theme's own way: a worker that is told something, loads a script of its own, and answers."""
    hooks = tool("site_hooks")
    (tmp_path / "assets" / "javascripts").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    theirs = '<script src="https://unpkg.com/iframe-worker/shim"></script>'
    talk = """<body><script>
      const worker = new Worker("WHERE/work.js");
      worker.addEventListener("message", ({ data }) => (document.title = data));
      worker.postMessage("grain");
    </script>"""
    bare, named = (
        "<thead>\n<tr>\n<th></th>\n<th></th>\n</tr>\n</thead>",
        "<thead><tr><th></th><th>GPEN</th></tr></thead>",
    )
    assert (
        hooks.on_page_content(f"<table>{bare}</table><table>{named}</table>", page=None)
        == f"<table></table><table>{named}</table>"
    )
    (tmp_path / "404.html").write_text(theirs + talk.replace("WHERE", "."))
    inside = hooks.on_post_page(theirs + talk.replace("WHERE", ".."), SimpleNamespace(url="docs/web.html"), None)
    (tmp_path / "docs" / "web.html").write_text(inside)
    (tmp_path / "work.js").write_text(
        f"""addEventListener("message", async ({{ data }}) => {{
          await importScripts("{(tmp_path / "more.js").as_uri()}");
          postMessage(found(data));
        }});"""
    )
    (tmp_path / "more.js").write_text("function found(words) { return `found ${words}`; }")
    hooks.on_post_build(SimpleNamespace(site_dir=str(tmp_path)))
    assert not [path for path in tmp_path.rglob("*.html") if "unpkg" in path.read_text()]
    sync = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    with sync.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        for name in ("404.html", "docs/web.html"):
            page.goto((tmp_path / name).as_uri())
            page.wait_for_function("document.title === 'found grain'")
        browser.close()


def test_the_site_has_every_page_and_knows_where_its_links_lead(tmp_path: Path) -> None:
    site = tool("site")
    pages = {page.as_posix() for page in site.gather(ROOT, tmp_path / "site")}
    listed = set(re.findall(r"^ +- (?:[\w ]+: )?([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert listed <= pages
    assert {f"docs/{page.name}" for page in PAGES if page.parent.name == "docs"} <= listed
    assert (tmp_path / "site" / "docs" / "images").is_dir()


def test_the_page_on_the_command_line_names_every_flag_and_key() -> None:
    from likeness.restore.options import OPTIONS

    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    help_text = shell(f"{sys.executable} -m likeness restore --help")
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]+", help_text.split("exit status:")[0])) - {
        "--help",
        "--input_path",
        "--only_center_face",
    }
    assert len(flags) > 20
    assert not [
        flag for flag in flags if not re.search(rf"{flag}(?![\w-])", page) and flag not in ("--verbose", "--quiet")
    ]
    assert not [row.key for row in OPTIONS if f"`{row.key}`" not in page]


def test_tables_of_options_are_those_of_the_table() -> None:
    spec = importlib.util.spec_from_file_location("option_tables", ROOT / "tools" / "option_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    marked = [page for page in PAGES if "<!-- options: " in page.read_text(encoding="utf-8")]
    assert {page.name for page in marked} == {"README.md", "api.md", "cli.md", "reference.md", "repair.md"}
    for page in marked:
        text = page.read_text(encoding="utf-8")
        assert tables.filled(text) == text, f"python tools/option_tables.py writes the tables of {page.name} anew"


def test_no_figure_is_missing_and_no_machine_is_named() -> None:
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
        text = page.read_text(encoding="utf-8")
        assert "TODO" not in text, f"{page.name} still waits for a figure"
        assert "pypi.org" not in text
        assert not re.search(r"/(?:work|root|home/\w+)/", text)
