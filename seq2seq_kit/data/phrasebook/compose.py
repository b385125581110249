"""Composition: a pattern (an English and a French frame) and the lexicon give pairs of sentences.

A frame is text with slots in capitals, named after a class of the lexicon; a slot has the same value in both frames:

- ``CITY``: a phrase of that class of ``phrases.tsv``. ``WHEN`` and its like choose the phrases that fit the tense.
- ``{a COLOUR CLOTHES}``, ``{un COLOUR CLOTHES}``: a noun phrase: determiner, adjective, noun. ``.pl`` makes it plural,
  a digit tells two slots of one class apart (``FOOD2``). In French the adjective finds its place and agrees,
  determiners contract, and those such as ``un/de`` become "de" in a negative sentence. ``my`` and ``mon`` belong to
  the subject ``S``, ``my1`` and ``mon1`` to the speaker.
- ``{MOOD=S}``: an adjective that agrees with ``S``, a noun slot, or ``ms`` (masculine singular).
- ``{it ITEM}``: it or them; in French ``le(ITEM)`` inside a verb group, or ``{le(ITEM)}`` elsewhere.
- ``{my}``, ``{mon}``, ``{mes}``: a possessive of the subject on its own. ``se``: the subject's reflexive pronoun.
- ``[S drink +always]``, ``[S boire +toujours]``: a verb group: subject, (French) object pronouns, infinitive, and what
  follows. ``+word`` is an adverb, put where the language wants it. The subject is ``S``, a pronoun or a noun phrase;
  ``~S`` or ``~KIN`` is the pronoun that refers to it. A group takes the tense and polarity of the variant; ``=tense``
  gives it another tense, ``@tense`` another tense in a plain statement. In front, ``?`` makes a question of it, ``-``
  one with inversion in French, ``^`` one whose French verb comes first (où est la clé). ``&FRUIT.pl`` makes the French
  participle agree with an object that stands before it (combien de pommes as-tu mangées).
- ``[! fermer]``: a command to tu; ``[!nous aller]``: one to us (French only; the English frame writes it out).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from . import conjugation, english, french
from .lexicon import ADJECTIVES, NOUNS, PHRASES, SUBJECTS, Adjective, Noun, Phrase, Subject
from .patterns import POLARITIES, TENSES, Pattern, Variant

CLITICS = frozenset({"me", "te", "se", "nous", "y"})
ANIMATE = frozenset({"KIN"})  # classes of people: he or she, not it
MARKS = {"?": "est-ce que", "-": "inversion", "^": "verb first"}

BY_ENGLISH = {s.english: s for s in SUBJECTS["special"] + SUBJECTS["pronoun"]}
BY_FRENCH = {s.french: s for s in SUBJECTS["special"] + SUBJECTS["pronoun"]}


@dataclass
class Sentence:
    """One draw of all slots of a pattern, rendered in both languages."""

    pattern: Pattern
    variant: Variant
    random: Random
    values: dict[str, Noun | Adjective | Phrase] = field(default_factory=dict)
    subject: Subject | None = None

    def compose(self) -> tuple[str, str]:
        asking = bool(self.variant.question)
        has_subject = re.search(r"\bS\b", self.pattern.english) or self.pattern.subjects != "anyone"
        if has_subject and self.subject is None:
            self.subject = self.random.choice(self._candidates(asking or "[?S" in self.pattern.english))
        sides = self._phrases(self.pattern.english, self.pattern.french)
        mark = "?" if asking else "."
        en = re.sub(r"\{(.*?)\}", lambda m: self._english_slot(m.group(1)), sides[0])
        en = re.sub(r"\[(.*?)\]", lambda m: self._english_group(m.group(1)), en)
        fr = re.sub(r"\{(.*?)\}", lambda m: self._french_slot(m.group(1)), sides[1])
        reflexive = french.REFLEXIVE[self._owner().person]
        fr = "".join(
            self._french_group(part[1:-1]) if part.startswith("[") else re.sub(r"\bse\b", reflexive, part)
            for part in re.split(r"(\[.*?\])", fr)
        )
        fr = re.sub(r"\b(un|une|du|de la|de l'|des)/de\b", lambda m: "de" if self._negative else m.group(1), fr)
        return english.finish(en, mark), french.finish(fr, mark)

    def _candidates(self, asking: bool) -> list[Subject]:
        """Who the subject may be; nobody asks about himself or "my brother", so questions have their own group."""
        group, asked = SUBJECTS[self.pattern.subjects], SUBJECTS["asked"]
        if not asking:
            return group
        if self.pattern.subjects == "anyone":
            return asked
        return [subject for subject in group if subject in asked] or group

    @property
    def _negative(self) -> bool:
        return self.variant.polarity != "plain"

    def _owner(self) -> Subject:
        return self.subject or BY_ENGLISH["I"]

    # --- Drawing ------------------------------------------------------------------------------------------------------

    def _draw(self, name: str) -> Noun | Adjective | Phrase:
        """The value of slot ``name``, drawn on first use, different from other slots of its class."""
        if name not in self.values:
            word_class = name.rstrip("0123456789")
            if word_class.endswith("WHEN"):
                word_class += f"/{self.variant.tense}"
                if self._negative and f"{word_class} not" in PHRASES:  # not "never ... every day"
                    word_class += " not"
            table = NOUNS.get(word_class) or ADJECTIVES.get(word_class) or PHRASES.get(word_class)
            if table is None:
                raise ValueError(f"patterns.txt:{self.pattern.line}: no class {word_class!r}")
            taken = [
                value for key, value in self.values.items() if key.rstrip("0123456789") == name.rstrip("0123456789")
            ]
            self.values[name] = self.random.choice([entry for entry in table if entry not in taken])
        return self.values[name]

    def _noun(self, name: str) -> Noun:
        noun = self._draw(name)
        assert isinstance(noun, Noun), f"patterns.txt:{self.pattern.line}: {name} is not a noun"
        return noun

    def _adjective(self, name: str) -> Adjective:
        adjective = self._draw(name)
        assert isinstance(adjective, Adjective), f"patterns.txt:{self.pattern.line}: {name} is not an adjective"
        return adjective

    def _phrases(self, en: str, fr: str) -> tuple[str, str]:
        """Both frames with phrase slots replaced by their text, which may hold further slots."""
        while names := [name for name in re.findall(r"\b[A-Z]{2,}\d?(?=s?\b)", en) if self._is_phrase(name)]:
            phrase = self._draw(names[0])
            assert isinstance(phrase, Phrase)
            slot = re.compile(rf"\b{names[0]}(?=s?\b)")
            en, fr = slot.sub(phrase.english, en), slot.sub(phrase.french, fr)
        return en, fr

    @staticmethod
    def _is_phrase(name: str) -> bool:
        return name.endswith("WHEN") or name.rstrip("0123456789") in PHRASES

    # --- English ------------------------------------------------------------------------------------------------------

    def _english_slot(self, slot: str) -> str:
        words = slot.split()
        if "=" in slot:
            adjective = self._draw(words[-1].split("=")[0]).english
            if words[0] == "more":
                return english.comparative(adjective)
            plural_subject = (
                words[-1].endswith("=S") and not self._owner().third_singular and self._owner().person in (3, 5)
            )
            return f"{english.article(adjective)} {adjective}" if words[0] == "a" and not plural_subject else adjective
        if slot == "my":
            return self._english_determiner("my", "", False)
        if words[0] == "it":
            return "them" if self._agreement(words[1])[1] == "p" else "it"
        last = words[-1]
        if last.rstrip("0123456789") in ADJECTIVES:
            return self._draw(last).english
        many = last.endswith(".pl")
        noun = self._noun(last.removesuffix(".pl"))
        head = english.plural(noun.english) if many and noun.number == "s" else noun.english
        many = many or noun.number == "p"
        adjectives = [self._draw(w).english for w in words[:-1] if w.isupper() and len(w) > 1]
        determiners = [w for w in words[:-1] if not (w.isupper() and len(w) > 1)]
        phrase = " ".join([*adjectives, head])
        return " ".join([*(self._english_determiner(d, phrase, many) for d in determiners), phrase]).strip()

    def _english_determiner(self, word: str, following: str, many: bool) -> str:
        if word == "a":
            return "" if many else english.article(following)
        if word == "some/any":
            return "any" if self._negative or self.variant.question else "some"
        if word in ("my", "my1"):
            owner = self._owner() if word == "my" else BY_ENGLISH["I"]
            feminine = owner.third_singular and owner.gender == "f"
            return "her" if feminine else english.POSSESSIVES[owner.person]
        if many and word in ("this", "that"):
            return {"this": "these", "that": "those"}[word]
        return word

    def _english_group(self, text: str) -> str:
        group = self._group(text, "english")
        clause = english.clause(
            group.subject, group.verb, group.tense, group.polarity, bool(group.question), group.adverb
        )
        return f"{clause} {group.rest} anymore" if group.polarity == "anymore" else f"{clause} {group.rest}"

    # --- French -------------------------------------------------------------------------------------------------------

    def _agreement(self, name: str) -> tuple[str, str]:
        """Gender and number of ``S`` or of a noun slot."""
        if name == "S":
            owner = self._owner()
            return owner.gender, "p" if owner.person in (3, 5) else "s"
        if name in ("ms", "fs", "mp", "fp"):
            return name[0], name[1]
        noun = self._noun(name.removesuffix(".pl"))
        return noun.gender, "p" if name.endswith(".pl") else noun.number

    def _object_pronoun(self, name: str) -> str:
        gender, number = self._agreement(name)
        return "les" if number == "p" else "le" if gender == "m" else "la"

    def _agreeing(self, adjective: Adjective, gender: str, number: str, following: str = "") -> str:
        """``adjective`` in French; ``following`` is the noun it may stand before (un vieil ordinateur)."""
        if adjective.invariable:
            return adjective.french
        if adjective.vowel_form and gender + number == "ms" and french.starts_with_vowel(following):
            return adjective.vowel_form
        return french.agree(adjective.french, gender, number, adjective.feminine)

    def _french_slot(self, slot: str) -> str:
        if "=" in slot:
            name, target = slot.split("=")
            return self._agreeing(self._adjective(name), *self._agreement(target))
        if slot in ("mon", "mes"):
            return french.determiner("mon", "m", "p" if slot == "mes" else "s", "", owner=self._owner().person)
        if match := re.fullmatch(r"le\((\S+)\)", slot):
            return self._object_pronoun(match.group(1))
        words = slot.split()
        last = words[-1]
        noun = self._noun(last.removesuffix(".pl"))
        gender, number = self._agreement(last)
        head = french.plural(noun.french) if number == "p" and noun.number == "s" else noun.french
        before: list[str] = []
        after: list[str] = []
        for adjective in (self._adjective(word) for word in words[:-1] if word.isupper()):
            (before if adjective.before_noun else after).append(self._agreeing(adjective, gender, number, head))
        phrase = " ".join([*before, head, *after])
        determiners = [w for w in words[:-1] if not w.isupper()]
        if determiners and determiners[0] in ("en", "from"):
            return french.country("de" if determiners[0] == "from" else "en", noun)
        if determiners == ["un"] and number == "p" and before:
            return f"de {phrase}"  # de grandes maisons
        forms = [
            french.determiner(d, gender, number, phrase, owner=self._owner().person, negative=self._negative)
            for d in determiners
        ]
        return " ".join([*forms, phrase])

    def _french_group(self, text: str) -> str:
        group = self._group(text, "french")
        if group.command:
            person = {"tu": 1, "nous": 3, "vous": 4}[group.command]
            return f"{conjugation.imperative(group.verb, person)} {group.rest}"
        rest = re.sub(r"\bse\b", french.REFLEXIVE[group.subject.person], group.rest)
        clause = french.clause(
            group.subject,
            group.verb,
            group.tense,
            group.polarity,
            group.question,
            group.clitics,
            group.adverb,
            group.agreement,
        )
        return f"{clause} {rest}"

    # --- Verb groups --------------------------------------------------------------------------------------------------

    def _pronoun(self, name: str) -> Subject:
        """The subject pronoun that refers to ``S`` or to a noun slot."""
        if name == "S" and self._owner().is_pronoun:
            return self._owner()
        gender, number = self._agreement(name)
        if number == "p":
            return Subject("they", "ils" if gender == "m" else "elles", 5, gender, False, True)
        animate = name == "S" or name.rstrip("0123456789") in ANIMATE
        pronoun = ("he" if gender == "m" else "she") if animate else "it"
        return Subject(pronoun, "il" if gender == "m" else "elle", 2, gender, True, True)

    def _group(self, text: str, language: str) -> Group:
        """Read the verb group ``text`` of a frame."""
        words = text.split()
        tense, polarity, question = self.variant.tense, self.variant.polarity, self.variant.question
        options = [word[1:] for word in words if word[0] in "@="]
        tense = next((option for option in options if option in TENSES), tense)
        if any(word[0] == "@" for word in words):
            polarity, question = next((option for option in options if option in POLARITIES), "plain"), ""
        if words[0][0] in MARKS:
            question, words[0] = MARKS[words[0][0]], words[0][1:]
        words = [word for word in words if word[0] not in "@="]
        if words[0][0] == "!":
            return Group(BY_ENGLISH["you"], words[1], command=words[0][1:] or "tu", rest=" ".join(words[2:]))
        subject, words = self._take_subject(words, language)
        adverb = next((word[1:] for word in words if word[0] == "+"), "")
        words = [word for word in words if word[0] != "+"]
        clitics: list[str] = []
        agreement = None
        while language == "french" and (words[0] in CLITICS or words[0].startswith("le(")):
            word = words.pop(0)
            if match := re.fullmatch(r"le\((\S+)\)", word):
                agreement = self._agreement(match.group(1))
                word = self._object_pronoun(match.group(1))
            clitics.append(word)
        for word in [word for word in words if word[0] == "&"]:
            agreement = self._agreement(word[1:])
            words.remove(word)
        return Group(
            subject, words[0], " ".join(words[1:]), tense, polarity, question, adverb, tuple(clitics), agreement
        )

    def _take_subject(self, words: list[str], language: str) -> tuple[Subject, list[str]]:
        first = words[0]
        if first == "S":
            return self._owner(), words[1:]
        if first[0] == "~":
            return self._pronoun(first[1:]), words[1:]
        if first == "there.pl":
            return Subject("there", "", 5, "m", False, True), words[1:]
        table = BY_ENGLISH if language == "english" else BY_FRENCH
        if first in table and not words[1].split(".")[0].isupper():
            return table[first], words[1:]
        for end, word in enumerate(words, 1):
            if re.fullmatch(r"[A-Z]{2,}\d?(\.pl)?", word) and word.removesuffix(".pl").rstrip("0123456789") in NOUNS:
                gender, number = self._agreement(word)
                slot = " ".join(words[:end])
                text = self._english_slot(slot) if language == "english" else self._french_slot(slot)
                many = number == "p"
                return Subject(text, text, 5 if many else 2, gender, not many, False), words[end:]
        raise ValueError(f"patterns.txt:{self.pattern.line}: no subject in {' '.join(words)!r}")


@dataclass
class Group:
    """A verb group read from a frame."""

    subject: Subject
    verb: str
    rest: str = ""
    tense: str = "present"
    polarity: str = "plain"
    question: str = ""
    adverb: str = ""
    clitics: tuple[str, ...] = ()
    agreement: tuple[str, str] | None = None
    command: str = ""


def compose(pattern: Pattern, random: Random) -> tuple[str, str]:
    """One random pair (English, French) of ``pattern``."""
    return Sentence(pattern, random.choice(pattern.variants), random).compose()
