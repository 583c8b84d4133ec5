"""What the library is handed by mistake: one sentence at the call, of the library's own kind, from every public entry."""

# pyright: basic, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import likeness
from likeness import Controls, Image, LikenessError, RegionWeights, Repairs, RequestOptions, Restorer, Selection

PIXELS = np.full((80, 90, 3), 0.5, np.float32)
GOOD = Image(pixels=PIXELS)


def other(pixels: Any) -> Callable[[], object]:
    return lambda: Image(pixels=pixels)


MADE: dict[str, Callable[[], object]] = {
    "image of a list": other([[[0.5, 0.5, 0.5]]]),
    "image of a path": other("a.jpg"),
    "image of nothing": other(None),
    "image of uint8": other(np.zeros((4, 4, 3), np.uint8)),
    "image of float64": other(np.zeros((4, 4, 3))),
    "image of grey": other(np.zeros((4, 4), np.float32)),
    "image of four channels": other(np.zeros((4, 4, 4), np.float32)),
    "image channel first": other(np.zeros((3, 40, 40), np.float32)),
    "image without pixels": other(np.zeros((0, 4, 3), np.float32)),
    "alpha of a list": lambda: Image(pixels=PIXELS, alpha=[1.0]),  # type: ignore[arg-type]
    "alpha of another size": lambda: Image(pixels=PIXELS, alpha=np.ones((3, 3), np.float32)),
    "alpha of uint8": lambda: Image(pixels=PIXELS, alpha=np.ones((80, 90), np.uint8)),  # type: ignore[arg-type]
    "bit depth": lambda: Image(pixels=PIXELS, bit_depth=12),  # type: ignore[arg-type]
    "from_uint8 of floats": lambda: Image.from_uint8(PIXELS),  # type: ignore[arg-type]
    "from_uint8 of a list": lambda: Image.from_uint8([[1]]),  # type: ignore[arg-type]
    "from_array of a list": lambda: Image.from_array([[0.5]]),  # type: ignore[arg-type]
    "from_pil of a path": lambda: Image.from_pil("a.jpg"),  # type: ignore[arg-type]
    "restore with a number": lambda: likeness.restore_image(GOOD, 3),  # type: ignore[arg-type]
    "from_uint8 of four channels": lambda: Image.from_uint8(np.zeros((4, 4, 4), np.uint8)),
    "weights of a dict": lambda: Controls(face_mask_weights={"eye": 1.2}),  # type: ignore[arg-type]
    "weights of None": lambda: Controls(face_mask_weights=None),  # type: ignore[arg-type]
    "weights of a number": lambda: RegionWeights.of(1.2),  # type: ignore[arg-type]
    "weights of pairs": lambda: RegionWeights.of([("eye", 1)]),  # type: ignore[arg-type]
    "weight of a text": lambda: RegionWeights(eye="1.2"),  # type: ignore[arg-type]
    "weight of a bool": lambda: RegionWeights(eye=True),
    "weight of a text by name": lambda: RegionWeights.of({"eye": "1"}),  # type: ignore[dict-item]
    "with_weights of a list": lambda: Controls().with_weights(["eye"]),  # type: ignore[arg-type]
    **{
        f"{name} of {value!r}": lambda name=name, value=value: Controls(**{name: value})
        for name in ("degradation_scale", "latent_step_decay", "grain_amount", "strength", "refine")
        for value in ("0.5", True, False, None, [1.0], float("nan"), float("inf"), 1j)
    },
    **{f"keep_grain of {v!r}": lambda v=v: Controls(keep_grain=v) for v in (1, 0, "yes", None)},  # type: ignore[arg-type]
    "preset of a number": lambda: Controls.preset(3),  # type: ignore[arg-type]
    "preset of a list": lambda: Controls.preset(["natural"]),  # type: ignore[arg-type]
    **{
        f"selection of {v!r}": lambda v=v: Selection(which=v)
        for v in ("biggest", "", None, 0, [0, 1], (), (-1,), ("0",), (1.0,), (True,), {0}, np.array([0]))
    },
    **{f"selection sizes of {v!r}": lambda v=v: Selection(min_size=v) for v in ("4", None, float("nan"), True, -1)},
    **{f"selection limit of {v!r}": lambda v=v: Selection(max_size=v) for v in ("4", float("inf"), True, -1)},
    "selection parsed from a number": lambda: Selection.parse(0),  # type: ignore[arg-type]
    **{f"repairs of {v!r}": lambda v=v: Repairs(scratches=v) for v in ("1", True, None, 2, float("nan"), [1])},
    **{f"limits of {v!r}": lambda v=v: likeness.Limits(min_side=v) for v in ("1", True, None, -1, float("nan"))},
    **{f"limits refuse {v!r}": lambda v=v: likeness.Limits(refuse=v) for v in (["blur"], "x", None, frozenset([1]))},
    **{
        f"request {name} of {v!r}": lambda name=name, v=v: RequestOptions(**{name: v})
        for name, v in (("preset", 1), ("selection", "all"), ("repairs", {}), ("aligned", "no"), ("quality", "95"),
                        ("bit_depth", "8"), ("file_format", 1), ("evidence", 1))
    },
    "restorer of a number": lambda: Restorer(5),  # type: ignore[arg-type]
    "restorer of a device": lambda: Restorer(device="gpu"),  # type: ignore[arg-type]
    "restorer of a device number": lambda: Restorer(device=0),  # type: ignore[arg-type]
    "restorer of a precision": lambda: Restorer(precision="f64"),  # type: ignore[arg-type]
    "restorer of threads": lambda: Restorer(threads="two"),  # type: ignore[arg-type]
    "restorer of true threads": lambda: Restorer(threads=True),
    "restorer of threads without end": lambda: Restorer(threads=10**30),
    "restorer of another task": lambda: Restorer(task="sharpen"),  # type: ignore[arg-type]
    "restorer of no fidelity": lambda: Restorer(fidelity=float("nan")),
    "client of a number": lambda: likeness.LikenessClient(80),  # type: ignore[arg-type]
    **{f"read_image of {v!r}": lambda v=v: likeness.read_image(v) for v in (None, 3, 1.5, [], PIXELS[:1, :1], GOOD)},
    "read_image within a text": lambda: likeness.read_image(b"x", max_pixels="1M"),  # type: ignore[arg-type]
    "write_image to a number": lambda: likeness.write_image(GOOD, 3),  # type: ignore[arg-type]
    "write_image to nothing": lambda: likeness.write_image(GOOD, None),  # type: ignore[arg-type]
    "write_image with quality": lambda: likeness.write_image(GOOD, "a.jpg", quality="95"),  # type: ignore[arg-type]
    "write_image with true quality": lambda: likeness.write_image(GOOD, "a.jpg", quality=True),
    "write_image with depth": lambda: likeness.write_image(GOOD, "a.png", bit_depth="8"),  # type: ignore[arg-type]
    "write_image with format": lambda: likeness.write_image(GOOD, "a.png", file_format=3),  # type: ignore[arg-type]
    "preflight without faces": lambda: likeness.preflight(GOOD, None),  # type: ignore[arg-type]
    "preflight of numbers": lambda: likeness.preflight(GOOD, [0]),  # type: ignore[list-item]
    "preflight of a box": lambda: likeness.preflight(GOOD, [likeness.Box(0, 0, 1, 1)]),  # type: ignore[list-item]
    "preflight with limits": lambda: likeness.preflight(GOOD, [], {"min_side": 3}),  # type: ignore[arg-type]
    "compare with a picture": lambda: likeness.compare(GOOD, GOOD),  # type: ignore[arg-type]
    "repair without repairs": lambda: likeness.repair(GOOD, None),  # type: ignore[arg-type]
    "repair with faces": lambda: likeness.repair(GOOD, Repairs(), faces=["a"]),  # type: ignore[list-item]
    "repair with damage": lambda: likeness.repair(GOOD, Repairs(), damage=[1.0]),  # type: ignore[arg-type]
}  # fmt: skip

