"""The phrasebook: what is promised about its size, its parts, its typography and its French."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from seq2seq_kit.data import phrasebook
from seq2seq_kit.data.phrasebook import build, conjugation, english
from seq2seq_kit.data.phrasebook.compose import Sentence
from seq2seq_kit.data.phrasebook.lexicon import ADJECTIVES, NOUNS, PHRASES, SUBJECTS
from seq2seq_kit.data.phrasebook.patterns import Variant, load_patterns, parse_pattern


def read(split: str) -> list[tuple[str, str]]:
    lines = phrasebook.path(split).read_text(encoding="utf-8").splitlines()
    return [(source, target) for source, target in (line.split("\t") for line in lines)]


@pytest.fixture(scope="module")
def parts() -> dict[str, list[tuple[str, str]]]:
    return {split: read(split) for split in phrasebook.SPLITS}


def test_it_is_as_large_as_promised(parts):
    assert sum(map(len, parts.values())) >= 20_000
    assert len(build.read_handwritten()) >= 2_000
    assert len(load_patterns()) >= 200
    assert len(parts["dev"]) == len(parts["test"]) == 500
    assert len(parts["dev_handwritten"]) == len(parts["test_handwritten"]) == 100


def test_no_sentence_of_either_language_stands_twice(parts):
    pairs = [pair for part in parts.values() for pair in part]
    for side in (0, 1):
        repeated = [key for key, count in Counter(build.key(pair[side]) for pair in pairs).items() if count > 1]
        assert repeated == []


def test_the_held_out_handwritten_pairs_are_handwritten_and_the_others_composed(parts):
    handwritten = set(build.read_handwritten())
    assert handwritten >= set(parts["dev_handwritten"]) | set(parts["test_handwritten"])
    assert not handwritten & (set(parts["dev"]) | set(parts["test"]))


def test_typography(parts):
    faults = [build.typography_fault(pair) for part in parts.values() for pair in part]
    assert [fault for fault in faults if fault] == []


def test_no_slot_is_left_unfilled(parts):
    handwritten = set(build.read_handwritten())
    composed = [pair for part in parts.values() for pair in part if pair not in handwritten]
    assert len(composed) >= 17_000
    assert [pair for pair in composed if re.search(r"[A-Z]{2}|[^\w .,?!'-]", "".join(pair))] == []


@pytest.mark.parametrize(
    "pair",
    [
        ("Yes", "Oui."),
        ("Yes?", "Oui?"),
        ("It’s me.", "C'est moi."),
        ("Room 4.", "Chambre quatre."),
        ("yes.", "Oui."),
        ("Yes .", "Oui."),
        ("Yes, I do.", "Oui , bien sûr."),
        ("No.", "« Non. »"),
    ],
)
def test_faulty_typography_is_found(pair):
    assert build.typography_fault(pair)


def test_french_always_elides(parts):
    sounds = re.compile(r"\b(je|ne|le|la|de|que|me|te|se) [aeiouéèêàâîôœ]", re.IGNORECASE)
    allowed = re.compile(r"(?i)\b(le|de|que) (onze|oui|un\b)|-(le|la|je|ce) |-moi")
    found = [pair for part in ("train", "dev", "test") for pair in parts[part] if sounds.search(pair[1])]
    assert [pair for pair in found if not allowed.search(pair[1])] == []


def test_french_contracts(parts):
    """ "à le", "de les" and the like are left only before a verb (il vient de le voir), which no pattern has."""
    wrong = re.compile(r"\b(à les?|de les) |\bà le ", re.IGNORECASE)
    assert [pair for part in ("dev", "test") for pair in parts[part] if wrong.search(pair[1])] == []


def test_the_build_is_reproducible(capsys):
    assert build.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_file_is_noticed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "build", lambda: {split: [("Yes.", "Oui.")] for split in phrasebook.SPLITS})
    monkeypatch.setattr(build, "path", lambda split: tmp_path / f"{split}.tsv")
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0
    (tmp_path / "dev.tsv").write_text("No.\tNon.\n")
    assert build.main(["--check"]) == 1
    assert "dev.tsv" in capsys.readouterr().err


def test_faulty_handwritten_lines_are_named(tmp_path, monkeypatch):
    (tmp_path / "bad.tsv").write_text("Yes.\tOui.\nNo tab here.\nYes?\tOui?\n", encoding="utf-8")
    monkeypatch.setattr(build, "HANDWRITTEN", tmp_path)
    with pytest.raises(ValueError, match=r"bad\.tsv:2: no tab\nbad\.tsv:3: French typography"):
        build.read_handwritten()


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="train, dev, test"):
        phrasebook.path("valid")


def test_every_pattern_composes_in_all_its_variants():
    for pattern in load_patterns():
        for variant in pattern.variants:
            for seed in range(3):
                pair = Sentence(pattern, variant, random.Random(seed)).compose()
                assert not build.typography_fault(pair), f"patterns.txt:{pattern.line}"
                assert not re.search(r"[A-Z]{2}", pair[0] + pair[1]), f"patterns.txt:{pattern.line}: {pair}"


def test_every_class_of_the_lexicon_is_used():
    frames = " ".join(f"{pattern.english} {pattern.french}" for pattern in load_patterns())
    frames += " ".join(f"{phrase.english} {phrase.french}" for phrases in PHRASES.values() for phrase in phrases)
    used = set(re.findall(r"[A-Z]{2,}", frames))
    assert {name.split("/")[0] for name in (*NOUNS, *ADJECTIVES, *PHRASES)} - used == set()


# --- Golden sentences -------------------------------------------------------------------------------------------------

# Two lines each: "subject, tense [polarity] [ask], slots: English frame | French frame", then what they must give.
GOLDEN = """
# Elision.
I, present, DRINK=water: [S like] {DRINK} | [S aimer] {le DRINK}
    I like water. | J'aime l'eau.
