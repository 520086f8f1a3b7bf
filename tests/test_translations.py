"""Every text is translated, with the same places for names and numbers."""

from __future__ import annotations

import ast
import json
import string
import textwrap

import pytest
import translations
from helpers.qt_files import read_translations

FILES = sorted(translations.FOLDER.glob("otfm_*.ts"))
SENTENCES = sorted(translations.FOLDER.glob("messages_*.json"))


def fields(text):
    """Places of a text, with their formats."""
    return sorted((name, form) for _, name, form, _ in string.Formatter().parse(text) if name is not None)


@pytest.fixture(scope="module")
def sentences():
    """Sentences that model/ and engine/ may log or raise."""
    return translations.messages()


def test_there_are_german_and_spanish():
    assert [file.stem for file in FILES] == ["otfm_de", "otfm_es"]
    assert len(translations.texts()) > 150


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_text_is_translated_and_none_is_gone(file):
    translated, expected = read_translations(file), translations.texts()
    assert [text for text in expected if not translated.get(text)] == []
    assert sorted(translated) == sorted(expected)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_names_and_numbers_have_the_places_of_the_original(file):
    translated = read_translations(file)
    assert [text for text, translation in translated.items() if fields(text) != fields(translation)] == []


def test_sentences_are_in_the_languages_of_the_texts(sentences):
    languages = [file.stem.partition("_")[2] for file in FILES]
    assert [file.stem.partition("_")[2] for file in SENTENCES] == languages
    assert len(sentences) > 300


@pytest.mark.parametrize("file", SENTENCES, ids=lambda file: file.stem)
def test_every_sentence_is_translated_and_none_is_gone(file, sentences):
    translated = json.loads(file.read_text(encoding="utf-8"))
    assert [text for text in sentences if not translated.get(text)] == []
    assert list(translated) == sentences


@pytest.mark.parametrize("file", SENTENCES, ids=lambda file: file.stem)
def test_sentences_keep_their_numbers(file):
    translated = json.loads(file.read_text(encoding="utf-8"))
    assert [text for text, translation in translated.items() if fields(text) != fields(translation)] == []


@pytest.mark.parametrize("file", SENTENCES, ids=lambda file: file.stem)
def test_sentences_begin_with_a_name_as_the_original(file):
    """The name may hold sentences before this one, which have to stay before it."""
    translated = json.loads(file.read_text(encoding="utf-8"))
    assert [t for text, t in translated.items() if text.startswith("{0}") and not t.startswith("{0}")] == []


def test_sentences_are_found_where_they_are_written():
    code = '''
        """Not this docstring."""
        A = "The file {name} of {name} is {size:.3g} bytes."
        def f(): raise E(f"The file {path.name} is {size:.3g} bytes; {words} words.")
        B = f"The disk is full. {cure}"
        C, D = "a_name", "Short."
    '''
    found = list(filter(translations.SENTENCE.search, translations.find_templates(ast.parse(textwrap.dedent(code)))))
    assert sorted(found) == [
        "The disk is full.", "The file {0} is {1} bytes; {2} words.", "The file {0} of {0} is {1} bytes."
    ]  # fmt: skip


def test_parts_of_sentences_stay_while_the_code_has_them(tmp_path, monkeypatch):
    listed = tmp_path / "messages_de.json"
    listed.write_text(json.dumps({"as large as": "so groß wie", "at row {0}, column {1}": "", "not in the code": "x"}))
    monkeypatch.setattr(translations, "LISTED", listed)
    assert {"as large as", "at row {0}, column {1}"} <= set(translations.messages())
    assert "not in the code" not in translations.messages()


def test_texts_are_found_where_they_are_written():
    assert list(translations._flatten(["one", {"key": "two", "k": ("x", 3)}])) == ["one", "two", "x"]
    assert list(translations._find_literals(ast.parse('tr("a" "b").format(tr(C), x="no"); other("no")'))) == ["ab"]


def test_what_is_there_is_kept_and_what_is_new_is_marked(tmp_path, monkeypatch):
    file = tmp_path / "otfm_fr.ts"
    monkeypatch.setattr(translations, "texts", lambda: ['a < b & "c"\nµ', "gone"])
    translations.update(file)
    assert file.read_text(encoding="utf-8").count("unfinished") == 2
    file.write_text(file.read_text(encoding="utf-8").replace(' type="unfinished">', ">été", 1), encoding="utf-8")
    monkeypatch.setattr(translations, "texts", lambda: ['a < b & "c"\nµ', "new"])
    translations.update(file)
    assert read_translations(file) == {'a < b & "c"\nµ': "été", "new": ""}
