"""What a model is decoded with: its encoder's ``forward`` and its decoder's ``step``, or native twins of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from seq2seq_kit.decoding.operator_decoder import OperatorDecoder
from seq2seq_kit.decoding.search import NativeStep, Step
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import (
    Batch,
    Decoder,
    DecoderState,
    Encoder,
    Memory,
    NativeDecoder,
    NativeEncoder,
    Precision,
)
from seq2seq_kit.model import Model, with_extras

Stepper = Literal["auto", "python", "native", "op", "compiled"]
"""``python``: the decoder's step. ``native``: what its ``native`` offers, without Python; ``op``: the same, where that
is an :class:`OperatorDecoder`. ``auto``: the native one, where the decoder offers it. ``compiled``: what
``s2s compile`` made of the Python step, loaded from the run folder."""


def encode(model: Model, batch: Batch, stepper: Stepper = "auto", precision: Precision = "fp32") -> Memory | None:
    """What the encoder makes of a batch: natively where it offers that, unless ``stepper`` is ``"python"``. An encoder
    that offers nothing in ``precision`` runs as it is."""
    if model.encoder is None:
        return None
    native = None if stepper == "python" else native_encoder(model.encoder, precision)
    return model.encode(batch) if native is None else with_extras(native.encode(batch), batch)


def begin(
    decoder: Decoder, memory: Memory | None, batch_size: int, stepper: Stepper = "auto", precision: Precision = "fp32"
) -> tuple[Step | NativeStep, DecoderState]:
    """The step of one batch as a search takes it, and the state before the first step (of a native step: none).

    Raises:
        UserError: another stepper than the Python step is asked for, and the decoder offers none.
    """
    check(stepper, precision)
    native = None if stepper == "python" else native_decoder(decoder, precision)
    if stepper == "compiled":
        native = decoder.compiled
    if native is not None and (stepper != "op" or isinstance(native, OperatorDecoder)):
        return native.begin(memory, batch_size), DecoderState()
    if stepper == "compiled":
        raise UserError(
            f"stepper 'compiled': no compiled step of this {type(decoder).__name__} is loaded: "
            "load(run, stepper='compiled') loads what s2s compile made"
        )
    if stepper in ("native", "op") or precision != "fp32":
        asked = f"precision '{precision}'" if stepper == "auto" else f"stepper '{stepper}'"
        what = "torch operator for its step" if stepper == "op" else "native stepper"
        raise UserError(
            f"{asked}: the decoder {type(decoder).__name__} as it is configured, on this device, offers no {what} "
            f"in {precision}: decode with stepper 'auto' and precision 'fp32'"
        )
    return decoder.step, decoder.init_state(memory, batch_size)


def check(stepper: Stepper, precision: Precision) -> None:
    """Raise a UserError for names that there are not, or that do not go together."""
    if stepper not in get_args(Stepper):
        raise UserError(f"stepper must be {_one_of(get_args(Stepper))}, got {stepper!r}")
    if precision not in get_args(Precision):
        raise UserError(f"precision must be {_one_of(get_args(Precision))}, got {precision!r}")
    if stepper in ("python", "compiled") and precision != "fp32":
        raise UserError(f"precision {precision!r} is for native steppers: leave out stepper {stepper!r}")


def _one_of(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def native_decoder(decoder: Decoder, precision: Precision = "fp32") -> NativeDecoder | None:
    """What the decoder's ``native`` offers, or what was loaded as compiled; nothing where a ``step`` has overridden the
    one that it stands for."""
    if decoder.compiled is not None and precision == "fp32":
        return decoder.compiled
    return _native(decoder, "step", precision)


def native_encoder(encoder: Encoder, precision: Precision = "fp32") -> NativeEncoder | None:
    """What the encoder's ``native`` offers; nothing where a ``forward`` has overridden the one that it stands for."""
    return _native(encoder, "forward", precision)


def _native(module: Decoder | Encoder, stands_for: str, precision: Precision) -> Any:
    if stands_for in vars(module):
        return None
    for cls in type(module).__mro__:
        if "native" in vars(cls):
            return module.native(precision)
        if stands_for in vars(cls):
            return None
    return None
