"""The enlarger's training loop: regression (L1) of sharp patches from ones that were made smaller, 2x and 4x in turns.

Everything random is decided by the seed and the number of patches seen, so a run that is stopped and resumed goes the
same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.degradations.reduction import reduce_samples
from likeness.imaging.portraits import Portraits
from likeness.imaging.shards import read_photographs
from likeness.metrics import luma_psnr
from likeness.models.enlarger.architecture import SCALES
from likeness.models.enlarger.network import bicubic
from likeness.training.enlarger.config import EnlargerTrainConfig
from likeness.training.enlarger.data import EnlargingStream, degrade
from likeness.training.enlarger.trainer import EnlargerTrainer
from likeness.training.progress import Progress, Statistics, crossed
from likeness.training.start import prepare_run

__all__ = ["train_enlarger"]

_VALIDATION_PICTURES = 16
_VALIDATION_SIDE = 256


def train_enlarger(config: EnlargerTrainConfig, *, report: Callable[[Progress], None] | None = None) -> Path:
    """Run, or go on with, the training that ``config`` describes; ``report`` is called at every save.

    Returns:
        the run's weights (``<run>/weights.safetensors``, the moving average in float16), which are written at every save.

    Raises:
        ImageReadError: if there are no pictures.
        TrainingError: if the device is missing, the loss is no number, or ``run`` holds another run's state.
    """
    run = prepare_run(config)
    trainer = EnlargerTrainer(config)
    if (run / "state.pt").is_file():
        trainer.load(run / "state.pt")
    portraits: tuple[NDArray[np.uint8], ...] = ()
    if config.portrait_share:
        found = Portraits.read(Path(config.portraits), 512, min_native_side=config.min_native_side)
        portraits = tuple(found.samples)
    stream = EnlargingStream(
        photographs=tuple(read_photographs(Path(config.photographs), "general-[0-9]*.tar").values()),
        portraits=portraits,
        portrait_share=config.portrait_share,
        degraded_share=config.degraded_share,
        side=config.side,
        batch=config.batch,
        seed=config.seed,
    )
    validation = _validation(Path(config.photographs))
    statistics = Statistics(run / "stats.jsonl")
    for batch in stream.batches(first=trainer.seen, last=config.patches, workers=config.workers):
        large, small, shown = (part.to(config.device, non_blocking=True) for part in batch)
        statistics.add(trainer.step(large, small, shown), config.batch)
        if crossed(trainer.seen, config.batch, config.save_every) or trainer.seen + config.batch > config.patches:
            progress = statistics.progress(trainer.seen)
            progress = replace(progress, losses={**progress.losses, **_gains(trainer, validation)})
            trainer.save(run / "state.pt")
            trainer.export(run / "weights.safetensors")
            statistics.write(progress)
            if report is not None:
                report(progress)
    return trainer.export(run / "weights.safetensors")


def _validation(folder: Path) -> tuple[NDArray[np.uint8], ...]:
    """The middle of a few photographs from the shards ``general-val-*.tar``, where there are any."""
    if not any(folder.glob("general-val-*.tar")):
        return ()
    photographs = tuple(read_photographs(folder, "general-val-*.tar").values())
    chosen = photographs[:: max(1, len(photographs) // _VALIDATION_PICTURES)][:_VALIDATION_PICTURES]
    crops: list[NDArray[np.uint8]] = []
    for photograph in chosen:
        top, left = ((side - _VALIDATION_SIDE) // 2 for side in photograph.shape[:2])
        crops.append(photograph[top : top + _VALIDATION_SIDE, left : left + _VALIDATION_SIDE])
    return tuple(crops)


def _gains(trainer: EnlargerTrainer, validation: tuple[NDArray[np.uint8], ...]) -> dict[str, float]:
    """Mean gain in luma PSNR over bicubic enlargement, dB: faithful on reduced pictures, clean on degraded ones too."""
    gains: dict[str, list[float]] = {}
    for number, original in enumerate(validation):
        for scale in SCALES:
            small = _tensor(reduce_samples(original, scale))
            poor = degrade(small, np.random.default_rng(number))
            for name, shown, clean in ((f"gain_{scale}x", small, 0.0), (f"clean_gain_{scale}x", poor, 1.0)):
                answers = trainer.enlarge(shown[None], clean, scale), bicubic(shown[None], scale)
                ours, plain = (luma_psnr(_pixels(x), original / np.float32(255), cut=scale) for x in answers)
                gains.setdefault(name, []).append(ours - plain)
    return {name: float(np.mean(values)) for name, values in gains.items()}


def _tensor(samples: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray((samples / np.float32(255)).transpose(2, 0, 1)))


def _pixels(x: torch.Tensor) -> NDArray[np.float32]:
    return np.round(np.clip(x[0].cpu().numpy().transpose(1, 2, 0), 0, 1) * 255) / np.float32(255)
