"""Scheduled sampling by steps, for any decoder of the contract, and the scores of given tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sound_decoder import SIZE, CopyingDecoder
from tiny_models import TARGET, lengths_mask, member, tiny_batch
from torch import Tensor, nn

from seq2seq_kit.interfaces import Decoder, DecoderOutput, DecoderState, Memory, StepOutput, shift_right
from seq2seq_kit.unroll import decoder_input, forced_scores, unroll


class BagOfPrefix(Decoder):
    """A stranger's decoder with a history: scores from the sum of all tokens so far and their positions."""

    score_kind = "log_probs"

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(TARGET.vocab_size, 5)
        self.out = nn.Linear(5, TARGET.vocab_size)

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        return DecoderState(history={"seen": torch.zeros(batch_size, 1, 0, 5)})

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        new = (self.embedding(tokens) * (1 + position[:, None, None])).unsqueeze(2)  # [B, K, 1, 5]
        hidden = torch.cat([state.history["seen"], new], 2).sum(2)
        return StepOutput(self.output(hidden, None), "log_probs", new_history={"seen": new})

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        positions = 1 + torch.arange(prefix.shape[1])
        return DecoderOutput((self.embedding(prefix) * positions[None, :, None]).cumsum(1))

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        return self.out(hidden).log_softmax(-1)


def decoders() -> list[Any]:
    batch = tiny_batch((5, 3, 2))
    cases: list[Any] = [pytest.param(BagOfPrefix(), None, batch.target, id="bag-of-prefix")]
    for variant in ("current", "previous-feeding"):
        model = member("lstm", "lstm", "bahdanau", variant)
        cases.append(pytest.param(model.decoder, model.encoder(batch), batch.target, id=variant))
    return cases


def scores_by_forward(decoder: Decoder, memory: Memory | None, fed: Tensor) -> Tensor:
    return decoder.output(decoder(fed, memory).hidden, memory)


@pytest.mark.parametrize(("decoder", "memory", "target"), decoders())
def test_ratio_one_is_teacher_forcing(decoder: Decoder, memory: Memory | None, target: Tensor) -> None:
    expected = scores_by_forward(decoder, memory, shift_right(target, TARGET.bos_id))
    torch.testing.assert_close(unroll(decoder, memory, target, TARGET.bos_id, 1.0), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("decoder", "memory", "target"), decoders())
def test_ratio_zero_feeds_the_decoder_its_own_best_token(
    decoder: Decoder, memory: Memory | None, target: Tensor
) -> None:
    scores = unroll(decoder, memory, target, TARGET.bos_id, 0.0)
    expected = scores_by_forward(decoder, memory, shift_right(scores.argmax(-1), TARGET.bos_id))
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0)
    other = target.roll(1, 1)  # the labels themselves are never looked at
    assert torch.equal(unroll(decoder, memory, other, TARGET.bos_id, 0.0), scores)


@pytest.mark.parametrize(("decoder", "memory", "target"), decoders())
def test_in_between_each_position_is_drawn_on_its_own(decoder: Decoder, memory: Memory | None, target: Tensor) -> None:
    def draw(seed: int) -> Tensor:
        return unroll(decoder, memory, target, TARGET.bos_id, 0.5, torch.Generator().manual_seed(seed))

    scores = draw(3)
    assert torch.equal(scores, draw(3))
    forced = torch.rand(target.shape, generator=torch.Generator().manual_seed(3)) < 0.5
    fed = torch.where(forced, target, scores.argmax(-1))
    expected = scores_by_forward(decoder, memory, shift_right(fed, TARGET.bos_id))
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0)
    assert any(not torch.equal(scores, draw(seed)) for seed in range(4, 10))


def test_without_a_generator_the_global_seed_decides() -> None:
    decoder, target = BagOfPrefix(), tiny_batch((5, 3, 2), target_length=12).target
    torch.manual_seed(7)
    first = unroll(decoder, None, target, TARGET.bos_id, 0.5)
    torch.manual_seed(7)
    assert torch.equal(unroll(decoder, None, target, TARGET.bos_id, 0.5), first)


@pytest.mark.parametrize(("decoder", "memory", "target"), decoders())
def test_what_is_fed_is_the_reference_or_the_decoders_own_best_token(
    decoder: Decoder, memory: Memory | None, target: Tensor
) -> None:
    def feed(ratio: float) -> Tensor:
        return decoder_input(decoder, memory, target, TARGET, ratio, torch.Generator().manual_seed(3))

    assert torch.equal(feed(1.0), shift_right(target, TARGET.bos_id))
    for ratio in (0.0, 0.5):
        scores = unroll(decoder, memory, target, TARGET.bos_id, ratio, torch.Generator().manual_seed(3))
        assert not feed(ratio).requires_grad
        torch.testing.assert_close(scores_by_forward(decoder, memory, feed(ratio)), scores, atol=1e-5, rtol=0)


def test_a_parallel_decoder_mixes_in_what_it_says_after_the_reference() -> None:
    """Mihaylova and Martins 2019: the first pass is teacher-forced, whatever is fed in the second."""
    decoder, target = BagOfPrefix(), tiny_batch((5, 3, 2), target_length=12).target
    assert target is not None
    decoder.parallel = True
    own = scores_by_forward(decoder, None, shift_right(target, TARGET.bos_id)).argmax(-1)
    for ratio in (0.0, 0.5, 1.0):
        fed = decoder_input(decoder, None, target, TARGET, ratio, torch.Generator().manual_seed(3))
        forced = torch.rand(target.shape, generator=torch.Generator().manual_seed(3)) < ratio
        assert torch.equal(fed, shift_right(torch.where(forced, target, own), TARGET.bos_id))
    assert not torch.equal(own, target)


@pytest.mark.parametrize("parallel", [False, True])
def test_what_is_copied_from_the_source_is_fed_as_unknown(parallel: bool) -> None:
    decoder, target = CopyingDecoder().eval(), tiny_batch((5, 3, 2)).target
    assert target is not None
    decoder.parallel = parallel
    with torch.no_grad():
        decoder.out.bias.fill_(-100)  # nothing but copies
    memory = Memory(torch.randn(3, 5, SIZE), lengths_mask([5, 3, 2]))
    fed = decoder_input(decoder, memory, target, TARGET, 0.0)
    assert (fed[:, 0] == TARGET.bos_id).all() and (fed[:, 1:] == TARGET.unk_id).all()


@pytest.mark.parametrize(("decoder", "memory", "target"), decoders())
def test_forced_scores_are_the_log_probabilities_of_the_labels(
    decoder: Decoder, memory: Memory | None, target: Tensor
) -> None:
    forced = forced_scores(decoder, memory, target, TARGET.bos_id)
    log_probs = scores_by_forward(decoder, memory, shift_right(target, TARGET.bos_id)).log_softmax(-1)
    for b in range(3):
        for t in range(target.shape[1]):
            torch.testing.assert_close(forced[b, t], log_probs[b, t, target[b, t]])