I, present not, GROCERY=bean: [S like] {GROCERY.pl} | [S aimer] {le GROCERY.pl}
    I don't like beans. | Je n'aime pas les haricots.
-, present, ANIMAL=owl: I see {the ANIMAL} | je vois {le ANIMAL}
    I see the owl. | Je vois le hibou.
she, present: I know that [S be] late | je sais que [S être] en retard
    I know that she's late. | Je sais qu'elle est en retard.
you, soon: [S get] dressed | [S se habiller]
    You're going to get dressed. | Tu vas t'habiller.
-, present, ANIMAL=owl: I see some {ANIMAL.pl} | je vois {un ANIMAL.pl}
    I see some owls. | Je vois des hiboux.
# Contraction.
he, present, PLACE=office: [S go] to {the PLACE} | [S aller] {à+le PLACE}
    He goes to the office. | Il va au bureau.
they, past, PLACE=hospital: [S go] to {the PLACE} | [S aller] {à+le PLACE}
    They went to the hospital. | Ils sont allés à l'hôpital.
we, ongoing, SPORT=chess: [S play] {SPORT} | [S jouer] {à+le SPORT}
    We were playing chess. | Nous jouions aux échecs.
she, used, INSTRUMENT=piano: [S play] the {INSTRUMENT} | [S jouer] {de+le INSTRUMENT}
    She used to play the piano. | Elle jouait du piano.
he, present, COUNTRY=the United States: [S come] from {COUNTRY} | [S venir] {from COUNTRY}
    He comes from the United States. | Il vient des États-Unis.
she, present, COUNTRY=Japan: [S live] in {COUNTRY} | [S vivre] {en COUNTRY}
    She lives in Japan. | Elle vit au Japon.
I, state, BEAST=dog: [S be] afraid of {BEAST.pl} | [S avoir] peur {de+le BEAST.pl}
    I was afraid of dogs. | J'avais peur des chiens.
# Partitives and negation.
we, present, DRINK=water: [S drink] {some/any DRINK} | [S boire] {du/de DRINK}
    We drink some water. | Nous buvons de l'eau.
she, past not, DRINK=coffee: [S drink] {some/any DRINK} | [S boire] {du/de DRINK}
    She didn't drink any coffee. | Elle n'a pas bu de café.
