"""French grammar, as far as the phrasebook needs it: agreement, determiners, the verb group, elision."""

from __future__ import annotations

import re

from .conjugation import conditional, future, imperfect, participle, present
from .lexicon import Noun, Subject

REFLEXIVE = ("me", "te", "se", "nous", "vous", "se")  # by person
NEGATIONS = {"not": "pas", "never": "jamais", "anymore": "plus", "nothing": "rien"}

# Verbs whose passé composé takes être (reflexive ones do too, and need no list).
ETRE_VERBS = frozenset(
    "aller venir arriver partir sortir entrer rentrer rester tomber retourner revenir devenir naître mourir".split()  # noqa: SIM905
)
# Reflexive verbs used here with an object after them: the participle does not agree (elle s'est lavé les mains).
OBJECT_FOLLOWS = frozenset({"laver", "brosser", "casser"})

# Words that block elision: those with an h aspiré, and two numbers.
H_ASPIRE = frozenset({"haricot", "haricots", "hamster", "hamsters", "hibou", "hiboux", "haut", "haute", "huit", "onze"})
VOWEL = "aàâäeéèêëiîïoôöuùûüœæh"


def starts_with_vowel(word: str) -> bool:
    """Whether ``word`` calls for elision and for forms such as cet and mon (mon amie)."""
    word = re.split(r"[\s,.'-]", word.lower(), maxsplit=1)[0]
    return word == "y" or (word != "" and word[0] in VOWEL and word not in H_ASPIRE)


# --- Agreement --------------------------------------------------------------------------------------------------------


def feminine(word: str) -> str:
    """The regular feminine of an adjective or participle."""
    for ending, replacement in (
        ("e", "e"),
        ("eux", "euse"),
        ("f", "ve"),
        ("er", "ère"),
        ("el", "elle"),
        ("en", "enne"),
        ("on", "onne"),
        ("eur", "euse"),
    ):
        if word.endswith(ending):
            return word[: -len(ending)] + replacement
    return word + "e"


def plural(word: str) -> str:
    """The regular plural of a noun or adjective; only the first word of a compound ("salle de bains") changes."""
    if " " in word:
        head, rest = word.split(" ", 1)
        return f"{plural(head)} {rest}"
    if word.endswith(("s", "x", "z")):
        return word
    if word.endswith("al"):
        return word[:-2] + "aux"
    takes_x = word.endswith(("au", "eu")) and word != "bleu"
    return word + ("x" if takes_x or word in ("genou", "hibou") else "s")


def agree(masculine: str, gender: str, number: str, feminine_form: str = "") -> str:
    """``masculine`` agreeing with a ``gender`` ("m", "f") and ``number`` ("s", "p")."""
    word = masculine if gender == "m" else feminine_form or feminine(masculine)
    return plural(word) if number == "p" else word


# --- Noun phrases -----------------------------------------------------------------------------------------------------

_BY_GENDER = {
    "un": ("un", "une", "des"),
    "le": ("le", "la", "les"),
    "de+le": ("du", "de la", "des"),
    "à+le": ("au", "à la", "aux"),
    "quel": ("quel", "quelle", "quels|quelles"),
    "ce": ("ce", "cette", "ces"),
    "mon": ("mon", "ma", "mes"),
    "ton": ("ton", "ta", "tes"),
    "son": ("son", "sa", "ses"),
    "notre": ("notre", "notre", "nos"),
    "votre": ("votre", "votre", "vos"),
    "leur": ("leur", "leur", "leurs"),
    "tout+le": ("tout le", "toute la", "tous les|toutes les"),
    "beaucoup+de": ("beaucoup de", "beaucoup de", "beaucoup de"),
    "trop+de": ("trop de", "trop de", "trop de"),
    "assez+de": ("assez de", "assez de", "assez de"),
    "un+peu+de": ("un peu de", "un peu de", "un peu de"),
    "de": ("de", "de", "de"),
    "de+un": ("d'un", "d'une", "de"),
}
POSSESSIVES = ("mon", "ton", "son", "notre", "votre", "leur")


def determiner(name: str, gender: str, number: str, following: str, *, owner: int = 0, negative: bool = False) -> str:
    """The form of determiner ``name`` before the word ``following``.

    ``name`` is a key of the table above, "du" (partitive), "mon" (possessive of the person ``owner``), or "un/de" and
    "du/de", which become "de" in a negative sentence (je n'ai pas de voiture).
    """
    if name.endswith("/de"):
        name = "de" if negative else name[:-3]
    if name.startswith("de+") and name[3:] in ("mon", "ton"):
        return "de " + determiner(name[3:], gender, number, following, owner=owner)
    if name in ("mon", "mon1"):
        name = POSSESSIVES[owner if name == "mon" else 0]
    vowel = starts_with_vowel(following)
    masculine, fem, many = _BY_GENDER["de+le" if name == "du" else name]
    if number == "p":
        return many.split("|")[-1 if gender == "f" else 0]
    if vowel:
        if name in ("mon", "ton", "son"):
            return masculine
        if name == "ce":
            return "cet" if gender == "m" else "cette"
        if name in ("du", "de+le"):
            return "de l'"
        if name == "à+le":
            return "à l'"
    return masculine if gender == "m" else fem


