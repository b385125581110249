"""A Python step compiled ahead of time: the same outputs, on the user's word alone, for what it was made of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sound_decoder import SIZE, TARGET, SoundDecoder
from torch import Tensor, nn

from seq2seq_kit import Component, ComponentConfig, MemorySpec, TargetSpec, UserError, load, register
from seq2seq_kit.checkpoint import save_weights
from seq2seq_kit.cli import main
from seq2seq_kit.decoding import compile_run, compile_step, compiled
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.decoding.stepper import begin
from seq2seq_kit.interfaces import Decoder, DecoderState, Memory, StepOutput
from seq2seq_kit.run_config import load_config
from seq2seq_kit.sealed import read_json, write_json
from seq2seq_kit.training.runs import train

pytestmark = pytest.mark.long

SOURCES = ["one two", "ten six three", "four", ""]

if shutil.which("g++") is None:
    pytest.skip("AOTInductor needs a C++ compiler", allow_module_level=True)


class SoundConfig(ComponentConfig):
    """A bit of everything in its state."""

    name: str = "sound"


class Sound(SoundDecoder):
    """With the sizes of a task."""

    def __init__(self, config: SoundConfig, target: TargetSpec, memory: MemorySpec) -> None:
        super().__init__()
        assert memory.size == SIZE
        self.embedding = nn.Embedding(target.vocab_size, SIZE)
        self.out = nn.Linear(SIZE, target.vocab_size)


@pytest.fixture(scope="module")
def run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a decoder in Python alone, not compiled."""
    register(Component("decoder", "sound", Sound, SoundConfig))
    out = tmp_path_factory.mktemp("runs") / "sound"
    encoder = f"{{name: gru, embedding_size: 8, size: {SIZE}}}"
    settings = ["training.max_steps=1", f"model.encoder={encoder}", "model.decoder=sound", "search.max_length=12"]
    train(load_config(tiny_config, settings), out)
    return out


@pytest.fixture(scope="module")
def compiled_run(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it that is."""
    out = tmp_path_factory.mktemp("runs") / "compiled"
    shutil.copytree(run, out)
    with pytest.raises(SystemExit) as ended:
        main(["compile", str(out)])
    assert ended.value.code == 0
    return out


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one at every call of the Python step."""
    called: list[int] = []
    original = SoundDecoder.step

    def counted(*arguments: Any) -> Any:
        called.append(1)
        return original(*arguments)

    monkeypatch.setattr(SoundDecoder, "step", counted)
    return called


def answers(pipeline: Pipeline, **options: Any) -> list[Any]:
    found = pipeline.translate(SOURCES, max_length=8, n_best=2, beam_size=2, **options)
    return [(o.text, pytest.approx(o.score, abs=1e-4)) for best in found for o in [best, *best.alternatives]]


def test_the_same_outputs_without_the_python_step(compiled_run: Path, steps: list[int]) -> None:
    pipeline = load(compiled_run, stepper="compiled")
    for how in ({}, {"batch_size": 1}, {"min_length": 4}):
        steps.clear()
        found = answers(pipeline, **how)
        assert not steps
        assert found == answers(load(compiled_run, stepper="python"), **how) and steps
    [weights, others] = [
        load(compiled_run, stepper=s).translate(["ten six"])[0].attention for s in ("compiled", "python")
    ]  # type: ignore[arg-type]
    assert weights is not None and others is not None and torch.allclose(weights, others, atol=1e-5)


def test_it_is_used_on_the_users_word_alone(compiled_run: Path, steps: list[int]) -> None:
    answers(load(compiled_run))
    assert steps


def test_on_the_command_line(compiled_run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one two\n")
    with pytest.raises(SystemExit) as ended:
        main(["translate", str(compiled_run), str(tmp_path / "in.txt"), "--stepper", "compiled"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == load(compiled_run).translate(["one two"])[0].text + "\n"


@pytest.fixture
def copy(compiled_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(compiled_run, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("torch_version", r"was compiled for another torch version \(changed, here 2\..*: run s2s compile"),
        ("cpu", "was compiled for another processor"),
        ("model", "was compiled from other model configuration"),
        ("package", "is damaged: its content does not match its sha256 in step.json"),
    ],
)
def test_what_it_was_made_of_must_be_what_there_is(copy: Path, field: str, message: str) -> None:
    record = copy / "compiled" / "step.json"
    write_json(record, {**read_json(record), field: "changed"})
    with pytest.raises(UserError, match=message):
        load(copy, stepper="compiled")


def test_new_weights_want_new_code(copy: Path) -> None:
    model = load(copy).model
    with torch.no_grad():
        model.decoder.get_parameter("out.bias").add_(1)
    save_weights(copy, model, {})
    with pytest.raises(UserError, match=r"was compiled from other weights .* run s2s compile .*copy"):
        load(copy, stepper="compiled")


def test_what_there_is_not_gets_a_sentence(run: Path, compiled_run: Path) -> None:
    with pytest.raises(UserError, match=r"step\.pt2: there is no compiled step: run s2s compile .*sound first"):
        load(run, stepper="compiled")
    with pytest.raises(UserError, match="stepper 'compiled': no compiled step of this SoundDecoder is loaded"):
        begin(SoundDecoder(), memory_of(2, 3), 2, "compiled")
    with pytest.raises(UserError, match="precision 'int8' is for native steppers: leave out stepper 'compiled'"):
        load(compiled_run, stepper="compiled", precision="int8")
    assert isinstance(compiled.cpu_kind(), str) and compiled.cpu_kind() == compiled.cpu_kind()


def test_a_decoder_with_a_native_stepper_is_not_compiled(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sound, "native", lambda self, precision="fp32": object())
    with pytest.raises(UserError, match="Sound, has a native stepper, which is used by itself"):
        compile_run.compile_run(run)
    assert not (run / "compiled").exists()


def memory_of(batch: int, length: int) -> Memory:
    lengths = torch.arange(length, length - batch, -1).clamp(min=1)
    return Memory(torch.randn(batch, length, SIZE), torch.arange(length) < lengths.unsqueeze(1))


class LooksAtValues(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        if bool((tokens > 3).any()):
            tokens = tokens.clamp(max=3)
        return super().step(tokens, position, state)


class FixesASize(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        return super().step(tokens.view(-1, 5), position, state)


@pytest.mark.parametrize("kind", [LooksAtValues, FixesASize])
def test_what_cannot_be_exported_gets_a_sentence(kind: type[Decoder], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"the step of {kind.__name__} cannot be compiled: torch.export says: \w+"):
        compile_step.compile_step(kind(), memory_of, TARGET, tmp_path / "step.pt2")


def test_code_that_computes_something_else_is_refused() -> None:
    decoder = SoundDecoder().eval()

    def other(tokens: Tensor, position: Tensor, *state: list[Tensor]) -> Iterator[Tensor]:
        kind = DecoderState(*(dict(zip(names, part, strict=True)) for names, part in zip(NAMES, state, strict=True)))
        tensors = compile_step._flat(decoder.step(tokens, position, kind), kind)
        return (x + (tokens.shape[1] == 1) for x in tensors)

    with (
        torch.no_grad(),
        pytest.raises(UserError, match="with 1 sentences, 1 hypotheses and 0 past positions its comp"),
    ):
        compile_step._compare(decoder, memory_of, TARGET, other, "the step of X")


NAMES = [["h"], ["past"], ["keys", "values", "mask"]]
