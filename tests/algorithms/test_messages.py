"""Sentences of the log and of errors in the language of QGIS."""

from __future__ import annotations

import subprocess
import sys

import pytest
from otfm_pansharpen.algorithms.messages import Catalogue

FULL, VOLL = "The disk is full. Make room.", "Der Datenträger ist voll. Platz schaffen."
CATALOGUE = Catalogue(
    {
        "PAN {0} cannot be read: {1}.": "PAN {0} ist nicht lesbar: {1}.",
        "PAN has {0} bands; band {1} is used.": "Von {0} Kanälen von PAN wird Kanal {1} verwendet.",
        FULL: VOLL,
        "{0}Done in {1}: {2}.": "{0}Fertig nach {1}: {2}.",
        "{0} failed ({1}), run again.": "{0} schlug fehl ({1}), bitte wiederholen.",
        "Both {0} and {1} name {0}.": "{1} und {0} nennen {0}.",
        "MS is {0} off PAN, {1}{2}": "MS liegt {0} neben PAN, {1}{2}",
        "{0} rows (PAN pixels)": "{0} Zeilen (PAN-Pixel)",
        "which is corrected": "was korrigiert wird",
        "at best it keeps {0} % ({1})": "bestenfalls behält es {0} % ({1})",
        "measured": "gemessen",
        "Left out: {0}.": "Ausgelassen: {0}.",
        "... and {0} more.": "... und {0} weitere.",
        "not yet translated {0}.": "",
        "{0} of {1}": "{0} von {1}",  # too short to be recognised
    }
)


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("PAN a.tif cannot be read: no.", "PAN a.tif ist nicht lesbar: no."),
        ("PAN has 3 bands; band 2 is used.", "Von 3 Kanälen von PAN wird Kanal 2 verwendet."),
        (f"a.tif failed ({FULL}), run again.", f"a.tif schlug fehl ({VOLL}), bitte wiederholen."),
        ("PAN my. file.tif cannot be read: no.", "PAN my. file.tif ist nicht lesbar: no."),
        (f"Unknown words: 3 of 4. {FULL}", f"Unknown words: 3 of 4. {VOLL}"),
        (f"{FULL} Done in 2 s: o.tif.", f"{VOLL} Fertig nach 2 s: o.tif."),
        ("Both a and b name a.", "b und a nennen a."),
        ("Both a and b name c.", "Both a and b name c."),
        ("not yet translated 3.", "not yet translated 3."),
        (
            "MS is 3 rows (PAN pixels) off PAN, which is corrected; at best it keeps 3 % (measured).",
            "MS liegt 3 Zeilen (PAN-Pixel) neben PAN, was korrigiert wird; bestenfalls behält es 3 % (gemessen).",
        ),
        ("MS is 3 off PAN, which is corrected. At best it keeps 3 % (no).",
         "MS liegt 3 neben PAN, was korrigiert wird. Bestenfalls behält es 3 % (no)."),
        ("PAN a cannot be read: no.  Left out: b.", "PAN a ist nicht lesbar: no.  Ausgelassen: b."),
        ("No! ... and 3 more.", "No! ... und 3 weitere."),
        ("PAN measured c.tif cannot be read: no.", "PAN measured c.tif ist nicht lesbar: no."),
        ("a\nb  c. ", "a\nb  c. "),
        ("", ""),
    ],
)  # fmt: skip
def test_known_sentences_are_translated_and_others_kept(english, german):
    assert CATALOGUE.translate(english) == german


def test_a_language_without_a_file_is_english(tmp_path):
    assert Catalogue.read(tmp_path, "fr").translate(FULL) == FULL


def test_names_with_marks_of_patterns_are_kept():
    assert (
        CATALOGUE.translate("PAN a\\1{0}(.tif cannot be read: \\g<0>.") == "PAN a\\1{0}(.tif ist nicht lesbar: \\g<0>."
    )


HOSTILE = "{0} % of a ({1}), by {2}: {3} x {4}, to {5} or {6}."


@pytest.mark.parametrize("text", ["% of a (), by : x , to or ", " % of a (", "a, by : x . "])
def test_long_texts_take_seconds_at_most(text):
    patterns = {HOSTILE: "von {0} {1} {2} {3} {4} {5} {6}", **{f"Known words {n}": f"Worte {n}" for n in range(400)}}
    program = (
        "import sys, signal; signal.alarm(20); from otfm_pansharpen.algorithms.messages import Catalogue; "
        f"Catalogue({patterns!r}).translate('1' + {text!r} * (9000 // {len(text)}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
