"""Who is connected: so many in all, so many of one address, and a few places over that for a look at the server's health.

A connection on which no request is being worked on (its head has not come whole, or it is kept for the next) makes room for
a newer one: first one of the address that has as many as it may, and when all places are taken one of the address that has
most. So half-sent heads, however many, keep nobody out, not even others of the same address.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

from likeness.server.http.addresses import Network, client_key, is_among

__all__ = ["Connected", "Connections"]

_RESERVE = 16
"""Connections over the limit that are listened to for a moment, as one may ask whether the server lives."""


class Connected(Protocol):
    """A connection, as it is counted."""

    @property
    def address(self) -> str:
        """Where it comes from."""
        ...

    @property
    def idle_since(self) -> float | None:
        """Since when no request has been in hand on it, by the event loop's clock; None if it is not to make room."""
        ...

    def make_room(self) -> None:
        """Close it: its place is another's."""
        ...


class Connections:
    """All connections of a server; used in the event loop's thread only.

    Args:
        most: places.
        most_per_client: how many of them one address may have.
        proxies: addresses that speak for many clients, and have no share of their own.
    """

    def __init__(self, *, most: int, most_per_client: int, proxies: Iterable[Network] = ()) -> None:
        self._most = most
        self._most_per_client = most_per_client
        self._proxies = tuple(proxies)
        self._clients: dict[str, list[Connected]] = {}
        self._reserve: OrderedDict[Connected, None] = OrderedDict()

    @property
    def count(self) -> int:
        """Places taken, without the reserve."""
        return sum(map(len, self._clients.values()))

    def enter(self, connection: Connected) -> bool:
        """Give a new connection a place.

        Returns:
            False if there is none: then it may only ask for the server's health, and makes room for newer ones itself.
        """
        client = client_key(connection.address)
        own = self._clients.get(client, [])
        shared = is_among(connection.address, self._proxies)
        full = not shared and len(own) >= self._most_per_client
        if full and not self._make_room(own):
            return self._enter_reserve(connection)
        if self.count >= self._most and not self._make_room_of_most():
            return self._enter_reserve(connection)
        self._clients.setdefault(client, []).append(connection)
        return True

    def leave(self, connection: Connected) -> None:
        """A connection has ended; harmless if repeated."""
        self._reserve.pop(connection, None)
        client = client_key(connection.address)
        own = self._clients.get(client, [])
        if connection in own:
            own.remove(connection)
            if not own:
                del self._clients[client]

    def _enter_reserve(self, connection: Connected) -> bool:
        if len(self._reserve) >= _RESERVE:
            oldest, _ = self._reserve.popitem(last=False)
            oldest.make_room()
        self._reserve[connection] = None
        return False

    def _make_room_of_most(self) -> bool:
        """Close an idle connection of the address that has most of those that have idle ones."""
        holding = [own for own in self._clients.values() if any(each.idle_since is not None for each in own)]
        return bool(holding) and self._make_room(max(holding, key=len))

    def _make_room(self, own: Iterable[Connected]) -> bool:
        """Close the connection of these that has been idle longest; whether there is one."""
        idle = [(each.idle_since, place, each) for place, each in enumerate(own) if each.idle_since is not None]
        if not idle:
            return False
        *_, oldest = min(idle, key=lambda entry: entry[:2])
        self.leave(oldest)
        oldest.make_room()
        return True
