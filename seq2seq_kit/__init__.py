"""seq2seq_kit: sequence-to-sequence models in which everything that has a name is a plugin, and everything that
decodes, decodes in C++.

Importing the package is quick: torch is imported on the first use of a name that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq_kit.components import Component
    from seq2seq_kit.config import ComponentConfig, TaskConfig, component_field
    from seq2seq_kit.criteria.chunks import criterion_in_chunks, log_probs_in_chunks, loss_in_chunks
    from seq2seq_kit.criteria.forced import teacher_force
    from seq2seq_kit.criteria.token_wise import WithBase
    from seq2seq_kit.data.readers import Examples
    from seq2seq_kit.decoding.conversation import Conversation
    from seq2seq_kit.decoding.ensemble import Ensemble, Member
    from seq2seq_kit.decoding.hypothesis import Hypothesis
    from seq2seq_kit.decoding.inputs import Automaton, SentenceInput
    from seq2seq_kit.decoding.operator_decoder import OperatorDecoder
    from seq2seq_kit.decoding.options import SearchOptions
    from seq2seq_kit.decoding.pipeline import Pipeline, load
    from seq2seq_kit.decoding.presets import preset
    from seq2seq_kit.decoding.run_ensemble import load_ensemble
    from seq2seq_kit.decoding.search import Cancellation, NativeStep, search
    from seq2seq_kit.errors import ConfigError, DataError, PluginError, SearchCancelled, SearchError, UserError
    from seq2seq_kit.headers import cmake_dir, include_dir
    from seq2seq_kit.hookspecs import hookimpl
    from seq2seq_kit.interfaces import (
        Attention,
        Batch,
        Criterion,
        CriterionOutput,
        Decoder,
        DecoderOutput,
        DecoderState,
        EncodedExample,
        Encoder,
        Example,
        Imported,
        Importer,
        Memory,
        MemorySpec,
        Metric,
        Output,
        Processor,
        ProcessorOutput,
        SourceSpec,
        StepOutput,
        TargetSpec,
        Task,
        Tokenizer,
        Transform,
    )
    from seq2seq_kit.registry import build, register
    from seq2seq_kit.tasks.pairs import PairConfig, PairTask
    from seq2seq_kit.tasks.text import TextTask
    from seq2seq_kit.training.callbacks import Callback
    from seq2seq_kit.training.schedules import Schedule

__version__ = "0.1.0"

_LAZY = {
    "Attention": "seq2seq_kit.interfaces",
    "Automaton": "seq2seq_kit.decoding.inputs",
    "Batch": "seq2seq_kit.interfaces",
    "Callback": "seq2seq_kit.training.callbacks",
    "Cancellation": "seq2seq_kit.decoding.search",
    "Component": "seq2seq_kit.components",
    "ComponentConfig": "seq2seq_kit.config",
    "ConfigError": "seq2seq_kit.errors",
    "Conversation": "seq2seq_kit.decoding.conversation",
    "Criterion": "seq2seq_kit.interfaces",
    "CriterionOutput": "seq2seq_kit.interfaces",
    "DataError": "seq2seq_kit.errors",
    "Decoder": "seq2seq_kit.interfaces",
    "DecoderOutput": "seq2seq_kit.interfaces",
    "DecoderState": "seq2seq_kit.interfaces",
    "EncodedExample": "seq2seq_kit.interfaces",
    "Encoder": "seq2seq_kit.interfaces",
    "Ensemble": "seq2seq_kit.decoding.ensemble",
    "Example": "seq2seq_kit.interfaces",
    "Examples": "seq2seq_kit.data.readers",
    "Hypothesis": "seq2seq_kit.decoding.hypothesis",
    "Imported": "seq2seq_kit.interfaces",
    "Importer": "seq2seq_kit.interfaces",
    "Member": "seq2seq_kit.decoding.ensemble",
    "Memory": "seq2seq_kit.interfaces",
    "MemorySpec": "seq2seq_kit.interfaces",
    "Metric": "seq2seq_kit.interfaces",
    "NativeStep": "seq2seq_kit.decoding.search",
    "OperatorDecoder": "seq2seq_kit.decoding.operator_decoder",
    "Output": "seq2seq_kit.interfaces",
    "PairConfig": "seq2seq_kit.tasks.pairs",
    "PairTask": "seq2seq_kit.tasks.pairs",
    "Pipeline": "seq2seq_kit.decoding.pipeline",
    "PluginError": "seq2seq_kit.errors",
    "Processor": "seq2seq_kit.interfaces",
    "ProcessorOutput": "seq2seq_kit.interfaces",
    "Schedule": "seq2seq_kit.training.schedules",
    "SearchCancelled": "seq2seq_kit.errors",
    "SearchError": "seq2seq_kit.errors",
    "SearchOptions": "seq2seq_kit.decoding.options",
    "SentenceInput": "seq2seq_kit.decoding.inputs",
    "SourceSpec": "seq2seq_kit.interfaces",
    "StepOutput": "seq2seq_kit.interfaces",
    "TargetSpec": "seq2seq_kit.interfaces",
    "Task": "seq2seq_kit.interfaces",
    "TaskConfig": "seq2seq_kit.config",
    "TextTask": "seq2seq_kit.tasks.text",
    "Tokenizer": "seq2seq_kit.interfaces",
    "Transform": "seq2seq_kit.interfaces",
    "UserError": "seq2seq_kit.errors",
    "WithBase": "seq2seq_kit.criteria.token_wise",
    "build": "seq2seq_kit.registry",
    "cmake_dir": "seq2seq_kit.headers",
    "component_field": "seq2seq_kit.config",
    "criterion_in_chunks": "seq2seq_kit.criteria.chunks",
    "hookimpl": "seq2seq_kit.hookspecs",
    "include_dir": "seq2seq_kit.headers",
    "load": "seq2seq_kit.decoding.pipeline",
    "load_ensemble": "seq2seq_kit.decoding.run_ensemble",
    "log_probs_in_chunks": "seq2seq_kit.criteria.chunks",
    "loss_in_chunks": "seq2seq_kit.criteria.chunks",
    "preset": "seq2seq_kit.decoding.presets",
    "register": "seq2seq_kit.registry",
    "search": "seq2seq_kit.decoding.search",
    "teacher_force": "seq2seq_kit.criteria.forced",
}

__all__ = ["__version__", *sorted(_LAZY)]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'seq2seq_kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
