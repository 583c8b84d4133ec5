"""What a run starts from: the identity, a checkpoint, or a smaller network's checkpoint, grown."""

from __future__ import annotations

from pathlib import Path

import torch

from likeness.core.memory import keep_freed
from likeness.errors import TrainingError
from likeness.imaging.filters import resize
from likeness.imaging.image import Size
from likeness.imaging.portraits import Portraits
from likeness.messages.notice import Notice
from likeness.models.catalog import entry_meant_by, entry_of_file
from likeness.models.formats import read_checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.network import Gpen
from likeness.models.store import Store
from likeness.training.config import TrainConfig
from likeness.training.data import to_planes
from likeness.training.run_config import RunConfig

__all__ = ["prepare_run", "start_network", "start_terms"]

_GROWTH_PICTURES = 16


def start_network(config: TrainConfig, portraits: Portraits) -> Gpen:
    """The network that ``config.start`` names, of ``config.size``, with noise to draw texture from if ``config.noise``.

    A checkpoint of a smaller size is grown (`Gpen.grown`) octave by octave; ``portraits`` are what growth measures on.

    Raises:
        TrainingError: if the checkpoint is of a larger size, or of another architecture.
        LicenceError: if it is a published one whose licence has to be accepted first, and was not.
    """
    # Here and not only in the trainer: what is drawn at random must be the same whatever the process drew before.
    torch.manual_seed(config.seed)
    if config.start == "identity":
        shape = GpenConfig(size=config.size, channel_multiplier=config.channel_multiplier, narrow=config.narrow)
        network = Gpen(shape)
        network.free_styles(config.styles_up_to)
        network.start_as_identity()
        return network.with_texture() if config.noise else network
    checkpoint = read_checkpoint(Store().path(Path(config.start)))
    shape = checkpoint.spec.config
    if not isinstance(shape, GpenConfig):
        raise TrainingError(Notice("training.start-not-gpen", {"start": config.start, "title": checkpoint.spec.title}))
    if shape.size > config.size:
        raise TrainingError(
            Notice("training.start-size", {"start": config.start, "size": shape.size, "wanted": config.size})
        )
    network = Gpen(shape)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in checkpoint.state.items()})
    network.free_styles(config.styles_up_to)
    step = max(1, len(portraits.names) // _GROWTH_PICTURES)
    chosen = range(0, len(portraits.names), step)[:_GROWTH_PICTURES]
    while network.config.size < config.size:
        size = Size(network.config.size, network.config.size)
        network = network.grown(torch.stack([to_planes(resize(portraits.pixels(i), size, "area")) for i in chosen]))
    return network.with_texture() if config.noise and network.texture is None else network


def start_terms(config: TrainConfig) -> tuple[str, str]:
    """The licence of the weights that a run goes on from, and where to read it: what is learnt from them stays under it.

    Both are empty where the run starts as the identity, or the weights name none.
    """
    if config.start == "identity":
        return "", ""
    path = Store().path(Path(config.start))
    entry = entry_meant_by(config.start) or entry_of_file(path)
    if entry is not None:
        return entry.licence.name, entry.licence.url
    info = read_checkpoint(path).info
    return ("", "") if info is None else (info.licence, info.licence_url)


def prepare_run(config: RunConfig) -> Path:
    """Make a run's folder, and PyTorch ready for it.

    Raises:
        TrainingError: if the device is missing.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError(Notice("training.no-cuda"))
    if config.threads:
        torch.set_num_threads(config.threads)
    # Paging a step's memory in anew was a quarter of its time on a CPU (docs/training.md).
    keep_freed(one_heap=False)
    run = Path(config.run)
    run.mkdir(parents=True, exist_ok=True)
    return run
