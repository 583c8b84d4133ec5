from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.errors import ConfigError, TrainingError
from likeness.imaging.portraits import Portraits
from likeness.training.config import TrainConfig

if TYPE_CHECKING:
    from torch import Tensor

torch = pytest.importorskip("torch", reason="training needs the extra train")

from likeness.training.data import to_planes  # noqa: E402
from likeness.training.face_views import face_view  # noqa: E402
from likeness.training.identity import (  # noqa: E402
    WINDOWS,
    FaceEmbedding,
    Lesson,
    learn_embedding,
    person_labels,
    read_embeddings,
    write_embeddings,
)
from likeness.training.loop import train  # noqa: E402
from likeness.training.losses import identity_distance  # noqa: E402
from likeness.training.progress import Progress  # noqa: E402

_LABELS = [0, 0, 1, 1, 2, 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real face, the same one squeezed, and it upside down: for a camera, three persons; two takes of each."""
    folder = tmp_path_factory.mktemp("persons")
    original = Path(__file__).parents[2] / "examples" / "original" / "astronaut.jpg"
    face = PillowImage.open(original).convert("RGB").crop((150, 27, 313, 190))
    squeezed = PillowImage.new("RGB", face.size)
    squeezed.paste(face.resize((163, 105)), (0, 35))
    persons = [face, squeezed, face.transpose(PillowImage.Transpose.FLIP_TOP_BOTTOM)]
    for number, person in enumerate(persons):
        for take in range(2):
            person.crop((take * 4, 0, take * 4 + 155, 155)).resize((128, 128)).save(folder / f"p{number}-{take}.png")
    return folder


@pytest.fixture(scope="module")
def portraits(folder: Path) -> Portraits:
    return Portraits.read(folder, 128)


@pytest.fixture(scope="module")
def pictures(portraits: Portraits) -> Tensor:
    return torch.stack([to_planes(portraits.pixels(i)) for i in range(len(portraits.names))])


def test_it_learns_to_tell_persons_apart(portraits: Portraits, pictures: Tensor) -> None:
    lessons: list[Lesson] = []
    network = learn_embedding(portraits, _LABELS, WINDOWS[0], views=64 * 80, width=8, report=lessons.append)
    assert lessons[-1].views == 64 * 80
    assert lessons[-1].right > 0.4  # a mean over the last fifty steps or so; guessing is a third
    vectors = network(face_view(pictures, WINDOWS[0]))
    np.testing.assert_allclose(vectors.norm(dim=1).numpy(), 1, atol=1e-5)
    distance = torch.cdist(vectors, vectors)
    same = torch.tensor(_LABELS)[:, None] == torch.tensor(_LABELS)
    assert distance[same].max() < distance[~same].min()


def test_the_same_seed_learns_the_same(portraits: Portraits) -> None:
    one, other = (
        learn_embedding(portraits, _LABELS, WINDOWS[0], views=128, width=4, seed=3).state_dict() for _ in range(2)
    )
    for key, value in one.items():
        np.testing.assert_allclose(other[key].numpy(), value.numpy(), atol=1e-4, err_msg=key)


def test_a_file_holds_all_of_it(tmp_path: Path, pictures: Tensor) -> None:
    networks = [FaceEmbedding(window, 4) for window in WINDOWS]
    for network in networks:
        network(face_view(pictures, network.window))  # moves the running statistics away from their start
        network.eval()
    write_embeddings(networks, tmp_path / "e.safetensors")
    for network, read in zip(networks, read_embeddings(tmp_path / "e.safetensors"), strict=True):
        assert read.window == network.window
        view = face_view(pictures, network.window)
        np.testing.assert_allclose(read(view).numpy(), network(view).detach().numpy(), atol=5e-3)


def test_a_file_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    whole = [FaceEmbedding(window, 4) for window in WINDOWS]
    write_embeddings(whole[:1], path)
    with pytest.raises(TrainingError, match="cannot be read as face embeddings"):
        read_embeddings(path)
    del whole[0].head[2]
    write_embeddings(whole, path)
    with pytest.raises(TrainingError, match="cannot be read as face embeddings"):
        read_embeddings(path)


@pytest.mark.parametrize("content", [None, b"no tensors"])
def test_a_bad_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "e.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"e\.safetensors cannot be read as face embeddings"):
        read_embeddings(path)


def test_a_view_shows_the_face_whatever_the_size() -> None:
    down, across = torch.meshgrid(torch.linspace(-1, 1, 512), torch.linspace(-1, 1, 512), indexing="ij")
    ramp = torch.stack([across, across, across])[None]
    view = face_view(ramp, WINDOWS[0])
    assert view.shape == (1, 1, 112, 112)
    assert float(view.min()) == pytest.approx(49 / 512, abs=0.01)
    assert float(view.max()) == pytest.approx(465 / 512, abs=0.01)
    small = face_view(torch.nn.functional.avg_pool2d(ramp, 4), WINDOWS[0])
    np.testing.assert_allclose(small.numpy(), view.numpy(), atol=0.01)
    moved = face_view(ramp, WINDOWS[0], (8, 0))
    assert float((moved - view).mean()) == pytest.approx(8 / 512, abs=0.002)
    # At the lower border the view stays inside the picture.
    assert float(face_view(torch.stack([down] * 3)[None], WINDOWS[0], (0, 60)).max()) == pytest.approx(1, abs=0.01)


def test_light_is_nobody(pictures: Tensor) -> None:
    network = FaceEmbedding(WINDOWS[0], 4)
    view = face_view(pictures, WINDOWS[0])
    flat, dim = network.flatten(view), network.flatten(0.7 * view + 0.1)
    assert float((dim - flat).abs().mean()) < 0.2 * float(flat.abs().mean())


def test_the_loss_pulls_towards_the_person(pictures: Tensor) -> None:
    network = FaceEmbedding(WINDOWS[0], 4).eval().requires_grad_(False)
    rng = np.random.default_rng(0)
    assert float(identity_distance(pictures, pictures, [network], rng)) < 1e-3
    y = pictures[[0]].clone().requires_grad_(True)
    losses = []
    for _ in range(8):
        loss = identity_distance(y, pictures[[2]], [network], np.random.default_rng(1))
        (slope,) = torch.autograd.grad(loss, y)
        y = (y - 0.02 * slope / slope.abs().max()).detach().requires_grad_(True)
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_dlib_says_who_is_one_person(portraits: Portraits) -> None:
    pytest.importorskip("dlib", reason="labels need the extra evaluate")
    labels = person_labels(portraits)
    assert labels[0] == labels[1]
    assert labels[0] != labels[4]
    assert set(labels) == set(range(labels.max() + 1))


def test_a_run_learns_the_embedding_that_it_lacks(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="labels need the extra evaluate")
    embedding = tmp_path / "made" / "face.safetensors"
    config = TrainConfig(
        portraits=str(folder), run=str(tmp_path / "run"), size=64, narrow=0.125, pictures=4, adversarial_from=100,
        discriminator_crop=32, discriminator_channels=8, min_native_side=0, identity=1.0, embeddings=str(embedding),
        embedding_views=64,
    )  # fmt: skip
    reports: list[Progress] = []
    lessons: list[Lesson] = []
    train(config, report=reports.append, report_lesson=lessons.append)
    assert [lesson.views for lesson in lessons] == [lesson.of for lesson in lessons] == [64] * len(WINDOWS)
    assert 0 < reports[-1].losses["identity"] < 2
    learnt = embedding.read_bytes()
    train(replace(config, pictures=8))
    assert embedding.read_bytes() == learnt


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="identity needs embeddings"):
        TrainConfig(portraits="p", run="r", identity=1.0)
    with pytest.raises(ConfigError, match="at least 64, one step's, not 63"):
        TrainConfig(portraits="p", run="r", embedding_views=63)
