"""Search with any step function: the Python door to the C++ engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields

from torch import Tensor

from seq2seq_kit import _engine
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import DecoderState, StepOutput

Step = Callable[[Tensor, Tensor, DecoderState], StepOutput | Tensor]
"""``step(tokens [B, K] int64, position [B] int64, state)``; a bare Tensor is taken as logits of a step without state."""


def search(
    step: Step,
    state: DecoderState | None = None,
    options: SearchOptions | None = None,
    *,
    source_lengths: Tensor | Sequence[int] | None = None,
    batch_size: int | None = None,
    _select_on_device: bool = False,
) -> list[list[Hypothesis]]:
    """Search a batch of sentences with ``step``, which is called once a time step for the whole batch.

    Between steps the engine reorders, grows and shrinks ``state``: ``step`` sees B' sentences that are still searched and
    K' slots, the greatest number of live hypotheses among them; slots without a hypothesis repeat another one's inputs,
    and what comes out of them is ignored. The tensors in ``state.history`` are views that hold until ``step`` returns:
    clone what you keep. ``step`` runs in inference mode on the calling thread. Tensors of ``state`` and scores share one
    device; a step without state is given CPU tensors.

    Args:
        step: a decoder's ``step``, or any callable like it.
        state: the state before the first step (K = 1), from ``Decoder.init_state``; None for a step without state.
        options: see :class:`SearchOptions`.
        source_lengths: [B] source lengths, for ``max_length_ratio``.
        batch_size: B, where neither ``state`` nor ``source_lengths`` tells.

    Returns:
        For each sentence its ``n_best`` best hypotheses or fewer, best first; none where no hypothesis finished, because
        every way on had probability zero.

    Raises:
        SearchError: an option is out of range, or ``step`` broke its contract (wrong names, shapes, types, device; NaN).
        Whatever ``step`` raises comes out as it is; KeyboardInterrupt comes between two steps.
    """
    options = options or SearchOptions()
    state = state or DecoderState()
    lengths = _lengths(state, source_lengths, batch_size, options)
    found = _engine.search(step, state, _native(options), lengths, _select_on_device)
    return [[Hypothesis(*values) for values in sentence] for sentence in found]


def _native(options: SearchOptions) -> _engine.SearchOptions:
    """The options as the engine's struct of the same fields."""
    native = _engine.SearchOptions()
    for field in fields(options):
        value = getattr(options, field.name)
        try:
            setattr(native, field.name, value)
        except TypeError:
            raise SearchError(f"search option {field.name} = {value!r}: must be of type {field.type}") from None
    return native


def _lengths(
    state: DecoderState, source_lengths: Tensor | Sequence[int] | None, batch_size: int | None, options: SearchOptions
) -> list[int]:
    """One length a sentence, 0 where unknown; their number is B."""
    if source_lengths is None and options.max_length_ratio:
        raise SearchError("search option max_length_ratio needs source_lengths")
    known: dict[str, int] = {}
    if batch_size is not None:
        known["batch_size"] = batch_size
    if source_lengths is not None:
        source_lengths = source_lengths.tolist() if isinstance(source_lengths, Tensor) else list(source_lengths)
        known["source_lengths"] = len(source_lengths)
    for part in ("sentences", "rows", "history"):
        for name, tensor in getattr(state, part).items():
            known.setdefault(f"state.{part}[{name!r}]", tensor.shape[0])
            break
    if not known:
        raise SearchError("how many sentences are there? Give batch_size, source_lengths or a state with tensors")
    if len(set(known.values())) > 1:
        sizes = ", ".join(f"{name}: {size}" for name, size in known.items())
        raise SearchError(f"these disagree about the number of sentences: {sizes}")
    return source_lengths if source_lengths is not None else [0] * next(iter(known.values()))