NO_PICTURES: dict[str, Any] = {
    "a list": [[0.5]],
    "a dictionary": {"image": PIXELS},
    "a number": 3,
    "an array of whole numbers": np.zeros((80, 90, 3), np.int64),
    "an array to 255": PIXELS * 255,
    "an array channel first": np.zeros((3, 80, 90), np.uint8),
    "nothing": None,
    "samples to 255": Image(pixels=PIXELS * 255),
    "samples below 0": Image(pixels=-PIXELS),
    "undefined samples": Image(pixels=PIXELS * np.float32("nan")),
    "infinite samples": Image(pixels=PIXELS * np.float32("inf")),
}


@pytest.fixture(scope="module")
def restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model)


@pytest.mark.parametrize("name", MADE)
def test_what_cannot_be_made_or_called(name: str) -> None:
    with pytest.raises(LikenessError) as refused:
        MADE[name]()
    sentence = str(refused.value)
    assert 10 < len(sentence) < 400
    assert "\n" not in sentence


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture(name: str, restorer: Restorer, tmp_path: Path) -> None:
    bad: Any = NO_PICTURES[name]
    entries: dict[str, Callable[[], object]] = {
        "restore": lambda: restorer.restore(bad),
        "restore aligned": lambda: restorer.restore(bad, aligned=True),
        "find_faces": lambda: restorer.find_faces(bad),
        "repair": lambda: restorer.repair(bad, Repairs(scratches=1)),
        "project": lambda: restorer.project_all(bad, [], Controls()),
        "write_image": lambda: likeness.write_image(bad, tmp_path / "a.png"),
        "preflight": lambda: likeness.preflight(bad, []),
        "inspect": lambda: likeness.inspect(bad, GOOD),
        "inspect after": lambda: likeness.inspect(GOOD, bad),
        "repair function": lambda: likeness.repair(bad, Repairs()),
        "compare": lambda: likeness.compare(bad, None),  # type: ignore[arg-type]
    }
    for entry, call in entries.items():
        with pytest.raises(LikenessError) as refused:
            call()
        assert "must be" in str(refused.value), entry
    assert not list(tmp_path.iterdir())


