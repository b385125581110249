"""Patterns: one line of ``tables/patterns.txt`` is "options | English frame | French frame".

The frames are explained in ``compose.py``. The options, separated by spaces, say how a pattern may
vary; "-" stands for none:

- tenses, the names in ``TENSES`` (default: present);
- polarities: ``not``, ``never``, ``anymore``, ``nothing``, beside the plain one unless ``only`` is given;
- ``ask``: also as a yes/no question; ``asked``: only as one; ``inverted``: only as one, with inversion in French;
- ``S=group``: who the subject may be, a group of ``tables/people.tsv`` (default: anyone).
"""

from __future__ import annotations

from dataclasses import dataclass

from .lexicon import TABLES

TENSES = {
    "present": "I eat · je mange",
    "progressive": "I am eating · je mange",
    "past": "I ate · j'ai mangé",
    "perfect": "I have eaten · j'ai mangé",
    "state": "I was · j'étais",
    "used": "I used to eat · je mangeais",
    "ongoing": "I was eating · je mangeais",
    "soon": "I am going to eat · je vais manger",
    "future": "I will eat · je mangerai",
    "would": "I would eat · je mangerais",
}
POLARITIES = ("not", "never", "anymore", "nothing")
QUESTIONS = {"ask": "est-ce que", "asked": "est-ce que", "inverted": "inversion"}


@dataclass(frozen=True)
class Variant:
    tense: str = "present"
    polarity: str = "plain"
    question: str = ""


@dataclass(frozen=True)
class Pattern:
    line: int
    english: str
    french: str
    variants: tuple[Variant, ...]
    subjects: str  # a group of people.tsv


def parse_pattern(text: str, line: int) -> Pattern:
    """Read "options | English frame | French frame"."""
    parts = [part.strip() for part in text.split(" | ")]
    if len(parts) != 3:
        raise ValueError(f"patterns.txt:{line}: three columns expected: {text!r}")
    tenses, polarities, questions, subjects, only = [], [], [""], "anyone", False
    for option in parts[0].split():
        if option in TENSES:
            tenses.append(option)
        elif option in POLARITIES:
            polarities.append(option)
        elif option in QUESTIONS:
            questions = [QUESTIONS[option]] if option.endswith("ed") else ["", QUESTIONS[option]]
        elif option == "only":
            only = True
        elif option.startswith("S="):
            subjects = option[2:]
        elif option != "-":
            raise ValueError(f"patterns.txt:{line}: unknown option {option!r}")
    if not only:
        polarities.insert(0, "plain")
    variants = tuple(
        Variant(tense, polarity, question)
        for tense in tenses or ["present"]
        for polarity in polarities
        for question in questions
        if not (question and polarity != "plain" and "" in questions)
    )
    return Pattern(line, parts[1], parts[2], variants, subjects)


def load_patterns() -> list[Pattern]:
    lines = (TABLES / "patterns.txt").read_text(encoding="utf-8").splitlines()
    return [parse_pattern(text, number) for number, text in enumerate(lines, 1) if text.strip() and text[0] != "#"]
