"""French conjugation: the present, participle, imperfect, future, conditional and imperative.

Irregular verbs come from ``tables/verbs_fr.tsv``, the others from their ending. A person is a number: 0 je, 1 tu,
2 il or elle, 3 nous, 4 vous, 5 ils or elles.
"""

from __future__ import annotations

import re
from functools import cache

from .lexicon import FRENCH_VERBS

# Verbs in -er whose e or é becomes è before a silent ending (j'achète, je préfère); those that double the consonant.
E_GRAVE = frozenset({"acheter", "lever", "promener", "emmener", "préférer", "espérer", "répéter", "inquiéter"})
DOUBLING = frozenset({"appeler", "rappeler", "jeter"})

IMPERATIVES = {
    "être": ("sois", "soyons", "soyez"),
    "avoir": ("aie", "ayons", "ayez"),
    "aller": ("va", "allons", "allez"),
    "savoir": ("sache", "sachons", "sachez"),
}


def _present_er(verb: str) -> list[str]:
    stem = verb[:-2]
    weak = strong = stem
    if verb.endswith("ger"):
        weak = stem + "e"
    elif verb.endswith("cer"):
        weak = stem[:-1] + "ç"
    elif verb.endswith("yer"):
        strong = stem[:-1] + "i"
    elif verb in DOUBLING:
        strong = stem + stem[-1]
    elif verb in E_GRAVE:
        strong = re.sub(r"[eé](\w)$", r"è\1", stem)
    return [strong + "e", strong + "es", strong + "e", weak + "ons", stem + "ez", strong + "ent"]


@cache
def present(verb: str) -> tuple[str, ...]:
    """The six present forms of ``verb``."""
    if verb in FRENCH_VERBS:
        return FRENCH_VERBS[verb].present
    if verb.endswith("er"):
        return tuple(_present_er(verb))
    stem = verb[:-2]
    if verb.endswith("ir"):
        return tuple(stem + end for end in ("is", "is", "it", "issons", "issez", "issent"))
    if verb.endswith("re"):
        return tuple(stem + end for end in ("s", "s", "", "ons", "ez", "ent"))
    raise ValueError(f"not a French infinitive: {verb!r}")


def participle(verb: str) -> str:
    """The masculine singular past participle."""
    if verb in FRENCH_VERBS:
        return FRENCH_VERBS[verb].participle
    return verb[:-2] + {"er": "é", "ir": "i", "re": "u"}[verb[-2:]]


def imperfect(verb: str, person: int) -> str:
    stem = "ét" if verb == "être" else present(verb)[3][:-3]
    if person in (3, 4):  # nous mangions, nous commencions: no softening needed before i
        stem = re.sub("ge$", "g", re.sub("ç$", "c", stem)) if verb.endswith(("ger", "cer")) else stem
    return stem + ("ais", "ais", "ait", "ions", "iez", "aient")[person]


def _future_stem(verb: str) -> str:
    if verb in FRENCH_VERBS and FRENCH_VERBS[verb].future:
        return FRENCH_VERBS[verb].future
    if verb.endswith("er") and "é" not in verb[-4:]:  # achèter-, appeller-, paier-; but préférer-
        return present(verb)[0] + "r"
    return verb[:-1] if verb.endswith("re") else verb


def future(verb: str, person: int) -> str:
    return _future_stem(verb) + ("ai", "as", "a", "ons", "ez", "ont")[person]


def conditional(verb: str, person: int) -> str:
    return _future_stem(verb) + ("ais", "ais", "ait", "ions", "iez", "aient")[person]


def imperative(verb: str, person: int) -> str:
    """The command form for tu (1), nous (3) or vous (4)."""
    if verb in IMPERATIVES:
        return IMPERATIVES[verb][{1: 0, 3: 1, 4: 2}[person]]
    form = present(verb)[person]
    return form[:-1] if person == 1 and form.endswith("es") else form
