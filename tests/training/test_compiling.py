"""Compiled training: encoder and decoder are compiled, or the run says why they are not and goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit.interfaces import Memory
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


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_where_compilation_fails_training_goes_on_as_if_it_had_not_been_asked_for(
    tiny: Callable[..., RunConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
) -> None:
    """The backward pass is compiled when it is first run."""

    def fail(*_: Any) -> Any:
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")

    def compile(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            output = function(*arguments)
            if isinstance(output, Memory):
                output.states.register_hook(fail)
            return output

        return fail if where == "forward" else called

    settings = {"max_steps": 2, "validation_examples": 0, "teacher_forcing": "constant"}
    train(tiny(**settings), tmp_path / "plain")
    monkeypatch.setattr(torch, "compile", compile)
    train(tiny(**settings, compile=True), tmp_path / "run")
    assert "goes on without it: InvalidCxxCompiler: No working C++ compiler found" in caplog.text
    assert (tmp_path / "run/model.safetensors").read_bytes() == (tmp_path / "plain/model.safetensors").read_bytes()
