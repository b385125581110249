"""The systems that :mod:`benchmarks.decode` measures: the same weights, the same sources, each in its own words.

Runs where the peers are installed; a system imports nothing of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.support.marian import TARGET_LENGTH

Scored = tuple[list[str], float]
"""The tokens of an output, and the sum of their log-probabilities."""


@dataclass(frozen=True)
class Case:
    """What is decoded."""

    size: str
    batch: int
    """Sentences a batch."""
    beams: int
    alone: bool = False
    """Whether the next sentence is given only when the last is answered; else a batch a thread is given at once."""

    @property
    def name(self) -> str:
        """As in the tables."""
        how = "one at a time" if self.alone else f"batch {self.batch}"
        return f"{self.size}, {how}, {'greedy' if self.beams == 1 else f'beam {self.beams}'}"

    def sources(self, threads: int) -> int:
        """How many sentences are given at once."""
        return 1 if self.alone else self.batch * threads


class System(Protocol):
    """A toolkit in one precision and with one setting, its model loaded."""

    def decode(self, sources: Sequence[str], case: Case, n_best: int) -> list[list[Scored]]:
        """The n-best of each source; scores are looked at where ``n_best`` is above 1."""


class Kit:
    """Ours, by its pipeline."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        from seq2seq_kit import load

        self._pipeline = load(folder / "run", threads=threads, precision=precision)  # type: ignore[arg-type]

    def decode(self, sources: Sequence[str], case: Case, n_best: int) -> list[list[Scored]]:
        """See :class:`System`."""
        from seq2seq_kit.interfaces import Example

        options = self._pipeline.options(
            semantics="ct2", beam_size=case.beams, n_best=n_best, max_length=TARGET_LENGTH, length_penalty=0.0
        )
        outputs = self._pipeline.outputs(map(Example, sources), options, batch_size=case.batch)
        return [[(o.tokens, o.score) for o in (output, *output.alternatives)] for output in outputs]


class CTranslate2:
    """Its ``Translator``; ``inter`` batches at once on ``intra`` threads each."""

    def __init__(self, folder: Path, precision: str, inter: int, intra: int) -> None:
        import ctranslate2
        from transformers import MarianTokenizer

        self._tokenizer = MarianTokenizer.from_pretrained(folder / "hf")
        threads = {"inter_threads": inter, "intra_threads": intra}
        self._translator = ctranslate2.Translator(str(folder / precision), compute_type=precision, **threads)

    def decode(self, sources: Sequence[str], case: Case, n_best: int) -> list[list[Scored]]:
        """See :class:`System`."""
        tokens = [self._tokenizer.convert_ids_to_tokens(ids) for ids in self._tokenizer(list(sources))["input_ids"]]
        found = self._translator.translate_batch(
            tokens,
            max_batch_size=case.batch,
            beam_size=case.beams,
            num_hypotheses=n_best,
            max_decoding_length=TARGET_LENGTH,
            length_penalty=0,
            return_scores=n_best > 1,
        )
        return [[*zip(one.hypotheses, one.scores or [0.0] * n_best, strict=True)] for one in found]


class HuggingFace:
    """``generate``, a batch after the other."""

    def __init__(self, folder: Path, precision: str) -> None:
        import torch
        from transformers import MarianMTModel, MarianTokenizer

        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
        self._tokenizer = MarianTokenizer.from_pretrained(folder / "hf")
        self._model = MarianMTModel.from_pretrained(folder / "hf", dtype=dtype).eval()

    def decode(self, sources: Sequence[str], case: Case, n_best: int) -> list[list[Scored]]:
        """See :class:`System`."""
        found: list[list[Scored]] = []
        for first in range(0, len(sources), case.batch):
            batch = self._tokenizer(list(sources[first : first + case.batch]), return_tensors="pt")
            beams = {"num_beams": case.beams, "num_return_sequences": n_best, "length_penalty": 0.0}
            output = self._model.generate(
                **batch,
                **(beams if case.beams > 1 else {"num_beams": 1}),
                do_sample=False,
                max_new_tokens=TARGET_LENGTH,
                return_dict_in_generate=True,
                output_scores=n_best > 1,
            )
            rows = [self._tokenizer.convert_ids_to_tokens(ids) for ids in output.sequences[:, 1:].tolist()]
            scores = output.sequences_scores.tolist() if n_best > 1 else [0.0] * len(rows)
            scored = [*zip(rows, scores, strict=True)]
            found += [scored[at : at + n_best] for at in range(0, len(scored), n_best)]
        return found


class Decoding:
    """One case of one system."""

    parts: dict[str, float] = {}

    def __init__(self, system: System, case: Case, sources: Sequence[str]) -> None:
        self._system, self._case, self._sources = system, case, sources

    def run(self) -> int:
        """Decode the sources once; the number of target tokens."""
        return sum(len(tokens) for (tokens, _), *_ in self._system.decode(self._sources, self._case, 1))

    def output(self) -> list[Any]:
        """The n-best of each source, with scores where there is a beam."""
        return self._system.decode(self._sources, self._case, self._case.beams)


def maker(name: str, folder: Path, threads: int) -> Callable[[], System]:
    """What loads a system by its name: ``kit, int8``, ``CTranslate2 int8, 2 x 1`` (batches at once x threads each),
    ``Hugging Face, bf16``; ``folder`` holds a model in the forms of all."""
    toolkit, _, setting = name.partition(", ")
    if toolkit == "kit":
        return lambda: Kit(folder, setting, threads)
    if toolkit == "Hugging Face":
        return lambda: HuggingFace(folder, setting)
    inter, intra = map(int, setting.split(" x "))
    return lambda: CTranslate2(folder, toolkit.removeprefix("CTranslate2 "), inter, intra)
