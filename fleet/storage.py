"""Files on disk, and by fsspec in object stores (GDAL's /vsi paths): read within limits, written whole, removed."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from posixpath import basename, dirname, join
from typing import Any, BinaryIO

from osgeo import gdal

from ..model.errors import InputError, OutputError, PansharpenError
from ..model.files import whole_file

WEB = "/vsicurl/"
# GDAL's names and fsspec's protocols.
STORES = {"/vsis3/": "s3", "/vsigs/": "gs", "/vsiaz/": "az", f"{WEB}http://": "http", f"{WEB}https://": "https"}
CHUNK = 8 * 2**20  # bytes of a file that are hashed at once
CHECKSUM_DIGITS = 16  # of a SHA-256, in the names of files that are called by their content
VARIABLES = "the AWS_, GS_ or AZURE_ variables"
CURES = {  # by what the name or the words of an error hold
    r"permission|denied|forbidden|signature": f"The credentials do not allow it: look at {VARIABLES} of the workers.",
    r"credentials": f"No credentials were found: set {VARIABLES} on the workers.",
    r"bucket": "Create the bucket, or correct the path.",
    r"time(d )?out": "The store did not answer in time: run again, or raise GDAL_HTTP_TIMEOUT.",
    r"connect": "The store cannot be reached: look at its address, for example AWS_S3_ENDPOINT.",
}
OPEN_UNFOLLOWED = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class DamagedFileError(InputError):
    """A file is not what it should be: its kind, its size or its content."""


def is_remote(path: str) -> bool:
    """Return whether GDAL's virtual file systems read it, and not the disk's own."""
    return path.startswith("/vsi")


@contextmanager
def _store(path: str, action: str, fault: type[PansharpenError] = InputError) -> Iterator[tuple[Any, str]]:
    """Yield the fsspec file system of a path and the path within it. Its errors become sentences with a cure."""
    try:
        import fsspec

        prefix = next((p for p in STORES if path.startswith(p)), "")
        if is_remote(path) and not prefix:
            raise ValueError(f"only disks and {', '.join(STORES)} are supported")
        options = _read_s3_options() if prefix == "/vsis3/" else {}
        protocol = STORES.get(prefix, "file")
        url = path[len(WEB) :] if prefix.startswith(WEB) else f"{protocol}://{path[len(prefix) :]}"
        # fsspec.url_to_fs would start any file system that the path names, also after "::".
        files = fsspec.filesystem(protocol, use_listings_cache=False, **options)
        yield files, files._strip_protocol(url)
    except PansharpenError:
        raise
    except Exception as error:  # each store's library has errors of its own
        words = str(error).strip().rstrip(".")
        summary = f"{type(error).__name__} {words}"
        cure = next((c for p, c in CURES.items() if is_remote(path) and re.search(p, summary, re.IGNORECASE)), "")
        raise fault(f"{path} cannot be {action}: {words or summary}. {cure}".strip()) from error


def _read_s3_options() -> dict[str, Any]:
    """Read those of GDAL's variables that s3fs does not read itself, so that one set serves both."""
    secure, unsigned = (
        gdal.GetConfigOption(name, default).upper() not in ("NO", "FALSE", "OFF", "0")
        for name, default in (("AWS_HTTPS", "YES"), ("AWS_NO_SIGN_REQUEST", "NO"))
    )
    endpoint, region, seconds = map(gdal.GetConfigOption, ("AWS_S3_ENDPOINT", "AWS_REGION", "GDAL_HTTP_TIMEOUT"))
    return {
        "anon": unsigned,
        "endpoint_url": f"http{'s' if secure else ''}://{endpoint}" if endpoint and "://" not in endpoint else endpoint,
        "client_kwargs": {"region_name": region} if region else {},
        "config_kwargs": {"read_timeout": float(seconds), "connect_timeout": float(seconds)} if seconds else {},
    }


def find(path: str) -> tuple[int, str] | None:
    """Return the current size (bytes) of a file, and its ETag or time of change; None where there is none.

    Raises InputError where a store does not say.
    """
    if not is_remote(path):
        return (os.path.getsize(path), str(os.stat(path).st_mtime_ns)) if os.path.isfile(path) else None
    with suppress(RuntimeError):  # of GDAL from 3.7 on, for what is no address
        gdal.VSICurlPartialClearCache(path)  # which holds what the file was when this worker read it last
    if path.startswith(tuple(STORES)):
        with _store(path, "looked up") as (files, inside):
            try:
                info = {name.lower(): value for name, value in files.info(inside).items()}
            except FileNotFoundError as error:
                if "bucket" in str(error).lower():
                    raise
                return None
        if info["type"] != "file":
            return None
        if info.get("etag"):
            return info["size"], str(info["etag"])
    status = gdal.VSIStatL(path)  # within an archive, or of a server without ETags
    return (status.size, str(status.mtime)) if status else None


