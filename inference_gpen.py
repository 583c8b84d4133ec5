"""Restore a portrait: ``python inference_gpen.py -i customer_photo.jpg`` writes ``output_customer_photo.jpg``.

Without an input it restores the sample in ``examples``. It takes every flag of ``likeness restore``: see ``--help``.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    try:
        from likeness.cli import restore_script
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed for {sys.executable}; run: pip install .")
    sys.exit(restore_script(Path(__file__).parent / "examples" / "portrait.jpg", prog="inference_gpen.py"))
