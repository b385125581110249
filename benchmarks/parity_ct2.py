"""Does ``semantics="ct2"`` find what CTranslate2's ``Translator`` finds, token for token and in its order?

Random combinations of its options on tiny random models of four families, converted by its own converter (float32), and
run as a Python step under our contract. Its kernels and torch's differ in the last bits of every sum: scores and
attention must agree within 1e-5 (of themselves where they are beyond 1: they are sums); where tokens differ and scores
do not, the two met a tie that rounding decides, which is counted. Nothing else is exempt.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.support import results
from benchmarks.support.environments import environment
from benchmarks.support.harness import ROOT, Options

REQUIREMENTS = ["ctranslate2==4.8.5", "transformers==4.57.6"]
COMBINATIONS, TOLERANCE, SEEDS, SENTENCES = 1000, 1e-5, range(3), 3
Scored = list[tuple[list[str], float, list[list[float]] | None]]
"""The tokens of a sentence's hypotheses, a prefix included, their scores, and their attention where it is asked for."""


@dataclass
class Tally:
    """What came of the comparisons; counts are of sentences where not said."""

    combinations: int = 0
    sentences: Counter[str] = field(default_factory=Counter)  # by family
    equal: Counter[str] = field(default_factory=Counter)
    near_ties: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    uses: Counter[str] = field(default_factory=Counter)  # of each option, in combinations
    lengths: Counter[int] = field(default_factory=Counter)  # of outputs
    largest_gap: float = 0.0  # between scores of equal outputs, and their attention


