"""Does ``semantics="hf"`` find what Hugging Face's ``generate`` finds, token for token and in its order?

Random combinations of everything that the pinned release can do (the last with diverse beam search of its own) on tiny
random Marian, BART and T5 models, saved, loaded back, and run as a Python step under our contract. Both search in one
process, on the same weights (in float64; the search is in float32). Scores must agree within 1e-5. Where tokens differ
and scores do not, the two met a tie that rounding decides: such near-ties are counted. Nothing else is exempt.

Drawn with care, because the peer does something else there, on purpose or not (see
``seq2seq_kit/testing/reference/hf.py``): the source's repetition penalty only where there is one hypothesis a sentence;
the exponential decay not where EOS is forbidden; ``renormalize_logits`` where scores are not ranked. What has no like
of it among our options is not drawn: contrastive search, DoLa, assisted generation, classifier-free guidance,
watermarks, and its constrained search, whose rules are not those of ours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.support import results
from benchmarks.support.environments import environment
from benchmarks.support.harness import ROOT, Options

REQUIREMENTS = ["transformers==4.55.4"]
COMBINATIONS, TOLERANCE, SEEDS = 900, 1e-5, range(6)
TRUNCATIONS = {"top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"}
Scored = list[tuple[list[int], float]]
"""The tokens of a sentence's results, prefix included, and their scores.

