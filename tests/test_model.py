"""Every encoder with every decoder with every attention: trained, stepped, padded and decoded by the engine."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import PRODUCT, PRODUCT_OF_VARIANTS, SOURCE, TARGET, member, model_config, tiny_batch, tiny_model
from torch import Tensor

from seq2seq_kit.components import Component
from seq2seq_kit.config import validate
from seq2seq_kit.criteria.cross_entropy import CrossEntropy, CrossEntropyConfig
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.encoders.recurrent import GRUEncoder, GRUEncoderConfig
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.interfaces import Batch, Memory, SourceSpec, TargetSpec
from seq2seq_kit.model import Model, build_model
from seq2seq_kit.registry import registry
from seq2seq_kit.run_config import ModelConfig
from seq2seq_kit.unroll import forced_scores, unroll


def loss_of(model: Model, batch: Batch) -> Tensor:
    assert batch.target is not None and batch.target_mask is not None
    scores, kind, _ = model(batch)
    out = CrossEntropy(CrossEntropyConfig(), TARGET)(scores, kind, batch.target, batch.target_mask)
    return out.loss / out.tokens


def count_calls(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    original = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *args: calls.append(1) or original(*args))
    return calls


@pytest.mark.parametrize(("encoder", "decoder", "attention", "variant"), PRODUCT_OF_VARIANTS)
def test_steps_equal_teacher_forcing(encoder: str, decoder: str, attention: str, variant: str) -> None:
    model, batch = member(encoder, decoder, attention, variant), tiny_batch()
    with torch.no_grad():
        scores, _, decoded = model(batch)
        memory = model.encoder(batch)
        stepped = unroll(model.decoder, memory, batch.target, TARGET.bos_id, ratio=1.0)
    assert scores.shape == (4, 5, TARGET.vocab_size)
    assert scores.isfinite().all()  # the empty source included
    torch.testing.assert_close(stepped, scores, atol=1e-5, rtol=0)
    if attention == "none":
        assert decoded.attention is None
    else:
        assert decoded.attention.shape == (4, 5, 6)
        expected = batch.source_mask.any(1).float().unsqueeze(1).expand(4, 5)  # nothing to attend to: all zero
        torch.testing.assert_close(decoded.attention.sum(-1), expected)
        assert not decoded.attention.masked_select(~batch.source_mask.unsqueeze(1)).any()


@pytest.mark.parametrize(("encoder", "decoder", "attention", "variant"), PRODUCT_OF_VARIANTS)
def test_the_engine_decodes_it_and_scores_add_up(
    encoder: str, decoder: str, attention: str, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = member(encoder, decoder, attention, variant), tiny_batch()
    with torch.no_grad():
        memory = model.encoder(batch)
        projections = count_calls(model.decoder.attention, "project", monkeypatch)
        state = model.decoder.init_state(memory, len(batch))
        options = SearchOptions(beam_size=3, n_best=2, max_length=6, attention=True)
        found = search(model.decoder.step, state, options)
        assert len(projections) == 1  # keys are projected once a sentence, whatever the length of the search
    assert [len(hypotheses) for hypotheses in found] == [2] * 4
    for i, hypotheses in enumerate(found):
        alone = Memory(
            memory.states[i : i + 1], memory.mask[i : i + 1], {n: x[i : i + 1] for n, x in memory.final.items()}
        )
        for hypothesis in hypotheses:
            tokens = torch.tensor([hypothesis.tokens])
            with torch.no_grad():
                forced = forced_scores(model.decoder, alone, tokens, TARGET.bos_id)
            torch.testing.assert_close(torch.tensor([hypothesis.token_log_probs]), forced, atol=1e-5, rtol=0)
            assert hypothesis.log_prob == pytest.approx(sum(hypothesis.token_log_probs), abs=1e-5)
            if attention != "none":
                assert hypothesis.attention.shape == (len(hypothesis.tokens), 6)


@pytest.mark.parametrize(("encoder", "decoder", "attention"), PRODUCT)
def test_a_training_step_reaches_all_parameters_and_lowers_the_loss(encoder: str, decoder: str, attention: str) -> None:
    model, batch = member(encoder, decoder, attention).train(), tiny_batch((6, 3, 4, 1))
    before = loss_of(model, batch)
    before.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), f"nothing of the loss reaches {name}"
        parameter.data -= 0.01 * parameter.grad
    assert loss_of(model, batch) < before


@pytest.mark.parametrize(("encoder", "decoder", "attention"), PRODUCT)
def test_padding_and_neighbours_change_nothing(encoder: str, decoder: str, attention: str) -> None:
    model, batch = member(encoder, decoder, attention), tiny_batch()
    wider = Batch(
        torch.cat([batch.source, torch.full((4, 3), 7)], 1),  # a real word's id, so that only the mask can tell
        torch.cat([batch.source_mask, torch.zeros(4, 3, dtype=torch.bool)], 1),
        batch.target,
        batch.target_mask,
    )
    with torch.no_grad():
        scores = model(batch)[0]
        torch.testing.assert_close(model(wider)[0], scores, atol=1e-5, rtol=0)
        for i in range(4):
            width = int(batch.source_mask[i].sum())
            alone = Batch(
                batch.source[i : i + 1, :width], batch.source_mask[i : i + 1, :width], batch.target[i : i + 1]
            )
            torch.testing.assert_close(model(alone)[0][0], scores[i], atol=1e-5, rtol=0)


def test_it_learns_to_reverse_a_sentence() -> None:
    torch.manual_seed(1)
    config = model_config({"name": "gru", "size": 32, "layers": 1}, {"name": "gru", "size": 32, "layers": 1})
    model = build_model(config, SOURCE, TARGET).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        words = torch.randint(4, 9, (32, 3))
        target = torch.cat([words.flip(1), torch.full((32, 1), TARGET.eos_id)], 1)
        batch = Batch(words, words > 0, target, target > 0)
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        optimizer.step()
    words = torch.tensor([[4, 8, 6], [5, 5, 7]])
    model.eval()
    with torch.no_grad():
        memory = model.encoder(Batch(words, words > 0))
        found = search(model.decoder.step, model.decoder.init_state(memory, 2), SearchOptions(max_length=8))
    assert [h[0].tokens for h in found] == [[6, 8, 4, TARGET.eos_id], [7, 5, 5, TARGET.eos_id]]


def test_the_same_seed_builds_the_same_model() -> None:
    first, second, other = tiny_model(seed=3), tiny_model(seed=3), tiny_model(seed=4)
    same = [torch.equal(x, y) for x, y in zip(first.parameters(), second.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_no_parameter_is_saved_under_two_names() -> None:
    model = tiny_model("lstm", {"name": "lstm", "embedding_size": 8, "tie_embeddings": True})
    addresses = [x.data_ptr() for x in model.state_dict().values()]
    assert len(addresses) == len(set(addresses))


def test_a_batch_without_target_is_refused() -> None:
    batch = tiny_batch()
    with pytest.raises(UserError, match="no target"):
        tiny_model()(Batch(batch.source, batch.source_mask))


@pytest.mark.parametrize(
    ("encoder", "decoder", "said"),
    [
        ({"name": "gru", "size": 7}, "gru", r"halves its size .* 7 is odd"),
        (
            {"name": "gru", "size": 6},
            {"name": "gru", "attention": {"name": "luong", "score": "dot"}},
            r"8 .* 6.*general",
        ),
        ("gru", {"name": "gru", "attention": {"name": "multihead", "heads": 3}}, r"3 heads do not divide the size 8"),
        ("gru", {"name": "gru", "attention": {"name": "multihead", "size": 10}}, r"4 heads do not divide the size 10"),
        ("gru", {"name": "gru", "attention": "none", "input_feeding": True}, r"input_feeding .* 'none'"),
        ("gru", {"name": "gru", "attention": "none", "query": "previous"}, r"query 'previous' .* 'none'"),
        ("gru", {"name": "gru", "tie_embeddings": True}, r"tie_embeddings .* 6 .* 8"),
        ({"name": "gru", "size": 6}, {"name": "lstm", "bridge": "copy"}, r"bridge 'copy' .* 8 .* 6.*'linear'"),
    ],
)
def test_what_cannot_fit_is_refused_with_the_reason(encoder: Any, decoder: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build_model(model_config(encoder, decoder), SOURCE, TARGET)


@pytest.mark.parametrize(
    ("decoder", "said"),
    [
        ({"name": "gru", "attention": "luongg"}, r"unknown attention 'luongg'; did you mean 'luong'"),
        ({"name": "gru", "atention": "luong"}, r"no field 'atention'; did you mean 'attention'"),
        ({"name": "gru", "layers": 0}, r"model\.|layers"),
        ({"name": "gru", "query": "next"}, r"'current' or 'previous'"),
    ],
)
def test_a_misspelt_option_is_refused(decoder: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        model_config("gru", decoder)


def test_an_encoder_is_told_what_will_be_written() -> None:
    told = []

    class Listening(GRUEncoder):
        def attach(self, target: TargetSpec) -> None:
            told.append(target)

    provided = registry()._provided.copy()
    try:
        registry().register(Component("encoder", "listening", Listening, GRUEncoderConfig))
        config = validate(ModelConfig, {"encoder": "listening", "decoder": "gru"}, "test")
        build_model(config, SourceSpec(9), TargetSpec(11))
    finally:
        registry()._provided[:] = provided
    assert told == [TargetSpec(11)]
