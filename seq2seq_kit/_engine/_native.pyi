from collections.abc import Callable, Sequence

from torch import Tensor

from seq2seq_kit.interfaces import DecoderState, StepOutput

ABI: int

class SearchOptions:
    beam_size: int
    n_best: int
    length_penalty: float
    min_length: int
    max_length: int
    max_length_ratio: float
    max_length_margin: int
    bos_id: int
    eos_ids: Sequence[int]
    semantics: str
    numerics: str
    attention: bool
    def __init__(self) -> None: ...
    def validate(self) -> None: ...

def search(
    step: Callable[[Tensor, Tensor, DecoderState], StepOutput | Tensor],
    state: DecoderState,
    options: SearchOptions,
    source_lengths: Sequence[int],
    select_on_device: bool = False,
) -> list[list[tuple[list[int], float, float, list[float], Tensor | None]]]: ...
