"""HTTP clients that take the user's proxies as they are meant."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from likeness.errors import ConfigError
from likeness.messages.notice import Notice, reason_of

if TYPE_CHECKING:
    import httpx

__all__ = ["reason_on_the_way", "web_client"]

_VARIABLES = "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY"


def web_client(address: str, **options: Any) -> httpx.Client:
    """A client for one address: through the proxies that the environment names, but never to this machine itself.

    Args:
        address: the URL to be called.
        options: as `httpx.Client` takes them.

    Raises:
        ConfigError: if the environment names a proxy that cannot be used. Its address is not repeated, as it may hold a
            password.
    """
    import httpx

    try:
        return httpx.Client(trust_env=not _is_loopback(httpx.URL(address).host), **options)
    except ImportError as error:
        raise ConfigError(Notice("web.socks", {"variables": _VARIABLES})) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise ConfigError(Notice("web.proxy", {"variables": _VARIABLES})) from error


def reason_on_the_way(error: httpx.TransportError) -> str:
    """Why an address could not be reached, in the system's words where it was the system that said so."""
    reason: BaseException | None = error
    while reason is not None and getattr(reason, "strerror", None) is None:
        reason = reason.__cause__ or reason.__context__
    return reason_of(reason or error) or type(error).__name__


def _is_loopback(host: str) -> bool:
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        found = ip_address(name.strip("[]"))
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified
