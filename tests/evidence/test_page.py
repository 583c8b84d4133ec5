from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tags import Tags

from likeness.errors import FileWriteError
from likeness.evidence.figures import FaceEvidence, Figure, Inspection
from likeness.evidence.page import page, shown, write_page
from likeness.imaging.image import Box


@pytest.fixture
def inspection() -> Inspection:
    box = Box(100, 100, 200, 200)
    figures = (
        Figure(name="iris", group="iris", title="Radial texture", unit="%", before=20.0, after=9.0, verdict="bad",
               sentence="a flat ring", boxes=(box, Box(300, 100, 400, 200))),
        Figure(name="stretch", group="geometry", title="Outline", unit="%", after=1.5, verdict="look", sentence="wider",
               boxes=(box,)),
        Figure(name="identity", group="identity", title="Distance", verdict="none", sentence="needs <dlib>"),
    )  # fmt: skip
    pixels = np.random.default_rng(0).random((512, 512, 3)).astype(np.float32)
    face = FaceEvidence(
        index=0,
        box=Box(10, 10, 90, 90),
        native_side=300.0,
        figures=figures,
        before=pixels,
        after=pixels,
        notes=("a & b",),
    )
    return Inspection(faces=(face,), scale=2.0)


def test_the_page_is_whole_and_needs_nothing_else(inspection: Inspection) -> None:
    text = page(inspection, before="a<b>.jpg", after="after.png")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    pictures = [attributes for tag, attributes in tags.seen if tag == "img"]
    # The whole face, two eyes, and the outline's place: before and after.
    assert len(pictures) == 8
    assert all(picture["src"].startswith("data:image/jpeg;base64,") and picture["alt"] for picture in pictures)
    assert not re.search(r"(?:src|href)=['\"](?!data:)|url\(|@import|<script", text)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "a&lt;b&gt;.jpg" in text
    assert "needs &lt;dlib&gt;" in text
    assert "a &amp; b" in text
    assert "2 times as large" in text
    assert tags.seen[0] == ("html", {"lang": "en"})


def test_values_as_people_read_them(inspection: Inspection) -> None:
    iris, outline, identity = inspection.faces[0].figures
    assert shown(iris) == ("20.0%", "9.0%")
    assert shown(outline) == ("-", "+1.5%")
    assert shown(identity) == ("-", "-")
    still = Figure(
        name="stretch", group="geometry", title="Outline", unit="%", after=-0.01, verdict="good", sentence=""
    )
    assert shown(still)[1] == "+0.0%"
    assert inspection.verdict == "bad"
    assert [inspection.faces[0].count(verdict) for verdict in ("good", "look", "bad", "none")] == [0, 1, 1, 1]


def test_a_page_that_cannot_be_written(inspection: Inspection, tmp_path: Path) -> None:
    with pytest.raises(FileWriteError):
        write_page(tmp_path / "missing" / "page.html", inspection, before="a", after="b")
    assert list(tmp_path.iterdir()) == []
