"""English morphology: verb forms, do-support, contractions, articles and plurals, as far as the phrasebook needs it."""

from __future__ import annotations

import re

from .lexicon import ENGLISH_VERBS, Subject

MODALS = {"can": "could", "must": "must", "should": "should"}
NEGATED_MODALS = {
    "can": "can't",
    "could": "couldn't",
    "will": "won't",
    "would": "wouldn't",
    "must": "mustn't",
    "should": "shouldn't",
}
IRREGULAR_PLURALS = {
    "child": "children",
    "mouse": "mice",
    "potato": "potatoes",
    "tomato": "tomatoes",
    "scarf": "scarves",
}
# Verbs that double the last consonant: stopped, swimming.
DOUBLING = frozenset({"stop", "swim", "run", "get", "put", "travel", "cut", "forget", "begin"})
CONTRACTIONS = {
    "I am": "I'm",
    "you are": "you're",
    "he is": "he's",
    "she is": "she's",
    "it is": "it's",
    "we are": "we're",
    "they are": "they're",
    "that is": "that's",
    "I have": "I've",
    "you have": "you've",
    "we have": "we've",
    "they have": "they've",
}
POSSESSIVES = ("my", "your", "his", "our", "your", "their")
AN_EXCEPTIONS = re.compile(r"(uni|use)", re.IGNORECASE)  # a university, a useful thing
SILENT_H = re.compile(r"(hour|honest|heir)", re.IGNORECASE)


def article(word: str) -> str:
    """ "a" or "an" before ``word``."""
    vowel = word[:1].lower() in "aeiou" and not AN_EXCEPTIONS.match(word)
    return "an" if vowel or SILENT_H.match(word) else "a"


def plural(word: str) -> str:
    """The plural of a noun; the last word of a compound changes."""
    head, _, last = word.rpartition(" ")
    if last in IRREGULAR_PLURALS:
        last = IRREGULAR_PLURALS[last]
    elif re.search(r"[^aeiou]y$", last):
        last = last[:-1] + "ies"
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        last += "es"
    else:
        last += "s"
    return f"{head} {last}".strip()


def comparative(adjective: str) -> str:
    """ "taller", but "more patient"."""
    return adjective + ("r" if adjective.endswith("e") else "er") if len(adjective) <= 6 else f"more {adjective}"


def third_person(verb: str) -> str:
    if verb == "have":
        return "has"
    if verb in ("do", "go") or verb.endswith(("s", "x", "z", "ch", "sh")):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"


def ing(verb: str) -> str:
    if verb == "lie":
        return "lying"
    if verb in DOUBLING:
        return verb + verb[-1] + "ing"
    return (verb[:-1] if verb.endswith("e") and not verb.endswith(("ee", "be")) else verb) + "ing"


def _regular_past(verb: str) -> str:
    if verb in DOUBLING:
        return verb + verb[-1] + "ed"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    return verb + ("d" if verb.endswith("e") else "ed")


def past(verb: str) -> str:
    return ENGLISH_VERBS[verb][0] if verb in ENGLISH_VERBS else _regular_past(verb)


def participle(verb: str) -> str:
    return ENGLISH_VERBS[verb][1] if verb in ENGLISH_VERBS else _regular_past(verb)


def be(subject: Subject, *, in_past: bool = False) -> str:
    if subject.english == "I":
        return "was" if in_past else "am"
    if subject.third_singular:
        return "was" if in_past else "is"
    return "were" if in_past else "are"


def _parts(subject: Subject, verb: str, tense: str) -> tuple[str, str]:
    """The auxiliary ("" for a simple form) and what follows it, for a positive statement."""
    third = subject.third_singular
    if tense in ("present", "past", "state"):
        in_past = tense != "present"
        if verb == "be":
            return be(subject, in_past=in_past), ""
        if verb in MODALS:
            return (MODALS[verb] if in_past else verb), ""
        return "", past(verb) if in_past else third_person(verb) if third else verb
    if tense == "used":
        return "", f"used to {verb}"
    bare = {"can": "be able to", "must": "have to"}.get(verb, verb)
    if tense in ("progressive", "ongoing"):
        return be(subject, in_past=tense == "ongoing"), ing(verb)
    if tense == "soon":
        return be(subject), f"going to {bare}"
    if tense == "future":
        return "will", bare
    if tense == "would":
        return ("could", "") if verb == "can" else ("should", "") if verb == "must" else ("would", bare)
    if tense == "perfect":
        return ("has" if third else "have"), participle(verb)
    raise ValueError(f"unknown tense {tense!r}")


def clause(subject: Subject, verb: str, tense: str, polarity: str, question: bool = False, adverb: str = "") -> str:
    """Subject, auxiliary, negation, adverb and verb in their order; see ``french.clause`` for the arguments."""
    auxiliary, rest = _parts(subject, verb, tense)
    negative = polarity in ("not", "anymore", "nothing")
    adverbs = [adverb] if adverb else []
    if polarity == "never":
        adverbs.insert(0, "never")
    if not auxiliary and (negative or question):  # do-support
        auxiliary = "did" if tense in ("past", "state", "used") else "does" if subject.third_singular else "do"
        rest = verb if tense != "used" else f"use to {verb}"
    who = subject.english
    if question:
        if negative:
            auxiliary = negate(auxiliary)
        return " ".join(w for w in [auxiliary, who, *adverbs, rest] if w)
    if negative and auxiliary == "am":
        return " ".join(w for w in ["I'm not", *adverbs, rest] if w)
    if negative:
        auxiliary = negate(auxiliary)
    start = f"{who} {auxiliary}".strip()
    start = CONTRACTIONS.get(start, start)
    if subject.is_pronoun and auxiliary in ("will", "would") and who != "it":
        start = who + ("'ll" if auxiliary == "will" else "'d")
    return " ".join(w for w in [start, *adverbs, rest] if w)


def negate(auxiliary: str) -> str:
    return NEGATED_MODALS.get(auxiliary, auxiliary + "n't")


def finish(text: str, mark: str) -> str:
    """Tidy spaces and punctuation, and capitalise an English sentence that ends in ``mark``."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s+([.,?!])", r"\1", text)
    if text[-1] not in ".?!":
        text += mark
    return re.sub(r"(^|[.?!] )(\w)", lambda m: m.group(1) + m.group(2).upper(), text)
