"""The words of a report in each language: ``assets/words.<language>.toml``, one key a sentence."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Language = Literal["en", "zh"]
TAGS: dict[str, str] = {"en": "en", "zh": "zh-Hans"}
"""The language tag of the page."""


@dataclass(frozen=True, slots=True)
class Words:
    """Looks sentences up; the values are filled in, never marked up."""

    language: Language
    sentences: dict[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The sentence of a key."""
        return self.sentences[key].format(**values)

    def subset(self, prefix: str) -> dict[str, str]:
        """The sentences whose keys begin with a prefix, without it: what the page's script says."""
        return {
            key.removeprefix(prefix): text
            for key, text in self.sentences.items()
            if key.startswith(prefix)
        }


@cache
def words_of(language: Language) -> Words:
    """The words of a language."""
    text = files("flows.page").joinpath("assets", f"words.{language}.toml").read_text("utf-8")
    return Words(language, tomllib.loads(text))
