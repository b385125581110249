"""The output layer and the loss in chunks: the same sums and gradients as at once, for any decoder and criterion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from tiny_models import TARGET, lengths_mask, member, tiny_batch, tiny_model
from torch import Tensor, nn

from seq2seq_kit.criteria import chunks
from seq2seq_kit.criteria.cross_entropy import CrossEntropy, CrossEntropyConfig
from seq2seq_kit.interfaces import (
    Batch,
    Criterion,
    CriterionOutput,
    Decoder,
    DecoderOutput,
    Memory,
    ScoreKind,
    TensorDict,
)
from seq2seq_kit.model import Model

V = TARGET.vocab_size


def batch() -> Batch:
    given = tiny_batch((6, 3, 4, 1), target_length=5)
    given.target_mask = lengths_mask([5, 2, 4, 1])
    return given


class Temperature(Criterion):
    """A criterion that learns the temperature of its softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor) -> CriterionOutput:
        return smoothed(0.1)(scores * self.scale, "logits", target, mask)


class Sharpened(CrossEntropy):
    """A stranger's subclass, whose inherited ``gradient`` would be of another loss."""

    def forward(self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor) -> CriterionOutput:
        return super().forward(3 * scores, kind, target, mask)


class ReadsMemory(Decoder):
    """A stranger's decoder whose output looks at the memory and gives log-probabilities of more ids than V."""

    score_kind = "log_probs"

    def __init__(self, inner: Decoder, memory_size: int) -> None:
        super().__init__()
        self.inner = inner
        self.more = nn.Linear(memory_size, 3)

    init_state = step = None  # type: ignore[assignment]

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        decoded = self.inner(prefix, memory)
        return DecoderOutput(decoded.hidden, losses={"own": decoded.hidden.square().sum()})

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        assert memory is not None
        own = self.inner.output(hidden, None)
        copied = self.more(memory.mean() + memory.final["h"].mean(1)).unsqueeze(1).expand(-1, own.shape[1], -1)
        return torch.cat([own, copied], -1).log_softmax(-1)


@dataclass
class Case:
    model: Model
    criterion: Criterion


def smoothed(label_smoothing: float) -> CrossEntropy:
    return CrossEntropy(CrossEntropyConfig(label_smoothing=label_smoothing), TARGET)


def cases() -> list[Any]:
    model = member("lstm", "lstm", "bahdanau").train()
    tied = member("gru", "gru", "none", tie_embeddings=True, embedding_size=8).train()
    inner = member("gru", "gru", "bahdanau").train()
    assert inner.encoder is not None
    reader = Model(inner.encoder, ReadsMemory(inner.decoder, inner.encoder.memory_spec.size), TARGET)
    transformer = tiny_model({"name": "transformer", "dropout": 0.0}, {"name": "transformer", "dropout": 0.0}).train()
    language_model = Model(None, member("gru", "gru", "none").decoder, TARGET).train()
    return [
        pytest.param(Case(model, smoothed(0.0)), id="cross-entropy"),
        pytest.param(Case(model, smoothed(0.1)), id="smoothed"),
        pytest.param(Case(tied, smoothed(0.1)), id="tied"),
        pytest.param(Case(model, Temperature()), id="criterion with a parameter"),
        pytest.param(Case(model, Sharpened(CrossEntropyConfig(), TARGET)), id="subclass of a criterion"),
        pytest.param(Case(reader, smoothed(0.1)), id="output that reads the memory"),
        pytest.param(Case(transformer, smoothed(0.1)), id="transformer"),
        pytest.param(Case(language_model, smoothed(0.1)), id="language model"),
    ]


def plain(case: Case, given: Batch) -> CriterionOutput:
    """What ``objective`` is to be, with all scores at once."""
    scores, kind, decoded = case.model(given)
    assert given.target is not None and given.target_mask is not None
    output: CriterionOutput = case.criterion(scores, kind, given.target, given.target_mask)
    output.loss = sum(decoded.losses.values(), output.loss)
    return output


def gradients(case: Case, output: CriterionOutput) -> TensorDict:
    """Of the mean loss, for each parameter that has one."""
    parts = {"model": case.model, "criterion": case.criterion}
    named = {f"{kind}.{name}": p for kind, part in parts.items() for name, p in part.named_parameters()}
    for parameter in named.values():
        parameter.grad = None
    (output.loss / output.tokens).backward()
    return {name: p.grad for name, p in named.items() if p.grad is not None}


