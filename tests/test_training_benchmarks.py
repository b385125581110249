"""The benchmarks of training give every system the same batches and loops that learn."""

from __future__ import annotations

import random

import pytest
import torch

from benchmarks import train_losses, train_speed
from benchmarks.support import training_batches, training_kit, training_peers
from seq2seq_kit.interfaces import Batch

PAIRS = [
    (
        [*(random.Random(i).choices(range(4, 20), k=3 + i % 5)), 2],
        [*(random.Random(-i).choices(range(4, 20), k=2 + i % 7)), 2],
    )
    for i in range(200)
]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (training_batches, training_kit, training_peers):
        monkeypatch.setattr(module, "VOCABULARY", 20)
    monkeypatch.setitem(training_peers.LSTM, "width", 16)
    monkeypatch.setitem(training_peers.SIZES, "width", 16)
    monkeypatch.setitem(training_peers.SIZES, "ff", 32)


def test_an_epoch_has_every_pair_once_in_batches_of_like_length() -> None:
    batches = training_batches.epoch(PAIRS, 60, 0)
    targets = [row[mask].tolist() for b in batches for row, mask in zip(*_targets(b), strict=True)]
    assert sorted(targets) == sorted(target for _, target in PAIRS)
    assert all(_targets(batch)[1].sum() <= 60 for batch in batches)
    assert all((batch.source != 0).equal(batch.source_mask) for batch in batches)
    assert sum(b.source.numel() for b in batches) < 1.1 * sum(len(source) for source, _ in PAIRS)
    again, other = (training_batches.epoch(PAIRS, 60, number) for number in (0, 1))
    assert all(one.source.equal(two.source) for one, two in zip(batches, again, strict=True))
    assert any(not one.source.equal(two.source) for one, two in zip(batches, other, strict=False))


def _targets(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    assert batch.target is not None and batch.target_mask is not None
    return batch.target, batch.target_mask


@pytest.mark.parametrize(
    "system, case",
    [(train_speed.KIT, case) for case in (*train_speed.TRANSFORMER, *train_speed.LSTM)]
    + [(train_speed.PLAIN, case) for case in train_speed.LSTM],
)
def test_a_loop_learns(system: str, case: str) -> None:
    update = train_speed.make_update(system, case, dropout=0.0)
    [batch] = training_batches.epoch(PAIRS[:8], 1000, 0)
    losses = [update(batch, 0.01) for _ in range(12)]
    assert losses[-1] < losses[0] - 0.3
    assert torch.get_float32_matmul_precision() == (
        "medium" if case.endswith("medium") and system != "kit" else "highest"
    )
    torch.set_float32_matmul_precision("highest")


def test_both_systems_measure_the_same_loss() -> None:
    """Where all scores are alike: the mean over real target tokens of log V, whatever is padding."""
    [batch] = training_batches.epoch(PAIRS[:8], 1000, 0)
    for make in (training_kit.model("LSTM", 0.0), training_peers.plain_lstm(0.0)):
        module = make if isinstance(make, torch.nn.Module) else make[0]
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.zero_()
        if isinstance(make, tuple):
            loss = training_peers.PlainLoop(*make, "float32").update(batch, 0.0)
        else:
            loss = training_kit.OurLoop(make, "float32").update(batch, 0.0)
        assert loss == pytest.approx(torch.tensor(20.0).log().item(), abs=1e-5)


def test_a_job_counts_the_target_tokens_of_its_batches() -> None:
    batches = training_batches.epoch(PAIRS, 400, 0)[:2]
    rates: list[float] = []
    job = train_speed.Training(lambda batch, rate: rates.append(rate) or 0.0, batches, profiled=False)
    assert job.run() == sum(int(_targets(batch)[1].sum()) for batch in batches)
    assert len(rates) == 2
    assert job.output() == []


def test_the_learning_rate_warms_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    monkeypatch.setattr(training_batches, "encoded", lambda: PAIRS)
    monkeypatch.setattr(train_losses, "make_update", lambda *_: lambda batch, rate: rates.append(rate) or 1.0)
    assert train_losses.losses("kit", "Transformer, float32", 1, updates=150) == [1.0] * 150
    assert rates[0] == pytest.approx(train_losses.RATE / 100)
    assert rates[98] < rates[99] == rates[149] == train_losses.RATE
