"""From what was typed to pictures: folders, patterns, lists and URLs, each picture with the settings of its own."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from likeness.batch.lists import check_per_picture, read_list
from likeness.batch.storage import Storage, Tell, is_url, logged
from likeness.core.home import expanded
from likeness.errors import ConfigError, ImageReadError
from likeness.imaging.files import is_picture
from likeness.imaging.folders import split_pattern
from likeness.imaging.names import as_spelt, same_on_disk
from likeness.messages.notice import Notice
from likeness.restore.config import Settings, parse_settings

__all__ = ["VIDEO_SUFFIXES", "Source", "find_sources", "is_source", "is_video"]

_SIDECARS = (".toml", ".json")
"""photo.jpg.toml is the sidecar of photo.jpg."""


VIDEO_SUFFIXES = tuple(
    f".{end}"
    for end in (
        *("mp4", "m4v", "mov", "mkv", "webm", "avi", "nut", "mpg", "mpeg", "mts", "m2ts"),
        *("3gp", "3g2", "wmv", "asf", "flv", "dv", "ogv", "mxf"),
    )
)
"""How names of videos end."""

_Wanted: TypeAlias = Callable[[str], bool]


def is_video(name: str) -> bool:
    """Whether a file is a video by its name; the file is not opened."""
    path = PurePosixPath(name)
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith("._")


def is_source(name: str) -> bool:
    """Whether a file is a picture or a video by its name."""
    return is_picture(name) or is_video(name)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A picture or a video that was found.

    Attributes:
        url: its path or URL.
        name: its place inside the input, "/" between folders: what its result is called.
        stamp: changes when the file does; "" if the file could not be looked at, which is told when it is read.
        settings: its own, from its row in a list and its sidecar; the sidecar wins.
        client, email: whose it is, from a list.
    """

    url: str
    name: str
    stamp: str
    settings: Settings = field(default_factory=Settings)
    client: str = ""
    email: str = ""


def find_sources(
    inputs: Sequence[str],
    *,
    without: str = "",
    allow_none: bool = False,
    videos: bool = False,
    tell: Tell | None = None,
    leave_out: bool = False,
) -> tuple[Source, ...]:
    """The pictures behind the inputs, each once, in order; and videos, if they are wanted (`is_video`).

    An input is a picture; a folder, whose pictures are taken with those of its subfolders (`Storage.files`); a quoted
    pattern with ``*``, ``**``, ``?`` or ``[``; a CSV list (`read_list`), whose files are relative to its own folder; and
    each of them may be an fsspec URL.

    Args:
        inputs: as typed.
        without: path or URL of a folder that is left out, as results lie there.
        allow_none: an empty folder or a pattern that matches nothing (yet) is no error.
        videos: whether those in folders, and those that patterns match, are taken as well.
        tell: is told what is left out of folders; None logs it.
        leave_out: whether a picture of a folder or a pattern whose sidecar cannot be used is left out, which is told too,
            and is no error.

    Raises:
        ConfigError: if an input holds no picture, a list or a sidecar cannot be used, or pictures of two folders would get
            results of the same name.
        BatchError: if a folder cannot be read.
        MissingExtraError: for a URL whose library is not installed.
    """
    found: list[Source] = []
    for text in inputs:
        taken = _find(text, without, allow_none, is_source if videos else is_picture, tell, leave_out)
        if not taken and not allow_none:
            raise ConfigError(Notice("file.no-picture", {"text": text}))
        found += taken
    unique = {source.url: source for source in found}
    names: dict[str, Source] = {}
    for source in unique.values():
        # Disks that ignore the case of letters would take them for one; two of one folder get names that differ.
        other = names.setdefault(same_on_disk(source.name), source)
        if other is not source and _home(other) != _home(source):
            raise ConfigError(Notice("batch.same-name", {"url": other.url, "url2": source.url, "name": source.name}))
    return tuple(unique.values())


def _home(source: Source) -> str:
    """The folder that the picture's name counts from."""
    return source.url.removesuffix(source.name)


