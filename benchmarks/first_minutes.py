"""How good does English to German get in the first minutes of training, beside JoeyNMT?

Multi30k as ``transformer_german`` has it, a Transformer of 2.4 million parameters, 16.6 minutes of training in all; see
``configs/multi30k_first_minutes.yaml``. JoeyNMT 2.3 (2.3 million parameters, pre-norm, dropout 0.1) was measured
before, on two such cores, and is not run again here: greedy development BLEU after three times, and tokenized BLEU of
``test_2016_flickr`` with beam 5 and two checkpoints averaged.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks import transformer_german as german
from benchmarks.support import results, translation
from benchmarks.support.harness import Options

CONFIG = "multi30k_first_minutes"
JOEYNMT = "JoeyNMT 2.3, measured before"
TEST = {JOEYNMT: 37.10}
AVERAGED = 2


def run(options: Options) -> results.Result:
    """Train for as long as JoeyNMT was, and compare at its three times and on the test set."""
    german.convert("de")
    folder = translation.trained(CONFIG, replace(options, overrides=("search.beam_size=1", *options.overrides)))
    points = german.curve(folder)
    scores = german.score(folder, "de", options.threads, AVERAGED)
    case = f"test_2016_flickr, beam {german.BEAM}, last {AVERAGED} averaged"
    figures = [
        (f"development set, greedy, after {minutes} minutes", theirs, german.after(points, minutes))
        for minutes, theirs in german.JOEYNMT.items()
    ]
    figures.append((case, TEST[JOEYNMT], scores["systems"][f"last {AVERAGED} averaged"]["tokenized BLEU"]))
    rows = [
        results.Row(case=case, system=system, unit="tokenized BLEU", samples=[bleu], median=bleu)
        for case, theirs, ours in figures
        for system, bleu in (("kit", ours), (JOEYNMT, theirs))
        if bleu is not None
    ]
    settings = {
        **translation.of_the_run(folder),
        "greedy development BLEU (tokenized) by minutes": points,
        "reference tokens": scores["reference tokens"],
        "signatures": scores["signatures"],
    }
    return translation.result("first_minutes", settings, rows)
