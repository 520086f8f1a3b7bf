"""Sentences of the log and of errors in the language of QGIS: the engine writes them in English, for programs too.

resources/i18n/messages_LANGUAGE.json has the translation of each sentence in the code; {0}, {1} ... stand for what it
is filled with. A sentence that is not in it stays English.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

MIN_LETTERS = 5  # of a sentence besides what it is filled with, so that it is recognised
MAX_LEVELS = 3  # of sentences that are filled with sentences
MARKS = ".:;!?"  # ends of sentences
END = r"(?=\s|$)"
PART_END = r"(?=[.,;:)]?\s*$|[.,;:]\s)"  # of what others are filled with
FIELD_END = r"(?=\s*$|;\s)"  # of a field that ends a sentence
FIELD = re.compile(r"\{(\d+)\}")
SENTENCE_END = re.compile(r"[.:;!?]\s+")
GAP = re.compile(r"(?!\.\.)[.,;:)]*\s*")  # between sentences and their parts


class Catalogue:
    """Translations of sentences, by the sentence."""

    def __init__(self, translations: Mapping[str, str]) -> None:
        known = [(text, words) for text, words in translations.items() if words and _count_letters(text) >= MIN_LETTERS]
        known.sort(key=lambda entry: _count_letters(entry[0]), reverse=True)
        self.patterns = [(_find_core(text), _compile(text), words) for text, words in known]

    @classmethod
    def read(cls, folder: Path, language: str) -> Catalogue:
        """Read the file of a language; empty where there is none."""
        file = folder / f"messages_{language}.json"
        return cls(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {})

    def translate(self, text: str) -> str:
        """Translate each known sentence of a text, also within the words that others are filled with."""
        return "".join(self._translate(text, 0)) if self.patterns else text

    def _translate(self, text: str, level: int) -> Iterator[str]:
        start, patterns = 0, [(pattern, words) for core, pattern, words in self.patterns if core in text]
        while start < len(text):
            gap = GAP.match(text, start)
            if gap and gap[0]:
                yield gap[0]
                start = gap.end()
                continue
            found = _match(patterns, text, start) if level <= MAX_LEVELS else None
            if found:
                end, words, parts = found
                for number, piece in enumerate(FIELD.split(words)):
                    yield "".join(self._translate(parts[f"g{piece}"], level + 1)) if number % 2 else piece
            else:
                next_one = SENTENCE_END.search(text, start)
                end = next_one.end() if next_one else len(text)
                yield text[start:end]
            start = end


def _match(
    patterns: Sequence[tuple[re.Pattern[str], str]], text: str, start: int
) -> tuple[int, str, dict[str, str]] | None:
    """Find the sentence that begins at `start`: its end, its translation, and what it is filled with."""
    for pattern, words in patterns:
        match = pattern.match(text, start)
        if match:
            is_first = text[start].isupper()
            return match.end(), words[:1].upper() + words[1:] if is_first else words, match.groupdict()
    return None


def _count_letters(text: str) -> int:
    return len(re.sub(r"\W|\d", "", FIELD.sub("", text)))


def _find_core(text: str) -> str:
    """Find the longest words between fields, without their first letter: patterns take long where they are missing."""
    return max(FIELD.split(text.strip())[::2], key=len)[1:]


def _compile(text: str) -> re.Pattern[str]:
    """Compile a sentence, or a part of one, which may begin with a capital, to a pattern with a group for each field.

    A field that comes again has the same words.
    """
    text, pattern, seen = text.strip(), "", set[str]()
    if text[0].islower():
        pattern, text = f"[{text[0].upper()}{text[0]}]", text[1:]
    pieces = FIELD.split(text)
    for number in range(0, len(pieces), 2):
        if number:
            field, words = pieces[number - 1], re.escape(pieces[number])
            group = f"(?P<g{field}>.*?)"
            # No other end of a field than the first is tried, except of the last one: time grows with the length alone.
            once = f"(?={group}{words})(?P=g{field})" if number < len(pieces) - 1 else group
            pattern += (f"(?P=g{field})" if field in seen else once) + words
            seen.add(field)
        else:
            pattern += re.escape(pieces[0])
    end = END if text[-1] in MARKS else FIELD_END if text[-1] == "}" else PART_END
    return re.compile(pattern + end, re.DOTALL)
