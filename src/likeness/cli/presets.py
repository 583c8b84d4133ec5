"""``likeness presets``: what each preset sets."""

from __future__ import annotations

from collections.abc import Sequence

from likeness.cli.console import Console
from likeness.cli.flags import Parser
from likeness.cli.table import table
from likeness.restore.controls import AUTO, PRESETS, Controls, RegionWeights

__all__ = ["make_parser", "presets"]

_EPILOG = """\
exit status:
  0    shown
  2    an argument cannot be used

examples:
  likeness presets
  likeness restore portrait.jpg --preset natural"""

_FOR = {
    "standard": "the network's plain behaviour",
    "natural": "skin texture first",
    "early-digital": "cameras of the 2000s, heavy JPEG",
    "ai-portrait": "generated faces, broken eyes or ears",
    "film-scan": "yellowed, scratched, grainy scans",
    "low-light": "phones in the dark: smear, fringes",
    "plain": "any network as its authors run it",
}


def presets(argv: Sequence[str], console: Console) -> int:
    """Print the table of presets; returns 0."""
    make_parser().parse_args(argv)
    rows = [
        (
            name,
            f"{preset.degradation_scale:g}" if preset.degradation_scale else "off",
            f"{preset.latent_step_decay:g}",
            _weights(preset),
            "kept" if preset.keep_grain else "-",
            _FOR[name],
        )
        for name, preset in PRESETS.items()
    ]
    rows.append((AUTO, "-", "-", "chosen for each picture", "-", "pictures of all kinds"))
    console.show(table(("preset", "degradation", "step", "face weights", "grain", "for"), rows))
    return 0


def make_parser() -> Parser:
    """The command's flags."""
    description = "Show what each preset sets, and what it is for."
    return Parser(prog="likeness presets", usage="likeness presets", description=description, epilog=_EPILOG)


def _weights(preset: Controls) -> str:
    """The weights that are not the usual ones."""
    usual = RegionWeights().to_dict()
    weights = preset.face_mask_weights.to_dict()
    changed = [f"{region} {weight:g}" for region, weight in weights.items() if weight != usual[region]]
    return ", ".join(changed) or "all 1"
