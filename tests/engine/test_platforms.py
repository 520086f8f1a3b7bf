"""Set-up to its end on the systems of most users: trees laid out like a QGIS for macOS or Windows, made-up wheels."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.package_index import TORCH, write_torch_wheels, write_wheel
from otfm_pansharpen.engine import installation, packages, torch_builds
from otfm_pansharpen.engine.child_process import find_pythons
from otfm_pansharpen.engine.installation import RequiredFiles
from otfm_pansharpen.engine.packages import MAX_NAME_LENGTH, MAX_PATH, packages_folder
from otfm_pansharpen.model.errors import EngineError
from otfm_pansharpen.model.progress import Progress

VERSION = "{}.{}".format(*sys.version_info)
# Runs Python, and ends it where a path has more characters than Windows opens.
LIMITED_PYTHON = f"""#!{sys.executable} -I
import runpy, sys

def refuse(event, arguments):
    if event in ("open", "os.mkdir", "os.rename"):
        for path in arguments[:2]:
            if isinstance(path, str) and path.startswith(ROOT) and len(path) > {MAX_PATH}:
                raise FileNotFoundError(2, "No such file or directory", path)

ROOT = {{root!r}}
sys.addaudithook(refuse)
sys.argv = [a for a in sys.argv[1:] if a not in ("-I", "-s", "-X", "utf8")]
if sys.argv[0] == "-m":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
elif sys.argv[0] == "-c":
    exec(sys.argv[1])
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def write_python(path, home=""):
    """Write a Python that finds its library by itself, or only where PYTHONHOME is `home`."""
    check = (
        f'[ "$PYTHONHOME" = "{home}" ] || {{ echo "ModuleNotFoundError: No module named \'encodings\'"; exit 1; }}\n'
    )
    write_program(path, f'#!/bin/sh\n{check if home else ""}unset PYTHONHOME\nexec {sys.executable} "$@"\n')


def set_up(folder, **wanted):
    return installation.set_up("repair", folder, RequiredFiles(**wanted), Progress())


@pytest.mark.parametrize("layout", ["3.22", "3.44", "4.0"])
def test_setup_completes_in_a_macos_bundle(tmp_path, monkeypatch, layout):
    """In 3.22 Python is in `bin`; later it is next to QGIS, and may need PYTHONHOME to find its library."""
    contents = tmp_path / "QGIS.app" / "Contents"
    programs, prefix = contents / "MacOS", contents / ("MacOS" if layout == "3.22" else "Frameworks")
    write_program(programs / "QGIS", "#!/bin/sh\nexit 3\n")
    if layout == "3.22":
        write_python(programs / "bin" / "python3")
    else:
        write_python(programs / "python", str(prefix) if layout == "3.44" else "")
        write_python(programs / f"python{VERSION}", str(prefix))
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(sys, "executable", str(programs / "QGIS"))
    monkeypatch.setattr(sys, "exec_prefix", str(prefix))
    monkeypatch.setattr(sys, "prefix", str(prefix))
    folder = tmp_path / "profile" / "packages"
    assert set_up(folder, wheels=write_torch_wheels(tmp_path / "wheels")).torch == "2.13.0"
    assert find_pythons()[0] == (programs / "bin" / "python3" if layout == "3.22" else programs / "python")


@pytest.fixture
def windows(monkeypatch):
    """Make a QGIS of OSGeo4W with short names, whose Python opens paths up to Windows's limit; return its folder."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        python = root / "PROGRA~1" / "QGIS34~1.4" / "apps" / "Python312"
        write_program(python / "python.exe", LIMITED_PYTHON.format(root=str(root)))
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(sys, "exec_prefix", str(python))
        monkeypatch.setattr(sys, "executable", str(root / "bin" / "qgis-bin.exe"))
        monkeypatch.setattr(packages, "lock_file", lambda file, wait: None)
        monkeypatch.setattr(packages, "_has_long_paths", lambda: False)
        monkeypatch.setenv("SYSTEMROOT", str(root / "Windows"))
        yield root


def profile_of(windows, characters, monkeypatch):
    """Make the folder LOCALAPPDATA of a user, whose path has so many characters."""
    local = windows / ("u" * (characters - len(str(windows)) - 1))
    local.mkdir()
    monkeypatch.setenv("LOCALAPPDATA", str(local))
    return packages_folder(windows / "profile")


@pytest.fixture
def deep_wheels(tmp_path):
    """Make wheels with a name as long as the longest of torch's own."""
    wheels = write_torch_wheels(tmp_path / "wheels")
    name = "torch/licenses/".ljust(MAX_NAME_LENGTH, "x")
    write_wheel(wheels, "torch", "2.13.0", {"torch/__init__.py": TORCH, name: ""})
    return wheels


