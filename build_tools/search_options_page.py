"""Writes ``docs/search-options.md`` (``make docs``): every search option, as the engine itself has it.

Meanings come from the docstrings, ranges from what the engine answers to a value out of range, the semantics that heed
an option from searches with and without it. So the page cannot say what is not so; a test holds the file to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import MISSING, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions, Semantics
from seq2seq_kit.decoding.presets import preset
from seq2seq_kit.decoding.search import check_options, search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import DecoderState, StepOutput
from seq2seq_kit.source import FieldSource, find_class

PAGE = Path(__file__).parents[1] / "docs" / "search-options.md"
OPTIONS = Path(__file__).parents[1] / "seq2seq_kit" / "decoding" / "options.py"

EXAMPLES: dict[str, list[tuple[str, str]]] = {
    "beam_size": [("beam_size=12", "a wide beam"), ("beam_size=1", "greedy search")],
    "n_best": [("n_best=3", "the three best")],
    "semantics": [('semantics="fairseq"', "search as fairseq does")],
    "numerics": [('numerics="reference"', "the bits of the slow Python search")],
    "bos_id": [("bos_id=4", "the decoder starts with token 4, a language tag for instance")],
    "eos_ids": [("eos_ids=(2, 3)", "either ends a hypothesis"), ("eos_ids=()", "none does")],
    "unk_id": [("unk_id=4, unk_penalty=2.0", "token 4 is the unknown word")],
    "min_length": [("min_length=4", "at least four tokens")],
    "max_length": [("max_length=5", "at most five")],
    "min_new_tokens": [("min_new_tokens=4", "at least four after the prefix")],
    "max_new_tokens": [("max_new_tokens=3", "at most three after the prefix")],
    "max_length_ratio": [("max_length_ratio=1.5, max_length_margin=0", "one and a half times the source")],
    "max_length_margin": [("max_length_ratio=1.0, max_length_margin=1", "the source's length and one more")],
    "length_decay_start": [("length_decay_start=4, length_decay_factor=1.5", "from the fifth token on")],
    "length_decay_factor": [("length_decay_factor=1.5", "ends sooner")],
    "length_penalty": [("length_penalty=0.6", "between sums and means"), ("length_penalty=0.0", "sums")],
    "length_penalty_offset": [("length_penalty=0.6, length_penalty_offset=5.0", "GNMT's length penalty")],
    "word_penalty": [("word_penalty=-0.5", "half a nat of reward a token: longer outputs")],
    "brevity_penalty": [("brevity_penalty=2.0", "what is shorter than the source loses")],
    "brevity_ratio": [("brevity_penalty=2.0, brevity_ratio=1.5", "one and a half times the source is expected")],
    "coverage_penalty": [("coverage_penalty=0.5", "what leaves words of the source out loses")],
    "coverage": [('coverage_penalty=0.5, coverage="see"', "what looks at the same words again loses")],
    "unk_penalty": [("unk_penalty=1.0", "the unknown word loses a nat"), ("unk_penalty=math.inf", "it never comes")],
    "stop": [
        ('stop="first"', "end with the first that finishes"),
        ('semantics="hf", stop="longest"', 'Hugging Face\'s `early_stopping="never"`'),
    ],
    "patience": [
        ('stop="enough", patience=0.4', "two of five hypotheses are enough"),
        ('semantics="ct2", patience=2.0', "CTranslate2 waits for twice as many as K"),
    ],
    "max_seconds": [("max_seconds=0.001", "what is found within a millisecond")],
    "no_repeat_ngram": [("no_repeat_ngram=2", "no two tokens come twice in the same order")],
    "no_repeat_ngram_except": [("no_repeat_ngram=1, no_repeat_ngram_except=(5, 6)", "only 5 and 6 may repeat")],
    "no_repeat_ngram_source": [("no_repeat_ngram_source=2", "no two tokens in a row are copied")],
    "repetition_penalty": [("repetition_penalty=1.3", "tokens that were written grow less likely")],
    "repetition_penalty_source": [("repetition_penalty_source=1.3", "the source's tokens grow likelier")],
    "bad_words": [("bad_words=((5,), (6, 7))", "neither 5 nor 6 followed by 7")],
    "sequence_bias": [("sequence_bias=(((5,), -1.0), ((6, 7), 2.0))", "less of 5; after 6 rather 7")],
    "suppress": [("suppress=(4, 5)", "neither 4 nor 5")],
    "suppress_at_start": [("suppress_at_start=(2, 5)", "neither an empty output (2 is EOS) nor 5 first")],
    "forced_first": [("forced_first=4", "a language tag is the first token")],
    "forced_last": [
        ("max_length=4, forced_last=2", "what reaches the limit ends with EOS"),
        ("max_length=4, eos_ids=(2, 3), forced_last=3", "with the second end symbol"),
    ],
    "prefix_bias": [("prefix_bias=0.5", "rather as the prefix says, but not at any price")],
    "sampling": [
        ('sampling="tokens", seed=1, beam_size=4, n_best=4', "four samples"),
        ('sampling="beams", seed=1', "a beam of drawn candidates"),
    ],
    "temperature": [("temperature=1.3", "flatter"), ('sampling="tokens", seed=1, temperature=0.7', "sharper")],
    "top_h": [('sampling="tokens", seed=1, top_h=0.4', "four tenths of the entropy")],
    "top_k": [('sampling="tokens", seed=1, top_k=3', "the three likeliest")],
    "top_p": [('sampling="tokens", seed=1, top_p=0.6', "the nucleus of 60%")],
    "min_p": [('sampling="tokens", seed=1, min_p=0.2', "a fifth as likely as the likeliest, or more")],
    "typical_p": [('sampling="tokens", seed=1, typical_p=0.5', "the most typical half")],
    "epsilon": [('sampling="tokens", seed=1, epsilon=0.05', "no token less likely than 5%")],
    "eta": [('sampling="tokens", seed=1, eta=0.2', "a threshold that falls with the entropy")],
    "seed": [('sampling="tokens", seed=7', "the same samples every time")],
    "rng": [('sampling="tokens", rng="torch"', "the draws of `torch.multinomial` after `torch.manual_seed`")],
    "groups": [("beam_size=6, groups=3, diversity_penalty=0.5", "three groups of two")],
    "diversity_penalty": [("beam_size=6, groups=3, diversity_penalty=2.0", "groups that avoid each other")],
    "sibling_penalty": [("sibling_penalty=1.0", "hypotheses of more parents")],
    "alternatives": [("alternatives=True, n_best=3", "three ways to go on after the prefix")],
    "attention": [("attention=True", "where each token looked")],
    "top_tokens": [("top_tokens=3", "three tokens that might have come, at each step")],
}
"""For each option some arguments of ``SearchOptions``, and what they do."""

REFERENCES = """\
Fan et al. 2018: Hierarchical Neural Story Generation. arXiv 1805.04833
Hewitt et al. 2022: Truncation Sampling as Language Model Desmoothing. arXiv 2210.15191
Holtzman et al. 2020: The Curious Case of Neural Text Degeneration. arXiv 1904.09751
Hu et al. 2019: Improved Lexically Constrained Decoding for Translation and Monolingual Rewriting. NAACL 2019
Kasai et al. 2022: A Call for Clarity in Beam Search: How It Works and When It Stops. arXiv 2204.05424
Keskar et al. 2019: CTRL: A Conditional Transformer Language Model for Controllable Generation. arXiv 1909.05858
Li et al. 2016: A Simple, Fast Diverse Decoding Algorithm for Neural Generation. arXiv 1611.08562
Meister et al. 2022: Locally Typical Sampling. arXiv 2202.00666
Nguyen et al. 2024: Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs. arXiv 2407.01082
Paulus et al. 2017: A Deep Reinforced Model for Abstractive Summarization. arXiv 1705.04304
Post and Vilar 2018: Fast Lexically Constrained Decoding with Dynamic Beam Allocation. arXiv 1804.06609
See et al. 2017: Get To The Point: Summarization with Pointer-Generator Networks. arXiv 1704.04368
Vijayakumar et al. 2018: Diverse Beam Search: Decoding Diverse Solutions from Neural Sequence Models. arXiv 1610.02424
Wu et al. 2016: Google's Neural Machine Translation System. arXiv 1609.08144
"""

UNPROBED = {"semantics", "numerics", "stop", "max_seconds"}
"""What searches do not show: the question itself, last bits, what has a list of its own, and the clock."""

VOCAB, SENTENCES = 12, 24


# --- What the engine says -----------------------------------------------------------------------------------------


def allowed(field: str, **others: Any) -> str:
    """The range of a numeric option or of token ids, in the engine's words."""
    default = getattr(SearchOptions(), field)
    beyond: list[Any] = [-(2**40)] if isinstance(default, int) else [-math.inf, math.nan]
    if isinstance(default, str):
        beyond = ["?"]
    elif isinstance(default, tuple):
        beyond = [(-1,), ((-1,),), (((1,), math.inf),)]
    for value in beyond:
        try:
            check_options(replace(SearchOptions(**others), **{field: value}))
        except SearchError as error:
            said = re.search(r": must be (?!of type)(.*)", str(error))
            if said:
                said_plainly = re.sub(r"(\w+) = \d+", r"`\1`", said[1]).replace(" and at least -inf", "")
                return said_plainly.replace(str(2**30), "2³⁰").replace(str(2**16), "2¹⁶")
    raise AssertionError(f"the engine refuses no value of {field}")