def run(options: Options) -> results.Result:
    """Compare in an environment where the peer is installed."""
    start = time.perf_counter()
    python = environment("ctranslate2", REQUIREMENTS, ours=True)
    command: list[str | Path] = [python, "-m", "benchmarks.parity_ct2"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    tally: dict[str, Any] = json.loads(done.stdout)
    total = sum(tally["sentences"].values())
    return results.Result(
        name="parity_ct2",
        date=results.today(),
        machine=results.machine(),
        versions=tally["versions"],
        settings={
            "combinations": tally["combinations"],
            "sentences": total,
            "near-ties": f"{len(tally['near_ties'])} of {total} sentences",
            "different": len(tally["different"]),
            "scores, attention": f"within {TOLERANCE} (greatest difference {tally['largest_gap']:.1e})",
            "uses of each option, in combinations": results.listed(tally["uses"]),
            "minutes": round((time.perf_counter() - start) / 60, 1),
        },
        rows=results.equal_rows(tally["sentences"], tally["equal"]),
    )


def compare(combinations: int, first: int, slow: bool) -> Tally:
    """Draw, search with both, compare."""
    from benchmarks.support.ct2_models import FAMILIES, VOCABULARY, Step, build, convert
    from benchmarks.support.ct2_options import draw

    tally = Tally()
    models = []
    with tempfile.TemporaryDirectory() as folder:
        for name, family in FAMILIES.items():
            for seed in SEEDS:
                model = build(family, seed)
                models.append((family, Step(model, family), convert(model, family, Path(folder) / f"{name}-{seed}")))
    for number in range(first, first + combinations):
        rng = random.Random(number)
        family, step, translator = models[number % len(models)]
        vocabulary = family.vocabulary(VOCABULARY)
        sources = [
            [*(rng.randrange(3, VOCABULARY - 1) for _ in range(rng.randint(1, 9))), family.eos]
            for _ in range(SENTENCES)
        ]
        written = translator.translate_batch(
            [[vocabulary[token] for token in source] for source in sources], beam_size=4, max_decoding_length=8
        )
        common = [vocabulary.index(token) for result in written for token in result.hypotheses[0]] or [5]
        drawn = draw(rng, family, sources, common)
        theirs = _theirs(translator, drawn)
        ours = _slow(step, drawn) if slow else _ours(step, drawn)
        if slow:  # which gives no attention
            theirs = [[(tokens, score, None) for tokens, score, _ in sentence] for sentence in theirs]
        tally.combinations += 1
        tally.uses.update(drawn.uses)
        for sentence in range(SENTENCES):
            where = f"{number}.{sentence} {drawn.arguments}"
            _tell(tally, family.name, ours[sentence], theirs[sentence], where)
    return tally


def _tell(tally: Tally, case: str, ours: Scored, theirs: Scored, where: str) -> None:
    tally.sentences[case] += 1
    tally.lengths.update(len(tokens) for tokens, *_ in theirs)
    gaps = [abs(a[1] - b[1]) / max(1, abs(b[1])) for a, b in zip(ours, theirs, strict=False)]
    same_tokens = [tokens for tokens, *_ in ours] == [tokens for tokens, *_ in theirs]
    if same_tokens:
        gaps += [_attention_gap(a[2], b[2]) for a, b in zip(ours, theirs, strict=True)]
    gap = max(gaps, default=0.0)
    close = len(ours) == len(theirs) and gap <= TOLERANCE
    if close and same_tokens:
        tally.equal[case] += 1
        tally.largest_gap = max(tally.largest_gap, gap)
    else:
        found = f"{where} ({case}): ours {ours}, theirs {theirs}"
        (tally.near_ties if close else tally.different).append(found)
        print("near-tie" if close else "DIFFERENT", found, file=sys.stderr, flush=True)


def _attention_gap(ours: list[list[float]] | None, theirs: list[list[float]] | None) -> float:
    """The greatest difference of [tokens, source] weights; ours may have padding behind."""
    if ours is None or theirs is None:
        return 0.0 if ours is theirs else math.inf
    gaps = [abs(a - b) for row, other in zip(ours, theirs, strict=True) for a, b in zip(row, other, strict=False)]
    return max(gaps, default=0.0)


def _theirs(translator: Any, drawn: Any) -> list[Scored]:
    sources = [drawn.words(source) for source in drawn.sources]
    found = translator.translate_batch(sources, return_scores=True, **drawn.arguments)
    lists: list[Scored] = []
    for result in found:
        attention = result.attention or [None] * len(result.scores)
        listed = zip(result.hypotheses, result.scores, attention, strict=True)
        lists.append([each for each in listed if each[1] > -1e8])  # below: no further candidate
        if "return_alternatives" in drawn.uses and lists[-1][0] == lists[-1][-1]:
            del lists[-1][1:]  # the prefix leaves no room for alternatives
    return lists


def _ours(step: Any, drawn: Any) -> list[Scored]:
    from seq2seq_kit import search

    found = search(step, step.state(drawn.sources), drawn.options, sentences=drawn.sentences)
    return [_scored(sentence, drawn) for sentence in found]


def _slow(step: Any, drawn: Any) -> list[Scored]:
    """The same by the slow reference search."""
    from seq2seq_kit.testing.reference import ct2

    found = []
    for source, sentence in zip(drawn.sources, drawn.sentences, strict=True):
        score, attention = step.of_prefix(source)
        found.append(_scored(ct2.search(score, drawn.options, sentence, attention=attention), drawn))
    return found


def _scored(hypotheses: list[Any], drawn: Any) -> Scored:
    listed: Scored = []
    for hypothesis in hypotheses:
        tokens = list(hypothesis.tokens)
        while tokens and tokens[-1] in drawn.options.eos_ids and "return_end_token" not in drawn.uses:
            tokens.pop()
        attention = None if hypothesis.attention is None else hypothesis.attention[: len(tokens)].tolist()
        listed.append((drawn.words(tokens), hypothesis.score, attention))
    return listed


def main() -> None:
    parser = argparse.ArgumentParser(description="compare here and now, and write what came of it as JSON")
    parser.add_argument("--combinations", type=int, default=COMBINATIONS)
    parser.add_argument("--first", type=int, default=0, help="the number of the first combination")
    parser.add_argument("--slow", action="store_true", help="the slow reference search in place of the engine")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    tally = compare(arguments.combinations, arguments.first, arguments.slow)
    versions = {d: version(d) for d in ("ctranslate2", "transformers", "torch", "seq2seq_kit")}
    print(json.dumps(vars(tally) | {"versions": versions}))


if __name__ == "__main__":
    main()
