"""Search with any step function: the Python door to the C++ engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from seq2seq_kit import _engine
from seq2seq_kit.decoding.ensemble import Ensemble, Member
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import Automaton, SentenceInput
from seq2seq_kit.decoding.on_device import Record, device_of, recording, takes_padding, tell_why_on_host
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.processors import Apply, OperatorProcessor, StartedProcessor, start
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import DecoderState, Memory, Processor, StepOutput

Step = Callable[[Tensor, Tensor, DecoderState], StepOutput | Tensor]
"""``step(tokens [B, K] int64, position [B] int64, state)``; a bare Tensor is the logits of a step without state."""

StopCriterion = Callable[[Tensor, Tensor], Tensor]

NativeStep = _engine.NativeStep
"""The step of a batch that needs no Python: what ``Decoder.native`` begins."""

Cancellation = _engine.Cancellation
"""``cancel()``, called from any thread, ends the searches that it was given to before their next step."""


def search(
    step: Step | NativeStep | Ensemble,
    state: DecoderState | None = None,
    options: SearchOptions | None = None,
    *,
    sentences: Sequence[SentenceInput] | None = None,
    source_lengths: Tensor | Sequence[int] | None = None,
    batch_size: int | None = None,
    memory: Memory | None = None,
    processors: Sequence[Processor | OperatorProcessor | Apply] = (),
    stop: StopCriterion | None = None,
    on_tokens: Callable[[int, list[int]], None] | None = None,
    cancellation: Cancellation | None = None,
    _search_on_device: bool = False,
    _record: Record | None = None,
    _select_on_device: bool = False,
    _shrink: bool = True,
) -> list[list[Hypothesis]]:
    """Search a batch of sentences with ``step``, which is called once a time step for the whole batch.

    Between steps the engine reorders, grows and shrinks ``state``: ``step`` sees the B' sentences that are still
    searched, and K' slots, the greatest number of live hypotheses among them. A slot without a hypothesis repeats
    another one's inputs, and what comes out of it is ignored. The tensors in ``state.history`` are views that hold
    until ``step`` returns: clone what you keep. ``step`` runs in inference mode on the calling thread. The tensors of
    ``state`` and what ``step`` returns share one device; a step without state is given CPU tensors.

    Args:
        step: a decoder's ``step``, any callable like it, a :class:`NativeStep`, or an :class:`Ensemble` of them (which
            holds their states).
        state: the state before the first step (K = 1), from ``Decoder.init_state``; None for a step without state.
        options: see :class:`SearchOptions`.
        sentences: [B] what the search is told about each sentence: forced prefix, constraints, source tokens, …
        source_lengths: [B] source lengths, for options that depend on them; short for ``sentences`` that hold no more.
        batch_size: B, where nothing else tells.
        memory: what ``processors`` are started with.
        processors: the caller's own, applied in order after the built-in options.
        stop: ends hypotheses: ``stop(tokens [B, K, 1 + t], sums [B, K]) -> bool [B, K]``, after each step, BOS first.
            But for samples, semantics other than kit end the sentence when it says so of the likeliest live one.
        on_tokens: ``on_tokens(sentence, tokens)`` is told, step by step, of the tokens of a sentence's best hypothesis
            that are settled: what every hypothesis that may still come first begins with. They are never taken back,
            and in the end they are the tokens of the first hypothesis.
        cancellation: ends the search from another thread.

    Returns:
        For each sentence its ``n_best`` best hypotheses, best first; fewer or none where too few could finish, because
        every other way on had probability zero.

    Raises:
        SearchError: an option is out of range, or ``step`` broke its contract (wrong name, shape, type, device; NaN).
        SearchCancelled: ``cancellation`` said so.
        Exception: whatever a callable raises comes out as it is, and KeyboardInterrupt comes between two steps.
    """
    options = options or SearchOptions()
    members = _members(step, state)
    state = members[0].state
    native = _native(with_seed(options))
    given = _sentences(state, sentences, source_lengths, batch_size, options)
    started = start(processors, memory, len(given))
    in_main_thread = threading.current_thread() is threading.main_thread()
    call = Call(
        started,
        stop,
        on_tokens,
        cancellation,
        takes_padding=takes_padding(step),
        record=_record,
        search_on_device=_search_on_device,
        select_on_device=_select_on_device,
        shrink=_shrink,
        in_main_thread=in_main_thread,
    )
    inputs = _native_inputs(given)
    if isinstance(step, Ensemble):
        steps, states, weights = zip(*((m.step, m.state, m.weight) for m in members), strict=True)
        found = _engine.search_ensemble(steps, states, weights, step.combination, native, inputs, call)
    elif (device := device_of(state)).type == "cpu":
        found = _engine.search(step, state, native, inputs, call)
    else:
        if reason := _engine._native.why_on_host(native, inputs, call):
            tell_why_on_host(reason)
        with recording(device) as record:
            found = _engine.search(step, state, native, inputs, replace(call, record=record))
    return [[Hypothesis(*values) for values in sentence] for sentence in found]


def _members(step: Step | NativeStep | Ensemble, state: DecoderState | None) -> list[Member]:
    """The members of an ensemble; a step is one alone."""
    if isinstance(step, Ensemble):
        if state is not None:
            raise SearchError("an Ensemble's members have states of their own: give no state")
        members = list(step.members)
        if not members:
            raise SearchError("an ensemble needs at least one member")
    else:
        members = [Member(step, DecoderState() if state is None else state)]
    for member in members:
        if not isinstance(member.step, NativeStep) and not callable(member.step):
            raise SearchError(
                f"step = {member.step!r} cannot be called; it takes (tokens, position, state) and returns a StepOutput"
            )
        if not isinstance(member.state, DecoderState):
            raise SearchError(f"state is a {type(member.state).__name__}, expected a DecoderState")
        if isinstance(member.step, NativeStep) and any(vars(member.state).values()):
            raise SearchError("a NativeStep has a state of its own: give no state")
    return members


@dataclass(frozen=True)
class Call:
    """What a search is given beside step, options and sentences, as the engine reads it."""

    processors: Sequence[StartedProcessor] = ()
    stop: StopCriterion | None = None
    on_tokens: Callable[[int, list[int]], None] | None = None
    cancellation: Cancellation | None = None
    takes_padding: bool = False
    """The step takes padded history; see :attr:`Decoder.takes_padding`."""
    record: Record | None = None
    search_on_device: bool = False
    """Keep the state where the step is, also on the CPU, if the options let it."""
    select_on_device: bool = False
    shrink: bool = True
    in_main_thread: bool = True
    """Where Python handles signals: no other thread need take the GIL for that."""


def with_seed(options: SearchOptions) -> SearchOptions:
    """The options with a seed for their samples, drawn from torch's default generator if they need one."""
    if options.sampling == "off" or options.rng == "torch" or options.seed != -1:
        return options
    return replace(options, seed=int(torch.randint(2**63 - 1, ()).item()))