def stop_rules(semantics: str) -> str:
    """The stop rules that a semantics knows."""
    for rule in ("exact", "estimate"):  # none knows both
        try:
            check_options(SearchOptions(semantics=semantics, stop=rule))  # type: ignore[arg-type]
        except SearchError as error:
            return str(error).partition(" knows ")[2].replace("'", "`")
    raise AssertionError(f"semantics {semantics} knows every rule")


def heeded(field: str) -> list[str]:
    """The semantics under which one of the option's examples changes what a search returns."""
    return [
        each for each in get_args(Semantics) if any(_is_heeded(field, example, each) for example, _ in EXAMPLES[field])
    ]


def _is_heeded(field: str, example: str, semantics: str) -> bool:
    given = {"semantics": semantics, **arguments(example)}
    if given["semantics"] != semantics:
        return False
    try:
        found = probe(given)
    except SearchError:
        return False
    try:
        return found != probe({name: value for name, value in given.items() if name != field})
    except SearchError:  # the others make no sense without it
        return True


def arguments(example: str) -> dict[str, Any]:
    values: dict[str, Any] = eval(f"dict({example})", {"math": math})  # ours, from above
    return values


def probe(given: dict[str, Any]) -> list[Any]:
    """What searches over random tables return, some of them with a prefix."""
    options = replace(SearchOptions(max_length=10, n_best=min(2, given.get("beam_size", 2))), **given)
    inputs = [SentenceInput(4, (4, 5, 6, 7), prefix=(5,) if b % 3 == 0 else (), key=b) for b in range(SENTENCES)]
    torch.manual_seed(0)
    state = DecoderState(sentences={"index": torch.arange(SENTENCES)})
    return [[_seen(h) for h in found] for found in search(_step, state, options, sentences=inputs)]


