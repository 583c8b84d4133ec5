from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.errors import ConfigError
from likeness.models.gpen.config import GpenConfig

torch = pytest.importorskip("torch")

from likeness.models.gpen.inference import InferenceGpen  # noqa: E402
from likeness.runtimes.programs import Programs  # noqa: E402

State = dict[str, NDArray[np.float32]]
SMALL = GpenConfig(size=64, channel_multiplier=1, narrow=0.0625)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network(random_state: Callable[..., State]) -> InferenceGpen:
    state = {key: torch.from_numpy(np.array(value)) for key, value in random_state(SMALL, 1).items()}
    return InferenceGpen(state, SMALL)


class Short(torch.nn.Module):
    """The network on a device whose memory ends at so many faces."""

    def __init__(self, network: InferenceGpen, most: int) -> None:
        super().__init__()
        self.network = network
        self.most = most
        self.sizes: list[int] = []

    def forward(self, faces):
        self.sizes.append(len(faces))
        if len(faces) > self.most:
            raise torch.OutOfMemoryError(f"{len(faces)} faces")
        return self.network(faces)


def faces(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(2).uniform(-1, 1, (count, 3, 64, 64)).astype(np.float32)


def run(programs: Programs, count: int) -> NDArray[np.float32]:
    restored = np.full((count, 3, 64, 64), np.nan, np.float32)
    programs.run(faces(count), restored)
    return restored


@pytest.mark.skipif(torch.cuda.is_available(), reason="here a graph can be captured")
def test_without_graphs_the_network_runs_all_the_same(network: InferenceGpen, caplog: pytest.LogCaptureFixture) -> None:
    programs = Programs(network, 64, CPU, (1, 2), exact=True, capture=True)
    assert programs.captures
    plain = Programs(network, 64, CPU, (1, 2), exact=True)
    assert np.array_equal(run(programs, 3), run(plain, 3))
    assert not programs.captures
    assert [record.message[:33] for record in caplog.records] == ["no CUDA graph can be captured (Tr"]


def test_sizes_that_memory_has_no_room_for_are_left_out(
    network: InferenceGpen, caplog: pytest.LogCaptureFixture
) -> None:
    short = Short(network, 2)
    programs = Programs(short, 64, CPU, (1, 2, 4, 8), exact=True, capture=True)
    with torch.no_grad():
        expected = network(torch.from_numpy(faces(7))).numpy()
    assert np.abs(run(programs, 7) - expected).max() < 1e-5
    assert programs.sizes == (1, 2)
    assert [size for size in short.sizes if size > 2] == [8, 4]  # each was tried once
    assert sum("has no memory for" in record.message for record in caplog.records) == 2
    programs.prepare()
    assert np.abs(run(programs, 7) - expected).max() < 1e-5
    assert [size for size in short.sizes if size > 2] == [8, 4]


def test_a_device_without_room_for_one_face_is_one_sentence(network: InferenceGpen) -> None:
    programs = Programs(Short(network, 0), 64, CPU, (1, 2), exact=True, capture=True)
    for _ in range(2):
        with pytest.raises(ConfigError, match="too little free memory for this network: use --device cpu"):
            run(programs, 3)


def test_other_errors_of_the_network_are_raised(network: InferenceGpen) -> None:
    programs = Programs(network, 32, CPU, (1,), exact=True)
    with pytest.raises(RuntimeError):
        programs.run(np.zeros((1, 3, 32, 32), np.float32), np.zeros((1, 3, 32, 32), np.float32))
    assert not programs.captures
