"""``likeness people``: who is in the photographs of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from likeness.cli.console import Console
from likeness.cli.flags import Parser, add_overwrite, add_verbosity, verbosity
from likeness.errors import ConfigError
from likeness.messages.notice import Notice

__all__ = ["make_parser", "people"]

_EPILOG = """\
What is written to OUT:
  index.html         the faces by person, with buttons that save corrections
  people.json        the album: groups, and of each face a small picture and its embedding, which describes it as a
                     fingerprint does a finger. Keep it as you keep the photographs; delete the folder and it is gone
  corrections.json   is read from there, if you put it there

exit status:
  0    grouped
  1    the folder holds no photograph, or a file cannot be written
  2    nothing was begun: a flag, a name or the corrections cannot be used

examples:
  likeness people family/
  likeness restore family/ --album people_family/people.json"""


def people(argv: Sequence[str], console: Console) -> int:
    """Group the faces of a folder by person, and write the page and the album.

    Returns:
        0.

    Raises:
        ConfigError: if the corrections cannot be used, or another page would be replaced.
        ImageReadError: if there is no such folder, or it holds no picture.
        FileWriteError: if a file cannot be written.
        SystemExit: for ``--help``, and for arguments that cannot be parsed.
    """
    flags = make_parser().parse_args(argv)
    console.verbosity = verbosity(flags)
    folder: Path = flags.folder
    out: Path = flags.output or Path(f"people_{folder.resolve().name}")
    if out.exists() and not out.is_dir():
        raise ConfigError(Notice("cli.out-is-file", {"out": str(out)}))
    from likeness.core.files import make_folder, write_text_atomically
    from likeness.faces.detect import MediaPipeDetector
    from likeness.imaging.decoding.pool import DecoderPool
    from likeness.reference.albums import read_corrections
    from likeness.reference.matching import FaceMatcher
    from likeness.reference.people import known_album, scan_album, write_album
    from likeness.reference.people_page import people_page

    corrections = read_corrections(out / "corrections.json")
    kept = out / "people.json"
    known = known_album(kept)
    page = out / "index.html"
    if not kept.exists():  # beside an album it is an album's page
        console.ledger.claim([page], overwrite=flags.overwrite)
    with DecoderPool() as decoder:
        decoder.start()
        album = scan_album(
            folder, MediaPipeDetector(), FaceMatcher(), read=decoder.read, known=known, told=console.detail
        )
    persons = album.persons(corrections)
    make_folder(out)
    write_album(kept, album, persons)
    write_text_atomically(people_page(album, persons, corrections), page)
    several = sum(len(person.faces) > 1 for person in persons)
    console.say(
        f"faces: {len(album.faces)}, in {len(album.files)} photographs; persons: {len(persons)}, of whom {several} more "
        f"than once; see {page}"
    )
    return 0


def make_parser() -> Parser:
    parser = Parser(
        prog="likeness people",
        usage="likeness people FOLDER [-o OUT] [flags]",
        description="Group the faces of a folder, with its subfolders, by person. Everything stays on this machine.",
        epilog=_EPILOG,
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the photographs")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=Path, help="folder of the page and the album (people_FOLDER, here)"
    )
    add_overwrite(parser.add_argument)
    add_verbosity(parser)
    return parser
