"""Compiled training: encoder and decoder are compiled, or the run says why they are not and goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.training.runs import train


def test_encoder_and_decoder_are_called_compiled(
    tiny: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []

    def compile(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        def called(*arguments: Any, **more: Any) -> Any:
            if isinstance(part := getattr(function, "__self__", None), torch.nn.Module):
                assert options == {"dynamic": True}
                compiled.append(type(part).__name__)
            return function(*arguments, **more)

        return called

    monkeypatch.setattr(torch, "compile", compile)
    train(tiny(max_steps=2, compile=True, teacher_forcing="constant", validation_examples=0), tmp_path / "run")
    assert {"GRUEncoder", "GRUDecoder"} == set(compiled)


def test_without_a_compiler_training_goes_on(
    tiny: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def compile(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        def called(*_: Any) -> Any:
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")

        return called

    monkeypatch.setattr(torch, "compile", compile)
    summary = train(tiny(max_steps=2, compile=True, validation_examples=0), tmp_path / "run")
    assert summary.steps == 2
    assert "goes on without it: InvalidCxxCompiler: No working C++ compiler found" in caplog.text