def check_options(options: SearchOptions) -> None:
    """Raise the :class:`SearchError` with which a search with these options would start."""
    _native(options)


def _native(options: SearchOptions) -> _engine.SearchOptions:
    """The options as the engine's struct of the same fields, checked."""
    native = _engine.SearchOptions()
    for field in fields(options):
        value = getattr(options, field.name)
        try:
            setattr(native, field.name, value)
        except TypeError:
            raise SearchError(f"search option {field.name} = {value!r}: must be of type {field.type}") from None
    native.validate()
    return native


def _sentences(
    state: DecoderState,
    sentences: Sequence[SentenceInput] | None,
    source_lengths: Tensor | Sequence[int] | None,
    batch_size: int | None,
    options: SearchOptions,
) -> list[SentenceInput]:
    """One input a sentence; their number is B."""
    if sentences is not None:
        if source_lengths is not None:
            raise SearchError("give sentences or source_lengths, not both: a SentenceInput has its source_length")
        given, name = list(sentences), "sentences"
        for sentence in given:
            if not isinstance(sentence, SentenceInput):
                raise SearchError(f"sentences has a {type(sentence).__name__}, expected a SentenceInput each")
    elif source_lengths is not None:
        lengths = source_lengths.tolist() if isinstance(source_lengths, Tensor) else list(source_lengths)
        if not all(isinstance(length, int) and length >= 0 for length in lengths):
            raise SearchError(f"source_lengths = {lengths}: must be one whole number of at least 0 for each sentence")
        given, name = [SentenceInput(source_length=length, key=i) for i, length in enumerate(lengths)], "source_lengths"
    else:
        for field in ("max_length_ratio", "brevity_penalty"):
            if getattr(options, field):
                raise SearchError(f"search option {field} needs source_lengths")
        batch_size = _batch_size(state) if batch_size is None else batch_size
        if not isinstance(batch_size, int) or batch_size < 0:
            raise SearchError(f"batch_size = {batch_size!r}: must be a whole number of at least 0")
        return [SentenceInput(key=i) for i in range(batch_size)]
    if batch_size is not None and batch_size != len(given):
        raise SearchError(f"batch_size = {batch_size}, but there are {len(given)} {name}")
    return given


def _native_inputs(sentences: Sequence[SentenceInput]) -> list[_engine.SentenceInput]:
    """The sentences' inputs as the engine's structs of the same fields. An automaton that they share stays one."""
    automata: dict[int, _engine.Automaton] = {}
    inputs = []
    for sentence in sentences:
        native = _engine.SentenceInput()
        for field in fields(sentence):
            value = getattr(sentence, field.name)
            if isinstance(value, Automaton):
                if id(value) not in automata:
                    automata[id(value)] = _native_automaton(value)
                value = automata[id(value)]
            _assign(native, field.name, value, "a SentenceInput's")
        inputs.append(native)
    return inputs


def _native_automaton(automaton: Automaton) -> _engine.Automaton:
    native = _engine.Automaton()
    _assign(native, "arcs", list(automaton.arcs), "an Automaton's")
    _assign(native, "accepting", set(automaton.accepting), "an Automaton's")
    return native


def _assign(native: object, name: str, value: object, whose: str) -> None:
    try:
        setattr(native, name, value)
    except TypeError:
        raise SearchError(f"{whose} {name} = {value!r}: is not of the type that is documented") from None


def _batch_size(state: DecoderState) -> int:
    """B as the first tensor of the state has it; the engine then holds the others to it."""
    for part in (state.sentences, state.rows, state.history):
        for tensor in part.values():
            return tensor.shape[0] if isinstance(tensor, Tensor) and tensor.dim() else 0
    raise SearchError("how many sentences are there? Give batch_size, source_lengths or a state with tensors")
