"""An engine that sends what is not a message: the job ends, and one sentence states what was received."""

from __future__ import annotations

import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.engine import engines
from helpers.fusion import job
from helpers.scenes import Recipe
from otfm_pansharpen.engine.child_process import Launch, launches
from otfm_pansharpen.engine.client import make_greeting
from otfm_pansharpen.engine.connection import Engine
from otfm_pansharpen.engine.messages import MAX_LINE_BYTES
from otfm_pansharpen.model.errors import EngineError
from otfm_pansharpen.model.progress import Progress

ENDS_AT_ALL = 30  # seconds, generous: without the fix a job waits for ever
READY = """
import os, signal, sys, time
def say(line):
    os.write(1, line + b"\\n")
sys.stdin.readline()
"""
FAULTS = {
    "not JSON": ("say(b'Segmentation fault')", "what is not JSON .*: 'Segmentation"),
    "half a line": ("""os.write(1, b'{"log": "ha'); os.close(1)""", "what is not JSON"),
    "not UTF-8": ("""say(b'{"log": "\\xff\\xfe"}')""", "what is not JSON"),
    "no message": ("say(b'[1, 2]')", "not a message: b'\\[1, 2"),
    "unknown class": ("""say(b'{"result": {"is": "Nobody"}}')""", "unknown class Nobody"),
    "wrong fields": ("""say(b'{"result": {"is": "Findings", "right": true}}')""", "Findings whose lines is absent"),
    "wrong type": ("""say(b'{"share": "half"}')""", "not a message"),
    "nested": ("say(b'[' * 100000)", "nested more than"),
    "nested objects": ("""say(b'{"log": ' + b'{"a": ' * 600 + b'1' + b'}' * 601)""", "nested more than"),
    "long line": (f"os.write(1, b' ' * {MAX_LINE_BYTES + 1}); time.sleep(600)", "more than 16777216 bytes"),
    "closed output": ("os.close(1)", "closed its output, but went on"),
    "out of turn": ("""say(b'{"ready": true, "torch": "1.0"}')""", "'ready', 'torch'. during a job"),
    "result of another job": (
        """say(b'{"result": {"is": "Findings", "lines": [], "ready": ""}}')""",
        "result of another job than FusionJob",
    ),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", "another program or by the system .signal SIGTERM"),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", "out of memory"),
    "SIGABRT": ("os.kill(os.getpid(), signal.SIGABRT)", "by itself .signal SIGABRT"),
    "MemoryError": ("os.write(2, b'MemoryError'); os._exit(1)", "out of memory"),
    "endless error": ("os.write(2, b'x' * 10**6); os._exit(4)", "by itself .exit code 4"),
}


@pytest.fixture
def run_fake(tmp_path, monkeypatch):
    """Have a job done by an engine of the test's own, which stays alive after what it does."""

    def run(code):
        script = tmp_path / "fake.py"
        script.write_text(f"{READY}{code}\ntime.sleep(600)\n")
        fake = Launch((sys.executable, str(script)), dict(os.environ))
        monkeypatch.setattr("otfm_pansharpen.engine.client.launches", lambda: [fake])
        pair = Recipe(bands=1).write(tmp_path)
        over = threading.Event()
        with engines() as session, ThreadPoolExecutor(1) as threads:
            progress = Progress(cancelled=over.is_set)
            future = threads.submit(session.run, job(pair, tmp_path / "out.tif"), tmp_path / "none", progress)
            try:
                return future.result(ENDS_AT_ALL)
            finally:
                over.set()

    return run


@pytest.mark.promise(24)
@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_the_engine_ends_the_job_with_its_cause(run_fake, name):
    code, words = FAULTS[name]
    started = """say(b'{"ready": true, "torch": "1.0"}')\nsay(b'{"started": true}')\n"""
    with pytest.raises(EngineError, match=words) as caught:
        run_fake(started + code)
    assert ("memory" in str(caught.value)) == (words == "out of memory")


@pytest.mark.promise(24)
@pytest.mark.parametrize("name", ["not JSON", "nested", "closed output", "SIGTERM"])
def test_fault_before_the_engine_is_ready_has_its_cause(run_fake, name):
    code, words = FAULTS[name]
    with pytest.raises(EngineError, match=words):
        run_fake(code)


def test_message_of_a_job_before_the_engine_is_ready_is_a_fault(run_fake):
    with pytest.raises(EngineError, match=r"sent \['share'\] before it was ready"):
        run_fake("""say(b'{"share": 0.5}')""")


@pytest.mark.parametrize(
    "line",
    [b"not JSON", b"[" * 100_000, b'{"job": {"is": "Nobody"}}', b'{"job": {"is": "Examination", "packages": 5}}'],
)
def test_engine_that_receives_no_message_reports_it_and_ends(nothing, line):
    engine = Engine(launches()[0], make_greeting(nothing))
    engine.wait_ready(Progress())
    assert engine.process.stdin
    engine.process.stdin.write(line + b"\n")
    engine.process.stdin.flush()
    assert engine.process.wait(ENDS_AT_ALL) == 1
    last = engine.messages.get(timeout=ENDS_AT_ALL)
    assert last
    assert "the engine received" in last["crash"]
    engine.shutdown()


@pytest.mark.promise(24)
def test_fault_before_the_engine_is_ready_names_written_files(run_fake, tmp_path):
    """The job came with the greeting, so it may have been done while torch was loaded."""
    output = tmp_path / "out.tif"
    with pytest.raises(EngineError, match=re.escape(f"Complete and in place: {output}.")):
        run_fake(f"open({str(output)!r}, 'wb').write(b'done'); say(b'not JSON')")
