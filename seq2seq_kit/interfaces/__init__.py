"""The contracts between components: what flows between encoder, decoder, attention, criterion and search.

Shapes: B sentences, K beams, S source positions, T target positions, V vocabulary, H hidden size, D any width.
Masks are bool, True = real. All sequences are right-padded. "Beam is a dimension": what belongs to a sentence is
``[B, ...]`` and is never repeated K times.

One contract a file; they are imported from here.
"""

from seq2seq_kit.interfaces.attention import Attention
from seq2seq_kit.interfaces.batch import Batch, shift_right
from seq2seq_kit.interfaces.criterion import Criterion, CriterionOutput
from seq2seq_kit.interfaces.decoder import Decoder, DecoderOutput, DecoderState, NativeDecoder, StepOutput
from seq2seq_kit.interfaces.encoder import Encoder, NativeEncoder
from seq2seq_kit.interfaces.example import EncodedExample, Example
from seq2seq_kit.interfaces.importer import Imported, Importer
from seq2seq_kit.interfaces.memory import Memory
from seq2seq_kit.interfaces.metric import Metric
from seq2seq_kit.interfaces.output import Output
from seq2seq_kit.interfaces.processor import Processor, ProcessorOutput
from seq2seq_kit.interfaces.specs import MemorySpec, SourceSpec, TargetSpec
from seq2seq_kit.interfaces.task import Task
from seq2seq_kit.interfaces.tokenizer import Tokenizer
from seq2seq_kit.interfaces.transform import Transform
from seq2seq_kit.interfaces.types import Precision, ScoreKind, TensorDict

__all__ = [
    "Attention",
    "Batch",
    "Criterion",
    "CriterionOutput",
    "Decoder",
    "DecoderOutput",
    "DecoderState",
    "EncodedExample",
    "Encoder",
    "Example",
    "Imported",
    "Importer",
    "Memory",
    "MemorySpec",
    "Metric",
    "NativeDecoder",
    "NativeEncoder",
    "Output",
    "Precision",
    "Processor",
    "ProcessorOutput",
    "ScoreKind",
    "SourceSpec",
    "StepOutput",
    "TargetSpec",
    "Task",
    "TensorDict",
    "Tokenizer",
    "Transform",
    "shift_right",
]
