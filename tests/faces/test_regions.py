from __future__ import annotations

import numpy as np
import pytest

from likeness.faces.align import FFHQ_TEMPLATE
from likeness.faces.mesh import average_face, five_points
from likeness.faces.regions import REGIONS, RegionMasks, face_mask, region_masks


@pytest.fixture(scope="module", params=[256, 512])
def masks(request: pytest.FixtureRequest) -> RegionMasks:
    return region_masks(average_face()[:, :2] * request.param / 512, request.param)


def test_regions_add_up_to_one(masks: RegionMasks) -> None:
    total = sum(masks[region] for region in REGIONS)
    assert np.abs(total - 1).max() < 1e-6
    assert all(masks[region].min() >= 0 for region in REGIONS)
    assert all(masks[region].dtype == np.float32 for region in REGIONS)


def test_regions_lie_where_they_should(masks: RegionMasks) -> None:
    side = masks["eye"].shape[0]
    unit = side / 512
    mesh = average_face()[:, :2] * unit

    def at(region: str, point: tuple[float, float] | np.ndarray) -> float:
        return float(masks[region][round(float(point[1])), round(float(point[0]))])

    assert at("eye", mesh[468]) > 0.9
    assert at("eye", mesh[473]) > 0.9
    assert at("brow", mesh[52]) > 0.3
    assert at("nose", mesh[4]) > 0.9
    assert at("lip", mesh[13]) > 0.8
    assert at("cheek", mesh[50]) > 0.9
    assert at("forehead", mesh[151]) > 0.9
    assert at("edge", mesh[172]) > 0.6
    assert at("hair", (256 * unit, 70 * unit)) > 0.9
    assert at("other", (4, 4)) > 0.99
    assert at("other", (side - 4, side - 4)) > 0.99


def test_means(masks: RegionMasks) -> None:
    means = masks.means(masks["eye"])
    assert means["eye"] > 0.5
    assert means["other"] < 0.01
    assert set(means) == set(REGIONS)


def test_paste_back_mask_is_face_shaped_and_ends_before_the_border(masks: RegionMasks) -> None:
    mask = face_mask(masks)
    side = mask.shape[0]
    margin = round(0.02 * side)
    for edge in (mask[:margin], mask[-margin:], mask[:, :margin], mask[:, -margin:]):
        assert edge.max() == 0
    mesh = average_face()[:, :2] * side / 512
    for point in mesh[[468, 473, 4, 13, 50, 280, 151]]:
        assert mask[round(float(point[1])), round(float(point[0]))] > 0.99
    corner = round(0.12 * side)
    assert mask[corner, corner] == 0  # round, not a rectangle
    assert np.abs(np.diff(mask, axis=0)).max() < 0.09 * 512 / side  # no hard edge


def test_the_average_face_stands_on_the_template() -> None:
    assert np.abs(five_points(average_face()[:, :2]) - FFHQ_TEMPLATE).max() < 8


def test_masks_must_be_complete() -> None:
    with pytest.raises(ValueError, match="masks must be of the regions"):
        RegionMasks(masks={"eye": np.ones((4, 4), np.float32)}, side=4)
