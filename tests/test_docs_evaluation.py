"""``docs/evaluation.md``: its metric works, and has an interval."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.evaluation.bootstrap import interval, resample

PAGE = (Path(__file__).parents[1] / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_its_metric_has_an_interval() -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, "<docs/evaluation.md>", "exec"), names)
    metric = names["ShareOfQuestions"](names["ShareOfQuestionsConfig"]())
    outputs, references = ["Why?", "So.", "Who?", "Well."] * 5, [["x"]] * 20
    assert metric(outputs, references) == 50
    assert metric.sentence_scores(outputs[:2], references[:2]) == [100, 0]
    samples = resample(metric, outputs, references)
    assert samples is not None and len(samples) == 1000
    bounds = interval(samples)
    assert bounds is not None and bounds.low == pytest.approx(30, abs=6) and bounds.high == pytest.approx(70, abs=6)
