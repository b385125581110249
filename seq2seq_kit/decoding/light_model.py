"""A model that is decoded natively, and whose packed weights are then the only ones in memory."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal

import torch

from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.decoding.stepper import native_decoder, native_encoder
from seq2seq_kit.errors import CheckpointError
from seq2seq_kit.interfaces import Decoder, Encoder, Precision
from seq2seq_kit.layers.native_weights import let_go
from seq2seq_kit.model import Model


class LightModel:
    """The model of a run. It gives up the weights that its native steppers have packed, and reads them again for
    whoever asks for them; from then on they stay.

    Args:
        model: in eval mode, on the CPU.
        run: where it was loaded from, and ``which`` of its weights.
    """

    def __init__(self, model: Model, run: Path, which: Literal["best", "last"]) -> None:
        self._model = model
        self._run = run
        self._which: Literal["best", "last"] = which
        self._stays_whole = False
        self._light: list[Encoder | Decoder] = []
        """The parts whose weights were given up,"""
        self._precision: Precision = "fp32"
        """and in which they are packed."""
        self._lock = threading.Lock()

    def whole(self) -> Model:
        """The model with all its weights.

        Raises:
            CheckpointError: they cannot be read again, or others have taken their place in the run folder.
        """
        with self._lock, torch.inference_mode(False):
            self._read_again()
            self._stays_whole = True
            return self._model

    def light(self, precision: Precision) -> Model:
        """The model for native steppers in this precision; with all its weights where these have been asked for, and
        those of a part that offers no native stepper."""
        with self._lock, torch.inference_mode(False):  # what is made under it stays so
            if self._stays_whole or (self._light and self._is_packed(precision)):
                return self._model
            self._read_again()
            self._precision = precision
            for part in (self._model.encoder, self._model.decoder):
                if part is not None and _offers_native(part, precision):  # packed here, before the next part is
                    let_go(part, precision)
                    self._light.append(part)
            return self._model

    def _is_packed(self, precision: Precision) -> bool:
        return precision == self._precision and all(_offers_native(part, precision) for part in self._light)

    def _read_again(self) -> None:
        if not self._light:
            return
        found = dict(load_run(self._run, self._which).model.named_parameters())
        own = dict(self._model.named_parameters())
        same = found.keys() == own.keys() and all(torch.equal(p, found[name]) for name, p in own.items() if p.numel())
        if not same:
            raise CheckpointError(f"{self._run}: its weights have changed since the run was loaded: load it again")
        for name, parameter in own.items():
            parameter.data = found[name].data
        self._light.clear()


def _offers_native(part: Encoder | Decoder, precision: Precision) -> bool:
    """Does the part run natively as it is now? Then its weights are packed."""
    native = native_encoder(part, precision) if isinstance(part, Encoder) else native_decoder(part, precision)
    return native is not None
