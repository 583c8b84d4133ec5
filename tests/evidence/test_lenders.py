from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from likeness.errors import ConfigError
from likeness.evidence.lenders import COLOURS, Lender, lenders_of, painted, regions_told
from likeness.faces.regions import REGIONS
from likeness.imaging.image import Box
from likeness.messages.notice import Notice

BOX = Box(10, 20, 110, 140)


def share(left: int, right: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    found = np.zeros((128, 128), np.float32)
    found[:, left:right] = 1
    return found


@pytest.fixture
def record() -> dict[str, Any]:
    """Of a picture with two faces, of which the first has detail of two photographs."""
    lent = [
        Lender(name="a.jpg", regions=("eye", "lip"), share=share(0, 64)),
        Lender(name="b.jpg", regions=("hair",), share=share(64, 128)),
    ]
    box = {"left": 12, "top": 22, "right": 112, "bottom": 142}
    apart = {name: value + 300 for name, value in box.items()}
    return {
        "controls": {"reference_strength": 0.8},
        "faces": [
            {"box": box, "references": {"lenders": [one.to_dict() for one in lent]}},
            {"box": apart, "references": None},
        ],
    }


def test_what_a_record_tells_is_read_for_the_face_that_is_meant(record: dict[str, Any]) -> None:
    one, other = lenders_of(record, BOX)
    assert (one.name, one.regions, other.name, other.regions) == ("a.jpg", ("eye", "lip"), "b.jpg", ("hair",))
    assert one.share.shape == (64, 64)
    np.testing.assert_array_equal(one.share[:, :32], 1)
    np.testing.assert_array_equal(one.share + other.share, 1)
    assert lenders_of(record, Box(310, 320, 410, 440)) == ()
    assert lenders_of(None, BOX) == ()
    assert lenders_of({**record, "controls": {"reference_strength": 0}}, BOX) == ()
    # A report of before there were maps.
    assert lenders_of({"faces": [{**record["faces"][0], "references": {"gifts": []}}]}, BOX) == ()


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", 7])
def test_a_damaged_map_is_refused(record: dict[str, Any], text: object) -> None:
    record["faces"][0]["references"]["lenders"][0]["map"] = text
    with pytest.raises(ConfigError, match="the report is damaged"):
        lenders_of(record, BOX)


def test_each_photograph_has_its_colour_where_it_gave(record: dict[str, Any]) -> None:
    grey = np.full((128, 128, 3), 0.5, np.float32)
    shown = painted(grey, lenders_of(record, BOX))
    for column, code in ((20, COLOURS[0]), (108, COLOURS[1])):
        colour = np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)])
        place = shown[64, column] - 0.5
        assert np.array_equal(np.argsort(place), np.argsort(colour))
        assert np.ptp(place) > 0.1
    np.testing.assert_array_equal(painted(grey, ()), grey)


def test_few_regions_are_all_named_and_many_are_counted() -> None:
    assert regions_told(["lip", "eye"]) == "eyes, mouth"
    assert regions_told(REGIONS) == f"eyes, brows, nose and {len(REGIONS) - 3} more"
    assert isinstance(regions_told(REGIONS), Notice)
    assert regions_told(REGIONS).say("zh") == f"眼睛、眉毛、鼻部（＋{len(REGIONS) - 3} 个部分）"
