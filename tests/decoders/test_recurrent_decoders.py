"""What the step contract promises of the recurrent decoders, and their use as language models."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import CELLS, TARGET, VARIANTS, member, model_config, tiny_batch, tiny_model
from torch import Tensor, nn

from seq2seq_kit.components import Component
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.decoders.recurrent import RecurrentDecoder
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.interfaces import Attention, DecoderState, Memory, MemorySpec, StepOutput, TensorDict
from seq2seq_kit.registry import build
from seq2seq_kit.testing import temporary_plugin
from seq2seq_kit.unroll import unroll


def step(decoder: Any, tokens: list[list[int]], t: int, state: DecoderState) -> StepOutput:
    return decoder.step(torch.tensor(tokens), torch.full((len(tokens),), t), state)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_a_step_follows_the_hypotheses_it_is_given(cell: str, variant: str) -> None:
    """Reordering the state reorders the scores: nothing that belongs to a hypothesis is kept elsewhere."""
    model, batch = member("gru", cell, "bahdanau", variant), tiny_batch((3, 2))
    state = model.decoder.init_state(model.encoder(batch), 2).select(torch.zeros(2, 3, dtype=torch.long))
    first = step(model.decoder, [[4, 5, 6], [7, 8, 9]], 0, state)
    parents = torch.tensor([[2, 0], [1, 1]])
    second = step(model.decoder, [[4, 5], [6, 7]], 1, state.advance(first).select(parents))
    for b in range(2):
        for k in range(2):
            alone = DecoderState(
                {name: x[b : b + 1, parents[b, k]].unsqueeze(1) for name, x in first.rows.items()},
                {},
                {name: x[b : b + 1] for name, x in state.sentences.items()},
            )
            expected = step(model.decoder, [[[4, 5], [6, 7]][b][k : k + 1]], 1, alone)
            torch.testing.assert_close(second.scores[b, k], expected.scores[0, 0])
            torch.testing.assert_close(second.attention[b, k], expected.attention[0, 0])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_a_step_keeps_names_and_shapes_and_writes_nothing_in_place(cell: str, variant: str) -> None:
    model, batch = member("gru", cell, "luong-general", variant), tiny_batch((3, 2))
    state = model.decoder.init_state(model.encoder(batch), 2)
    assert all(x.shape[:2] == (2, 1) for x in state.rows.values())
    assert state.history == {}
    before = {name: x.clone() for name, x in (state.rows | state.sentences).items()}
    out = step(model.decoder, [[4], [5]], 0, state)
    assert {n: x.shape for n, x in out.rows.items()} == {n: x.shape for n, x in state.rows.items()}
    assert out.new_history == {}
    assert all(torch.equal(x, before[name]) for name, x in (state.rows | state.sentences).items())


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_two_searches_may_run_in_turn(variant: str) -> None:
    """Nothing is kept on the decoder between steps."""
    model = member("lstm", "lstm", "bahdanau", variant)
    states = [model.decoder.init_state(model.encoder(tiny_batch((4, 2), seed=seed)), 2) for seed in (1, 2)]
    apart = [unrolled(model.decoder, state) for state in states]
    together: list[list[Tensor]] = [[], []]
    for t in range(4):
        for i in range(2):
            out = step(model.decoder, [[4 + t], [5 + t]], t, states[i])
            states[i] = states[i].advance(out)
            together[i].append(out.scores)
    for i in range(2):
        assert torch.equal(torch.cat(together[i], 1), apart[i])


def unrolled(decoder: RecurrentDecoder, state: DecoderState) -> Tensor:
    scores = []
    for t in range(4):
        out = step(decoder, [[4 + t], [5 + t]], t, state)
        state = state.advance(out)
        scores.append(out.scores)
    return torch.cat(scores, 1)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_flow_through_steps_into_every_parameter(cell: str, variant: str) -> None:
    model, batch = member("gru", cell, "bahdanau", variant), tiny_batch((4, 2))
    scores = unroll(model.decoder, model.encoder(batch), batch.target, TARGET.bos_id, ratio=0.5)
    scores.log_softmax(-1)[..., 4].sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), f"no gradient reaches {name}"


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_the_fused_network_and_the_steps_drop_alike_only_in_training(cell: str) -> None:
    model, batch = member("gru", cell, "luong-general", dropout=0.5), tiny_batch((4, 2))
    assert torch.equal(model(batch)[0], model(batch)[0])
    model.train()
    assert not torch.equal(model(batch)[0], model(batch)[0])
    memory = model.encoder(batch)
    first, second = (unroll(model.decoder, memory, batch.target, TARGET.bos_id, 1.0) for _ in range(2))
    assert not torch.equal(first, second)


@torch.no_grad()
def test_dropout_between_layers_acts_in_steps_as_in_the_fused_network() -> None:
    model, batch = member("gru", "lstm", "none", dropout=0.9), tiny_batch((4, 2))
    memory = model.encoder(batch)
    model.decoder.dropout.p = 0.0  # leaves what lies between the layers
    model.train()
    first, second = (unroll(model.decoder, memory, batch.target, TARGET.bos_id, 1.0) for _ in range(2))
    assert not torch.equal(first, second)


@torch.no_grad()
def test_dropout_acts_on_what_the_output_layer_reads() -> None:
    model, batch = member("gru", "gru", "luong-general", dropout=0.5), tiny_batch((4, 2))
    model.train()
    hidden = model.decoder(batch.target, model.encoder(batch)).hidden
    assert 0 < (hidden == 0).float().mean() < 1


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_deep_decoders_step_as_the_fused_network_runs(cell: str) -> None:
    model, batch = member("gru", cell, "luong-general", layers=4), tiny_batch((4, 2))
    stepped = unroll(model.decoder, model.encoder(batch), batch.target, TARGET.bos_id, 1.0)
    torch.testing.assert_close(stepped, model(batch)[0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_input_feeding_feeds_the_attentional_vector() -> None:
    model, batch = member("gru", "gru", "luong-general", "feeding"), tiny_batch((4, 2))
    memory = model.encoder(batch)
    state = model.decoder.init_state(memory, 2)
    assert not state.rows["feed"].any()
    prefix = torch.tensor([[1], [1]])
    out = model.decoder.step(prefix, torch.zeros(2, dtype=torch.long), state)
    torch.testing.assert_close(out.rows["feed"], model.decoder(prefix, memory).hidden)


@torch.no_grad()
def test_the_query_is_the_state_before_or_after_the_recurrence() -> None:
    seen: dict[str, Tensor] = {}
    for variant in ("current", "previous"):
        model, batch = member("gru", "gru", "bahdanau", variant), tiny_batch((4, 2))
        state = model.decoder.init_state(model.encoder(batch), 2)
        model.decoder.attention.register_forward_pre_hook(lambda _, args: seen.update(query=args[0]))
        out = step(model.decoder, [[4], [5]], 0, state)
        expected = state.rows["h"] if variant == "previous" else out.rows["h"]
        torch.testing.assert_close(seen["query"], expected[:, :, -1])


def language_model(name: str, attention: str = "none") -> RecurrentDecoder:
    torch.manual_seed(0)
    return build("decoder", model_config("gru", {"name": name, "attention": attention}).decoder, TARGET, None).eval()


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_without_a_memory_it_is_a_language_model(cell: str) -> None:
    decoder = language_model(cell)
    target = tiny_batch((1, 1)).target
    prefix = torch.cat([torch.full((2, 1), TARGET.bos_id), target[:, :-1]], 1)
    scores = decoder.output(decoder(prefix, None).hidden, None)
    torch.testing.assert_close(unroll(decoder, None, target, TARGET.bos_id, 1.0), scores, atol=1e-5, rtol=0)
    found = search(decoder.step, decoder.init_state(None, 2), SearchOptions(beam_size=3, max_length=5))
    assert found[0][0].tokens == found[1][0].tokens


def test_attention_without_an_encoder_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"attention luong needs an encoder; without one, use 'none'"):
        language_model("gru", "luong")
    with pytest.raises(UserError, match="needs a memory"):
        member("gru", "gru", "luong-general").decoder.init_state(None, 2)


@torch.no_grad()
def test_tied_embeddings_score_with_the_embedding_matrix() -> None:
    model = tiny_model("gru", {"name": "gru", "embedding_size": 8, "tie_embeddings": True})
    hidden = torch.randn(2, 3, 8)
    expected = hidden @ model.decoder.embedding.weight.T + model.decoder.output_bias
    torch.testing.assert_close(model.decoder.output(hidden, None), expected)
    batch = tiny_batch()
    stepped = unroll(model.decoder, model.encoder(batch), batch.target, TARGET.bos_id, 1.0)
    torch.testing.assert_close(stepped, model(batch)[0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_tied_embeddings_start_at_the_scale_of_the_others_on_both_sides() -> None:
    config = model_config("gru", {"name": "gru", "size": 64, "embedding_size": 64, "tie_embeddings": True}).decoder
    decoder: Any = build("decoder", config, TARGET, MemorySpec(8)).eval()
    assert 0.8 < decoder._embed(torch.arange(TARGET.vocab_size)).std() < 1.2
    assert decoder.output(torch.randn(50, 1, 64), None).std() < 2


class CoverageConfig(ComponentConfig):
    name: str = "coverage"


class Coverage(Attention):
    """A stranger's recurrent attention: what was attended to counts against being attended to again."""

    recurrent = True

    def __init__(self, config: CoverageConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        self.context_size = memory.size
        self.key = nn.Linear(memory.size, query_size)

    def project(self, memory: Memory) -> TensorDict:
        return {"keys": self.key(memory.states), "values": memory.states, "real": memory.mask}

    def init_state(self, projected: TensorDict) -> TensorDict:
        return {"coverage": torch.zeros_like(projected["keys"][:, None, :, 0])}  # [B, 1, S']

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Tensor, Tensor, TensorDict]:
        scores = query @ projected["keys"].transpose(1, 2) - 3 * state["coverage"]
        weights = scores.masked_fill(~projected["real"].unsqueeze(1), -1e9).softmax(-1)
        return weights @ projected["values"], weights, {"coverage": state["coverage"] + weights}


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_a_recurrent_attention_of_a_stranger_travels_with_the_hypothesis(variant: str) -> None:
    with temporary_plugin(Component("attention", "coverage", Coverage, CoverageConfig)):
        model = tiny_model("lstm", {"name": "lstm", "attention": "coverage", **VARIANTS[variant]})
    batch = tiny_batch((6, 3))
    memory = model.encoder(batch)
    stepped = unroll(model.decoder, memory, batch.target, TARGET.bos_id, 1.0)
    torch.testing.assert_close(stepped, model(batch)[0], atol=1e-5, rtol=0)
    state = first = model.decoder.init_state(memory, 2)
    seen = torch.zeros(2, 1, 6)
    for t in range(3):
        out = step(model.decoder, [[4], [5]], t, state)
        state, seen = state.advance(out), seen + out.attention
        torch.testing.assert_close(state.rows["attention.coverage"], seen)
    found = search(model.decoder.step, first, SearchOptions(beam_size=3, max_length=5, attention=True))
    assert found[0][0].attention.shape[1] == 6