def stamp(path: str) -> str:
    """Return name, size and time (or ETag) of a file, to detect changes. Raises as `find`."""
    length, tag = find(path) or (0, "0")
    return f"{basename(path)} {length} {tag}"


def fingerprint(path: str) -> str:
    """Return the SHA-256 of a file on disk, or its ETag in a store; empty where there is no file.

    Raises DamagedFileError where it is not a regular file, InputError where a store does not answer.
    """
    if is_remote(path):
        return f"etag {status[1]}" if (status := find(path)) else ""
    return f"sha256 {compute_sha256(path)}" if os.path.lexists(path) else ""


def compute_sha256(path: str) -> str:
    """Compute the SHA-256 of a file in hexadecimal digits. Raises as `read_bytes`."""
    digest = hashlib.sha256()
    with _open_regular(path) as (file, _):
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def read_bytes(path: str, limit: int) -> bytes:
    """Read a whole file.

    Raises DamagedFileError where it is not a regular file of at most `limit` bytes, InputError where a store does not
    answer.
    """
    with _open_regular(path) as (file, length):
        if length > limit:
            raise DamagedFileError(f"{path} has {length} bytes, but at most {limit} are read")
        return file.read(length)


@contextmanager
def _open_regular(path: str) -> Iterator[tuple[BinaryIO, int]]:
    """Yield a file and its size in bytes. Raises DamagedFileError for links and what is not a regular file."""
    if is_remote(path):
        with _store(path, "read") as (files, inside), files.open(inside, "rb") as file:
            yield file, file.size
        return
    if os.path.islink(path):
        raise DamagedFileError(f"{path} is a link")
    try:
        with open(os.open(path, OPEN_UNFOLLOWED), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DamagedFileError(f"{path} is not a regular file")
            yield file, status.st_size
    except OSError as error:
        raise DamagedFileError(f"{path} cannot be read ({error.strerror})") from error


def write_text(path: str, text: str) -> None:
    """Write a small file, complete under its name or not at all. Raises OutputError."""
    with finished(path) as local:
        try:
            with whole_file(local) as draft:
                draft.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error}. Is the disk full?") from error


@contextmanager
def finished(path: str, by_content: bool = False) -> Iterator[Path]:
    """Yield where to write a file, complete or not at all: its path on disk, else a draft that is uploaded.

    `by_content` adds digits of its SHA-256 to its name. Raises OutputError.
    """

    def name_finally(local: Path) -> str:
        digits = f"_{compute_sha256(str(local))[:CHECKSUM_DIGITS]}" if by_content else ""
        return join(dirname(path), f"{local.stem}{digits}{local.suffix}")

    if is_remote(path):
        with tempfile.TemporaryDirectory(prefix="otfm-fleet-") as folder:
            local = Path(folder) / basename(path)
            yield local
            if local.exists():
                with _store(path, "written", OutputError) as (files, inside):
                    files.put_file(str(local), join(dirname(inside), basename(name_finally(local))))
        return
    local = Path(path)
    make_way(path)
    yield local
    if by_content:
        final = name_finally(local)
        make_way(final)
        try:
            os.replace(local, final)
        except OSError as error:
            raise OutputError(f"{final} cannot be written: {error}. Is it in use?") from error


def make_way(path: str, folder: bool = False) -> None:
    """Remove what holds no data from the path of a file or folder on disk, and make the folder. Raises OutputError."""
    if is_remote(path):
        return
    mode = os.lstat(path).st_mode if os.path.lexists(path) else 0
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISDIR(mode) and not folder:
            os.rmdir(path)
        elif mode and not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            os.unlink(path)
        if folder:
            Path(path).mkdir(exist_ok=True)
    except FileNotFoundError:  # another worker was faster
        pass
    except OSError as error:
        there = "a folder" if stat.S_ISDIR(mode) else "a file"
        wanted = "a folder" if folder else "a file"
        reason = f"is {there}, but {wanted} has to be made there" if mode else "cannot be made"
        raise OutputError(f"{path} {reason} ({error.strerror}). Move it away, or choose another output.") from error


def list_names(folder: str) -> set[str]:
    """List the regular files in a folder; none where the folder is absent or a link."""
    if os.path.islink(folder):
        return set()
    with _store(folder, "listed") as (files, inside), suppress(FileNotFoundError):
        entries = files.ls(inside, detail=True)
        return {basename(f["name"]) for f in entries if f["type"] == "file" and not f.get("islink")}
    return set()


def remove_file(path: str) -> None:
    """Remove a file or a link, where it exists and can be removed."""
    with suppress(InputError), _store(path, "removed") as (files, inside):
        files.rm_file(inside)
