"""Metadata files of products: bounded reading, XML as a small tree, checked values.

Products come from anybody. Nothing here takes more memory or depth than the limits below, whatever a file claims.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from xml.parsers import expat

from osgeo import gdal

from ..errors import InputError
from ..raster.gdal_errors import said
from .listing import Listing
from .scene import Part, Refused

MAX_BYTES = 8 * 2**20  # of a metadata file; the largest of Airbus have 1 MB
MAX_ELEMENTS = 200_000  # of an XML file
MAX_DEPTH = 32  # of elements or groups in each other; DIMAP files have 10
MAX_VALUE = 255  # characters of a value that is used; file names are no longer on any system
MAX_BANDS = 64  # of an image; sensors with a panchromatic band have at most 16
CHUNK = 2**20  # bytes between two looks at the cancel button


@dataclass
class Element:
    """An element of an XML file."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own text, without that of the elements in it."""
        return "".join(self.pieces)

    def find_all(self, name: str) -> Iterator[Element]:
        """Find all elements below this one by name, in the order of the file."""
        for element in self.walk():
            if element.name == name:
                yield element

    def find_value(self, name: str) -> str:
        """Read the first element below this one of that name, empty if there is none. Raises InputError."""
        found = next(self.find_all(name), None)
        return "" if found is None else check_value(name, found.text)

    def walk(self) -> Iterator[Element]:
        """Yield all elements below this one, in the order of the file."""
        for child in self.children:
            yield child
            yield from child.walk()


def refuse_on_error(
    listing: Listing, file: str, read: Callable[[Listing, str], Iterator[Part | Refused]]
) -> Iterator[Part | Refused]:
    """Yield what `read` finds in a metadata file, and a refusal of that file where it cannot be believed."""
    path = listing.path(file)
    listing.check()
    try:
        yield from read(listing, file)
    except (InputError, ValueError, RecursionError) as error:
        sentence = f"The metadata file {path} {error}. Download the product again."
        yield Refused(PurePosixPath(file).stem, sentence, (path,))


def read_metadata(path: str, check: Callable[[], None]) -> bytes:
    """Read a metadata file of a folder or an archive. Trailing NULs and white space are cut off.

    Args:
        path: what GDAL opens.
        check: may raise to cancel.

    Raises:
        InputError: part of a sentence, where the file cannot be read or is longer than MAX_BYTES.
    """
    content = bytearray()
    try:
        handle = gdal.VSIFOpenL(path, "rb")
        try:
            while len(content) <= MAX_BYTES:
                check()
                chunk = gdal.VSIFReadL(1, min(CHUNK, MAX_BYTES + 1 - len(content)), handle)
                if not chunk:
                    break
                content += chunk
        finally:
            gdal.VSIFCloseL(handle)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"cannot be read ({said(error)})") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"has more than {MAX_BYTES:,} bytes, where those of products have 1 MB at most")
    return bytes(content).removeprefix(codecs.BOM_UTF8).rstrip(b"\0 \r\n\t")


def decode_text(content: bytes) -> str:
    """Decode a metadata file that is text. Raises InputError, with part of a sentence, for a NUL."""
    if b"\0" in content:
        raise InputError("holds a NUL, so it is damaged")
    return content.decode("utf-8", errors="replace")


def parse_xml(content: bytes, check: Callable[[], None]) -> Element:
    """Parse XML into a tree. Entities and document types are refused, nothing else is opened.

    Raises:
        InputError: part of a sentence, where the text is not well formed or exceeds a limit.
    """
    root = Element("", {})
    open_ones, count = [root], 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS or len(open_ones) > MAX_DEPTH:
            raise InputError(f"has more than {MAX_ELEMENTS:,} elements, or more than {MAX_DEPTH} in each other")
        element = Element(name, attributes)
        open_ones[-1].children.append(element)
        open_ones.append(element)

    def end(_: str) -> None:
        open_ones.pop()

    def add_text(text: str) -> None:
        open_ones[-1].pieces.append(text)

    def refuse(*_: object) -> None:
        raise InputError("declares a document type or an entity, which no metadata of a product do")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = add_text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        for begin in range(0, len(content), CHUNK):
            check()
            parser.Parse(content[begin : begin + CHUNK], False)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise InputError(f"is cut short or damaged ({error})") from error
    return root


def check_value(name: str, text: str) -> str:
    """Return a value with single spaces. Raises InputError for control characters and for more than MAX_VALUE."""
    value = " ".join(text.split())
    if len(value) > MAX_VALUE:
        raise InputError(f"{name} has {len(value):,} characters; at most {MAX_VALUE} are expected")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise InputError(f"{name} holds control characters")
    return value


def parse_count(name: str, text: str, low: int, high: int) -> int:
    """Read a whole number in a range. Raises InputError, with part of a sentence."""
    if re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII) and low <= int(text) <= high:
        return int(text)
    raise InputError(
        f"has {text.strip()[:40] or 'nothing'} for {name}, but a whole number from {low} to {high} is needed"
    )
