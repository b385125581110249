"""What does the search itself cost a step, beside Hugging Face's ``generate`` and a plain PyTorch loop?

The step costs nothing: it returns views of a table [B K, V] made beforehand, the same for all. V = 32,000, K = 5, B = 1
and 32, outputs of exactly 50 tokens without an end symbol, so that all take the same steps. ``options`` adds a
repetition penalty of 1.2 and bars repeated trigrams. Samples are five a sentence. One process, so the same memory.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from benchmarks.parity_hf import REQUIREMENTS
from benchmarks.support import results
from benchmarks.support.environments import environment
from benchmarks.support.harness import Options, measure
from benchmarks.support.worker import Job, serve

KIT, REFERENCE, PLAIN, HF = "kit", "kit, reference numerics", "plain PyTorch loop", "Hugging Face generate"
SYSTEMS = (KIT, REFERENCE, PLAIN, HF)
VOCABULARY, BEAMS, STEPS = 32_000, 5, 50
OPTIONS = {"repetition_penalty": 1.2, "no_repeat_ngram": 3}
METHODS: dict[str, dict[str, Any]] = {
    "greedy": {"beams": 1},
    "beam": {"beams": BEAMS},
    "beam, repetition penalty": {"beams": BEAMS, "repetition_penalty": 1.2},
    "beam, no repeated trigrams": {"beams": BEAMS, "no_repeat_ngram": 3},
    "beam, options": {"beams": BEAMS, **OPTIONS},
    "sampling": {"beams": BEAMS, "sampling": True},
    "sampling, top-p": {"beams": BEAMS, "sampling": True, "top_p": 0.9},
}
CASES = {  # the rivals need half a second a step for top-p at batch 32
    f"{method}, batch {batch}": (how, batch)
    for batch in (1, 32)
    for method, how in METHODS.items()
    if not (batch == 32 and "top_p" in how)
}


def run(options: Options) -> results.Result:
    """Measure all cases in the environment where the peer is installed."""
    command = [str(environment("transformers-4.55", REQUIREMENTS, ours=True)), "-m", "benchmarks.search_overhead"]
    measured = measure(dict.fromkeys(SYSTEMS, command), list(CASES), "steps", options)
    medians = {(row.case, row.system): row.median for row in measured.rows}
    added = {
        case: f"{medians[f'beam, batch {batch}', KIT] / medians[case, KIT] - 1:+.1%}"
        for case, (_, batch) in CASES.items()
        if case.startswith("beam, ") and not case.startswith("beam, batch")
    }
    settings = {
        "work": f"V = {VOCABULARY}, K = {BEAMS}, {STEPS} steps, scores from a table in memory, float32",
        **measured.settings,
        "kit: time added to plain beam search": added,
        "sentences with the plain loop's tokens (kit, Hugging Face)": {
            case: [_same(measured.outputs[case, ours], measured.outputs[case, PLAIN]) for ours in (KIT, HF)]
            for case in CASES
            if not case.startswith("sampling")
        },
    }
    return results.Result(
        name="search_overhead",
        date=results.today(),
        machine=results.machine(),
        versions=measured.versions,
        settings=settings,
        rows=measured.rows,
        ratios=[results.ratio(measured.rows, case, KIT, theirs) for case in CASES for theirs in (HF, PLAIN)],
    )


def _same(ours: list[Any], theirs: list[Any]) -> str:
    return f"{sum(one == other for one, other in zip(ours, theirs, strict=True))} of {len(ours)}"


@cache
def _table() -> Any:
    from benchmarks.overhead_loops import Table

    return Table(32, BEAMS, VOCABULARY)


class Searching:
    """One system in one case."""

    parts: dict[str, float] = {}

    def __init__(self, system: str, case: str) -> None:
        self.system = system
        self.how, self.batch = CASES[case]
        self.found: list[Any] = []
        self._search = self._kit() if system in (KIT, REFERENCE) else self._plain() if system == PLAIN else self._hf()

    def run(self) -> int:
        self.found = self._search()
        return STEPS

    def output(self) -> list[Any]:
        """The first tokens; what is drawn cannot be compared."""
        self.run()
        return [] if self.how.get("sampling") else [list(map(int, tokens[:10])) for tokens in self.found]

    def _kit(self) -> Any:
        from seq2seq_kit import SearchOptions, search

        table, batch = _table(), self.batch
        how = {name: value for name, value in self.how.items() if name not in ("beams", "sampling")}
        options = SearchOptions(
            beam_size=self.how["beams"],
            max_length=STEPS,
            bos_id=0,
            eos_ids=(),
            sampling="tokens" if self.how.get("sampling") else "off",
            numerics="fast" if self.system == KIT else "reference",
            **how,
        )

        def step(tokens: Any, position: Any, state: Any) -> Any:
            width = tokens.shape[1]
            return table(int(position[0]), batch, width)

        return lambda: [sentence[0].tokens for sentence in search(step, options=options, batch_size=batch)]

    def _plain(self) -> Any:
        import torch

        from benchmarks.overhead_loops import plain_search

        @torch.inference_mode()
        def search() -> Any:
            return plain_search(_table(), self.batch, self.how["beams"], STEPS, self.how)

        return search

    def _hf(self) -> Any:
        import torch

        from benchmarks.overhead_loops import hugging_face

        model = hugging_face(_table(), self.how["beams"], VOCABULARY)
        sampling = self.how.get("sampling", False)
        how = {
            "num_beams": 1 if sampling else self.how["beams"],
            "num_return_sequences": self.how["beams"] if sampling else 1,
            "do_sample": sampling,
            "top_k": 0 if sampling else None,
            "top_p": self.how.get("top_p"),
            "repetition_penalty": self.how.get("repetition_penalty"),
            "no_repeat_ngram_size": self.how.get("no_repeat_ngram"),
        }
        how = {name: value for name, value in how.items() if value is not None}
        start = torch.zeros(self.batch, 1, dtype=torch.long)
        return lambda: model.generate(start, max_new_tokens=STEPS, **how)[:, 1:]


def prepare(system: str, case: str) -> Job:
    """One case of one system."""
    return Searching(system, case)


if __name__ == "__main__":
    serve(prepare, ["torch", "transformers", "seq2seq_kit"])
