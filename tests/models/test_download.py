from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from webserver import Served, Site

from likeness.errors import CheckpointFormatError, ChecksumError, DownloadError
from likeness.models.download import RetryPolicy, download

QUICK = RetryPolicy(attempts=3, first_delay=0.01, timeout=5)
BODY = os.urandom(1_000_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


def leave_part(target: Path, site: Site, keep: int, *, etag: str | None = '"one"', sha256: str | None = None) -> None:
    """What an interrupted fetch of ``keep`` bytes leaves behind, made by one."""
    site.files["/model"] = Served(body=BODY, etag=etag, cuts=[keep])
    with pytest.raises(DownloadError, match="what arrived is kept"):
        download([site.url("/model")], target, sha256=sha256, policy=RetryPolicy(attempts=1, first_delay=0))
    assert target.with_name("model.pth.part").stat().st_size == keep
    site.wait_for(1)
    site.seen.clear()


def test_a_plain_fetch(site: Site, tmp_path: Path) -> None:
    site.files["/model"] = Served(body=BODY)
    target = tmp_path / "new" / "model.pth"
    progress: list[tuple[int, int | None]] = []
    digest = download([site.url("/model")], target, progress=lambda *at: progress.append(at), policy=QUICK)
    assert digest == SHA256
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]
    assert progress[-1] == (len(BODY), len(BODY))
    assert progress == sorted(progress)


def test_a_dropped_connection_is_taken_up_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.files["/model"] = Served(body=BODY, cuts=[300_000, 200_000])
    target = tmp_path / "model.pth"
    assert download([site.url("/model")], target, policy=QUICK) == SHA256
    seen = site.wait_for(3)
    assert [(one.range, one.status, one.sent) for one in seen] == [
        (None, 200, 300_000),
        ("bytes=300000-", 206, 200_000),
        ("bytes=500000-", 206, 500_000),
    ]


def test_a_connection_that_always_brings_something_is_not_given_up(site: Site, tmp_path: Path) -> None:
    """Twenty drops, far more than the three attempts: each brought bytes."""
    site.files["/model"] = Served(body=BODY, cuts=[50_000] * 19)
    assert download([site.url("/model")], tmp_path / "model.pth", policy=QUICK) == SHA256
    assert sum(one.sent for one in site.wait_for(20)) == len(BODY)


