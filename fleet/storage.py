"""Files on disk and in object stores (GDAL's /vsi paths): read within limits, written whole, listed, removed."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
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
OPEN_UNFOLLOWED = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class DamagedFileError(InputError):
    """A file is not what it should be: its kind, its size or its content."""


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
    if length is None:
        return f"{path.rpartition('/')[2]} 0 0"
    time = gdal.VSIStatL(path).mtime if is_remote(path) else os.stat(path).st_mtime_ns
    return f"{path.rpartition('/')[2]} {length} {time}"


def cure(words: str) -> str:
    """What a user can do about an error of a store, empty where the words tell nothing."""
    return next((c for word, c in CURES.items() if word in words.lower()), "")


def read_text(path: str, limit: int) -> str | None:
    """A small file's text; None where there is none.

    Raises DamagedFileError where it is not a regular file of UTF-8 within the limit (bytes), else InputError.
    """
    if size(path) is None and (is_remote(path) or not os.path.lexists(path)):
        return None
    try:
        return read_bytes(path, limit, follow_links=False).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"{path} is not text in UTF-8") from error


def read_bytes(path: str, limit: int, follow_links: bool = True) -> bytes:
    """A whole file of at most `limit` bytes. Raises as `read_chunks`."""
    return b"".join(read_chunks(path, limit, follow_links))


def read_chunks(path: str, limit: int | None = None, follow_links: bool = True) -> Iterator[bytes]:
    """Yield a file's content, which is never held as a whole.

    Raises DamagedFileError where it is not a regular file of at most `limit` bytes, else InputError.
    """
    yield from _read_remote(path, limit) if is_remote(path) else _read_local(path, limit, follow_links)


def _read_local(path: str, limit: int | None, follow_links: bool) -> Iterator[bytes]:
    if not follow_links and os.path.islink(path):
        raise DamagedFileError(f"{path} is a link")
    try:
        handle = os.open(os.path.realpath(path) if follow_links else path, OPEN_UNFOLLOWED)
        with open(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise DamagedFileError(f"{path} is not a regular file")
            _check_length(path, status.st_size, limit)
            yield from iter(lambda: file.read(CHUNK), b"")
    except OSError as error:
        raise DamagedFileError(f"{path} cannot be read ({error.strerror})") from error


def _read_remote(path: str, limit: int | None) -> Iterator[bytes]:
    with gdal_exceptions():
        gdal.VSICurlPartialClearCache(path)
        try:
            handle = gdal.VSIFOpenL(path, "rb")
            if handle is None:
                raise RuntimeError("there is no such file")
            try:
                gdal.VSIFSeekL(handle, 0, os.SEEK_END)
                left = gdal.VSIFTellL(handle)
                _check_length(path, left, limit)
                gdal.VSIFSeekL(handle, 0, os.SEEK_SET)
                while left:
                    chunk = bytes(gdal.VSIFReadL(1, min(left, CHUNK), handle) or b"")
                    if not chunk:
                        raise RuntimeError("the store sent less than the file holds")
                    left -= len(chunk)
                    yield chunk
            finally:
                gdal.VSIFCloseL(handle)
        except RuntimeError as error:
            raise InputError(f"{path} cannot be read: {said(error)}. {cure(str(error))}".strip()) from error


def _check_length(path: str, length: int, limit: int | None) -> None:
    if limit is not None and length > limit:
        raise DamagedFileError(f"{path} has {length} bytes, but at most {limit} are read")


def fingerprint(path: str, sha256: str = "") -> str:
    """What changes with a file's content: the SHA-256 on disk (`sha256` where it is known), the ETag in a store.

    Raises DamagedFileError where there is no regular file, InputError where a store does not answer.
    """
    if not is_remote(path):
        return f"sha256 {sha256 or compute_sha256(path)}"
    if size(path) is None:
        raise DamagedFileError(f"{path} does not exist")
    headers = gdal.GetFileMetadata(path, "HEADERS") or {}
    tag = next((value for name, value in headers.items() if name.lower() == "etag"), "")
    return f"etag {tag}" if tag else f"sha256 {sha256 or compute_sha256(path)}"


def compute_sha256(path: str) -> str:
    """SHA-256 of a file in hexadecimal digits. Raises as `read_chunks`."""
    digest = hashlib.sha256()
    for chunk in read_chunks(path, follow_links=False):
        digest.update(chunk)
    return digest.hexdigest()


def write_text(path: str, text: str) -> None:
    """Write a small file, complete under its name or not at all. Raises OutputError."""
    with finished(path) as local:
        try:
            with whole_file(local) as draft:
                draft.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error}. Is the disk full?") from error


@contextmanager
def finished(path: str, final_name: Callable[[Path], str] | None = None) -> Iterator[Path]:
    """Where to write a file, complete or not at all: its own place on disk, else one that is uploaded at the end.

    `final_name` gives the file's name by its content, once that is written. Raises OutputError.
    """
    if is_remote(path):
        with tempfile.TemporaryDirectory(prefix="otfm-fleet-") as folder:
            local = Path(folder) / path.rpartition("/")[2]
            yield local
            upload(local, child(parent(path), final_name(local)) if final_name else path)
        return
    local = Path(path)
    make_way(path)
    yield local
    if final_name:
        final = local.with_name(final_name(local))
        make_way(str(final))
        try:
            os.replace(local, final)
        except OSError as error:
            raise OutputError(f"{final} cannot be written: {error}. Is it in use?") from error


def make_way(path: str) -> None:
    """Make the folder of a path on disk, and remove what holds no data from the place of the file itself.

    Raises OutputError.
    """
    _make_folder(parent(path))
    kind = _kind(path)
    try:
        if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
            os.unlink(path)
        elif stat.S_ISDIR(kind):
            os.rmdir(path)
    except FileNotFoundError:  # another worker was faster
        pass
    except OSError as error:
        what = "a folder" if stat.S_ISDIR(kind) else "a pipe"
        raise OutputError(
            f"{path} is {what}, but a file has to be written there ({error.strerror}). Move it away, or choose another "
            "output."
        ) from error


def make_own_folder(path: str) -> None:
    """Make a folder on disk; a link or another thing without data in its place is removed. Raises OutputError."""
    kind = _kind(path)
    if kind and not stat.S_ISDIR(kind):
        if stat.S_ISREG(kind) and os.path.getsize(path):
            raise OutputError(
                f"{path} is a file, but a folder has to be made there. Move it away, or choose another output."
            )
        remove_file(path)
    _make_folder(path)


def _make_folder(path: str) -> None:
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {path} cannot be made: {error}. Choose another one.") from error


def _kind(path: str) -> int:
    """Mode of what lies at a path on disk, of a link itself; 0 where there is nothing."""
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


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
    """Names of the regular files in a folder as it is now; none where there is no folder, or a link to one."""
    if not is_remote(folder):
        if not stat.S_ISDIR(_kind(folder)):
            return set()
        try:
            with os.scandir(folder) as entries:
                return {e.name for e in entries if e.is_file(follow_symlinks=False)}
        except OSError as error:
            raise InputError(f"{folder} cannot be listed: {error.strerror}. Check who may read it.") from error
    gdal.VSICurlPartialClearCache(folder)
    return {n for n in gdal.ReadDir(folder) or () if n not in (".", "..")}


def remove_file(path: str) -> None:
    """Remove a file or a link; what is not there is no error."""
    if is_remote(path):
        with suppress(RuntimeError):
            gdal.Unlink(path)
        return
    with suppress(OSError):
        os.unlink(path)
