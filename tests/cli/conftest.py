"""A run of each task, for tests of what the commands do about bad input: trained for a step, so it says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_kit.run_config import make_config
from seq2seq_kit.training.runs import train

PART = {"name": "gru", "embedding_size": 8, "size": 8}
TASKS = {
    "translate": {"name": "translation", "source_tokenizer": "word", "target_tokenizer": "word"},
    "transduce": {"name": "plain"},
    "summarize": {"name": "summarization", "source_tokenizer": "word", "metrics": ["exact"]},
    "pronounce": {"name": "pronunciation", "metrics": ["exact"]},
    "respond": {"name": "dialogue", "source_tokenizer": "word", "max_source_length": 20, "metrics": ["exact"]},
    "generate": {"name": "language_model", "tokenizer": "word"},
}
"""By their verbs."""


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By the verbs of their tasks. Read-only for tests."""
    folder = tmp_path_factory.mktemp("tasks")
    pairs = [("one two", "UH N"), ("two three", "T UW"), ("a dog", "D AO G")]
    (folder / "pairs.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in pairs), encoding="utf-8")
    turns = "".join(f"{i}\t\t{source}\t{target}\n" for i, (source, target) in enumerate(pairs))
    (folder / "turns.tsv").write_text(turns, encoding="utf-8")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seq2seq_kit.training.curves.draw_curves", lambda *_: None)
        for verb, task in TASKS.items():
            data = str(folder / ("turns.tsv" if verb == "respond" else "pairs.tsv"))
            decoder = {**PART, "attention": "none" if verb == "generate" else "luong"}
            values = {
                "task": task,
                "data": {"train": [data], "dev": [data]},
                "model": {"decoder": decoder} | ({} if verb == "generate" else {"encoder": PART}),
                "training": {"max_steps": 1, "validation_examples": 0},
                "search": {"beam_size": 2, "max_length": 5, "sampling": "off"},
            }
            train(make_config(values, [], verb), folder / verb)
            found[verb] = folder / verb
    return found