@pytest.fixture(params=[1, 3 * V, 7 * V, 2**22], ids=lambda size: f"chunks of {size}")
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(chunks, "CHUNK", request.param)
    return int(request.param)


@pytest.mark.parametrize("case", cases())
def test_sums_and_gradients_are_those_of_all_scores_at_once(case: Case, chunk: int) -> None:
    expected = plain(case, batch())
    output = case.criterion.objective(case.model, batch())
    for name in ("loss", "nll", "correct"):
        torch.testing.assert_close(getattr(output, name), getattr(expected, name), check_dtype=False)
    assert output.tokens == expected.tokens == 12
    wanted = gradients(case, expected)
    found = gradients(case, output)
    assert set(found) == set(wanted)
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-6, rtol=1e-5, msg=name)


@pytest.mark.parametrize("case", cases())
def test_without_gradients_the_sums_are_the_same(case: Case, chunk: int) -> None:
    with torch.no_grad():
        expected, output = plain(case, batch()), case.criterion.objective(case.model, batch())
    torch.testing.assert_close(output.loss, expected.loss)
    torch.testing.assert_close(output.nll, expected.nll)
    assert not output.loss.requires_grad and output.correct == expected.correct


def test_no_more_scores_than_a_chunk_are_ever_made(monkeypatch: pytest.MonkeyPatch) -> None:
    model, sizes = member("gru", "gru", "none").train(), []
    output = model.decoder.output

    def watched(hidden: Tensor, memory: Memory | None) -> Tensor:
        scores = output(hidden, memory)
        sizes.append(scores.numel())
        return scores

    monkeypatch.setattr(model.decoder, "output", watched)
    monkeypatch.setattr(chunks, "CHUNK", 3 * V)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    smoothed(0.1).objective(model, batch()).loss.backward()
    assert sizes == [3 * V] * 4  # 12 real positions of 20: padding has no scores at all


def test_gradients_accumulate_over_batches_and_scale_with_what_comes_in(chunk: int) -> None:
    case = Case(member("gru", "gru", "luong-dot").train(), smoothed(0.1))
    once = gradients(case, case.criterion.objective(case.model, batch()))
    once = {name: gradient.clone() for name, gradient in once.items()}
    for _ in range(2):
        (0.25 * case.criterion.objective(case.model, batch()).loss).backward()
    for name, parameter in case.model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, once[f"model.{name}"] * (1 + 0.5 * 12), atol=1e-5, rtol=1e-5)


def test_frozen_parameters_get_no_gradient(chunk: int) -> None:
    case = Case(member("gru", "gru", "bahdanau").train(), smoothed(0.1))
    expected = gradients(case, plain(case, batch()))
    frozen = "model.decoder.output_layer.weight"
    case.model.decoder.output_layer.weight.requires_grad_(False)  # type: ignore[union-attr]
    found = gradients(case, case.criterion.objective(case.model, batch()))
    assert set(expected) - set(found) == {frozen}
    torch.testing.assert_close(found["model.encoder.embedding.weight"], expected["model.encoder.embedding.weight"])


def test_dropout_is_drawn_as_without_chunks(chunk: int) -> None:
    case = Case(member("lstm", "lstm", "luong-dot", dropout=0.4).train(), smoothed(0.1))
    torch.manual_seed(5)
    expected = plain(case, batch()).loss
    torch.manual_seed(5)
    torch.testing.assert_close(case.criterion.objective(case.model, batch()).loss, expected)


def test_under_autocast_it_stays_near_float32(chunk: int) -> None:
    case = Case(member("gru", "gru", "luong-dot", tie_embeddings=True, embedding_size=8).train(), smoothed(0.1))
    wanted = {name: x.clone() for name, x in gradients(case, plain(case, batch())).items()}
    with torch.autocast("cpu", torch.bfloat16):
        output = case.criterion.objective(case.model, batch())
    assert output.loss.dtype == torch.float32
    found = gradients(case, output)
    assert set(found) == set(wanted)
    for name, gradient in wanted.items():
        assert found[name].dtype == torch.float32
        assert (found[name] - gradient).norm() <= 0.05 * gradient.norm() + 1e-3, name


def test_a_batch_without_real_positions_is_worth_nothing() -> None:
    case = Case(member("gru", "gru", "bahdanau").train(), smoothed(0.1))
    given = batch()
    given.target_mask = torch.zeros_like(given.target_mask)  # type: ignore[arg-type]
    output = case.criterion.objective(case.model, given)
    output.loss.backward()
    assert output.loss == 0 and output.tokens == 0
    assert not any(p.grad.any() for p in case.model.parameters() if p.grad is not None)
