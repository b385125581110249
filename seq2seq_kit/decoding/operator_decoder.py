"""A decoder whose step is a torch operator, written in C++ by whoever provides the decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from seq2seq_kit._engine import NativeStep
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import DecoderState, Memory, NativeDecoder, ScoreKind


@dataclass(frozen=True)
class OperatorDecoder(NativeDecoder):
    """What :meth:`Decoder.native` returns for a step that is a torch operator: it runs in the engine without Python.

    ::

        def native(self, precision="fp32"):
            if self.training or precision != "fp32":
                return None
            return OperatorDecoder("my_package::step", self.init_state, tuple(self.parameters()), self.score_kind)

    The operator is registered when the package's compiled module is loaded (``TORCH_LIBRARY``), and has the form ::

        (Tensor tokens, Tensor position, Tensor[] rows, Tensor[] history, Tensor[] sentences, Tensor[] params)
            -> (Tensor scores, Tensor[] rows, Tensor[] new_history, Tensor attention)

    It is the function of :meth:`Decoder.step`: the tensors of the state come in the order of its dicts as
    ``init_state`` made them, and ``rows`` and ``new_history`` go back in that order; tensors may be strided views, and
    none may be written to. Without attention the last result is an empty tensor of one dimension (or None, where the
    operator's type is ``Tensor?``). It is called from any thread, without the GIL, in inference mode.
    """

    name: str
    """``"namespace::operator"``, or ``"namespace::operator.overload"``."""
    init_state: Callable[[Memory | None, int], DecoderState]
    """The decoder's: called with Python, once a batch."""
    params: Sequence[Tensor] = ()
    """Weights and whatever else the operator is given at every step."""
    kind: ScoreKind = "logits"

    def begin(self, memory: Memory | None, batch_size: int) -> NativeStep:
        """The step of one batch.

        Raises:
            SearchError: there is no such operator, or one of another form.
        """
        from seq2seq_kit._engine._native import operator_step

        state = self.init_state(memory, batch_size)
        if not isinstance(state, DecoderState):
            raise SearchError(f"init_state returned a {type(state).__name__}, expected a DecoderState")
        return operator_step(self.name, state, self.kind, list(self.params))
