"""``load(RUN).translate([...])`` and :func:`generate`: order, batches, what an output holds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import seq2seq_kit
from seq2seq_kit import UserError
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.interfaces import Example
from seq2seq_kit.unroll import forced_scores


@pytest.fixture(scope="module")
def pipeline(tiny_run: Path) -> Pipeline:
    return seq2seq_kit.load(tiny_run)


def test_translate_returns_objects(pipeline: Pipeline) -> None:
    [output] = pipeline.translate(["one two"], n_best=2)
    assert output.text == "un deux"
    assert output.tokens == ["un", "deux"]
    assert output.source_tokens[:2] == ["one", "two"]
    assert output.attention.shape == (3, len(output.source_tokens))
    assert output.score == pytest.approx(sum(output.token_scores) / 3, abs=1e-5)
    assert len(output.alternatives) == 1


def test_order_is_the_input_order_whatever_the_batch(pipeline: Pipeline) -> None:
    sources = ["one", "two three four", "", "five six", "seven", "three three three"] * 7
    random.Random(0).shuffle(sources)
    whole = [o.text for o in pipeline.translate(sources, batch_size=64)]
    single = [pipeline.translate([s])[0].text for s in sources]
    assert whole == single
    assert [o.text for o in pipeline.translate(sources, batch_size=7)] == single


def test_samples_do_not_depend_on_the_batch(pipeline: Pipeline) -> None:
    """An example's samples are those of its place in the stream."""
    sources = ["one two three", "four", "one two three", "five six", "seven ten"] * 5
    options = pipeline.options(sampling="tokens", beam_size=2, n_best=2, temperature=3.0, seed=3)

    def sample(**how: int) -> list[list[list[str]]]:
        outputs = pipeline.outputs((Example(source) for source in sources), options, **how)
        return [[o.tokens for o in [output, *output.alternatives]] for output in outputs]

    whole = sample(batch_size=64)
    assert whole[0] != whole[2] != whole[5]  # the same source, other samples
    assert sample(batch_size=1) == sample(batch_size=7, window=9) == whole


def test_a_window_of_one_answers_line_by_line(pipeline: Pipeline) -> None:
    asked: list[str] = []

    def stream():
        for source in ["one", "two", "three"]:
            asked.append(source)
            yield Example(source)

    answers = pipeline.outputs(stream(), pipeline.options(), window=1)
    next(answers)
    assert asked == ["one"]


def test_scores_equal_forced_scoring(pipeline: Pipeline) -> None:
    """The sum of the engine's token log-probabilities is what teacher forcing gives the same tokens."""
    import torch

    gaps = []
    for source in ["one two", "ten six three", "four"]:
        for output in pipeline.translate([source], n_best=3, beam_size=3):
            for o in [output, *output.alternatives]:
                [encoded] = pipeline.task.encode([Example(source, o.text)])
                batch = pipeline.task.collate([encoded])
                with torch.no_grad():
                    forced = forced_scores(pipeline.model.decoder, pipeline.model.encoder(batch), batch.target, 1)
                gaps.append(abs(forced.sum().item() - sum(o.token_scores)))
    assert max(gaps) < 1e-4


def test_no_sentences_no_outputs(pipeline: Pipeline) -> None:
    assert pipeline.translate([]) == []


def test_mistakes_are_sentences(pipeline: Pipeline) -> None:
    with pytest.raises(UserError, match="list of sentences"):
        pipeline.translate("one two")
    with pytest.raises(UserError, match="beam_sise"):
        pipeline.translate(["one"], beam_sise=3)
    with pytest.raises(AttributeError, match="translate"):
        pipeline.summarize(["one"])
