"""Does a processor keep what :class:`seq2seq_kit.Processor` promises to the search?"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import DecoderState, Memory, MemorySpec, Processor, ProcessorOutput, TargetSpec
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.decoder_purity import check_unwritten
from seq2seq_kit.testing.probe import memory_parts, parts, take
from seq2seq_kit.testing.report import Fault, NotChecked, Report
from seq2seq_kit.testing.tiny import random_memory

BEAMS, STEPS = 3, 4


@dataclass(frozen=True)
class _Probe:
    """A processor with what is searched.

    Args:
        scores: [T, B, K, V] log-probabilities of each step.
        tokens: [B, K, T] what each hypothesis writes, BOS first.
    """

    make: Callable[[], Processor]
    memory: Memory
    scores: Tensor
    tokens: Tensor

    def start(self, processor: Processor) -> DecoderState:
        return processor.init(self.memory, self.tokens.shape[0])

    def apply(self, processor: Processor, t: int, tokens: Tensor, scores: Tensor, state: DecoderState) -> Tensor:
        """The new scores [B, K, V] of a step, whatever way the processor answers; ``state`` is moved on in place."""
        given = scores if processor.needs_scores else None
        answer = processor.apply(given, tokens[:, :, : t + 1], state)
        output = answer if isinstance(answer, ProcessorOutput) else ProcessorOutput(scores=answer)
        state.rows = output.state or state.rows
        if output.scores is not None:
            return output.scores
        dense = scores.clone()
        if output.rows is not None and output.tokens is not None and output.values is not None:
            dense.view(-1, dense.shape[-1]).index_put_((output.rows, output.tokens), output.values, accumulate=True)
        return dense

    def run(self, processor: Processor, slots: Tensor | None = None, sentences: Tensor | None = None) -> list[Tensor]:
        """The scores of every step; of some slots [K'] or sentences [B'] alone."""
        state, tokens, scores = self.start(processor), self.tokens, self.scores
        if sentences is not None:
            state, tokens, scores = take(state, sentences), tokens[sentences], scores[:, sentences]
        if slots is not None:
            tokens, scores = tokens[:, slots], scores[:, :, slots]
        state = state.select(torch.zeros(tokens.shape[:2], dtype=torch.int64))
        return [self.apply(processor, t, tokens, scores[t], state) for t in range(tokens.shape[2])]


def check_processor(
    make: Callable[[], Processor],
    target: TargetSpec | None = None,
    memory: Memory | MemorySpec | None = None,
    *,
    skip: Collection[str] = (),
) -> Report:
    """Check the contract of a processor.

    ::

        def test_my_processor_keeps_the_contract():
            check_processor(lambda: MyProcessor(MyConfig(), TargetSpec(vocab_size=11)))

    Args:
        make: builds one; several are made.
        target: the vocabulary that it is built with; default: 11 tokens.
        memory: what ``init`` is given, of two or more sentences; default: a random one of width 8.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    refuse_unknown(skip, PROCESSOR_CHECKS)
    built = make() if callable(make) else make
    if not isinstance(built, Processor):
        raise UserError(f"check_processor is given what makes a {type(built).__name__}; it checks a Processor")
    target = target or TargetSpec(vocab_size=11)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if not isinstance(memory, Memory):
            memory = random_memory(memory or MemorySpec(size=8), torch.empty(0))
        batch = memory.mask.shape[0]
        scores = torch.randn(STEPS, batch, BEAMS, target.vocab_size).log_softmax(-1)
        tokens = torch.randint(min(4, target.vocab_size - 1), target.vocab_size, (batch, BEAMS, STEPS))
        tokens[:, :, 0] = target.bos_id
    return run_checks(type(built).__name__, PROCESSOR_CHECKS, _Probe(make, memory, scores, tokens), skip)


def _check_init(probe: _Probe) -> None:
    state, batch = probe.start(probe.make()), probe.tokens.shape[0]
    if not isinstance(state, DecoderState):
        raise Fault(f"init returns a {type(state).__name__}, not a DecoderState")
    if state.history:
        raise Fault("init gives history; a processor has rows and sentences only, and sees the tokens written so far")
    for name, x in parts(state).items():
        leading = (batch, 1) if name.startswith("rows") else (batch,)
        if tuple(x.shape[: len(leading)]) != leading:
            raise Fault(f"init gives {name} shape {list(x.shape)}; it must begin with {list(leading)}")