def test_a_later_call_goes_on(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.pth"
    leave_part(target, site, 400_000)
    assert download([site.url("/model")], target, policy=QUICK) == SHA256
    (only,) = site.wait_for(1)
    assert (only.range, only.status, only.sent) == ("bytes=400000-", 206, 600_000)
    assert target.read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.pth"
    leave_part(target, site, 400_000)
    other = os.urandom(900_000)
    site.files["/model"] = Served(body=other, etag='"two"')
    download([site.url("/model")], target, policy=QUICK)
    assert target.read_bytes() == other
    (only,) = site.wait_for(1)
    assert (only.range, only.status, only.sent) == ("bytes=400000-", 200, 900_000)


def test_a_server_without_ranges_sends_all_again(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.pth"
    leave_part(target, site, 400_000)
    site.files["/model"].ranges = False
    assert download([site.url("/model")], target, policy=QUICK) == SHA256
    (only,) = site.wait_for(1)
    assert (only.status, only.sent) == (200, len(BODY))
    assert target.read_bytes() == BODY


def test_without_validator_only_a_checksum_allows_to_go_on(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.pth"
    leave_part(target, site, 400_000, etag=None)
    assert download([site.url("/model")], target, policy=QUICK) == SHA256
    assert site.wait_for(1)[0].range is None
    target.unlink()
    site.seen.clear()
    leave_part(target, site, 400_000, etag=None, sha256=SHA256)
    assert download([site.url("/model")], target, sha256=SHA256, policy=QUICK) == SHA256
    assert site.wait_for(1)[0].sent == 600_000


def test_a_part_that_is_complete_is_only_checked(site: Site, tmp_path: Path) -> None:
    """The process ended between the last byte and the move."""
    target = tmp_path / "model.pth"
    leave_part(target, site, 400_000)
    target.with_name("model.pth.part").write_bytes(BODY)
    assert download([site.url("/model")], target, policy=QUICK) == SHA256
    assert [one.status for one in site.wait_for(1)] == [416]


def test_a_spoilt_part_is_found_and_fetched_anew(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "model.pth"
    leave_part(target, site, 400_000)
    part = target.with_name("model.pth.part")
    part.write_bytes(bytes(400_000))  # as a power cut may leave it
    assert download([site.url("/model")], target, sha256=SHA256, policy=QUICK) == SHA256
    assert [one.status for one in site.wait_for(2)] == [206, 200]
    assert target.read_bytes() == BODY


def test_the_wrong_bytes_are_thrown_away(site: Site, tmp_path: Path) -> None:
    site.files["/model"] = Served(body=BODY)
    target = tmp_path / "model.pth"
    with pytest.raises(ChecksumError, match=f"SHA-256 {SHA256} instead of {'0' * 64}; it was thrown away"):
        download([site.url("/model")], target, sha256="0" * 64, policy=QUICK)
    assert list(tmp_path.iterdir()) == []
    assert len(site.seen) == 1  # no second try: the same bytes would come


def test_a_wrong_mirror_does_not_end_the_fetch(site: Site, tmp_path: Path) -> None:
    site.files["/spoilt"] = Served(body=BODY[::-1])
    site.files["/good"] = Served(body=BODY)
    urls = [site.url("/gone"), site.url("/spoilt"), site.url("/good")]
    assert download(urls, tmp_path / "model.pth", sha256=SHA256, policy=QUICK) == SHA256
    assert [(one.path, one.status) for one in site.wait_for(3)] == [("/gone", 404), ("/spoilt", 200), ("/good", 200)]


def test_a_mirror_goes_on_where_the_first_address_stopped(site: Site, tmp_path: Path) -> None:
    site.files["/first"] = Served(body=BODY, cuts=[300_000, 0, 0, 0])
    site.files["/mirror"] = Served(body=BODY, etag='"other server"')
    urls = [site.url("/first"), site.url("/mirror")]
    assert download(urls, tmp_path / "model.pth", sha256=SHA256, policy=QUICK) == SHA256
    last = site.wait_for(4)[-1]
    assert (last.path, last.range, last.sent) == ("/mirror", "bytes=300000-", 700_000)


def test_without_a_checksum_a_mirror_starts_over(site: Site, tmp_path: Path) -> None:
    site.files["/first"] = Served(body=BODY, cuts=[300_000, 0, 0, 0])
    site.files["/mirror"] = Served(body=BODY[::-1])
    download([site.url("/first"), site.url("/mirror")], tmp_path / "model.pth", policy=QUICK)
    assert (tmp_path / "model.pth").read_bytes() == BODY[::-1]  # not a mixture


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.files["/model"] = Served(body=BODY, statuses=[503, 429])
    assert download([site.url("/model")], tmp_path / "model.pth", policy=QUICK) == SHA256
    assert [one.status for one in site.wait_for(3)] == [503, 429, 200]


def test_every_reason_is_in_the_one_sentence(site: Site, tmp_path: Path) -> None:
    site.files["/page"] = Served(body=b"<html>log in</html>", content_type="text/html; charset=utf-8")
    site.files["/other"] = Served(body=BODY)
    site.files["/down"] = Served(body=BODY, statuses=[500] * 3)
    urls = [site.url(path) for path in ("/gone", "/page", "/other", "/down")]
    with pytest.raises(DownloadError) as caught:
        download([*urls, "http://127.0.0.1:9/x"], tmp_path / "model.pth", size=5, policy=QUICK)
    message = str(caught.value)
    assert message.startswith("model.pth could not be fetched (")
    assert "\n" not in message
    for reason in (
        "the server answered 404 Not Found",
        "a web page instead of the file",
        "the server offers 1000000 bytes instead of 5",
        "the server answered 500 Internal Server Error",
        "http://127.0.0.1:9/x: the connection failed",
    ):
        assert reason in message
    assert list(tmp_path.iterdir()) == []


def test_a_silent_server_is_given_up(site: Site, tmp_path: Path) -> None:
    site.files["/model"] = Served(body=BODY, pause=0.6)
    with pytest.raises(DownloadError, match="the server does not answer"):
        download(
            [site.url("/model")],
            tmp_path / "model.pth",
            policy=RetryPolicy(attempts=1, first_delay=0, timeout=0.2),
        )


def test_a_file_that_fails_its_check_is_thrown_away(site: Site, tmp_path: Path) -> None:
    def check(path: Path) -> None:
        raise CheckpointFormatError(f"{path} holds GFPGAN")

    site.files["/model"] = Served(body=BODY)
    with pytest.raises(CheckpointFormatError, match=r"/model gave the wrong file: .* holds GFPGAN"):
        download([site.url("/model")], tmp_path / "model.pth", check=check, policy=QUICK)
    assert list(tmp_path.iterdir()) == []


FILL = """
import resource, sys
from pathlib import Path
from likeness.models.download import download
from likeness.errors import DownloadError
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    download([sys.argv[1]], Path(sys.argv[2]))
except DownloadError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files to test this with")
def test_a_disk_that_fills_up(site: Site, tmp_path: Path) -> None:
    """The system refuses to write beyond 300,000 bytes; with room, the fetch goes on."""
    site.files["/model"] = Served(body=BODY)
    target = tmp_path / "model.pth"
    command = [sys.executable, "-c", FILL, site.url("/model"), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert re.match(r"The disk that holds .* is full after 0\.\d of 1\.0 MB; make room and fetch again", done.stdout)
    assert not target.exists()
    kept = target.with_name("model.pth.part").stat().st_size
    assert 0 < kept <= 300_000
    assert download([site.url("/model")], target, policy=QUICK) == SHA256
    assert site.wait_for(2)[-1].sent == len(BODY) - kept


def test_a_disk_too_small_is_told_before_anything_is_written(site: Site, tmp_path: Path) -> None:
    site.files["/model"] = Served(body=BODY, promise=10**18)
    with pytest.raises(DownloadError, match=r"is full after 0\.0 of 1000000000000\.0 MB"):
        download([site.url("/model")], tmp_path / "model.pth", policy=QUICK)
    assert not (tmp_path / "model.pth.part").exists()


def test_redirects_are_followed(site: Site, tmp_path: Path) -> None:
    """Model hosts answer with a redirect to where the bytes are."""
    site.files["/model"] = Served(body=BODY)
    site.redirects["/resolve"] = site.url("/model")
    site.files["/model"].cuts = [250_000]
    assert download([site.url("/resolve")], tmp_path / "model.pth", policy=QUICK) == SHA256
    assert [one.sent for one in site.wait_for(2)] == [250_000, 750_000]


@pytest.mark.parametrize("make", [lambda: RetryPolicy(attempts=0), lambda: RetryPolicy(timeout=0)])
def test_a_senseless_policy_is_refused(make: Callable[[], RetryPolicy]) -> None:
    with pytest.raises(ValueError, match="attempts must be at least 1"):
        make()