Greedy outputs and samples have none there: their log-probability takes its place, or 0 where the peer tells it only
after tokens have been removed. Samples, which it does not rank, are in the order of their tokens.
"""


@dataclass
class Tally:
    """What came of the comparisons. Counts are of sentences where nothing else is said."""

    combinations: int = 0
    sentences: Counter[str] = field(default_factory=Counter)  # by family and method
    equal: Counter[str] = field(default_factory=Counter)  # likewise
    near_ties: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    uses: Counter[str] = field(default_factory=Counter)  # of each option, in combinations
    lengths: Counter[int] = field(default_factory=Counter)  # of outputs
    largest_gap: float = 0.0  # between scores of equal outputs


def run(options: Options) -> results.Result:
    """Compare in an environment where the peer is installed."""
    start = time.perf_counter()
    python = environment("transformers-4.55", REQUIREMENTS, ours=True)
    done = subprocess.run(
        [python, "-m", "benchmarks.parity_hf"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    tally: dict[str, Any] = json.loads(done.stdout)
    total = sum(tally["sentences"].values())
    return results.Result(
        name="parity_hf",
        date=results.today(),
        machine=results.machine(),
        versions=tally["versions"],
        settings={
            "combinations": tally["combinations"],
            "sentences": total,
            "near-ties": f"{len(tally['near_ties'])} of {total} sentences",
            "different": len(tally["different"]),
            "scores": f"within {TOLERANCE} of each other (greatest difference {tally['largest_gap']:.1e})",
            "uses of each option, in combinations": results.listed(tally["uses"]),
            "lengths of outputs": results.listed(tally["lengths"], lambda item: int(item[0])),
            "minutes": round((time.perf_counter() - start) / 60, 1),
        },
        rows=results.equal_rows(tally["sentences"], tally["equal"]),
    )


def compare(combinations: int, methods: list[str], first: int, slow: bool) -> Tally:
    """Draw, search with both, compare."""
    from benchmarks.support.hf_models import EOS, FAMILIES, PAD, PrefixStep, build, load
    from benchmarks.support.hf_options import draw

    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        models = []
        for family in FAMILIES:
            for seed in SEEDS:
                path = Path(folder) / f"{family}-{seed}"
                vocab = (43, 64, 110)[seed % 3]
                build(family, vocab, seed, path)
                models.append((family, vocab, load(family, path)))
    for seed in range(first, first + combinations):
        family, vocab, model = models[seed % len(models)]
        start = model.generation_config.decoder_start_token_id
        drawn = draw(seed, methods, vocab, PAD[family], EOS[family], start)
        theirs = _theirs(model, drawn)
        ours = _slow(PrefixStep(model), drawn) if slow else _ours(PrefixStep(model), drawn)
        tally.combinations += 1
        tally.uses.update([*drawn.uses, f"({family})"])
        for sentence in range(len(drawn.sources)):
            _tell(tally, f"{family}, {drawn.method}", ours[sentence], theirs[sentence], f"{seed}.{sentence}")
    return tally


def _tell(tally: Tally, case: str, ours: Scored, theirs: Scored, where: str) -> None:
    tally.sentences[case] += 1
    close = len(ours) == len(theirs)
    gap = max((abs(a[1] - b[1]) for a, b in zip(ours, theirs, strict=False)), default=0.0)
    close = close and gap <= TOLERANCE
    tally.lengths.update(len(tokens) for tokens, _ in theirs)
    if close and [tokens for tokens, _ in ours] == [tokens for tokens, _ in theirs]:
        tally.equal[case] += 1
        tally.largest_gap = max(tally.largest_gap, gap)
    else:
        found = f"{where} ({case}): ours {ours}, theirs {theirs}"
        (tally.near_ties if close else tally.different).append(found)
        print("near-tie" if close else "DIFFERENT", found, file=sys.stderr, flush=True)


def _padded(drawn: Any) -> tuple[Any, Any]:
    """The sources [B, S] and where they are real [B, S]."""
    import torch

    rows = torch.tensor([sentence.source for sentence in drawn.sentences])
    lengths = torch.tensor([sentence.source_length for sentence in drawn.sentences])
    return rows, (torch.arange(rows.shape[1]) < lengths.unsqueeze(1)).long()


def _theirs(model: Any, drawn: Any) -> list[Scored]:
    import torch

    source, mask = _padded(drawn)
    arguments, prefix = dict(drawn.arguments), list(drawn.sentences[0].prefix)
    if prefix:
        arguments["decoder_input_ids"] = torch.tensor([[drawn.options.bos_id, *prefix]] * len(source))
    torch.manual_seed(drawn.seed)
    found = model.generate(source, attention_mask=mask, return_dict_in_generate=True, output_scores=True, **arguments)
    if not _ranked(drawn):
        log_probs = model.compute_transition_scores(found.sequences, found.scores, normalize_logits=True)
    else:
        log_probs = None
    each = len(found.sequences) // len(source)
    sentences: list[Scored] = [[] for _ in range(len(source))]
    for i, row in enumerate(found.sequences.tolist()):
        tokens, ends = row[1:], drawn.options.eos_ids
        length = next((t + 1 for t in range(len(prefix), len(tokens)) if tokens[t] in ends), len(tokens))
        if log_probs is None:
            score = found.sequences_scores[i].item()
        else:
            score = 0.0 if _truncates(drawn) else log_probs[i, : length - len(prefix)].sum().item()
        if score > -1e8:  # else it is a placeholder: too few could finish
            sentences[i // each].append((tokens[:length], score))
    return sentences if _ranked(drawn) else [sorted(sentence) for sentence in sentences]


def _ours(step: Any, drawn: Any) -> list[Scored]:
    from seq2seq_kit import search

    found = search(step, step.state(*_padded(drawn)), drawn.options, sentences=drawn.sentences)
    return [_scored(sentence, drawn) for sentence in found]


def _slow(step: Any, drawn: Any) -> list[Scored]:
    """The same by the slow reference search."""
    import torch

    from seq2seq_kit.testing.reference import hf

    found: list[Scored] = []
    for sentence, source, mask in zip(drawn.sentences, *_padded(drawn), strict=True):
        state = step.state(source.unsqueeze(0), mask.unsqueeze(0))
        scores: dict[tuple[int, ...], torch.Tensor] = {}

        def score(prefix: list[int], state: Any = state, scores: dict[Any, Any] = scores) -> torch.Tensor:
            if (key := tuple(prefix)) not in scores:
                read = torch.tensor([[[drawn.options.bos_id, *prefix]]])  # [1, 1, t + 1]
                state.history["tokens"] = read[..., :-1]
                with torch.inference_mode():
                    scores[key] = step(read[..., -1], torch.tensor([len(prefix)]), state).scores[0, 0]
            return scores[key]

        found.append(_scored(hf.search(score, drawn.options, sentence), drawn))
    return found


def _scored(hypotheses: Sequence[Any], drawn: Any) -> Scored:
    if _ranked(drawn):
        return [(_as_written(hypothesis.tokens, drawn), hypothesis.score) for hypothesis in hypotheses]
    return sorted((h.tokens, 0.0 if _truncates(drawn) else h.log_prob) for h in hypotheses)


def _as_written(tokens: list[int], drawn: Any) -> list[int]:
    """With groups, ``generate`` writes the first end symbol in place of whichever one was found."""
    ends = drawn.options.eos_ids
    return [*tokens[:-1], ends[0]] if drawn.method == "groups" and tokens[-1] in ends else tokens


def _ranked(drawn: Any) -> bool:
    return drawn.method not in ("greedy", "sampling")


def _truncates(drawn: Any) -> bool:
    return drawn.method == "sampling" and bool(drawn.uses & TRUNCATIONS)


def main() -> None:
    from benchmarks.support.hf_options import METHODS

    parser = argparse.ArgumentParser(description="compare here and now, and write what came of it as JSON")
    parser.add_argument("--combinations", type=int, default=COMBINATIONS)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first combination")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--slow", action="store_true", help="the slow reference search in place of the engine")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    tally = compare(arguments.combinations, arguments.methods, arguments.first, arguments.slow)
    versions = {d: version(d) for d in ("transformers", "torch", "seq2seq_kit")}
    print(json.dumps(vars(tally) | {"versions": versions}))


if __name__ == "__main__":
    main()