def test_what_a_restorer_does_not_take(restorer: Restorer) -> None:
    given: dict[str, Any] = {
        "controls": ("naturl", "", {"strength": 1}, Controls, 1),
        "selection": ("all", "largest", (0,), 0),
        "repairs": ({"scratches": 1}, "all", 1),
        "damage": ("a.png", [[1.0]], GOOD, np.zeros((3, 3), np.float32), np.full((80, 90), np.nan, np.float32)),
    }
    mapped = {**given, "aligned": ("yes", 1, None), "enlargement": (2, "auto")}
    given |= {key: mapped[key] for key in ("aligned", "enlargement")} | {"progress": (3, "bar", None)}
    del mapped["damage"]
    for name, values in given.items():
        for value in values:
            with pytest.raises(LikenessError):
                restorer.restore(GOOD, **{name: value})
    # Of many pictures it is told at once, and not for each of them.
    for name, values in {**mapped, "workers": ("two", 0, 1.5, True)}.items():
        for value in values:
            with pytest.raises(LikenessError):
                restorer.map([GOOD], **{name: value})
    for faces in ([0], ["a"], "faces", 3, [likeness.Box(0, 0, 1, 1)], None):
        with pytest.raises(LikenessError):
            restorer.project_all(GOOD, faces, Controls())  # type: ignore[arg-type]
    with pytest.raises(LikenessError):
        restorer.compose(GOOD, [GOOD], Controls())  # type: ignore[list-item]
