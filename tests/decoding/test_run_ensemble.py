"""Runs of unlike families answer as one where their target vocabulary is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import seq2seq_kit
from seq2seq_kit import UserError
from seq2seq_kit.decoding.run_ensemble import load_ensemble
from seq2seq_kit.interfaces import Example
from seq2seq_kit.run_config import load_config
from seq2seq_kit.training.runs import train

SOURCES = ["one two", "ten six three", "four five"]


@pytest.fixture(scope="module")
def trained(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def make(*overrides: str) -> Path:
        out = tmp_path_factory.mktemp("runs") / "run"
        config = load_config(tiny_config, ["training.max_steps=30", "training.validate_every=30", *overrides])
        train(config, out)
        return out

    return make


@pytest.fixture(scope="module")
def other_run(trained: Callable[..., Path]) -> Path:
    """Another cell, another attention, another source tokenizer."""
    lstm = "{name: lstm, embedding_size: 8, size: 16, attention: scaled_dot}"
    encoder = "{name: rnn, embedding_size: 8, size: 12}"
    return trained(f"model.decoder={lstm}", f"model.encoder={encoder}", "task.source_tokenizer=char")


@pytest.mark.parametrize("combination", ["linear", "log_linear"])
def test_token_scores_are_those_of_the_members_together(tiny_run: Path, other_run: Path, combination: str) -> None:
    ensemble = load_ensemble([tiny_run, other_run], weights=[0.7, 0.3], combination=combination)
    members = [seq2seq_kit.load(run) for run in (tiny_run, other_run)]
    for source, output in zip(SOURCES, ensemble.translate(SOURCES, batch_size=3), strict=True):
        rows = []
        for member in members:
            [encoded] = member.task.encode([Example(source, output.text)])
            with torch.no_grad():
                scores, _, _ = member.model(member.task.collate([encoded]))
            rows.append(scores[0].log_softmax(-1).gather(1, torch.tensor(encoded.target).unsqueeze(1)).squeeze(1))
        one, two = rows
        together = 0.7 * one + 0.3 * two
        if combination == "linear":
            together = (0.7 * one.exp() + 0.3 * two.exp()).log()
        assert output.token_scores == pytest.approx(together.tolist(), abs=1e-4)
        [forced] = ensemble.score([(source, output.text)])
        assert forced.token_log_probs == pytest.approx(output.token_scores, abs=1e-4)
        assert forced.score == pytest.approx(output.score, abs=1e-4)
        assert output.text == "".join(ensemble.stream(source))
        assert output.attention.shape[1] == len(output.source_tokens)  # the first run's, over its own tokens


def test_a_member_without_weight_changes_nothing(tiny_run: Path, other_run: Path) -> None:
    alone = seq2seq_kit.load(tiny_run).translate(SOURCES)
    together = load_ensemble([tiny_run, other_run], weights=[1, 0]).translate(SOURCES)
    assert [o.text for o in together] == [o.text for o in alone]
    pairs = [("one two", "un deux"), ("six", "dix")]
    scores = load_ensemble([tiny_run, other_run], weights=[1, 0]).score(pairs, brevity_penalty=1.0)
    expected = seq2seq_kit.load(tiny_run).score(pairs, brevity_penalty=1.0)
    assert [s.score for s in scores] == pytest.approx([s.score for s in expected], abs=1e-6)
    assert load_ensemble([tiny_run, other_run]).score([]) == []


def test_mistakes_get_a_sentence(tiny_run: Path, other_run: Path, trained: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"must be 2 numbers of at least 0"):
        load_ensemble([tiny_run, other_run], weights=[1])
    with pytest.raises(UserError, match="must be linear or log_linear, got 'product'"):
        load_ensemble([tiny_run, other_run], combination="product")
    with pytest.raises(UserError, match="at least one run"):
        load_ensemble([])
    with pytest.raises(UserError, match="temperature = 2: an ensemble scores at 1"):
        load_ensemble([tiny_run, other_run]).score([("one", "un")], temperature=2.0)
    char = trained("task.target_tokenizer=char", "training.max_steps=1")
    with pytest.raises(UserError, match=r"whose target vocabulary is another: TargetSpec\(vocab_size="):
        load_ensemble([tiny_run, char])
    reversed_ = trained("task.reverse=true", "training.max_steps=1")
    with pytest.raises(UserError, match=r"whose target vocabulary is another: token 4 is '.*', not '.*'"):
        load_ensemble([tiny_run, reversed_])
