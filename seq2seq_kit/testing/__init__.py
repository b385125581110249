"""For tests: conformance checks for authors of plugins, and what their tests need beside."""

from seq2seq_kit.testing.check_attention import check_attention
from seq2seq_kit.testing.check_callback import check_callback
from seq2seq_kit.testing.check_config import check_config
from seq2seq_kit.testing.check_criterion import check_criterion
from seq2seq_kit.testing.check_decoder import check_decoder
from seq2seq_kit.testing.check_encoder import check_encoder
from seq2seq_kit.testing.check_importer import check_importer
from seq2seq_kit.testing.check_metric import check_metric
from seq2seq_kit.testing.check_processor import check_processor
from seq2seq_kit.testing.check_schedule import check_schedule
from seq2seq_kit.testing.check_task import check_task
from seq2seq_kit.testing.check_tokenizer import check_tokenizer
from seq2seq_kit.testing.check_transform import check_transform
from seq2seq_kit.testing.golden import check_golden, record_golden
from seq2seq_kit.testing.report import ContractError, Finding, Report
from seq2seq_kit.testing.temporary_plugin import temporary_plugin
from seq2seq_kit.testing.tiny import tiny_batch

__all__ = [
    "ContractError",
    "Finding",
    "Report",
    "check_attention",
    "check_callback",
    "check_config",
    "check_criterion",
    "check_decoder",
    "check_encoder",
    "check_golden",
    "check_importer",
    "check_metric",
    "check_processor",
    "check_schedule",
    "check_task",
    "check_tokenizer",
    "check_transform",
    "record_golden",
    "temporary_plugin",
    "tiny_batch",
]
