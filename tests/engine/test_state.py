"""The engine's handling of a decoder's state: growing, reordering, shrinking."""

from __future__ import annotations

import torch
from table_step import TableStep
from torch import Tensor

from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import DecoderState, StepOutput


def test_one_call_a_step_and_a_batch_that_shrinks() -> None:
    """One Python call per time step for the whole batch; finished sentences and slots leave it."""
    table = torch.full((3, 1, 6), -5.0)
    table[:, :, 3:] = torch.tensor([0.0, -0.1, -0.2])
    table[0, :, 2] = 9.0  # sentence 0 ends at once
    options = SearchOptions(beam_size=3, n_best=3, max_length=4)
    step = TableStep(table)
    search(step, step.state(), options)
    assert step.calls == [(3, 1), (3, 3), (2, 3), (2, 3), (2, 3)]
    step = TableStep(table)
    search(step, step.state([0]), options)
    assert step.calls == [(1, 1), (1, 2)]  # one slot is taken by a finished hypothesis


def test_history_is_not_copied_where_slots_continue_themselves() -> None:
    """Greedy search appends to one storage: what the step is shown stays where it is, until the storage doubles."""
    addresses = []

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        past = state.history["past"]  # [B, K, t, 2]
        if past.shape[2]:
            addresses.append(past.data_ptr())
            assert past[:, :, :, 0].tolist() == [[list(range(past.shape[2]))]] * 2
        scores = torch.zeros(2, 1, 5)
        scores[..., 3] = 1
        return StepOutput(scores, new_history={"past": position.view(2, 1, 1, 1).expand(2, 1, 1, 2).float()})

    state = DecoderState(history={"past": torch.empty(2, 1, 0, 2)})
    search(step, state, SearchOptions(beam_size=1, max_length=40))
    assert len(addresses) == 40
    assert len(set(addresses)) <= 3  # room for 16, 32 and 64 positions


def test_history_that_starts_with_a_past() -> None:
    """A decoder may begin with positions of its own (a prompt's keys and values)."""
    shown = []

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        shown.append(state.history["past"].tolist())
        scores = torch.tensor([0.0, -1.0, -2.0]).expand(*tokens.shape, 3)
        return StepOutput(scores, new_history={"past": tokens.unsqueeze(-1).double()})

    state = DecoderState(history={"past": torch.tensor([[[7.0, 8.0]]], dtype=torch.double)})
    search(step, state, SearchOptions(beam_size=2, n_best=2, max_length=2, bos_id=1, eos_ids=(2,), length_penalty=0))
    assert shown[:3] == [
        [[[7.0, 8.0]]],
        [[[7.0, 8.0, 1.0], [7.0, 8.0, 1.0]]],
        [[[7.0, 8.0, 1.0, 0.0], [7.0, 8.0, 1.0, 0.0]]],  # both live hypotheses continue slot 0
    ]


def test_several_histories_and_rows_of_many_shapes() -> None:
    """Every tensor of the state follows its hypothesis, whatever its type and shape."""

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        read = torch.cat([state.history["ids"], tokens.unsqueeze(-1)], -1)  # [B, K, t + 1]
        assert torch.equal(state.rows["sum"].sum((2, 3)) / 6, state.history["ids"].sum(-1).double())
        assert torch.equal(state.history["wide"][..., 0, 1], state.history["ids"].half())
        assert torch.equal(state.rows["odd"], state.history["ids"].sum(-1) % 2 == 1)
        total = read.sum(-1)
        scores = torch.stack(
            [torch.sin(total * (v + 1.0) + state.sentences["seed"].unsqueeze(1)) for v in range(7)], -1
        )
        return StepOutput(
            scores,
            rows={
                "odd": total % 2 == 1,
                "sum": total[:, :, None, None].double().expand(-1, -1, 2, 3),
            },
            new_history={
                "wide": tokens[:, :, None, None, None].half().expand(-1, -1, 1, 2, 2),
                "ids": tokens.unsqueeze(-1),
            },
        )

    state = DecoderState(
        rows={"sum": torch.zeros(4, 1, 2, 3, dtype=torch.double), "odd": torch.zeros(4, 1, dtype=torch.bool)},
        history={
            "ids": torch.empty(4, 1, 0, dtype=torch.int64),
            "wide": torch.empty(4, 1, 0, 2, 2, dtype=torch.float16),
        },
        sentences={"seed": torch.arange(4.0)},
    )
    found = search(step, state, SearchOptions(beam_size=5, n_best=5, max_length=30))
    assert all(len(sentence) == 5 for sentence in found)


def test_the_given_state_is_left_as_it_was() -> None:
    step = TableStep(torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0)))
    state = step.state()
    search(step, state, SearchOptions(beam_size=3, max_length=6))
    assert state.rows["hash"].tolist() == [[0], [0], [0]]
    assert state.history["tokens"].shape == (3, 1, 0)
    assert state.sentences["index"].tolist() == [0, 1, 2]
