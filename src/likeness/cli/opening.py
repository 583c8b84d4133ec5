"""The page in the user's own browser: whether there is one, and opening it."""

from __future__ import annotations

import http.client
import json
import urllib.request
import webbrowser
from collections.abc import Mapping
from typing import cast

__all__ = ["open_page", "opens_page", "served_already"]


def opens_page(environment: Mapping[str, str], platform: str, *, terminal: bool) -> bool:
    """Whether somebody sits before a desktop, so that a browser would open where they see it.

    Args:
        environment: the process's variables.
        platform: as `sys.platform`.
        terminal: whether a person types the command and reads the answer.
    """
    if not terminal or "SSH_CONNECTION" in environment:
        return False
    return platform in ("win32", "darwin") or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def served_already(url: str) -> bool:
    """Whether a page of Likeness answers there now."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=1) as answer:
            told: object = json.load(answer)
            return isinstance(told, dict) and {"status", "version"} <= set(cast("dict[str, object]", told))
    except (OSError, ValueError, http.client.HTTPException):  # nobody, or another program that speaks otherwise
        return False


def open_page(url: str) -> bool:
    """Show the page in the browser; whether there was one."""
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
