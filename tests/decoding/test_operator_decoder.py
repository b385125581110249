"""A decoder whose step is a torch operator: the search that its Python step gives, and a sentence where it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from sound_decoder import TARGET, Bigrams, CopyingDecoder, SoundDecoder
from torch import Tensor

from seq2seq_kit import OperatorDecoder, SearchError, UserError, search
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.stepper import begin
from seq2seq_kit.interfaces import Decoder, DecoderState, Memory, StepOutput
from seq2seq_kit.testing import check_decoder

ARGUMENTS = "Tensor tokens, Tensor position, Tensor[] rows, Tensor[] history, Tensor[] sentences, Tensor[] params"
FORM = f"({ARGUMENTS}) -> (Tensor, Tensor[], Tensor[], Tensor)"
Operator = Callable[..., tuple[Tensor | None, list[Tensor], list[Tensor], Tensor | None]]


def memory() -> Memory:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([5, 2, 4])
    return Memory(torch.randn(3, 5, 6, generator=generator), torch.arange(5) < lengths.unsqueeze(1))


def register(name: str, function: Operator, form: str = FORM) -> str:
    torch.library.define(f"s2s_test::{name}", form)
    torch.library.impl(f"s2s_test::{name}", "CompositeExplicitAutograd", function)
    return f"s2s_test::{name}"


def step_of(decoder: Decoder, change: Callable[[StepOutput], None] = lambda output: None) -> Operator:
    """The decoder's own step as an operator is written: lists in the state's order, weights among the arguments."""
    names = [name for name, _ in decoder.named_parameters()]
    start = decoder.init_state(memory() if isinstance(decoder, SoundDecoder) else None, 3)

    def step(
        tokens: Tensor,
        position: Tensor,
        rows: list[Tensor],
        history: list[Tensor],
        sentences: list[Tensor],
        params: list[Tensor],
    ) -> Any:
        parts = zip((start.rows, start.history, start.sentences), (rows, history, sentences), strict=True)
        state = DecoderState(*(dict(zip(part, given, strict=True)) for part, given in parts))
        weights = dict(zip(names, params, strict=True))
        output = torch.func.functional_call(StepOf(decoder), weights, (tokens, position, state))
        change(output)
        attention = torch.empty(0) if output.attention is None else output.attention
        return output.scores, list(output.rows.values()), list(output.new_history.values()), attention

    return step


class StepOf(torch.nn.Module):
    """``forward`` is the decoder's step, under the decoder's names of parameters."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self._modules = decoder._modules
        self.step = decoder.step

    def forward(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        return self.step(tokens, position, state)


def operator_decoder(decoder: Decoder, name: str) -> OperatorDecoder:
    return OperatorDecoder(name, decoder.init_state, tuple(decoder.parameters()), decoder.score_kind)


def find(decoder: Decoder, name: str, given: Memory | None, **options: Any) -> list[list[Hypothesis]]:
    step = operator_decoder(decoder, name).begin(given, 3)
    return search(step, options=SearchOptions(**{"max_length": 8, **options}), batch_size=3)


@pytest.mark.parametrize("kind", [SoundDecoder, CopyingDecoder, Bigrams])
def test_it_finds_what_the_python_step_finds(kind: type[Decoder]) -> None:
    decoder = kind().eval()
    given = None if kind is Bigrams else memory()
    name = register(f"as_{kind.__name__}", step_of(decoder))
    for options in ({"beam_size": 1}, {"beam_size": 4, "n_best": 4, "attention": given is not None, "min_length": 3}):
        searched = SearchOptions(max_length=8, **options)
        expected = search(decoder.step, decoder.init_state(given, 3), searched, batch_size=3)
        found = find(decoder, name, given, **options)
        assert [[h.tokens for h in own] for own in found] == [[h.tokens for h in own] for own in expected]
        for own, others in zip(found, expected, strict=True):
            for one, other in zip(own, others, strict=True):
                assert one.token_log_probs == other.token_log_probs
                assert (one.attention is None) == (other.attention is None)
                assert one.attention is None or torch.equal(one.attention, other.attention)


def test_a_step_is_begun_anew_by_every_search() -> None:
    decoder = SoundDecoder().eval()
    step = operator_decoder(decoder, register("again", step_of(decoder))).begin(memory(), 3)
    options = SearchOptions(beam_size=2, max_length=6)
    assert search(step, options=options, batch_size=3) == search(step, options=options, batch_size=3)


def test_its_decoder_is_decoded_by_it_and_passes_the_checks() -> None:
    calls: list[int] = []
    name = register("offered", step_of(SoundDecoder().eval(), lambda output: calls.append(1)))

    class Offering(SoundDecoder):
        def native(self, precision: Any = "fp32") -> OperatorDecoder | None:
            return operator_decoder(self, name) if precision == "fp32" else None

    decoder = Offering().eval()
    for stepper in ("auto", "native", "op"):
        step, state = begin(decoder, memory(), 3, stepper)  # type: ignore[arg-type]
        calls.clear()
        search(step, state, SearchOptions(max_length=4), batch_size=3)
        assert calls
    assert begin(decoder, memory(), 3, "python")[0] == decoder.step
    with pytest.raises(UserError, match=r"stepper 'op': the decoder Offering .* no torch operator .* in int8"):
        begin(decoder, memory(), 3, "op", "int8")
    with pytest.raises(UserError, match=r"stepper 'op': the decoder SoundDecoder .* no torch operator"):
        begin(SoundDecoder().eval(), memory(), 3, "op")
    check_decoder(decoder, memory(), target=TARGET)


def narrow(output: StepOutput) -> None:
    output.scores = output.scores[:, :, 0]


def not_a_number(output: StepOutput) -> None:
    output.scores[1, 0, 4] = torch.nan


def lose_a_row(output: StepOutput) -> None:
    output.rows = {}


def whole_history(output: StepOutput) -> None:
    output.new_history = {"past": output.new_history["past"].repeat(1, 1, 2, 1)}


def wrong_attention(output: StepOutput) -> None:
    output.attention = torch.zeros(1, 1, 5)


def wrong_dtype(output: StepOutput) -> None:
    output.rows = {"h": output.rows["h"].double()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (narrow, r"the step's scores have shape \[3, 1\], expected \[B, K, V\] with B = 3 and K = 1"),
        (not_a_number, r"sentence 1, step 0: the step's scores contain NaN"),
        (lose_a_row, r"operator 's2s_test::lose_a_row': the rows that it returned are 0 tensors, expected 1"),
        (whole_history, r"new_history\['past'\] has shape \[3, 1, 2, 6\], expected \[3, 1, 1, 6\]"),
        (wrong_attention, r"the step's attention has shape \[1, 1, 5\], expected \[3, 1, ...\]"),
        (wrong_dtype, r"rows\['h'\] has dtype double, expected float"),
    ],
)
def test_a_broken_contract_gets_a_sentence(change: Callable[[StepOutput], None], message: str) -> None:
    decoder = SoundDecoder().eval()
    name = register(change.__name__, step_of(decoder, change))
    with pytest.raises(SearchError, match=message):
        find(decoder, name, memory())