def _check_apply(probe: _Probe) -> None:
    processor = probe.make()
    state = probe.start(processor).select(torch.zeros(probe.tokens.shape[:2], dtype=torch.int64))
    before = {name: (tuple(x.shape), x.dtype) for name, x in state.rows.items()}
    answer = processor.apply(probe.scores[0] if processor.needs_scores else None, probe.tokens[:, :, :1], state)
    if not isinstance(answer, ProcessorOutput | Tensor):
        raise Fault(f"apply returns a {type(answer).__name__}; it must be new scores or a ProcessorOutput")
    output = answer if isinstance(answer, ProcessorOutput) else ProcessorOutput(scores=answer)
    if output.scores is not None and output.scores.shape != probe.scores[0].shape:
        raise Fault(f"apply gives scores of shape {list(output.scores.shape)}; given {list(probe.scores[0].shape)}")
    after = {name: (tuple(x.shape), x.dtype) for name, x in output.state.items()}
    if before != after:
        raise Fault(
            f"rows are {before or 'empty'} before apply and {after or 'empty'} in the state that it gives back; names, "
            "shapes and dtypes must stay"
        )
    sparse = {name: getattr(output, name) for name in ("rows", "tokens", "values")}
    given = [name for name, x in sparse.items() if x is not None]
    if given and (len(given) < 3 or len({tuple(x.shape) for x in sparse.values() if x is not None}) > 1):
        raise Fault(f"a sparse answer has {', '.join(given)}; rows, tokens and values must be there, each [N]")
    for t, scores in enumerate(probe.run(processor)):
        if bool(scores.isnan().any()) or bool((scores == torch.inf).any()):
            raise Fault(f"at step {t} a score becomes NaN or +inf; every score must be a number or -inf")


def _check_in_place(probe: _Probe) -> None:
    processor = probe.make()
    state = check_unwritten("init", memory_parts(probe.memory), lambda: probe.start(processor))
    state = state.select(torch.zeros(probe.tokens.shape[:2], dtype=torch.int64))
    scores, tokens = probe.scores[0].clone(), probe.tokens[:, :, :1].clone()
    given = {"scores": scores, "tokens": tokens, **parts(state)}
    check_unwritten("apply", given, lambda: processor.apply(scores if processor.needs_scores else None, tokens, state))


def _check_self(probe: _Probe) -> None:
    processor = probe.make()
    expected = probe.run(processor)
    other = probe.make()
    for what, found in (("is used again", probe.run(processor)), ("is built anew", probe.run(other))):
        if not _same(found, expected):
            raise Fault(
                f"a processor that {what} gives other scores; what follows a hypothesis goes into rows, what "
                "belongs to a source into sentences, and nothing is drawn"
            )


def _check_slots(probe: _Probe) -> None:
    processor = probe.make()
    together = probe.run(processor)
    for k in range(BEAMS):
        alone = probe.run(processor, slots=torch.tensor([k]))
        if not _same([scores[:, k : k + 1] for scores in together], alone):
            raise Fault(f"hypothesis {k} of {BEAMS} gets other scores than alone; [b, k] may depend on itself alone")


def _check_sentences(probe: _Probe) -> None:
    batch = probe.tokens.shape[0]
    if batch < 2:
        raise NotChecked("there is one sentence")
    processor, keep = probe.make(), torch.tensor([batch - 1, 0])
    expected = [scores[keep] for scores in probe.run(processor)]
    if not _same(probe.run(processor, sentences=keep), expected):
        raise Fault("a sentence gets other scores when others have left; what belongs to a source goes into sentences")


def _same(found: list[Tensor], expected: list[Tensor]) -> bool:
    return all(torch.allclose(one, other, atol=1e-4) for one, other in zip(found, expected, strict=True))


PROCESSOR_CHECKS = (
    Check("init", "init gives the state of one hypothesis a sentence", _check_init),
    Check("apply", "apply scores every token and keeps the shapes of its state", _check_apply, ("init",)),
    Check("in_place", "nothing that it is given is written to", _check_in_place, ("apply",)),
    Check("self", "nothing is kept between calls but the state", _check_self, ("in_place",)),
    Check("slots", "hypotheses side by side are scored as each alone", _check_slots, ("self",)),
    Check("sentences", "sentences that leave change nothing for the rest", _check_sentences, ("slots",)),
)