def test_setup_on_windows_keeps_to_its_longest_path(windows, deep_wheels, monkeypatch):
    folder = profile_of(windows, len(r"C:\Users\a_name_of_20_letters\AppData\Local"), monkeypatch)
    assert set_up(folder, wheels=deep_wheels).torch == "2.13.0"
    assert len(str(folder)) == len(os.environ["LOCALAPPDATA"]) + len(r"\otfm\312") + (sys.version_info[1] > 99)


def test_too_long_a_path_is_refused_with_a_cure(windows, deep_wheels, monkeypatch):
    folder = profile_of(windows, 100, monkeypatch)
    with pytest.raises(EngineError, match=r"characters too long.*opens 259.*mklink /J \"(.*)\" C:\\otfm") as raised:
        set_up(folder, wheels=deep_wheels)
    assert str(folder.parent) in str(raised.value)
    assert not folder.parent.exists()
    (windows / "otfm").mkdir()
    folder.parent.symlink_to(windows / "otfm")
    folder = packages_folder(windows / "profile")
    assert set_up(folder, wheels=deep_wheels).torch == "2.13.0"
    assert folder.is_relative_to(windows / "otfm")


@pytest.mark.parametrize("action", ["repair", "remove"])
def test_the_process_that_holds_the_folder_is_named(windows, deep_wheels, monkeypatch, action):
    folder = profile_of(windows, 43, monkeypatch)
    set_up(folder, wheels=deep_wheels)
    shell = windows / "Windows" / "System32" / "WindowsPowerShell" / "v1.0" / "powershell.exe"
    write_program(shell, f'#!/bin/sh\n[ "$OTFM_FOLDER" = "{folder}" ] && echo "qgis-bin (4242)"\n')
    monkeypatch.setattr(packages, "RENAME_SECONDS", 0)
    monkeypatch.setattr(Path, "rename", lambda path, target: (_ for _ in ()).throw(PermissionError("in use")))
    with pytest.raises(EngineError, match=r"in use.*It is used by qgis-bin \(4242\)\. Close that"):
        installation.set_up(action, folder, RequiredFiles(wheels=deep_wheels), Progress())
    assert (folder / "torch").is_dir()


@pytest.mark.parametrize(
    ("machine", "python", "words"),
    [
        (("macOS", 14, "x86_64"), (3, 12), "Python 3.12 on macOS 14 x86_64. It is made for .*macOS 14 arm64"),
        (("macOS", 12, "arm64"), (3, 12), "Python 3.12 on macOS 12 arm64. Use a QGIS with Python 3.9,"),
        (("Windows", 0, "arm64"), (3, 12), "Python 3.12 on Windows *arm64. It is made for .*Windows x86_64"),
        (
            ("Windows", 0, "x86_64"),
            (3, 16),
            "Python 3.16 on Windows *x86_64. Use .* 3.9, 3.10, 3.11 to 3.15",
        ),
        (("Linux", 0, "x86_64"), (3, 9), "Use a QGIS with Python 3.10 to 3.15.*apt install python3-torch"),
    ],
)
def test_a_machine_without_a_wheel_is_refused(tmp_path, monkeypatch, machine, python, words):
    monkeypatch.setattr(torch_builds, "sys", SimpleNamespace(version_info=python, platform="linux"))
    monkeypatch.setattr(torch_builds, "_find_machine", lambda: machine)
    monkeypatch.setattr(installation, "_find_pip", lambda progress: pytest.fail("pip was started"))
    with pytest.raises(EngineError, match=f"{words}.*Assessing rasters works"):
        set_up(tmp_path / "packages", build="cpu")
    assert not (tmp_path / "packages").exists()


@pytest.mark.parametrize(
    "machine",
    [("macOS", 11, "arm64", (3, 9)), ("macOS", 15, "arm64", (3, 15)), ("Windows", 0, "x86_64", (3, 9)),
     ("Linux", 0, "aarch64", (3, 15))],
)  # fmt: skip
def test_a_machine_with_a_wheel_is_accepted(monkeypatch, machine):
    *found, python = machine
    monkeypatch.setattr(torch_builds, "sys", SimpleNamespace(version_info=python, platform="linux"))
    monkeypatch.setattr(torch_builds, "_find_machine", lambda: tuple(found))
    assert torch_builds.choose_build("cpu", Progress()) == "cpu"