def country(preposition: str, noun: Noun) -> str:
    """A country after "en" (en France, au Japon, aux États-Unis) or "de" (de France, du Japon)."""
    if noun.number == "p":
        return {"en": "aux", "de": "des"}[preposition] + " " + noun.french
    if noun.gender == "f" or starts_with_vowel(noun.french):
        return f"{preposition} {noun.french}"
    return {"en": "au", "de": "du"}[preposition] + " " + noun.french


# --- The verb group ---------------------------------------------------------------------------------------------------


def clause(
    subject: Subject,
    verb: str,
    tense: str,
    polarity: str,
    question: str = "",
    clitics: tuple[str, ...] = (),
    adverb: str = "",
    object_agreement: tuple[str, str] | None = None,
) -> str:
    """Subject, negation, clitics, verb and adverb in their order.

    ``tense`` is one of ``patterns.TENSES``; ``polarity`` "plain" or a key of NEGATIONS; ``question`` "" (a statement),
    "est-ce que", "inversion" (which falls back on est-ce que for nouns and je) or "verb first" (où est la clé).
    ``object_agreement`` is the gender and number of a direct object that stands before the verb.
    """
    person = subject.person
    reflexive = "se" in clitics
    clitics = tuple(REFLEXIVE[person] if word == "se" else word for word in clitics)
    before, after = list(clitics), []
    if tense in ("past", "perfect"):
        with_etre = reflexive or verb in ETRE_VERBS
        finite = present("être" if with_etre else "avoir")[person]
        form = participle(verb)
        if with_etre and not (reflexive and verb in OBJECT_FOLLOWS):
            form = agree(form, subject.gender, "p" if person in (3, 5) else "s")
        elif object_agreement:
            form = agree(form, *object_agreement)
        after = [form]
    elif tense == "soon":
        finite, before, after = present("aller")[person], [], [*clitics, verb]
    elif tense in ("state", "used", "ongoing"):
        finite = imperfect(verb, person)
    elif tense == "future":
        finite = future(verb, person)
    elif tense == "would":
        finite = conditional(verb, person)
    else:
        finite = present(verb)[person]
    ne, negation = (["ne"], [NEGATIONS[polarity]]) if polarity != "plain" else ([], [])
    adverbs = [adverb] if adverb else []
    pronoun_first = subject.is_pronoun and subject.french in ("tu", "il", "elle", "nous", "vous", "ils", "elles")
    if question == "inversion" and pronoun_first:
        link = "-t-" if finite[-1] in "aeé" and person == 2 else "-"
        words = [*ne, *before, finite + link + subject.french, *negation, *adverbs, *after]
    elif question == "verb first":
        words = [finite, subject.french]
    else:
        start = ["est-ce que"] if question else []
        words = [*start, subject.french, *ne, *before, finite, *negation, *adverbs, *after]
    return " ".join(words)


# --- Spelling ---------------------------------------------------------------------------------------------------------

_ELIDING = re.compile(r"\b(je|ne|le|la|de|que|me|te|se|ce) (?=(\w[\w'-]*))", re.IGNORECASE)


def elide(text: str) -> str:
    """Apply elision: "je ai" becomes "j'ai", "si il" becomes "s'il"."""

    def replace(match: re.Match[str]) -> str:
        word, following = match.group(1), match.group(2)
        if not starts_with_vowel(following):
            return match.group(0)
        if word.lower() == "ce" and following not in ("est", "était", "étaient"):
            return match.group(0)
        return word[:-1] + "'"

    text = re.sub(r"\b([Ss])i (?=ils?\b)", r"\1'", text)
    text = _ELIDING.sub(replace, text)
    return text.replace("' ", "'")


def finish(text: str, mark: str) -> str:
    """Elide, tidy spaces and punctuation, and capitalise a French sentence that ends in ``mark``."""
    text = elide(re.sub(r"\s+", " ", text).strip())
    text = re.sub(r"\s*([?!])", r" \1", re.sub(r"\s+([.,])", r"\1", text))
    if text[-1] not in ".?!":
        text += " " + mark if mark in "?!" else mark
    return re.sub(r"(^|[.?!] )(\w)", lambda m: m.group(1) + m.group(2).upper(), text)