he, present anymore, FOOD=meat: [S eat {FOOD}] | [S manger {de FOOD}]
    He doesn't eat meat anymore. | Il ne mange plus de viande.
he, present never, FOOD=ice cream: [S eat] {FOOD} | [S manger] {de FOOD}
    He never eats ice cream. | Il ne mange jamais de glace.
I, past nothing: [S buy] anything | [S acheter]
    I didn't buy anything. | Je n'ai rien acheté.
I, soon nothing: [S buy] anything | [S acheter]
    I'm not going to buy anything. | Je ne vais rien acheter.
they, present not, LUX=car: [S have] {a LUX} | [S avoir] {un/de LUX}
    They don't have a car. | Ils n'ont pas de voiture.
she, past not: [S wash] {my} hands | [S se laver] les mains
    She didn't wash her hands. | Elle ne s'est pas lavé les mains.
# Agreement.
my sisters, state, MOOD=happy: [S be] {MOOD=S} | [S être] {MOOD=S}
    My sisters were happy. | Mes sœurs étaient heureuses.
Marie, present not, JOB=actor: [S be] {a JOB=S} | [S être] {JOB=S}
    Marie isn't an actor. | Marie n'est pas actrice.
my sisters, past: [S get] up early | [S se lever] tôt
    My sisters got up early. | Mes sœurs se sont levées tôt.
I, would, NEW=old, BIG=computer: [S buy] {a NEW BIG} | [S acheter] {un NEW BIG}
    I'd buy an old computer. | J'achèterais un vieil ordinateur.
he, progressive, COLOUR=white, SHOES=sock: [S wear] {COLOUR SHOES.pl} | [S porter] {un COLOUR SHOES.pl}
    He's wearing white socks. | Il porte des chaussettes blanches.
he, progressive, COLOUR=brown, SHOES=boot: [S wear] {COLOUR SHOES.pl} | [S porter] {un COLOUR SHOES.pl}
    He's wearing brown boots. | Il porte des bottes marron.
-, present, KIN=aunt: I know {your KIN} | je connais {ton KIN}
    I know your aunt. | Je connais ta tante.
she, past, ITEM=glasses: [S lose] {my ITEM} | [S perdre] {mon ITEM}
    She lost her glasses. | Elle a perdu ses lunettes.
-, present, IDEA=answer: This is {my1 IDEA} | voici {mon1 IDEA}
    This is my answer. | Voici ma réponse.
-, present, READ=story: That is {my READ} | c'est {mon READ}
    That is my story. | C'est mon histoire.
-, present, GADGET=computer: {this GADGET} is mine | {ce GADGET} est à moi
    This computer is mine. | Cet ordinateur est à moi.
# Object pronouns, with the participle.
I, past, ITEM=key: The keys? [S take] {it ITEM.pl} | les clés ? [S le(ITEM.pl) prendre]
    The keys? I took them. | Les clés ? Je les ai prises.
we, past not, ITEM=watch: [S see] it | [S le(ITEM) voir]
    We didn't see it. | Nous ne l'avons pas vue.
he, soon, BIG=guitar: [S sell] it | [S le(BIG) vendre]
    He's going to sell it. | Il va la vendre.
you, past, FRUIT=orange: How many {FRUIT.pl} [?S eat]? | combien {de FRUIT.pl} [?S manger &FRUIT.pl] ?
    How many oranges did you eat? | Combien d'oranges est-ce que tu as mangées ?
# Questions.
he, present ask: [S sleep] | [S dormir]
    Does he sleep? | Est-ce qu'il dort ?
she, present: Where [?S live]? | où [-S habiter] ?
    Where does she live? | Où habite-t-elle ?
you, past: Where [?S go]? | où [-S aller] ?
    Where did you go? | Où es-tu allé ?
Paul, present: Where [?S live]? | où [-S habiter] ?
    Where does Paul live? | Où est-ce que Paul habite ?
I, present, ITEM=glasses: Where [?my ITEM be]? | où [^mon ITEM être] ?
    Where are my glasses? | Où sont mes lunettes ?
