"""Metadata files of products: bounded reading, one small tree for all their forms, checked values.

Products come from anybody. Nothing here takes more memory or depth than the limits below, whatever a file claims.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import Element, TreeBuilder  # the tree alone; expat parses  # nosec B405
from xml.parsers import expat

from osgeo import gdal

from ..codec import parse_json
from ..errors import InputError
from ..raster.gdal_errors import quote_messages
from .listing import Listing

MAX_BYTES = 8 * 2**20  # The largest metadata files, of Airbus, have 1 MB.
MAX_ELEMENTS = 200_000  # Per file, so that memory is bounded.
MAX_DEPTH = 32  # Nesting of elements or groups; DIMAP files have 10.
MAX_VALUE = 255  # Characters of a value: the longest name of a file on any system.
MAX_BANDS = 64  # Per image; sensors with a panchromatic band have at most 16.
CHUNK = 2**20  # Bytes between two checks for a cancel.
Tree = Element  # All names are in small letters.


class _Builder(TreeBuilder):
    """A builder of trees within the limits, names in small letters. Raises InputError with part of a sentence."""

    count = depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> Tree:
        self.count, self.depth = self.count + 1, self.depth + 1
        if self.count > MAX_ELEMENTS or self.depth > MAX_DEPTH:
            raise InputError(f"has more than {MAX_ELEMENTS:,} elements, or more than {MAX_DEPTH} in each other")
        return super().start(name.lower(), attributes)

    def end(self, name: str) -> Tree:
        self.depth -= 1
        return super().end(name)

    def add(self, name: str, value: object) -> None:
        """Add a value or, of a mapping, a group of them."""
        self.start(name, {})
        if isinstance(value, Mapping):
            for key, inner in value.items():
                self.add(str(key), inner)
        else:
            self.data(str(value))
        self.end(name)


def read_tree(listing: Listing, file: str) -> Tree:
    """Read a metadata file: XML, JSON, or lines `key = value` in groups.

    Raises InputError, part of a sentence, where it is not complete, not well formed, or exceeds a limit.
    """
    content = read_metadata(listing.path(file), listing.check)
    if content.startswith(b"<"):
        return _parse_xml(content, listing.check)
    if b"\0" in content:
        raise InputError("holds a NUL, so it is damaged")
    text = content.decode("utf-8", errors="replace")
    if not content.startswith(b"{"):
        return _parse_lines(text.splitlines())
    builder = _Builder()
    try:
        builder.add("", parse_json(text, MAX_DEPTH))
    except ValueError as error:
        raise InputError(f"is cut short ({error})") from error
    return builder.close()


def read_metadata(path: str, check: Callable[[], None]) -> bytes:
    """Read a metadata file that GDAL opens, without trailing NULs and white space; `check` may raise to cancel.

    Raises InputError, part of a sentence, where the file cannot be read or is longer than MAX_BYTES.
    """
    content = bytearray()
    try:
        handle = gdal.VSIFOpenL(path, "rb")
        if handle is None:
            raise RuntimeError("no such file, or no right to read it")
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
        raise InputError(f"cannot be read ({quote_messages(error)})") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"has more than {MAX_BYTES:,} bytes, where those of products have 1 MB at most")
    return bytes(content).removeprefix(codecs.BOM_UTF8).rstrip(b"\0 \r\n\t")


def _parse_lines(lines: Sequence[str]) -> Tree:
    """Parse MTL, IMD and TIL files, down to the line END. Other lines, such as those of lists, are left out."""
    if not lines or lines[-1].strip() not in ("END", "END;"):
        raise InputError("is cut short")
    builder = _Builder()
    builder.start("", {})
    for line in lines:
        key, sign, value = line.partition("=")
        key, value = key.strip(), value.strip().rstrip(";").strip().strip('"').strip()
        if key in ("GROUP", "BEGIN_GROUP"):
            builder.start(value, {})
        elif key == "END_GROUP":
            if builder.depth == 1:
                raise InputError("ends a group that it does not begin")
            builder.end(value)
        elif sign:
            builder.add(key, value)
    while builder.depth:
        builder.end("")
    return builder.close()


def _parse_xml(content: bytes, check: Callable[[], None]) -> Tree:
    """Parse XML. Entities and document types are refused, nothing else is opened."""
    builder = _Builder()

    def refuse(*_: object) -> None:
        raise InputError("declares a document type or an entity, which no metadata of a product do")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        for begin in range(0, len(content), CHUNK):
            check()
            parser.Parse(content[begin : begin + CHUNK], False)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise InputError(f"is cut short or damaged ({error})") from error
    return builder.close()


def find_value(root: Tree, name: str) -> str:
    """Read the first element of that name, in small letters; empty if there is none. Raises InputError."""
    element = next(root.iter(name.lower()), None)
    return "" if element is None else check_value(name, element.text or "")


def check_value(name: str, text: str) -> str:
    """Return a value with single spaces. Raises InputError for control characters and for more than MAX_VALUE."""
    value = " ".join(text.split())
    if len(value) > MAX_VALUE:
        raise InputError(f"{name} has {len(value):,} characters; at most {MAX_VALUE} are expected")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise InputError(f"{name} holds control characters")
    return value


def parse_number(name: str, text: str, low: float, high: float) -> float:
    """Read a number in a range. Raises InputError, with part of a sentence."""
    number = re.fullmatch(r"[+-]?\d{1,15}(\.\d{0,15})?([eE][+-]?\d{1,2})?", text.strip(), re.ASCII)
    if number and low <= float(text) <= high:
        return float(text)
    stated = text.strip()[:40] or "nothing"
    raise InputError(f"has {stated} for {name}, but a number from {low:g} to {high:g} is needed")


def parse_count(name: str, text: str, low: int, high: int) -> int:
    """Read a whole number in a range. Raises InputError, with part of a sentence."""
    if re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII) and low <= int(text) <= high:
        return int(text)
    raise InputError(
        f"has {text.strip()[:40] or 'nothing'} for {name}, but a whole number from {low} to {high} is needed"
    )
