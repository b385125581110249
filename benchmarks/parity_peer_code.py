"""Do the fairseq, OpenNMT-py, JoeyNMT and Sockeye semantics find what the toolkits' own search code finds?

Random combinations of the options that each of them has, on random tables of scores, through the search code of its
published release: the same tokens in the same order, scores within 1e-5. Where tokens differ and scores do not, the two
met a tie that rounding decides, which is counted. Nothing else is exempt but what the semantics names as the toolkit's
fault: fairseq's n-gram blocking is given its rows without padding, words with which JoeyNMT fills up a list are left
out, and so is what Sockeye lists beside what has ended.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from benchmarks.support import results
from benchmarks.support.harness import ROOT, Options

if TYPE_CHECKING:
    from torch import Tensor

    from seq2seq_kit.decoding.inputs import SentenceInput
    from seq2seq_kit.decoding.options import SearchOptions

COMBINATIONS, TOLERANCE = 500, 1e-5  # combinations a toolkit
PAD, UNK, EOS, FIRST_WORD = 0, 1, 3, 4  # the ids that Sockeye fixes
Scored = list[tuple[list[int], float]]


@dataclass
class Tally:
    """What came of the comparisons, each of one sentence."""

    sentences: Counter[str] = field(default_factory=Counter)
    equal: Counter[str] = field(default_factory=Counter)
    near_ties: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    uses: dict[str, Counter[str]] = field(default_factory=dict)  # of each option, by toolkit
    largest_gap: float = 0.0  # between scores of equal outputs


def run(options: Options) -> results.Result:
    """Compare in a process of its own, in which the toolkits' packages are placeholders."""
    from benchmarks.support.peer_code import PEERS, fetch

    start = time.perf_counter()
    fetch()
    command = [sys.executable, "-m", "benchmarks.parity_peer_code"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    tally: dict[str, Any] = json.loads(done.stdout)
    total = sum(tally["sentences"].values())
    uses = {f"uses of each option, {name}": results.listed(counts) for name, counts in tally["uses"].items()}
    return results.Result(
        name="parity_peer_code",
        date=results.today(),
        machine=results.machine(),
        versions=dict(peer.requirement.split("==") for peer in PEERS.values()) | tally["versions"],
        settings={
            "sentences": total,
            "near-ties": f"{len(tally['near_ties'])} of {total} sentences",
            "different": len(tally["different"]),
            "scores": f"within {TOLERANCE} of each other (greatest difference {tally['largest_gap']:.1e})",
            **uses,
            "minutes": round((time.perf_counter() - start) / 60, 1),
        },
        rows=results.equal_rows(tally["sentences"], tally["equal"]),
    )


def compare(combinations: int, first: int, slow: bool) -> Tally:
    """Draw, search with both, compare."""
    from benchmarks.support.peer_searches import SEARCHES

    tally = Tally(uses={name: Counter() for name in SEARCHES})
    for name, search in SEARCHES.items():
        for number in range(first, first + combinations):
            rng = random.Random(f"{name} {number}")
            vocab = rng.choice([12, 30, 60])
            score = table(rng, vocab)
            drawn, sentence, uses = draw(rng, name, vocab)
            tally.uses[name].update(uses)
            theirs = search(score, vocab, drawn, sentence)
            ours = _slow(score, drawn, sentence) if slow else _ours(score, drawn, sentence)
            _tell(tally, name, ours, theirs, f"{name} {number}: {drawn} {sentence}")
    return tally


def table(rng: random.Random, vocab: int) -> Callable[[list[int]], Tensor]:
    """Logits [V] looked up by a hash of the prefix. Padding and BOS, the last token, are as good as impossible."""
    import torch

    rows = torch.randn(101, vocab, generator=torch.Generator().manual_seed(rng.randrange(2**31)))
    rows *= rng.choice([1.0, 2.0, 3.0])
    rows[:, EOS] += rng.choice([-2.0, 0.0, 1.5])
    rows[:, [PAD, vocab - 1]] = -60

    def score(prefix: list[int]) -> Tensor:
        hashed = 0
        for token in prefix:
            hashed = (hashed * 7 + token * 3 + 14) % len(rows)
        return rows[hashed]

    return score


def draw(rng: random.Random, name: str, vocab: int) -> tuple[SearchOptions, SentenceInput, list[str]]:
    """What the toolkit can be told, drawn, and the names of what is not as it would be without."""
    from seq2seq_kit.decoding.inputs import SentenceInput
    from seq2seq_kit.decoding.options import SearchOptions

    beam, longest = rng.randint(1, 5), rng.randint(2, 9)
    plain = SearchOptions(
        semantics=name,  # type: ignore[arg-type]
        beam_size=beam,
        bos_id=EOS if name == "fairseq" else vocab - 1,
        eos_ids=(EOS,),
        unk_id=UNK,
        max_length=longest,
        suppress=(PAD,),
    )
    chosen: dict[str, Any] = {
        "n_best": beam if name == "fairseq" else rng.randint(1, beam),
        "length_penalty": rng.choice([0.0, 0.6, 1.0, 2.0]),
        "unk_penalty": rng.choice([0.0, math.inf]),
    }
    if name != "sockeye":
        chosen["min_length"] = rng.choice([0, 0, 1, min(3, longest - 1)])
        chosen["no_repeat_ngram"] = rng.choice([0, 0, 2, 3])
    prefix: tuple[int, ...] = ()
    if name == "fairseq":
        chosen["unk_penalty"] = rng.choice([0.0, 1.5])
        chosen["temperature"] = rng.choice([1.0, 1.0, 0.6, 1.8])
        chosen["sibling_penalty"] = rng.choice([0.0, 0.0, 0.5, 2.0])
        if rng.random() < 0.3:
            chosen |= {"max_length": 100, "max_length_ratio": rng.choice([0.5, 1.2]), "max_length_margin": 4}
        if rng.random() < 0.3 and not chosen["no_repeat_ngram"]:
            prefix = tuple(rng.randrange(FIRST_WORD, vocab - 1) for _ in range(rng.randint(1, 2)))
    if name == "opennmt":
        chosen["length_penalty_offset"] = rng.choice([0.0, 5.0])
        if chosen["length_penalty"] and not chosen["length_penalty_offset"]:
            chosen["length_penalty"] = 1.0  # "avg" has no alpha
        if chosen["no_repeat_ngram"] and rng.random() < 0.5:
            chosen["no_repeat_ngram_except"] = (FIRST_WORD, FIRST_WORD + 1)
    if name == "joey":
        chosen["length_penalty_offset"] = 5.0
    if name == "sockeye":
        chosen["length_penalty_offset"] = rng.choice([0.0, 5.0])
        chosen["brevity_penalty"] = rng.choice([0.0, 1.0, 3.0])
        chosen["brevity_ratio"] = rng.choice([1.0, 1.5])
        chosen["stop"] = rng.choice(["all", "first"])
    uses = [option for option, value in chosen.items() if value != getattr(plain, option)]
    uses += ["prefix"] * bool(prefix) + ["beam_size"] * (beam > 1)
    return replace(plain, **chosen), SentenceInput(source_length=rng.randint(1, 9), prefix=prefix), uses


def _ours(score: Callable[[list[int]], Tensor], options: SearchOptions, sentence: SentenceInput) -> Scored:
    import torch

    from seq2seq_kit import search
    from seq2seq_kit.interfaces import DecoderState, StepOutput

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        read = torch.cat([state.history["read"], tokens.unsqueeze(-1)], -1)  # [1, K, 1 + t], BOS first
        scores = torch.stack([score(prefix[1:]) for prefix in read[0].tolist()]).unsqueeze(0)
        return StepOutput(scores, "logits", {}, {"read": tokens.unsqueeze(-1)})

    state = DecoderState(history={"read": torch.zeros(1, 1, 0, dtype=torch.int64)})
    [found] = search(step, state, options, sentences=[sentence])
    return [(each.tokens, each.score) for each in found]


def _slow(score: Callable[[list[int]], Tensor], options: SearchOptions, sentence: SentenceInput) -> Scored:
    """The same by the slow reference search."""
    from seq2seq_kit.testing.reference_search import reference_search

    return [(each.tokens, each.score) for each in reference_search(score, options, sentence)]


def _tell(tally: Tally, name: str, ours: Scored, theirs: Scored, where: str) -> None:
    tally.sentences[name] += 1
    gap = max((abs(a[1] - b[1]) / max(1, abs(b[1])) for a, b in zip(ours, theirs, strict=False)), default=0.0)
    close = len(ours) == len(theirs) and gap <= TOLERANCE
    if close and [tokens for tokens, _ in ours] == [tokens for tokens, _ in theirs]:
        tally.equal[name] += 1
        tally.largest_gap = max(tally.largest_gap, gap)
        return
    found = f"{where}: ours {ours}, theirs {theirs}"
    (tally.near_ties if close else tally.different).append(found)
    print("near-tie" if close else "DIFFERENT", found, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="compare here and now, and write what came of it as JSON")
    parser.add_argument("--combinations", type=int, default=COMBINATIONS, help="for each toolkit (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first combination")
    parser.add_argument("--slow", action="store_true", help="the slow reference search in place of the engine")
    arguments = parser.parse_args()
    from importlib.metadata import version

    import torch

    torch.set_num_threads(1)
    tally = compare(arguments.combinations, arguments.first, arguments.slow)
    print(json.dumps(vars(tally) | {"versions": {d: version(d) for d in ("torch", "seq2seq_kit")}}))


if __name__ == "__main__":
    main()
