from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from running import Running
from sayings import capital, every_verdict

from likeness.messages.notice import LANGUAGES, Notice

SCRIPT = """
import { readFileSync } from "node:fs";
globalThis.document = { documentElement: {}, querySelectorAll: () => [] };
const { setLanguage } = await import("./words.js");
const { said } = await import("./said.js");
const notices = JSON.parse(readFileSync("notices.json", "utf8"));
const found = {};
for (const language of ["en", "zh"]) {
  setLanguage(language);
  found[language] = notices.map(said);
}
console.log(JSON.stringify(found));
"""
SAID = [
    Notice("finding.size-small", {"size": "120x90", "side": 90}),
    Notice("finding.face-small", {"width": 40.5, "limit": 48.0}),
    Notice("finding.face-unclear.tones", {"reason": Notice("face.outside")}),
    Notice("control.degradation-high", {"value": 1.15}),
    Notice("outcome.not-converged", {"regions": [Notice("region.eye"), Notice("region.lip")], "share": 0.125}),
    Notice("no-face.selected", {"count": 2, "reasons": [Notice("outcome.narrow", {"limit": 62.5})]}),
    Notice(
        "image.too-many-pixels", {"name": "x", "width": 9000, "height": 9000, "pixels": 81_000_000, "limit": 50_000_000}
    ),
    Notice("image.passes", {"name": "the picture", "kind": "JPEG", "most": 100, "megapixels": 0.25}),
    Notice("gate.outside", {"share": 0.00125}),
    Notice("option.refused", {"name": "face_weights", "wanted": Notice("wanted.weights"), "value": "3"}),
    Notice("job.overrides"),
    Notice.of("a sentence without a code"),
]


def test_the_page_says_what_the_catalogues_say(server: Running, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    notices = [*SAID, *every_verdict()]
    assert len({notice.code for notice in notices}) > 70
    for name in ("said.js", "words.js"):
        script = files("likeness.server").joinpath("page").joinpath(name).read_bytes()
        (tmp_path / name).write_bytes(script)
    with server.http() as client:
        (tmp_path / "messages.js").write_bytes(client.get("/page/messages.js").content)
    (tmp_path / "notices.json").write_text(json.dumps([notice.to_dict() for notice in notices]), encoding="utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "said.mjs").write_text(SCRIPT, encoding="utf-8")
    run = subprocess.run([node, "said.mjs"], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    found = json.loads(run.stdout)
    for language in LANGUAGES:
        assert found[language] == [capital(notice.say(language, "page")) for notice in notices]
