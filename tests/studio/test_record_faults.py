"""Full disks and damaged bytes under a studio's records: a sentence, and nothing that was written is lost."""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

import pytest
from machine import connecting_to_a_full_disk

from likeness.errors import RecordError
from likeness.studio.acceptance import open_book


def _answer(path: Path, names: list[str], written: list[str]) -> None:
    with open_book(path, create=True) as book:
        for name in names:
            book.add([name], "accepted", note="n" * 300)
            written.append(name)


def test_a_disk_that_is_full_at_any_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}.jpg" for number in range(60)]
    told = 0
    for pages in range(1, 16):
        path = tmp_path / f"{pages}.sqlite"

        written: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(sqlite3, "connect", connecting_to_a_full_disk(pages))
            try:
                _answer(path, names, written)
            except RecordError as error:
                told += "disk is full); check the disk, its space" in str(error)
        with open_book(path, create=True) as book:
            assert [entry.picture for entry in book.history()] == written
        _answer(path, names[len(written) :], written)
        with open_book(path) as book:
            assert [entry.picture for entry in book.history()] == names
    assert told >= 8


def test_damage_is_told(tmp_path: Path) -> None:
    whole = tmp_path / "whole.sqlite"
    _answer(whole, [f"{number}.jpg" for number in range(40)], [])
    data, chance, told = whole.read_bytes(), random.Random(8), 0
    path = tmp_path / "book.sqlite"
    for number in range(150):
        broken = bytearray(data)
        if number % 3 == 0:
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        elif number % 3 == 1:
            place = chance.randrange(len(broken) // 512) * 512
            broken[place : place + 512] = chance.randbytes(512)
        else:
            del broken[chance.randrange(len(broken)) :]
        path.write_bytes(broken)
        try:
            with open_book(path, create=True) as book:
                book.pictures()
                book.add(["new.jpg"], "revise")
        except RecordError as error:
            told += str(path) in str(error) or "the book is damaged" in str(error)
    assert told > 60


def test_names_that_are_no_utf8_are_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    with open_book(tmp_path / "book.sqlite", create=True) as book:
        book.add([name], "accepted", client=name, note=name)
        (entry,) = book.history()
        assert {entry.picture, entry.client, entry.note} == {name}
