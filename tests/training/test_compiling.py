"""Compiled training: encoder and decoder are compiled, or the run says why they are not and goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit.interfaces import Memory
from seq2seq_kit.run_config import RunConfig, make_config
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.training.callbacks import Callback, Step
from seq2seq_kit.training.runs import train
from seq2seq_kit.training.trainer import Trainer


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


def test_new_lengths_are_not_compiled_anew_and_the_training_is_that_without(
    tiny_values: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real compiler's front end; the graphs that it finds are run as they are."""

    class Watch(Callback):
        graphs = 0
        steps: list[tuple[int, int]] = []  # target tokens, and graphs so far

        def on_step(self, trainer: Trainer, step: Step) -> None:
            self.steps.append((step.tokens, self.graphs))

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        Watch.graphs += 1
        return graph.forward

    part = {"name": "transformer", "size": 8, "layers": 1, "heads": 1, "dropout": 0.0}
    values = tiny_values(max_steps=8, teacher_forcing="constant", validation_examples=2, validate_every=4)
    values["model"] = {"encoder": part, "decoder": part}
    data = tmp_path / "data.tsv"
    data.write_text("".join(f"{'one ' * i}\t{'two ' * i}\n" * 20 for i in range(2, 9)))
    values["data"] = {"train": [str(data)], "dev": [str(data)]}
    train(make_config(values, [], "test"), tmp_path / "plain")
    original = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, **how: original(function, backend=backend, **how))
    torch._dynamo.reset()
    train(make_config(values, ["training.compile=true"], "test"), tmp_path / "run", callbacks=[Watch()])
    assert len({tokens for tokens, _ in Watch.steps}) > 3
    assert [graphs for _, graphs in Watch.steps] == [2] * 8  # encoder and decoder
    assert Watch.graphs == 2  # none for validations
    ours, theirs = (read_tensors(tmp_path / run / "model.safetensors")[0] for run in ("run", "plain"))
    # Attention does not depend on the biases of keys: their gradients are rounding, which Adam makes large.
    names = [name for name in theirs if not name.endswith(("query_key_value.bias", "key.bias"))]
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in names)


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
