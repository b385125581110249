"""Which stepper decodes a run: chosen, forced, refused with a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.cli import s2s

from seq2seq_kit import UserError, load
from seq2seq_kit.decoders.transformer import TransformerDecoder
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.encoders.transformer import TransformerEncoder
from seq2seq_kit.run_config import load_config
from seq2seq_kit.training.runs import train

SOURCES = ["one two", "ten six three", "four five", ""]
TRANSFORMER = "{name: transformer, size: 16, layers: 2, heads: 2, feed_forward_size: 32}"


@pytest.fixture(scope="module")
def transformer_run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "transformer"
    model = [f"model.{part}={TRANSFORMER}" for part in ("encoder", "decoder")]
    train(load_config(tiny_config, ["training.max_steps=40", *model]), out)
    return out


def answers(pipeline: Pipeline, **options: Any) -> list[tuple[str, float]]:
    return [(output.text, pytest.approx(output.score, abs=1e-3)) for output in pipeline.translate(SOURCES, **options)]


@pytest.fixture(scope="module")
def average_run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a decoder that offers no native stepper."""
    out = tmp_path_factory.mktemp("runs") / "average"
    decoder = TRANSFORMER.replace("}", ", autoregressive: average}")
    train(load_config(tiny_config, ["training.max_steps=1", f"model.decoder={decoder}"]), out)
    return out


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one at every call of the encoder's ``forward`` and of the decoder's ``step``."""
    called: list[int] = []

    def count(cls: type, name: str) -> None:
        original = getattr(cls, name)

        def counted(*arguments: Any) -> Any:
            called.append(1)
            return original(*arguments)

        monkeypatch.setattr(cls, name, counted)

    count(TransformerEncoder, "forward")
    count(TransformerDecoder, "step")
    return called


@pytest.mark.parametrize(
    "options",
    [{}, {"beam_size": 1}, {"coverage_penalty": 0.5}, {"sampling": "tokens", "seed": 3}, {"no_repeat_ngram": 2}],
    ids=str,
)
def test_native_by_itself_and_the_same_by_python(
    transformer_run: Path, steps: list[int], options: dict[str, Any]
) -> None:
    found = answers(load(transformer_run), **options)
    assert not steps
    assert answers(load(transformer_run, stepper="native"), **options) == found and not steps
    assert answers(load(transformer_run, stepper="python"), **options) == found and steps


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_less_precise_weights_give_nearly_the_same(transformer_run: Path, precision: Any) -> None:
    exact = load(transformer_run).translate(SOURCES)
    rounded = load(transformer_run, precision=precision).translate(SOURCES)
    for one, other in zip(exact, rounded, strict=True):
        assert other.score == pytest.approx(one.score, abs=0.1)
    assert [o.score for o in exact] != [o.score for o in rounded]


def test_a_stream_is_decoded_the_same_way(transformer_run: Path, steps: list[int]) -> None:
    pipeline = load(transformer_run, stepper="native")
    assert "".join(pipeline.stream("one two")) == pipeline.translate(["one two"])[0].text
    assert not steps


def test_a_recurrent_run_too(tiny_run: Path) -> None:
    found = answers(load(tiny_run, stepper="native"))
    assert found[0][0] == "un deux" and answers(load(tiny_run, stepper="python")) == found
    assert load(tiny_run, precision="bf16").translate(["one two"])[0].text == "un deux"


def test_on_the_command_line(transformer_run: Path, average_run: Path) -> None:
    done = s2s("translate", transformer_run, "--stepper", "native", "--precision", "bf16", input="one two\n")
    assert done.returncode == 0 and done.stdout == load(transformer_run).translate(["one two"])[0].text + "\n"
    done = s2s("translate", average_run, "--stepper", "native", input="one two\n")
    assert done.returncode == 2 and "TransformerDecoder" in done.stderr and "offers no native stepper" in done.stderr


def test_what_there_is_not_gets_a_sentence(transformer_run: Path, average_run: Path, steps: list[int]) -> None:
    assert len(load(average_run).translate(["one two"])) == 1 and steps
    with pytest.raises(UserError, match=r"precision 'int8': the decoder TransformerDecoder .* offers no native"):
        load(average_run, precision="int8").translate(["one two"])
    with pytest.raises(UserError, match=r"stepper 'op': the decoder TransformerDecoder .* offers no torch operator"):
        load(transformer_run, stepper="op").translate(["one two"])
    with pytest.raises(UserError, match="stepper must be auto, python, native, op or compiled, got 'c'"):
        load(transformer_run, stepper="c")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="precision must be fp32, bf16 or int8, got 'fp16'"):
        load(transformer_run, precision="fp16")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="leave out stepper 'python'"):
        load(transformer_run, stepper="python", precision="bf16")
