"""Files on disk and in object stores (GDAL's /vsi paths): read whole, written whole, listed, removed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from osgeo import gdal

from ..model.errors import InputError, OutputError
from ..model.files import whole_file
from ..model.raster.gdal_errors import gdal_exceptions, said

CHUNK = 8 * 2**20  # bytes that are handed over at once
PATIENCE = {  # GDAL's options where nobody has set them: a busy store answers later, a dead one does not
    "GDAL_HTTP_MAX_RETRY": "4",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_LOW_SPEED_TIME": "60",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
}
CURES = {  # by words of GDAL or of the store
    "403": "The credentials do not allow it: look at the AWS_, GS_ or AZURE_ variables of the workers.",
    "access denied": "The credentials do not allow it: look at the AWS_, GS_ or AZURE_ variables of the workers.",
    "invalidaccesskeyid": "The key is unknown: look at the AWS_, GS_ or AZURE_ variables of the workers.",
    "signature": "The secret key is wrong: look at the AWS_, GS_ or AZURE_ variables of the workers.",
    "no valid": "No credentials were found: set the AWS_, GS_ or AZURE_ variables on the workers.",
    "credentials": "No credentials were found: set the AWS_, GS_ or AZURE_ variables on the workers.",
    "bucket does not exist": "Create the bucket, or correct the path.",
    "nosuchbucket": "Create the bucket, or correct the path.",
    "404": "There is nothing under this name: correct the path.",
    "timed out": "The store did not answer in time: run again, or raise GDAL_HTTP_TIMEOUT.",
    "connect": "The store cannot be reached: look at its address, for example AWS_S3_ENDPOINT.",
}

ABSENT = ("404", "key does not exist", "nosuchkey", "no such object", "blob does not exist")  # of a file, not a bucket
MAY_WRITE = "Look whether the credentials may write there."


def is_remote(path: str) -> bool:
    """Whether GDAL's virtual file systems read it, and not the disk's own."""
    return path.startswith("/vsi")


def child(folder: str, name: str) -> str:
    """A path within a folder."""
    return f"{folder.rstrip('/')}/{name}"


def parent(path: str) -> str:
    """The folder of a path."""
    return path.rpartition("/")[0] or "."


def be_patient() -> None:
    """Have GDAL wait and try again on networks, where nobody has set how, for the life of this worker's process."""
    for name, value in PATIENCE.items():
        if gdal.GetConfigOption(name) is None:
            gdal.SetConfigOption(name, value)


def size(path: str) -> int | None:
    """Bytes of a file as it is now; None where there is none. Raises InputError where the store does not say."""
    if not is_remote(path):
        return os.path.getsize(path) if os.path.isfile(path) else None
    gdal.VSICurlPartialClearCache(path)
    found = gdal.VSIStatL(path)
    if found is not None:
        return None if found.IsDirectory() else int(found.size)
    words = _refusal(path)
    if words and not _absent(words):
        raise InputError(f"{path} cannot be looked up: {words}. {cure(words)}".strip())
    return None


def _absent(words: str) -> bool:
    return any(one in words.lower() for one in ABSENT)


def _refusal(path: str) -> str:
    """What a store says where it does not open a file; empty where the file is just not there."""
    gdal.VSICurlPartialClearCache(path)  # which else answers from memory that there is nothing
    with gdal_exceptions():
        gdal.VSIErrorReset()
        try:
            handle = gdal.VSIFOpenExL(path, "rb", True)
        except RuntimeError as error:
            return said(error)
        if handle is not None:
            gdal.VSIFCloseL(handle)
            return ""
        return str(gdal.VSIGetLastErrorMsg() or "").strip().rstrip(".")


def stamp(path: str) -> str:
    """Name, size and time of a file, by which a change is seen. Raises InputError where a store does not say."""
    length = size(path)
    found = gdal.VSIStatL(path) if length is not None else None
    return f"{path.rpartition('/')[2]} {length or 0} {found.mtime if found else 0}"


def cure(words: str) -> str:
    """What a user can do about an error of a store, empty where the words tell nothing."""
    return next((c for word, c in CURES.items() if word in words.lower()), "")


def read_text(path: str) -> str | None:
    """A small file's text; None where there is none. Raises InputError."""
    if size(path) is None:
        return None
    return read_bytes(path).decode("utf-8")


def read_bytes(path: str) -> bytes:
    """A whole file. Raises InputError."""
    with gdal_exceptions():
        try:
            handle = gdal.VSIFOpenL(path, "rb")
            if handle is None:
                raise RuntimeError("there is no such file")
            try:
                gdal.VSIFSeekL(handle, 0, os.SEEK_END)
                length = gdal.VSIFTellL(handle)
                gdal.VSIFSeekL(handle, 0, os.SEEK_SET)
                return bytes(gdal.VSIFReadL(1, length, handle) or b"") if length else b""
            finally:
                gdal.VSIFCloseL(handle)
        except RuntimeError as error:
            raise InputError(f"{path} cannot be read: {said(error)}. {cure(str(error))}".strip()) from error


def write_text(path: str, text: str) -> None:
    """Write a small file, complete under its name or not at all. Raises OutputError."""
    with finished(path) as local:
        try:
            with whole_file(local) as draft:
                draft.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error}. Is the disk full?") from error


@contextmanager
def finished(path: str) -> Iterator[Path]:
    """Where to write a file, complete or not at all: its own place on disk, else one that is uploaded at the end.

    Raises OutputError.
    """
    if not is_remote(path):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"The folder of {path} cannot be made: {error}. Choose another one.") from error
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="otfm-fleet-") as folder:
        local = Path(folder) / path.rpartition("/")[2]
        yield local
        upload(local, path)


def upload(local: Path, path: str) -> None:
    """Copy a finished file to a store, which shows it once its last part has come. Raises OutputError."""
    with gdal_exceptions(), local.open("rb") as file:
        try:
            handle = gdal.VSIFOpenL(path, "wb")
            if handle is None:
                raise RuntimeError(gdal.VSIGetLastErrorMsg() or "the store refuses it")
            try:
                for chunk in iter(lambda: file.read(CHUNK), b""):
                    if gdal.VSIFWriteL(chunk, 1, len(chunk), handle) != len(chunk):
                        raise RuntimeError(gdal.GetLastErrorMsg() or "the store takes no more")
            finally:
                closed = gdal.VSIFCloseL(handle)
            if closed:
                raise RuntimeError(gdal.GetLastErrorMsg() or "the store did not take it")
            kept = size(path)
        except (RuntimeError, InputError) as error:
            why = _refusal(path)  # GDAL does not tell why it could not write
            words = f"{said(error)}{f': {why}' if why and not _absent(why) else ''}"
            raise OutputError(f"{path} cannot be written: {words}. {cure(words) or MAY_WRITE}") from error
    whole = local.stat().st_size
    if kept != whole:
        with suppress(RuntimeError):
            gdal.Unlink(path)
        raise OutputError(f"{path} was not kept whole by the store ({kept} bytes of {whole}). Run again.")


def names(folder: str) -> set[str]:
    """Names of the files in a folder as it is now; none where there is no folder."""
    if not is_remote(folder):
        return {e.name for e in os.scandir(folder) if e.is_file()} if os.path.isdir(folder) else set()
    gdal.VSICurlPartialClearCache(folder)
    return {n for n in gdal.ReadDir(folder) or () if n not in (".", "..")}


def remove(folder: str) -> None:
    """Remove a folder and the files in it; what is not there is no error."""
    if not is_remote(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    for name in names(folder):
        with suppress(RuntimeError):
            gdal.Unlink(child(folder, name))
