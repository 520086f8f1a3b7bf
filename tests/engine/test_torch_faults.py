"""Each way in which torch can fail to load: one sentence that names the cure."""

from __future__ import annotations

import sys

import pytest
from helpers.engine import broken_torch, engines
from helpers.fusion import job
from helpers.scenes import Recipe
from otfm_pansharpen.engine.torch_faults import explain_fault
from otfm_pansharpen.model.errors import EngineError
from otfm_pansharpen.model.progress import Progress

# What each platform really says, and words of the sentence that it has to become.
FAULTS = [
    ("ModuleNotFoundError(\"No module named 'torch'\", name='torch')", "not installed", "otfm:setup"),
    ("ModuleNotFoundError(\"No module named 'safetensors'\", name='safetensors')", "safetensors", "otfm:setup"),
    ("OSError('[WinError 126] Module not found. Error loading fbgemm.dll')", "Visual C++", "Microsoft"),
    ("OSError('[WinError 1114] (DLL) initialization routine failed. c10.dll')", "Visual C++", "repair"),
    ("ImportError('DLL load failed while importing _C: module not found')", "Visual C++", "Microsoft"),
    ("ImportError('DLL load failed while importing _gdal: module not found')", "own GDAL", "start menu"),
    ("OSError('[WinError 4551] An Application Control policy has blocked this file')", "policy", "administrator"),
    ("ImportError('dlopen(_C.so): code signature in <1> not valid for use in process')", "signature", "repair"),
    ("OSError('Library not loaded: @rpath/libomp.dylib')", "OpenMP", "Start QGIS again"),
    ("ModuleNotFoundError(\"No module named 'encodings'\")", "own library", "Reinstall QGIS"),
    ("ImportError('A module that was compiled using NumPy 1.x cannot be run in NumPy 2.1.0')", "NumPy", "came with"),
    ("RuntimeError('Numpy is not available')", "NumPy", "came with"),
    ("ValueError('numpy.dtype size changed, may indicate binary incompatibility')", "NumPy", "came with"),
    ("ImportError('Python version mismatch: module was compiled for Python 3.9')", "another Python", "repair"),
    ("ImportError('_C.so: undefined symbol: _PyUnicode_Ready')", "another Python", "repair"),
    ("ModuleNotFoundError(\"No module named 'torch._C'\", name='torch._C')", "another Python", "repair"),
    ("RuntimeError('This build needs AVX2, which the CPU does not have')", "too old", "another machine"),
    ("RuntimeError('The NVIDIA driver on your system is too old (found version 11040).')", "driver", "DEVICE cpu"),
    ("OSError('libcudart.so.13: cannot open shared object file')", "CUDA", "repair"),
    ("MemoryError('Cannot allocate memory in static TLS block')", "memory", "Close other programs"),
    ("RuntimeError('something new\\nwith thirty lines of traceback')", "cannot be loaded", "something new"),
    ("AttributeError('')", "cannot be loaded", "AttributeError"),
]


@pytest.mark.promise(16)
@pytest.mark.parametrize(("raised", "cause", "cure"), FAULTS)
def test_a_fault_is_one_sentence_with_the_cure(raised, cause, cure, monkeypatch, tmp_path):
    if "Visual C++" in cause:  # a Windows whose folder has no file of it
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    sentence = explain_fault(eval(raised))
    assert cause in sentence
    assert cure in sentence
    assert "\n" not in sentence


@pytest.mark.promise(16)
@pytest.mark.parametrize("missing", ["", "msvcp140.dll", "vcruntime140.dll", "vcruntime140_1.dll"])
def test_the_runtime_is_blamed_only_where_it_is_missing(monkeypatch, tmp_path, missing):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    (tmp_path / "System32").mkdir()
    for name in ("msvcp140.dll", "vcruntime140.dll", "vcruntime140_1.dll"):
        if name != missing:
            (tmp_path / "System32" / name).touch()
    sentence = explain_fault(OSError("[WinError 126] Module not found. Error loading fbgemm.dll"))
    assert ("Visual C++" in sentence) == bool(missing)
    assert ("virus scanner" in sentence) == (not missing)


@pytest.mark.promise(16)
@pytest.mark.parametrize(
    ("code", "words"),
    [
        *((f"raise {raised}", cause) for raised, cause, _ in (FAULTS[0], FAULTS[11], FAULTS[17])),
        ("import signal; signal.raise_signal(signal.SIGILL)", "too old"),
        ("import signal; signal.raise_signal(signal.SIGKILL)", "out of memory"),
        ("import os; os._exit(7)", "exit code 7"),
        ("import os; os.write(2, b'libgomp: Thread creation failed'); os._exit(1)", "out of memory"),
        ("class cpu: pass", "cannot be loaded"),
    ],
)
def test_the_engine_says_it_and_no_file_appears(tmp_path, code, words):
    packages = broken_torch(tmp_path / "packages", code)
    pair = Recipe(bands=1).write(tmp_path)
    with engines() as session, pytest.raises(EngineError, match=words):
        session.run(job(pair, tmp_path / "out.tif"), packages, Progress())
    assert not (tmp_path / "out.tif").exists()
