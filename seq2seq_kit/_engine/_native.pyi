from collections.abc import Callable, Sequence

from torch import Tensor

from seq2seq_kit.interfaces import DecoderState, ScoreKind, StepOutput

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

_Fields = tuple[list[int], float, float, list[float], Tensor | None]  # of seq2seq_kit.decoding.hypothesis.Hypothesis

def search(
    step: Callable[[Tensor, Tensor, DecoderState], StepOutput | Tensor],
    state: DecoderState,
    options: SearchOptions,
    source_lengths: Sequence[int],
    select_on_device: bool = False,
) -> list[list[_Fields]]: ...
def search_table(
    table: Tensor,
    kind: ScoreKind,
    options: SearchOptions,
    source_lengths: Sequence[int],
    select_on_device: bool = False,
) -> list[list[_Fields]]: ...
