"""``likeness presets``: what each preset sets."""

from __future__ import annotations

from collections.abc import Sequence

from likeness.cli.console import Console
from likeness.cli.flags import Parser
from likeness.cli.table import table
from likeness.restore.controls import PRESETS, Controls

__all__ = ["presets"]

_FOR = {
    "standard": "the network's plain behaviour",
    "natural": "skin texture first",
    "early-digital": "cameras of the 2000s, heavy JPEG",
    "ai-portrait": "generated faces, broken eyes or ears",
    "film-scan": "yellowed, scratched, grainy scans",
    "low-light": "phones in the dark: smear, fringes",
}


def presets(argv: Sequence[str], console: Console) -> int:
    """Print the table of presets; returns 0."""
    parser = Parser(prog="likeness presets", description="Show what each preset sets.", allow_abbrev=False)
    parser.parse_args(argv)
    rows = [
        (
            name,
            f"{preset.degradation_scale:g}",
            f"{preset.latent_step_decay:g}",
            _weights(preset),
            "kept" if preset.keep_grain else "-",
            _FOR[name],
        )
        for name, preset in PRESETS.items()
    ]
    console.show(table(("preset", "degradation", "step", "face weights", "grain", "for"), rows))
    return 0


def _weights(preset: Controls) -> str:
    """The weights that are not 1."""
    changed = [f"{region} {weight:g}" for region, weight in preset.face_mask_weights.to_dict().items() if weight != 1]
    return ", ".join(changed) or "all 1"
