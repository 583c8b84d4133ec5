"""Whom an address stands for: limits hold for everybody who shares one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

__all__ = ["Network", "client_key", "is_among", "network_of"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_IPV6_PREFIX = 64
"""Bits of an IPv6 address that its holder cannot choose (RFC 4291, section 2.5.1): one machine has all that share them."""


def network_of(text: str) -> Network:
    """An address such as "10.0.0.1", or a network such as "10.0.0.0/8".

    Raises:
        ValueError: if it is neither.
    """
    return ipaddress.ip_network(text, strict=False)


def is_among(host: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks; what is no address lies in none."""
    address = _address(host)
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=4096)
def client_key(host: str) -> str:
    """Whom an address counts as: itself, and an IPv6 address as its network of 64 bits."""
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False)) if address.is_global else str(address)
    return host if address is None else str(address)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
