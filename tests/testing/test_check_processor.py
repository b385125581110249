"""The tester of processors names each fault that is planted, and passes what is sound."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import DecoderState, Memory, Processor, ProcessorOutput
from seq2seq_kit.testing import ContractError, check_processor


class Sound(Processor):
    """Bars a token per source, and makes every token that was written less likely, as often as it was written."""

    def init(self, memory: Memory | None, batch_size: int) -> DecoderState:
        assert memory is not None
        barred = 4 + memory.mask.sum(1) % 7  # [B]
        return DecoderState({"count": torch.zeros(batch_size, 1, 11)}, sentences={"barred": barred})

    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput | Tensor:
        assert scores is not None
        count = state.rows["count"] + torch.nn.functional.one_hot(tokens[:, :, -1], 11)
        barred = torch.nn.functional.one_hot(state.sentences["barred"], 11).bool().unsqueeze(1)  # [B, 1, V]
        return ProcessorOutput((scores - count).masked_fill(barred, -torch.inf), state={"count": count})


class Sparse(Processor):
    needs_scores = False

    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput:
        last = tokens[:, :, -1].flatten()
        return ProcessorOutput(rows=torch.arange(len(last)), tokens=last, values=torch.full(last.shape, -1.0))


class CountsOnSelf(Sound):
    seen = 0.0

    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput | Tensor:
        self.seen += 1.0
        assert scores is not None
        return super().apply(scores * self.seen, tokens, state)


class Draws(Sound):
    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput | Tensor:
        assert scores is not None
        return super().apply(scores + torch.rand(()), tokens, state)


class WritesScores(Sound):
    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput | Tensor:
        assert scores is not None
        return super().apply(scores.sub_(1.0), tokens, state)


class ForgetsItsState(Sound):
    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput | Tensor:
        output = super().apply(scores, tokens, state)
        assert isinstance(output, ProcessorOutput) and output.scores is not None
        return output.scores


class MixesSlots(Sound):
    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput | Tensor:
        assert scores is not None
        return super().apply(scores - scores.mean(1, keepdim=True), tokens, state)


class SourcesOnSelf(Sound):
    """What belongs to a source is found by its place in the batch."""

    def init(self, memory: Memory | None, batch_size: int) -> DecoderState:
        state = super().init(memory, batch_size)
        self.barred = state.sentences["barred"]
        return state

    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput | Tensor:
        return super().apply(scores, tokens, DecoderState(state.rows, {}, {"barred": self.barred[: len(tokens)]}))


class HalfSparse(Sparse):
    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput:
        return ProcessorOutput(rows=torch.tensor([0]), values=torch.tensor([1.0]))


class ForOneSentence(Sound):
    def init(self, memory: Memory | None, batch_size: int) -> DecoderState:
        return DecoderState({"count": torch.zeros(1, 1, 11)})


PLANTED: dict[type[Processor], tuple[str, str]] = {
    CountsOnSelf: (
        "self",
        "a processor that is used again gives other scores; .* goes into rows",
    ),
    Draws: ("self", "and nothing is drawn"),
    WritesScores: ("in_place", "apply writes into scores in place"),
    ForgetsItsState: ("apply", "rows are .*'count'.* before apply and empty in the state that it gives back"),
    MixesSlots: ("slots", "hypothesis 0 of 3 gets other scores than alone"),
    SourcesOnSelf: ("sentences", "a sentence gets other scores when others have left"),
    HalfSparse: ("apply", "a sparse answer has rows, values; rows, tokens and values must be there"),
    ForOneSentence: ("init", r"init gives rows\['count'\] shape \[1, 1, 11\]; it must begin with \[4, 1\]"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: Callable[[], Processor]) -> None:
    check, sentence = PLANTED[planted]  # type: ignore[index]
    with pytest.raises(ContractError) as caught:
        check_processor(planted)
    fault = caught.value.report.faults[0]
    assert fault.check == check, str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


@pytest.mark.parametrize("sound", [Sound, Sparse])
def test_what_is_sound_passes(sound: Callable[[], Processor]) -> None:
    assert {finding.verdict for finding in check_processor(sound).findings} == {"ok"}


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match="what makes a dict; it checks a Processor"):
        check_processor(dict)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no check 'rows' to skip; there are init, "):
        check_processor(Sound, skip=["rows"])
