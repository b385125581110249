"""The lexicon: nouns, adjectives, people, verbs and fixed phrases, read from the tables beside this file."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

TABLES = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class Noun:
    english: str
    french: str
    gender: str  # "m" or "f"
    number: str  # "s", or "p" for a word that has only a plural


@dataclass(frozen=True)
class Adjective:
    english: str
    french: str  # masculine singular
    feminine: str  # "" when regular
    vowel_form: str  # masculine before a vowel (bel, nouvel, vieil), "" when the same
    before_noun: bool
    invariable: bool


@dataclass(frozen=True)
class Phrase:
    """A fixed pair of expressions; it may itself contain slots."""

    english: str
    french: str


@dataclass(frozen=True)
class Subject:
    """What a verb agrees with: a pronoun, a name or a noun phrase."""

    english: str
    french: str
    person: int  # 0 je · 1 tu · 2 il, elle · 3 nous · 4 vous · 5 ils, elles
    gender: str
    third_singular: bool  # in English
    is_pronoun: bool


@dataclass(frozen=True)
class FrenchVerb:
    present: tuple[str, ...]
    participle: str
    future: str  # the stem, "" when regular


def rows(name: str) -> list[list[str]]:
    """The rows of a table: tab-separated columns; empty lines and lines starting with "#" are skipped."""
    lines = (TABLES / name).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split("\t")] for line in lines if line.strip() and not line.startswith("#")]


def _by_class(name: str) -> dict[str, list[list[str]]]:
    """Rows grouped by the class names in their last column."""
    classes: dict[str, list[list[str]]] = defaultdict(list)
    for row in rows(name):
        for word_class in row[-1].split():
            classes[word_class].append(row)
    return dict(classes)


def _subjects() -> dict[str, list[Subject]]:
    groups: dict[str, list[Subject]] = defaultdict(list)
    for english, french, person, gender, names in rows("people.tsv"):
        third = person == "2"
        pronoun = " " not in english and english.lower() in PRONOUNS
        for group in names.split():
            groups[group].append(Subject(english, french, int(person), gender, third, pronoun))
    return dict(groups)


PRONOUNS = frozenset(["i", "you", "he", "she", "it", "we", "they"])
FRENCH_VERBS = {
    row[0]: FrenchVerb(tuple(row[1].split()), row[2], row[3] if len(row) > 3 else "") for row in rows("verbs_fr.tsv")
}
ENGLISH_VERBS = {row[0]: (row[1], row[2]) for row in rows("verbs_en.tsv")}
NOUNS = {
    name: [Noun(en, fr, gender[0], "p" if gender.endswith("p") else "s") for en, fr, gender, _ in entries]
    for name, entries in _by_class("nouns.tsv").items()
}
ADJECTIVES = {
    name: [
        Adjective(en, fr, feminine, vowel, "before" in flags, "invariable" in flags)
        for en, fr, feminine, vowel, flags, _ in entries
    ]
    for name, entries in _by_class("adjectives.tsv").items()
}
SUBJECTS = _subjects()


def _phrases() -> dict[str, list[Phrase]]:
    """``phrases.tsv`` has a heading "[CLASS]" above the pairs of each class."""
    classes: dict[str, list[Phrase]] = {}
    current: list[Phrase] = []
    for row in rows("phrases.tsv"):
        if row[0].startswith("["):
            current = classes.setdefault(row[0].strip("[]"), [])
        else:
            current.append(Phrase(row[0], row[1]))
    return classes


PHRASES = _phrases()
