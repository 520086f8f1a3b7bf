"""Every text is translated, with the same places for names and numbers."""

from __future__ import annotations

import ast
import string

import pytest
import translations

FILES = sorted(translations.FOLDER.glob("otfm_*.ts"))


def fields(text):
    """Places of a text, with their formats."""
    return sorted((name, form) for _, name, form, _ in string.Formatter().parse(text) if name is not None)


def test_there_are_german_and_spanish():
    assert [file.stem for file in FILES] == ["otfm_de", "otfm_es"]
    assert len(translations.texts()) > 150


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_text_is_missing(file):
    assert translations.faults(file) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_names_and_numbers_have_the_places_of_the_original(file):
    known = translations.read(file)
    assert [text for text, translation in known.items() if fields(text) != fields(translation)] == []


def test_texts_are_found_where_they_are_written():
    tree = ast.parse(
        'A = "one"\nB = {"key": "two " "words", **{n: D[n] for n in ("skip",)}, "k": D["skip"]}\nC = "x", "y"\n'
    )
    assert list(translations._values(tree)) == ["one", "two words", "x", "y"]
    assert list(translations._arguments(ast.parse('tr("a" "b").format(tr(C), x="no"); other("no")'))) == ["ab"]


def test_what_is_there_is_kept_and_what_is_new_is_marked(tmp_path):
    file = tmp_path / "otfm_fr.ts"
    translations.write(file, {"a < b & c": "été", "new": ""})
    assert translations.read(file) == {"a < b & c": "été", "new": ""}
    assert 'language="fr"' in file.read_text(encoding="utf-8")
    assert file.read_text(encoding="utf-8").count("unfinished") == 1
