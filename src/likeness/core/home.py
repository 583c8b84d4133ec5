"""Where Likeness keeps files of its own, and what ``~`` stands for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from likeness.errors import ConfigError
from likeness.messages.notice import Notice

__all__ = ["expanded", "home_folder", "state_folder"]


def home_folder() -> Path:
    """The environment variable LIKENESS_HOME, else the user's cache folder; it may not exist yet.

    Raises:
        ConfigError: if the user has no home, as on servers that run a program under a number without a name.
    """
    home = os.environ.get("LIKENESS_HOME")
    if home:
        return expanded(home)
    import platformdirs

    return _absolute(platformdirs.user_cache_dir, "LIKENESS_HOME and LIKENESS_CACHE")


def state_folder() -> Path:
    """The user's folder for what programs keep between runs; it may not exist yet.

    Raises:
        ConfigError: as `home_folder`.
    """
    import platformdirs

    return _absolute(platformdirs.user_state_dir, "HOME")


def expanded(path: str | Path) -> Path:
    """A path with ``~`` and ``~name`` replaced by homes; as it is where nobody of that name has one.

    A file may begin with ``~`` itself, as those do that office programs leave behind; `Path.expanduser` raises for it.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _absolute(folder: Callable[[str], str], variable: str) -> Path:
    # Without a home some versions of platformdirs raise, and others give "~/.cache/likeness" back, a folder "~" in this one.
    try:
        found = Path(folder("likeness"))
    except RuntimeError:
        found = Path("~")
    if not found.is_absolute():
        raise ConfigError(Notice("home.none", {"variable": variable}))
    return found