def _find(
    text: str, without: str, allow_none: bool, wanted: _Wanted, tell: Tell | None, leave_out: bool
) -> list[Source]:
    text = text.removeprefix("file://")
    if not is_url(text) and (spelt := as_spelt(expanded(text))) != expanded(text):
        text = str(spelt)
    if text.lower().endswith(".csv"):
        return _of_list(text)
    if _has_magic(text):
        return _matching(text, wanted, tell, leave_out)
    place = Storage(text)
    if place.is_folder() or (allow_none and not wanted(text)):
        return _in_folder(place, without, wanted, tell, leave_out) if place.is_folder() else []
    parent, name = Storage.of(text)
    if not parent.exists(name):
        raise ConfigError(Notice("file.missing", {"text": text}))
    return [_source(parent, name, name, parent.stamp(name))]


def _has_magic(text: str) -> bool:
    return glob.has_magic(text) and not (not is_url(text) and expanded(text).exists())


def _in_folder(place: Storage, without: str, wanted: _Wanted, tell: Tell | None, leave_out: bool) -> list[Source]:
    listed = {item.name: item.stamp for item in place.files(without=without, tell=tell)}

    def source(name: str) -> Source:
        sidecars = [name + end for end in _SIDECARS if name + end in listed]
        return _source(place, name, name, listed[name], sidecars=sidecars)

    return _usable(source, filter(wanted, listed), tell, leave_out)


def _matching(text: str, wanted: _Wanted, tell: Tell | None, leave_out: bool) -> list[Source]:
    # Results keep the folders below the first pattern.
    folder, pattern = split_pattern(text)
    place = Storage(folder)
    names = (
        name
        for name in place.matching(pattern, tell=tell)
        if wanted(name) and not any(part.startswith(".") for part in name.split("/"))
    )
    return _usable(lambda name: _source(place, name, name, place.stamp(name)), names, tell, leave_out)


def _usable(source: Callable[[str], Source], names: Iterable[str], tell: Tell | None, leave_out: bool) -> list[Source]:
    found: list[Source] = []
    for name in names:
        try:
            found.append(source(name))
        except (ConfigError, ImageReadError) as error:  # noqa: PERF203 - one must not cost the others
            if not leave_out:
                raise
            (tell or logged)(str(error), str(error))
    return found


def _of_list(text: str) -> list[Source]:
    home, name = Storage.of(text)
    found: list[Source] = []
    for row in read_list(home.read(name), name=text):
        file = row.file.replace("\\", "/") if not is_url(row.file) else row.file
        inside = not is_url(file) and not PurePosixPath(file).is_absolute() and ".." not in PurePosixPath(file).parts
        if inside or not is_url(text):
            url = file if is_url(file) else home.locate(str(expanded(file)) if not inside else file)
        else:
            raise ConfigError(Notice("list.outside", {"text": text, "line": row.line, "file": str(file)}))
        place, last = Storage.of(url if is_url(url) else str(as_spelt(Path(url))))
        if PurePosixPath(file).name in ("", ".."):
            raise ConfigError(Notice("list.folder", {"text": text, "line": row.line, "file": str(file)}))
        stamp = place.stamp(last) if place.exists(last) else ""
        source = _source(place, last, file if inside else last, stamp)
        own = source.settings.over(row.settings)
        found.append(replace(source, settings=own, client=row.client, email=row.email))
    return found


def _source(place: Storage, inside: str, name: str, stamp: str, *, sidecars: Sequence[str] | None = None) -> Source:
    """A picture with its sidecar's settings; which sidecars there are is looked up unless it is known."""
    if sidecars is None:
        sidecars = [inside + end for end in _SIDECARS if place.exists(inside + end)]
    url = place.locate(inside)
    if len(sidecars) > 1:
        raise ConfigError(Notice("batch.two-sidecars", {"url": url, "sidecars": " and ".join(sidecars)}))
    settings = _sidecar(place, sidecars[0]) if sidecars else Settings()
    # A store's names may hold what would lead out of the folder of the results.
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return Source(url=url, name="/".join(parts), stamp=stamp, settings=settings)


def _sidecar(place: Storage, name: str) -> Settings:
    shown = place.locate(name)
    folder = (place.path / name).parent if place.path is not None else Path()
    settings = parse_settings(place.read(name), name=shown, folder=folder)
    check_per_picture(settings, shown)
    if settings["damage_mask"] is not None and place.path is None:
        raise ConfigError(Notice("batch.mask-not-here", {"shown": shown}))
    if (settings["references"] is not None or settings["album"] is not None) and place.path is None:
        raise ConfigError(Notice("batch.references-not-here", {"shown": shown}))
    return settings