def test_attention_may_be_none() -> None:
    decoder = SoundDecoder().eval()
    own = step_of(decoder)

    def without(*arguments: Any) -> Any:
        return (*own(*arguments)[:3], None)

    name = register("without_attention", without, FORM[: -len("Tensor)")] + "Tensor?)")
    assert find(decoder, name, memory(), attention=True)[0][0].attention is None


def test_an_error_inside_comes_out_as_it_is() -> None:
    decoder = SoundDecoder().eval()

    def mismatched(*arguments: Any) -> Any:
        return torch.ones(2, 3) @ torch.ones(2, 3)

    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        find(decoder, register("mismatched", mismatched), memory())


def test_what_is_no_such_operator_gets_a_sentence() -> None:
    decoder = SoundDecoder().eval()
    for name in ("s2s_test::none", "none", "s2s_test::as.none", ""):
        with pytest.raises(SearchError, match=rf"torch has no operator '{name}': the module that registers it"):
            find(decoder, name, memory())
    with pytest.raises(SearchError, match=r"operator 'aten::add.Tensor' has the form aten::add.Tensor\(.*expected \("):
        find(decoder, "aten::add.Tensor", memory())
    torch.library.define("s2s_test::no_kernel", FORM)
    with pytest.raises(SearchError, match=r"operator 's2s_test::no_kernel': Could not run"):
        find(decoder, "s2s_test::no_kernel", memory())


def test_a_wrong_state_gets_a_sentence() -> None:
    wrong = OperatorDecoder("aten::add", lambda memory, batch_size: {})  # type: ignore[arg-type, return-value]
    with pytest.raises(SearchError, match="init_state returned a dict, expected a DecoderState"):
        wrong.begin(None, 3)
