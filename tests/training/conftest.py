"""A tiny run that uses all that a resume must restore: dropout, sampled teacher forcing, several epochs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.run_config import RunConfig, make_config


def _values(data: Path, training: dict[str, Any]) -> dict[str, Any]:
    return {
        "seed": 5,
        "task": {"name": "translation", "source_tokenizer": "word", "target_tokenizer": "word"},
        "data": {"train": [str(data)], "dev": [str(data)]},
        "model": {
            "encoder": {"name": "gru", "embedding_size": 12, "size": 16, "bidirectional": True, "dropout": 0.1},
            "decoder": {"name": "gru", "embedding_size": 12, "size": 16, "dropout": 0.1},
        },
        "training": {
            "max_steps": 40,
            "batch_tokens": 60,
            "learning_rate": 0.01,
            "teacher_forcing": {"name": "linear", "steps": 30, "end": 0.5},
            "schedule": {"name": "inverse_sqrt", "warmup": 10},
            "log_every": 3,
            "save_every": 7,
            "validate_every": 10,
            "validation_examples": 8,
            **training,
        },
        "search": {"beam_size": 2, "max_length": 8},
    }


@pytest.fixture(scope="session")
def tiny_values(tiny_data: Path) -> Callable[..., dict[str, Any]]:
    """``tiny_values(max_steps=5)``: the same as plain values."""
    return lambda **training: _values(tiny_data, training)


@pytest.fixture(scope="session")
def tiny(tiny_values: Callable[..., dict[str, Any]]) -> Callable[..., RunConfig]:
    """``tiny(max_steps=5)``: a configuration with some of its training section changed."""
    return lambda **training: make_config(tiny_values(**training), [], "test")