-, state not, PLACE=hotel: [there be] {a PLACE} here | [il y avoir] {un/de PLACE} ici
    There wasn't a hotel here. | Il n'y avait pas d'hôtel ici.
# Conditions and commands.
they, present: If it rains, [S stay @future] here | s'il pleut, [S rester @future] ici
    If it rains, they'll stay here. | S'il pleut, ils resteront ici.
-, present, DOOR=window: Close {the DOOR} | [! fermer] {le DOOR}
    Close the window. | Ferme la fenêtre.
-, present: Let's eat | [!nous manger]
    Let's eat. | Mangeons.
"""


def golden() -> list[tuple[str, str, str]]:
    lines = [line for line in GOLDEN.strip().splitlines() if line[0] != "#"]
    return [(*given.split(": ", 1), expected.strip()) for given, expected in zip(lines[::2], lines[1::2], strict=True)]


@pytest.mark.parametrize("given, frame, expected", golden())
def test_golden_sentences(given, frame, expected):
    who, options, *slots = given.split(", ")
    tense, *rest = options.split()
    polarity = next((word for word in rest if word != "ask"), "plain")
    variant = Variant(tense, polarity, "est-ce que" if "ask" in rest else "")
    entries = {}
    for name, word in (slot.split("=") for slot in slots):
        table = next(table for table in (NOUNS, ADJECTIVES, PHRASES) if name in table)[name]
        entries[name] = next(entry for entry in table if entry.english == word)
    everyone = [person for group in SUBJECTS.values() for person in group]
    subject = next((person for person in everyone if person.english == who), None)
    pair = Sentence(parse_pattern(f"- | {frame}", 0), variant, random.Random(0), entries, subject).compose()
    assert " | ".join(pair) == expected


@pytest.mark.parametrize(
    "verb, person, tense, form",
    [
        ("acheter", 0, "present", "achète"),
        ("préférer", 5, "present", "préfèrent"),
        ("préférer", 0, "future", "préférerai"),
        ("appeler", 1, "present", "appelles"),
        ("appeler", 3, "present", "appelons"),
        ("manger", 3, "present", "mangeons"),
        ("manger", 0, "imperfect", "mangeais"),
        ("manger", 3, "imperfect", "mangions"),
        ("commencer", 3, "present", "commençons"),
        ("commencer", 2, "imperfect", "commençait"),
        ("nettoyer", 2, "present", "nettoie"),
        ("nettoyer", 2, "future", "nettoiera"),
        ("finir", 5, "present", "finissent"),
        ("attendre", 2, "present", "attend"),
        ("vendre", 0, "future", "vendrai"),
        ("être", 3, "imperfect", "étions"),
        ("aller", 4, "future", "irez"),
        ("pouvoir", 0, "conditional", "pourrais"),
        ("venir", 5, "present", "viennent"),
        ("rentrer", 0, "present", "rentre"),
        ("ressembler", 2, "present", "ressemble"),
        ("étudier", 3, "imperfect", "étudiions"),
        ("voir", 3, "imperfect", "voyions"),
    ],
)
def test_conjugation(verb, person, tense, form):
    conjugated = conjugation.present(verb)[person] if tense == "present" else getattr(conjugation, tense)(verb, person)
    assert conjugated == form


def test_english_forms():
    assert [english.third_person(verb) for verb in ("go", "study", "watch", "play", "have")] == [
        "goes",
        "studies",
        "watches",
        "plays",
        "has",
    ]
    assert [english.ing(verb) for verb in ("swim", "take", "see", "play")] == [
        "swimming",
        "taking",
        "seeing",
        "playing",
    ]
    assert [english.past(verb) for verb in ("eat", "stop", "study", "play", "like")] == [
        "ate",
        "stopped",
        "studied",
        "played",
        "liked",
    ]
    assert [english.article(word) for word in ("apple", "hour", "university", "useful book", "old car")] == [
        "an",
        "an",
        "a",
        "a",
        "an",
    ]
    assert [english.plural(word) for word in ("box", "child", "story", "day", "potato")] == [
        "boxes",
        "children",
        "stories",
        "days",
        "potatoes",
    ]
