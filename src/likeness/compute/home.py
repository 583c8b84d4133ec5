"""Where Likeness keeps files of its own."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["home_folder"]


def home_folder() -> Path:
    """The environment variable LIKENESS_HOME, else the user's cache folder; it may not exist yet."""
    home = os.environ.get("LIKENESS_HOME")
    if home:
        return Path(home).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("likeness"))
