"""For tests: conformance checks for authors of plugins, and the slow reference search."""

from seq2seq_kit.testing.check_decoder import check_decoder
from seq2seq_kit.testing.check_encoder import check_encoder
from seq2seq_kit.testing.report import ContractError, Finding, Report

__all__ = ["ContractError", "Finding", "Report", "check_decoder", "check_encoder"]
