"""Sentences of the log and of errors in the language of QGIS: the engine writes them in English, for programs too.

resources/i18n/messages_LANGUAGE.json has the translation of each sentence in the code; {0}, {1} ... stand for what it
is filled with. A sentence that is not in it stays English.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

MIN_LETTERS = 6  # of a sentence besides what it is filled with, so that it is recognised
MAX_LEVELS = 3  # of sentences that are filled with sentences
END = r"(?=\s|$)"
FIELD = re.compile(r"\{(\d+)\}")
SENTENCE_END = re.compile(r"[.:;!?]\s+")


class Catalogue:
    """Translations of sentences, by the sentence."""

    def __init__(self, translations: Mapping[str, str]) -> None:
        known = [(text, words) for text, words in translations.items() if words and _count_letters(text) >= MIN_LETTERS]
        known.sort(key=lambda entry: _count_letters(entry[0]), reverse=True)
        self.patterns = [(_compile(text), words) for text, words in known]

    @classmethod
    def read(cls, folder: Path, language: str) -> Catalogue:
        """Read the file of a language; empty where there is none."""
        file = folder / f"messages_{language}.json"
        return cls(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {})

    def translate(self, text: str) -> str:
        """Translate each known sentence of a text, also within the words that others are filled with."""
        return "".join(self._translate(text, 0)) if self.patterns else text

    def _translate(self, text: str, level: int) -> Iterator[str]:
        start = 0
        while start < len(text):
            found = self._match(text, start) if level <= MAX_LEVELS else None
            if found:
                end, words, parts = found
                for number, piece in enumerate(FIELD.split(words)):
                    yield "".join(self._translate(parts[f"g{piece}"], level + 1)) if number % 2 else piece
            else:
                next_one = SENTENCE_END.search(text, start)
                end = next_one.end() if next_one else len(text)
                yield text[start:end]
            space = re.compile(r"\s*").match(text, end)
            yield text[end : space.end()] if space else ""
            start = space.end() if space else end

    def _match(self, text: str, start: int) -> tuple[int, str, dict[str, str]] | None:
        """Find the sentence that begins at `start`: its end, its translation, and what it is filled with."""
        for pattern, words in self.patterns:
            match = pattern.match(text, start)
            if match:
                return match.end(), words, match.groupdict()
        return None


def _count_letters(text: str) -> int:
    return len(re.sub(r"\W|\d", "", FIELD.sub("", text)))


def _compile(text: str) -> re.Pattern[str]:
    """Compile a sentence to a pattern with a group for each field; a field that comes again has the same words."""
    pattern, seen = "", set[str]()
    for number, part in enumerate(FIELD.split(text.strip())):
        if number % 2:
            pattern += f"(?P=g{part})" if part in seen else f"(?P<g{part}>.*?)"
            seen.add(part)
        else:
            pattern += re.escape(part)
    return re.compile(pattern + END, re.DOTALL)
