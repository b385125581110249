"""A sentence's n-best list does not depend on the batch it was searched in."""

from __future__ import annotations

import random

import pytest
import torch
from table_step import TableStep
from torch import Tensor, nn

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.options import Numerics, SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import DecoderState, StepOutput
from seq2seq_kit.testing.recording import RecordedSteps
from seq2seq_kit.testing.reference_search import reference_search

SENTENCES = 64
NEAR_TIE = 1e-5


def in_batches(order: list[int], size: int) -> list[list[int]]:
    return [order[start : start + size] for start in range(0, len(order), size)]


@pytest.mark.parametrize("numerics", ["reference", "fast"])
@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("size", [1, 7, 64])
def test_table_steps_bit_for_bit(size: int, beam_size: int, numerics: Numerics) -> None:
    table = torch.randn(SENTENCES, 211, 90, generator=torch.Generator().manual_seed(1)) * 2
    table[:, :, 2] += 2  # hypotheses end at many different lengths, so that batches shrink
    step = TableStep(table)
    options = SearchOptions(beam_size=beam_size, n_best=beam_size, max_length=30, numerics=numerics, attention=True)
    whole = search(step, step.state(), options)
    assert len({len(sentence[0].tokens) for sentence in whole}) > 5

    order = list(range(SENTENCES))
    random.Random(size).shuffle(order)
    for sentences in in_batches(order, size):
        for sentence, found in zip(sentences, search(step, step.state(sentences), options), strict=True):
            assert found == whole[sentence]
            for one, other in zip(found, whole[sentence], strict=True):
                assert torch.equal(one.attention, other.attention)


class AttentiveStep(nn.Module):
    """A small recurrent decoder over a padded memory: its matrix products change in the last bits with the rows."""

    def __init__(self, vocab: int = 60, size: int = 48) -> None:
        super().__init__()
        self.embedding, self.cell = nn.Embedding(vocab, size), nn.GRUCell(2 * size, size)
        self.out = nn.Linear(2 * size, vocab)

    def state(self, memory: Tensor, mask: Tensor) -> DecoderState:
        start = torch.zeros(len(memory), 1, memory.shape[2])
        return DecoderState(rows={"h": start, "context": start}, sentences={"memory": memory, "mask": mask})

    def forward(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        batch, beams = tokens.shape
        inputs = torch.cat([self.embedding(tokens), state.rows["context"]], -1)
        hidden = self.cell(inputs.flatten(0, 1), state.rows["h"].flatten(0, 1)).view(batch, beams, -1)
        scores = torch.einsum("bkh,bsh->bks", hidden, state.sentences["memory"])
        weights = scores.masked_fill(~state.sentences["mask"].unsqueeze(1), -torch.inf).softmax(-1)  # [B, K, S]
        context = torch.einsum("bks,bsh->bkh", weights, state.sentences["memory"])
        logits = self.out(torch.cat([hidden, context], -1)) * 6
        return StepOutput(logits, rows={"h": hidden, "context": context}, attention=weights)


def padded(lengths: list[int], sources: list[Tensor]) -> tuple[Tensor, Tensor]:
    memory = nn.utils.rnn.pad_sequence(sources, batch_first=True, padding_value=99.0)  # [B, S, H]; padding is noticed
    mask = torch.arange(memory.shape[1]) < torch.tensor(lengths).unsqueeze(1)
    return memory, mask


def same_but_for_near_ties(found: list[Hypothesis], expected: list[Hypothesis]) -> bool:
    """Whether two lists have the same tokens; where not, the scores must show that it was a near-tie."""
    if [hypothesis.tokens for hypothesis in found] == [hypothesis.tokens for hypothesis in expected]:
        return True
    for one, other in zip(found, expected, strict=True):
        assert abs(one.score - other.score) < NEAR_TIE, (one, other)
    return False


def test_torch_steps_but_for_near_ties(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(2)
    step = AttentiveStep()
    lengths = [random.Random(i).randint(1, 20) for i in range(SENTENCES)]
    sources = [torch.randn(length, 48) for length in lengths]
    options = SearchOptions(beam_size=4, n_best=4, max_length=25)
    alone = [
        search(step, step.state(*padded([n], [source])), options)[0] for n, source in zip(lengths, sources, strict=True)
    ]

    ties = total = 0
    for size in (7, 64):
        order = random.Random(size).sample(range(SENTENCES), SENTENCES)
        for batch in in_batches(order, size):
            memory, mask = padded([lengths[i] for i in batch], [sources[i] for i in batch])
            for sentence, found in zip(batch, search(step, step.state(memory, mask), options), strict=True):
                total += 1
                ties += not same_but_for_near_ties(found, alone[sentence])
    with capsys.disabled():
        print(f" [near-ties: {ties} of {total} lists]", end="")
    assert ties <= total / 100


@pytest.mark.parametrize("beam_size", [1, 5])
def test_recorded_torch_steps_equal_the_reference_bit_for_bit(beam_size: int) -> None:
    """A real step's scores, recorded in a shrinking batch, searched again one sentence at a time."""
    torch.manual_seed(3)
    step = AttentiveStep()
    lengths = [3, 9, 1, 14, 6]
    memory, mask = padded(lengths, [torch.randn(length, 48) for length in lengths])
    options = SearchOptions(beam_size=beam_size, n_best=beam_size, max_length=20, numerics="reference")
    recorded = RecordedSteps(step)
    found = search(recorded, recorded.watch(step.state(memory, mask)), options)
    assert found == [reference_search(recorded.scores(b), options, kind=recorded.kind) for b in range(len(found))]
