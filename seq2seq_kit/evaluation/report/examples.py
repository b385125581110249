"""The examples of the page: the best and the worst in full, and all of them in one table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq_kit.evaluation.report.attention import packed
from seq2seq_kit.evaluation.report.differences import Part, differences, nearest
from seq2seq_kit.evaluation.report.facts import ReportedRun
from seq2seq_kit.evaluation.report.scores import tie_breaks
from seq2seq_kit.interfaces import Output

SHOWN = 10
"""Best and worst examples, so many of each."""
LONGEST = 4000
"""Characters of a text that are shown in full."""
TABLE_ROWS = 10_000
"""Examples in the table, and among which the best and the worst are looked for."""
TABLE_BYTES = 3_000_000
"""Of the texts in the table; where it takes more, they are cut."""
_SHORTEST_CUT = 60


@dataclass(frozen=True)
class Answer:
    """What one run wrote for one example."""

    run: str
    output: list[Part]
    reference: list[Part]
    """The nearest one."""
    sentence_score: float
    score: float
    finish: str
    alternatives: list[tuple[float, str]]
    attention: str | None
    """Its key among the drawn attentions."""


@dataclass(frozen=True)
class Shown:
    """One example in full."""

    number: int
    """From 1, in the order of the data."""
    anchor: str
    """Its id in the page: an example may be shown twice where more than two runs are compared."""
    source: str
    references: list[str]
    answers: list[Answer]


@dataclass(frozen=True)
class Group:
    """Examples under one heading."""

    title: str
    examples: list[Shown]


class Gallery:
    """The examples that are shown in full, and the attentions to draw.

    Args:
        sentence: for each run the score of each output alone, by ``metric``; without one examples stay in order.
    """

    def __init__(self, runs: Sequence[ReportedRun], sentence: Sequence[Sequence[float]], metric: str) -> None:
        self.attentions: dict[str, dict[str, Any]] = {}
        self._runs, self._sentence, self._metric = runs, sentence, metric
        self._sign = 1 if not metric or runs[0].metrics[metric].higher_is_better else -1
        self._anchors: Counter[int] = Counter()
        self.groups = [
            Group(title, [self._shown(place) for place in places]) for title, places in self._chosen() if places
        ]

    def _chosen(self) -> list[tuple[str, list[int]]]:
        """Headings with the places of their examples."""
        first, count = self._runs[0], min(TABLE_ROWS, len(self._runs[0].texts))
        if not any(map(math.isfinite, self._sentence[0])):
            return [("First", list(range(min(count, 2 * SHOWN))))]
        if len(self._runs) == 1:
            texts = first.texts
            others = tie_breaks(first, self._metric)
            worst_first = sorted(range(count), key=lambda i: (self._worth(0, i), *others[i], len(texts[i]), i))
            few = min(SHOWN, (count + 1) // 2)
            best = worst_first[few:][-SHOWN:][::-1]
            return [("Worst", worst_first[:few]), ("Best", best)]
        chosen = []
        for place, run in list(enumerate(self._runs))[1:]:
            gains = [self._worth(place, i) - self._worth(0, i) for i in range(count)]
            for verdict, sign in (("better", 1), ("worse", -1)):
                found = [(sign * gain, -i) for i, gain in enumerate(gains) if math.isfinite(gain) and sign * gain > 0]
                places = [-i for _, i in sorted(found, reverse=True)[:SHOWN]]
                chosen.append((f"{run.name} is {verdict} than {first.name}", places))
        return chosen

    def _worth(self, run: int, place: int) -> float:
        value = self._sentence[run][place]
        return -math.inf if math.isnan(value) else self._sign * value

    def _shown(self, place: int) -> Shown:
        example = self._runs[0].result.examples[place]
        references = [cut(reference) for reference in example.references]
        answers = [self._answer(run, place, references) for run in range(len(self._runs))]
        again = f"-{self._anchors[place]}" if self._anchors[place] else ""
        self._anchors[place] += 1
        return Shown(place + 1, f"example-{place + 1}{again}", cut(example.source), references, answers)

    def _answer(self, run: int, place: int, references: Sequence[str]) -> Answer:
        output = self._runs[run].result.outputs[place]
        text = cut(output.text)
        here: list[Part] = [(True, text)]
        there: list[Part] = []
        if references:
            here, there = differences(text, references[nearest(text, references)])
        return Answer(
            run=self._runs[run].name,
            output=here,
            reference=there,
            sentence_score=self._sentence[run][place],
            score=output.score,
            finish=output.finish,
            alternatives=[(one.score, cut(one.text)) for one in output.alternatives],
            attention=self._attention(f"{place + 1}/{run}", output),
        )

    def _attention(self, key: str, output: Output) -> str | None:
        drawn = packed(output)
        if drawn is None:
            return None
        self.attentions[key] = drawn
        return key


def table(runs: Sequence[ReportedRun], sentence: Sequence[Sequence[float]], metric: str) -> dict[str, Any]:
    """The data of the table: a row is number, source, reference, and of each run its text and two scores.

    ``longest`` is the number of characters after which texts are cut; 0: none is.
    """
    examples = runs[0].result.examples[:TABLE_ROWS]
    texts = [text for example in examples for text in (example.source, *example.references[:1])]
    texts += [output.text for run in runs for output in run.result.outputs[:TABLE_ROWS]]
    longest = _fitting(texts)
    rows = [
        [
            place + 1,
            cut(example.source, longest),
            cut(example.references[0], longest) if example.references else "",
            *(
                [cut(output.text, longest), _number(score), _number(output.score)]
                for output, score in (
                    (run.result.outputs[place], own[place]) for run, own in zip(runs, sentence, strict=True)
                )
            ),
        ]
        for place, example in enumerate(examples)
    ]
    shortened = any(len(text) > longest for text in texts)
    return {"runs": [run.name for run in runs], "metric": metric, "rows": rows, "longest": longest if shortened else 0}


def cut(text: str, longest: int = LONGEST) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _fitting(texts: Sequence[str]) -> int:
    """The characters to which texts are cut so that all take :data:`TABLE_BYTES`, or nearly so."""
    longest = LONGEST
    while longest > _SHORTEST_CUT and sum(len(text[:longest].encode()) for text in texts) > TABLE_BYTES:
        longest = max(_SHORTEST_CUT, longest * 3 // 4)
    return longest


def _number(value: float) -> float | None:
    """As JSON has it; None: there is none."""
    return round(value, 4) if math.isfinite(value) else None