def _seen(hypothesis: Hypothesis) -> list[Any]:
    return [
        hypothesis.tokens,
        round(hypothesis.score, 3),
        hypothesis.finish,
        len(hypothesis.top_tokens),
        hypothesis.attention is None,
    ]


def _step(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
    """A bigram model of its own for each sentence, [B, K] -> [B, K, V], with attention [B, K, 4]."""
    rows = _tables()[state.sentences["index"].unsqueeze(1), tokens]
    return StepOutput(rows, attention=rows[..., 3:7].softmax(-1))


@cache
def _tables() -> Tensor:
    return torch.randn(SENTENCES, VOCAB, VOCAB, generator=torch.Generator().manual_seed(4)) * 2


# --- The page -----------------------------------------------------------------------------------------------------


def page() -> str:
    index = "".join(
        f"| {title} | {', '.join(f'[`{name}`](#{name})' for name in names)} |\n" for title, names in _sections().items()
    )
    parts = [HEAD + index]
    for title, names in _sections().items():
        parts.append(f"## {title}\n")
        parts += [_option(name) for name in names]
    parts.append("## What is told of a sentence\n\n`SentenceInput`, in `search(…, sentences=[…])`.\n")
    parts.append(_fields(SentenceInput))
    parts.append("## What comes back\n\n`Hypothesis`, from `search(…)`: for each sentence a list of them.\n")
    parts.append(_fields(Hypothesis))
    parts.append(_presets())
    parts.append("## References\n\n" + "".join(f"- {line}\n" for line in REFERENCES.splitlines()))
    return "\n".join(parts)


HEAD = """\
# Search options

<!-- Written by build_tools/search_options_page.py (`make docs`) from the docstrings in seq2seq_kit/decoding/. -->

Every field of `SearchOptions`: its default, the range that the engine allows, the `semantics` that heed it, and
examples as arguments of `SearchOptions(…)`. Token ids are those of the vocabulary that the step scores. A value out of
range is a `SearchError` that names the field, the value and the range. The rules around them, with formulas, are in
[Decoding](decoding.md), whose letters are used here: s is the sum of a hypothesis' token log-probabilities in nats, n
its number of tokens, EOS included, K the beam size.

| | |
| --- | --- |
"""


def _sections() -> dict[str, list[str]]:
    """The options by the comments above them."""
    text = OPTIONS.read_text(encoding="utf-8")
    sections: dict[str, list[str]] = {}
    for title, body in re.findall(r"# --- (.+?) -+\n((?:(?!    # ---).*\n)*)", text):
        sections[title] = re.findall(r"^    (\w+): ", body, re.MULTILINE)
    assert [name for names in sections.values() for name in names] == [field.name for field in fields(SearchOptions)]
    return sections


def _option(name: str) -> str:
    source = _source(SearchOptions)[name]
    facts = [f"default `{_written(getattr(SearchOptions(), name))}`", _range(name, source.type)]
    if name not in UNPROBED:
        under, known = heeded(name), get_args(Semantics)
        facts.append("every semantics" if len(under) == len(known) else "only " + _listed(under))
    lines = [f"### {name}\n", "; ".join(facts) + "\n", markdown(source.doc) + "\n"]
    if name == "stop":
        lines.append("".join(f"- `{each}` knows {stop_rules(each)}\n" for each in get_args(Semantics)))
    lines.append("".join(f"- `{example}`: {what}\n" for example, what in EXAMPLES[name]))
    return "\n".join(lines)


def _range(name: str, type_: str) -> str:
    if type_ == "bool":
        return "`True` or `False`"
    if "|" in type_:
        return "one of " + _listed(re.findall(r"\w+", type_))
    said = allowed(name)
    if name == "length_penalty":
        said += f" (`hf`: {allowed(name, semantics='hf')})"
    kinds = {
        "int": "whole, ",
        "float": "",
        "tuple[int, ...]": "",
        "tuple[tuple[int, ...], ...]": "token sequences, of ",
        "tuple[tuple[tuple[int, ...], float], ...]": "pairs of a token sequence and ",
    }
    return kinds[type_] + said


def _fields(of: type[SentenceInput] | type[Hypothesis]) -> str:
    lines = ["| field | default | what |", "| --- | --- | --- |"]
    for field in fields(of):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        doc = markdown(_source(of)[field.name].doc)
        lines.append(f"| `{field.name}` | {'' if default is MISSING else f'`{_written(default)}`'} | {doc} |")
    return "\n".join(lines) + "\n"


def _presets() -> str:
    lines = ["## Presets\n"]
    lines.append("What `seq2seq_kit.decoding.presets.preset(name)` starts from: each toolkit's own defaults.\n")
    lines += ["| name | options that differ from ours |", "| --- | --- |"]
    for name in get_args(Semantics):
        values = preset(name)
        differ = [f.name for f in fields(values) if getattr(values, f.name) != f.default and f.name != "semantics"]
        lines.append(f"| `{name}` | {_listed([f'{each}={_written(getattr(values, each))}' for each in differ])} |")
    return "\n".join(lines) + "\n"


def _source(of: type) -> dict[str, FieldSource]:
    found = find_class(of)
    assert found is not None
    return {field.name: field for field in found.fields}


def _written(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else "math.inf" if value == math.inf else repr(value)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def markdown(docstring: str) -> str:
    """A docstring's reStructuredText as Markdown."""
    text = re.sub(r":\w+:`~[\w.]*\.(\w+)`|:\w+:`([\w.]+)`", lambda m: f"`{m[1] or m[2]}`", docstring)
    return text.replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
