"""The training loop: read it from top to bottom.

Phase one is regression (L1 on pixels and on gradients) from the identity; phase two adds a patch discriminator (logistic
loss with R1, as in Karras et al., StyleGAN2, 2020) with feature matching, and a texture loss. Everything random is
decided by the seed and the number of pictures seen, so a run that is stopped and resumed goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor

from likeness.degradations import RECIPES
from likeness.errors import TrainingError
from likeness.imaging.filters import resize
from likeness.imaging.image import Size
from likeness.imaging.portraits import Portraits
from likeness.messages.notice import Notice
from likeness.models.embedding.weights import packaged_weights
from likeness.training.config import TrainConfig
from likeness.training.data import PairStream, to_planes
from likeness.training.identity import FaceEmbedding, Lesson, run_embeddings
from likeness.training.matcher import unfolded
from likeness.training.progress import Progress, Statistics, crossed
from likeness.training.sampling import read_factors, read_left_out
from likeness.training.start import prepare_run, start_network, start_terms
from likeness.training.trainer import Trainer

__all__ = ["train"]

_VALIDATION_PICTURES = 16


def train(
    config: TrainConfig,
    *,
    report: Callable[[Progress], None] | None = None,
    report_lesson: Callable[[Lesson], None] | None = None,
) -> Path:
    """Run, or go on with, the training that ``config`` describes.

    ``report`` is called at every save, ``report_lesson`` while face embeddings are learnt, before the run.

    Returns:
        the run's checkpoint (``<run>/weights.safetensors``, the moving average in float16); the critics lie beside it.

    Raises:
        ConfigError: if a table, of factors or of what is left out, cannot be used.
        TrainingError: if the device is missing, the loss is no number, ``run`` holds another run's state, or critics
            to go on with cannot be read.
    """
    if config.adversarial_from < config.pictures and config.size < config.discriminator_crop:
        values = {"discriminator_crop": config.discriminator_crop, "size": config.size}
        raise TrainingError(Notice("training.discriminator-crop", values))
    run = prepare_run(config)
    # A small network's pictures are degraded at twice its size: fine enough, and much faster than at 512.
    side = max(config.size, min(512, 2 * config.size))
    without = read_left_out(Path(config.without)) if config.without else ()
    portraits = Portraits.read(Path(config.portraits), side, min_native_side=config.min_native_side, without=without)
    factors = read_factors(Path(config.odds), portraits.names) if config.odds else ()
    embeddings = _judges(config, report_lesson) if config.identity else ()
    trainer = Trainer(config, start_network(config, portraits), embeddings, terms=start_terms(config))
    if (run / "state.pt").is_file():
        trainer.load(run / "state.pt")
    validation = _validation_pairs(config)

    stream = PairStream(
        portraits=portraits,
        size=config.size,
        seed=config.seed,
        pre_degrade_odds=config.pre_degrade_odds,
        severe=config.severe,
        factors=factors,
    )
    batches = stream.batches(batch=config.batch, first=trainer.seen, last=config.pictures, workers=config.workers)
    statistics = Statistics(run / "stats.jsonl")
    for target, shown in batches:
        statistics.add(trainer.step(_to_device(target, config), _to_device(shown, config)), config.batch)
        if crossed(trainer.seen, config.batch, config.save_every) or trainer.seen + config.batch > config.pictures:
            progress = statistics.progress(trainer.seen)
            if validation is not None:
                losses = {**progress.losses, "validation_psnr": trainer.psnr(*validation)}
                progress = replace(progress, losses=losses)
            trainer.save(run / "state.pt")
            statistics.write(progress)
            if report is not None:
                report(progress)
        if crossed(trainer.seen, config.batch, config.sheet_every):
            _write_sheet(run / f"sheet-{trainer.seen:07d}.jpg", *(validation or (target, shown)), trainer)
    trainer.export_critics(run / "critics.safetensors")
    return trainer.export(run / "weights.safetensors")


def _judges(config: TrainConfig, report: Callable[[Lesson], None] | None) -> tuple[FaceEmbedding, ...]:
    own = run_embeddings(config, report) if config.embeddings else ()
    return (*own, unfolded(packaged_weights())) if config.packaged_embedding else own


def _to_device(batch: Tensor, config: TrainConfig) -> Tensor:
    return batch.to(config.device, non_blocking=True).contiguous(memory_format=torch.channels_last)


def _validation_pairs(config: TrainConfig) -> tuple[Tensor, Tensor] | None:
    """A few fixed pairs under the moderate recipe, from the shards ``val-*.tar``, where there are any."""
    folder = Path(config.portraits)
    if not any(folder.glob("val-*.tar")):
        return None
    portraits = Portraits.read(folder, max(config.size, 512), split="val")
    step = max(1, len(portraits.names) // _VALIDATION_PICTURES)
    targets = [portraits.pixels(i) for i in range(0, len(portraits.names), step)][:_VALIDATION_PICTURES]
    shown = [RECIPES["moderate"].degrade(x, seed) for seed, x in enumerate(targets)]
    size = Size(config.size, config.size)
    target_batch, shown_batch = (
        _to_device(torch.stack([to_planes(resize(x, size, "area")) for x in side]), config) for side in (targets, shown)
    )
    return target_batch, shown_batch


def _write_sheet(path: Path, target: Tensor, shown: Tensor, trainer: Trainer) -> None:
    """Rows of input, output and target."""
    shown, target = shown[:8], target[:8]
    restored = trainer.restore(_to_device(shown, trainer.config))
    columns = [torch.cat(list(side.cpu()), dim=1) for side in (shown, restored, target)]
    sheet = torch.cat(columns, dim=2).movedim(0, -1).numpy()
    PillowImage.fromarray(np.clip(sheet * 127.5 + 128.0, 0, 255).astype(np.uint8)).save(path, quality=90)
