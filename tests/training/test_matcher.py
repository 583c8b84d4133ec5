from __future__ import annotations

import numpy as np
import pytest

from likeness.faces.mesh import average_face
from likeness.imaging.portraits import Portraits
from likeness.models.embedding.weights import packaged_weights
from likeness.reference.matching import FaceMatcher
from likeness.reference.matching import face_view as seen_of

torch = pytest.importorskip("torch", reason="training needs the extra train")

from likeness.training.face_views import ViewWindow, face_view  # noqa: E402
from likeness.training.identity import Lesson  # noqa: E402
from likeness.training.matcher import MATCHER_WINDOW, folded, learn_matcher, unfolded  # noqa: E402


def test_it_learns_to_find_a_persons_other_view() -> None:
    """Forty 'persons', drawn at random once: after some steps a view's partner is found far more often than by chance."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (40, 3, 9, 9)).astype(np.float32))
    pixels = torch.nn.functional.interpolate(coarse, size=(128, 128), mode="bicubic").clamp(0, 255)
    samples = pixels.permute(0, 2, 3, 1).numpy().astype(np.uint8)
    portraits = Portraits(samples=samples, names=tuple(map(str, range(40))))
    meshes = np.repeat(average_face()[None, :, :2], 40, axis=0)
    lessons: list[Lesson] = []
    window = ViewWindow(side=32, centre=(257.0, 303.0), reach=416.0)
    network = learn_matcher(
        portraits, np.arange(40), meshes, views=64 * 40, window=window, width=4, report=lessons.append
    )
    assert lessons[-1].views == lessons[-1].of == 64 * 40
    with torch.no_grad():
        shown = torch.from_numpy(samples.astype(np.float32).transpose(0, 3, 1, 2) / 127.5 - 1)
        views = face_view(shown, window)
        dimmer = network(0.7 * views + 0.1 + 0.02 * torch.randn(views.shape))
        right = (network(views) @ dimmer.T).argmax(dim=1) == torch.arange(40)
    assert right.float().mean() > 0.6


def test_the_packages_embedding_as_a_network_is_the_same_function() -> None:
    weights = packaged_weights()
    network = unfolded(weights)
    again = folded(network)
    for name, array in weights.state.items():
        np.testing.assert_allclose(again.state[name], array, atol=1e-6, err_msg=name)
    crop = np.random.default_rng(0).random((512, 512, 3), dtype=np.float32)
    view = torch.from_numpy(seen_of(crop, MATCHER_WINDOW.side))[None, None]
    with torch.no_grad():
        both = network(torch.cat([view, view.flip(-1)])).sum(dim=0)
    assert float(torch.nn.functional.normalize(both, dim=0) @ torch.from_numpy(FaceMatcher().embed(crop))) > 0.9999
