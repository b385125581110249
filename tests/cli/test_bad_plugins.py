"""Plugins that raise wherever they are called: exit code 1, whose fault it is, and nothing lost that was done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.in_process import Done, s2s

from seq2seq_kit.attention.luong import LuongAttention, LuongAttentionConfig
from seq2seq_kit.components import Component
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.criteria.cross_entropy import CrossEntropy, CrossEntropyConfig
from seq2seq_kit.decoders.recurrent import GRUDecoder, GRUDecoderConfig
from seq2seq_kit.encoders.recurrent import GRUEncoder, GRUEncoderConfig
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Imported, Importer, Metric, Processor, Transform
from seq2seq_kit.metrics.exact import ExactMatch, ExactMatchConfig
from seq2seq_kit.tasks.translation import Translation, TranslationConfig
from seq2seq_kit.testing import temporary_plugin
from seq2seq_kit.tokenizers.word import WordTokenizer, WordTokenizerConfig
from seq2seq_kit.training.callbacks import Callback
from seq2seq_kit.training.schedules import Constant, ConstantConfig, Schedule

FAILING: set[str] = set()
"""The methods that raise: ``kind.name``."""


def _planted(kind: str, base: type, *methods: str) -> type:
    """A subclass whose methods raise where :data:`FAILING` names them."""

    def raising(name: str) -> Any:
        original = getattr(base, name)

        def method(self: Any, *arguments: Any, **more: Any) -> Any:
            if f"{kind}.{name}" in FAILING:
                raise KeyError("planted")
            return original(self, *arguments, **more)

        return method

    return type(f"Bad{kind.title()}", (base,), {name: raising(name) for name in ("__init__", *methods)})


class Passes(Processor):
    def __init__(self, config: Any, target: Any) -> None:
        pass

    def apply(self, scores: Any, tokens: Any, state: Any) -> Any:
        return scores


class Keeps(Transform):
    def __init__(self, config: Any, task: Any) -> None:
        pass


class Watches(Callback):
    def __init__(self, config: Any) -> None:
        pass


class Imports(Importer):
    def __init__(self, config: Any) -> None:
        pass

    def read(self, source: str) -> Imported:
        raise UserError("not today")


def _config(base: type[ComponentConfig]) -> type[ComponentConfig]:
    return type("BadConfig", (base,), {"__annotations__": {"name": str}, "name": "bad", "__module__": __name__})


PARTS: dict[str, tuple[type, type[ComponentConfig], tuple[str, ...]]] = {
    "encoder": (GRUEncoder, GRUEncoderConfig, ("forward",)),
    "decoder": (GRUDecoder, GRUDecoderConfig, ("init_state", "step", "forward", "output")),
    "attention": (LuongAttention, LuongAttentionConfig, ("project", "forward")),
    "criterion": (CrossEntropy, CrossEntropyConfig, ("forward",)),
    "tokenizer": (WordTokenizer, WordTokenizerConfig, ("train", "encode", "decode", "save", "load")),
    "metric": (ExactMatch, ExactMatchConfig, ("__call__",)),
    "processor": (Passes, ComponentConfig, ("init", "apply")),
    "transform": (Keeps, ComponentConfig, ("on_text", "on_ids")),
    "schedule": (Constant, ConstantConfig, ("__call__", "on_validation", "state")),
    "callback": (Watches, ComponentConfig, ("on_start", "on_step", "on_validation", "on_end")),
    "task": (Translation, TranslationConfig, ("read", "prepare", "encode", "collate", "decode", "metrics", "example")),
    "importer": (Imports, ComponentConfig, ("read",)),
}
COMPONENTS = [
    Component(kind, "bad", _planted(kind, base, *methods), _config(config), verb="worsen" if kind == "task" else None)
    for kind, (base, config, methods) in PARTS.items()
]


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("seq2seq_kit.training.curves.draw_curves", lambda *_: None)
    FAILING.clear()
    with temporary_plugin(*COMPONENTS, distribution="s2s-bad", version="1.2"):
        yield


@pytest.fixture(scope="module")
def values(runs: dict[str, Path]) -> dict[str, Any]:
    """A run in which everything is the plugin's."""
    data = str(runs["translate"].parent / "pairs.tsv")
    part = {"name": "bad", "embedding_size": 8, "size": 8}
    return {
        "task": {"name": "bad", "source_tokenizer": "bad", "target_tokenizer": "bad", "metrics": ["bad"]},
        "data": {"train": [data], "dev": [data], "transforms": ["bad"], "filters": ["bad"]},
        "model": {"encoder": part, "decoder": {**part, "attention": "bad"}},
        "criterion": "bad",
        "processors": ["bad"],
        "training": {"max_steps": 2, "schedule": "bad", "callbacks": ["bad"], "samples": 0},
        "search": {"beam_size": 2, "max_length": 5},
    }


@pytest.fixture(scope="module")
def run(values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "config.yaml").write_text(json.dumps(values), encoding="utf-8")
    with temporary_plugin(*COMPONENTS, distribution="s2s-bad", version="1.2"):
        done = s2s("train", folder / "config.yaml", "--out", folder / "run")
    assert done.code == 0, done.err
    return folder / "run"


def blamed(done: Done, what: str = "") -> str:
    assert done.code == 1 and "Traceback" not in done.err, done
    [said] = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert "s2s-bad 1.2" in said and "of ours" not in said and "KeyError: 'planted'" in said, said
    assert re.search(what, said), said
    assert "Run it again with --debug" in done.err
    return said


CONSTRUCTED = [kind for kind in PARTS if kind not in ("task", "importer")]


@pytest.mark.parametrize("kind", [*CONSTRUCTED, "task"])
def test_a_constructor_that_raises_in_training(kind: str, run: Path, tmp_path: Path) -> None:
    FAILING.add(f"{kind}.__init__")
    done = s2s("train", run.parent / "config.yaml", "--out", tmp_path / "new")
    blamed(done, f"the {kind} 'bad' of s2s-bad 1.2 cannot be built: KeyError: 'planted'")


@pytest.mark.parametrize("kind", ["encoder", "decoder", "attention", "tokenizer", "processor", "task", "metric"])
def test_a_constructor_that_raises_in_use(kind: str, run: Path) -> None:
    FAILING.add(f"{kind}.__init__")
    data = json.loads((run / "checkpoint.json").read_text())["config"]["data"]["dev"][0]
    command = ("evaluate", run, "--data", data) if kind == "metric" else ("worsen", run)
    blamed(s2s(*command, stdin=b"one\n"), f"the {kind} 'bad' of s2s-bad 1.2 cannot be built")


IN_TRAINING = [
    *("encoder.forward", "decoder.forward", "decoder.output", "attention.project", "attention.forward"),
    *("criterion.forward", "tokenizer.train", "tokenizer.encode", "tokenizer.save", "transform.on_text"),
    *("transform.on_ids", "schedule.__call__", "schedule.state", "callback.on_start", "callback.on_step"),
    *("task.read", "task.prepare", "task.encode", "task.collate", "task.metrics"),
]


@pytest.mark.parametrize("method", IN_TRAINING)
def test_a_method_that_raises_in_training(method: str, run: Path, tmp_path: Path) -> None:
    FAILING.add(method)
    blamed(s2s("train", run.parent / "config.yaml", "--out", tmp_path / "new"))


@pytest.mark.parametrize(
    "method",
    [
        "metric.__call__",
        "decoder.step",
        "processor.apply",
        "schedule.on_validation",
        "callback.on_validation",
        "callback.on_end",
    ],
)
def test_what_was_learnt_before_a_failing_validation_is_kept(method: str, run: Path, tmp_path: Path) -> None:
    FAILING.add(method)
    done = s2s("train", run.parent / "config.yaml", "--out", tmp_path / "new")
    blamed(done)
    assert f"{tmp_path / 'new'} keeps the state of step 2" in done.err, done.err
    FAILING.clear()
    resumed = s2s("train", "--resume", tmp_path / "new")
    assert resumed.code == 0 and "reached max_steps (2)" in resumed.out
    assert s2s("worsen", tmp_path / "new", stdin=b"one\n").code == 0


IN_USE = [
    *("encoder.forward", "decoder.init_state", "decoder.step", "attention.forward", "processor.init"),
    *("processor.apply", "tokenizer.encode", "tokenizer.decode", "tokenizer.load", "task.encode"),
    *("task.collate", "task.decode", "task.example"),
]


@pytest.mark.parametrize("method", IN_USE)
def test_a_method_that_raises_in_use(method: str, run: Path) -> None:
    FAILING.add(method)
    blamed(s2s("worsen", run, stdin=b"one two\ntwo three\n"))
    blamed(s2s("worsen", run, "--skip-bad", stdin=b"one two\ntwo three\n"))


def test_outputs_are_not_lost_to_a_metric(run: Path, tmp_path: Path) -> None:
    data = json.loads((run / "checkpoint.json").read_text())["config"]["data"]["dev"][0]
    FAILING.add("metric.__call__")
    blamed(s2s("evaluate", run, "--data", data, "-o", tmp_path / "out.txt"))
    assert (tmp_path / "out.txt").read_text().count("\n") == 3


def test_an_importer_that_raises_leaves_nothing(run: Path, tmp_path: Path) -> None:
    assert s2s("import", "bad", "x", tmp_path / "new").err == "Error: not today\n"
    for method in ("importer.__init__", "importer.read"):
        FAILING.clear()
        FAILING.add(method)
        blamed(s2s("import", "bad", "x", tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_two_plugins_that_fight_for_a_name(run: Path, tmp_path: Path) -> None:
    rival = Component("metric", "bad", ExactMatch, ExactMatchConfig)
    with temporary_plugin(rival, distribution="s2s-rival", version="3"):
        done = s2s("train", run.parent / "config.yaml", "--out", tmp_path / "new")
        assert done.code == 2
        assert (
            "metric 'bad' is provided by s2s-bad 1.2 and s2s-rival 3; write 's2s-bad/bad' or 's2s-rival/bad'"
            in done.err
        )
        assert s2s("worsen", run, stdin=b"one\n").code == 0  # the run says which one it means


class _Wrong(Metric):
    def __call__(self, outputs: Any, references: Any) -> float:
        return 0.0


class _Odd(Schedule):
    pass


METRIC, SCHEDULE = {"task": {"metrics": ["odd"]}}, {"training": {"schedule": "odd"}}


@pytest.mark.parametrize(
    ("component", "config", "sentence"),
    [
        (
            Component("metric", "odd", _Wrong),
            METRIC,
            r"the metric 'odd' of s2s-odd 0 cannot be built: TypeError",
        ),
        (
            Component("schedule", "odd", _Odd),
            SCHEDULE,
            r"the schedule 'odd' .* cannot be built: TypeError.*abstract",
        ),
        (
            Component("metric", "odd", "no_such_package:Odd"),
            METRIC,
            r"cannot be used: no_such_package:Odd: ModuleNotFoundError",
        ),
        (
            Component("metric", "odd", "json:Odd"),
            METRIC,
            r"cannot be used: json:Odd: AttributeError",
        ),
        (
            Component("metric", "odd", _Wrong, dict),
            METRIC,
            r"is not a subclass of seq2seq_kit\.ComponentConfig",
        ),
    ],
    ids=["no arguments", "abstract", "no module", "no class", "no configuration"],
)
def test_a_class_that_is_none_is_named(
    component: Component, config: dict[str, Any], sentence: str, values: dict[str, Any], tmp_path: Path
) -> None:
    merged = {
        name: {**section, **config.get(name, {})} if isinstance(section, dict) else section
        for name, section in values.items()
    }
    (tmp_path / "config.yaml").write_text(json.dumps(merged), encoding="utf-8")
    with temporary_plugin(component, distribution="s2s-odd"):
        done = s2s("train", tmp_path / "config.yaml", "--out", tmp_path / "new")
    assert done.code in (1, 2) and "Traceback" not in done.err and "bug of ours" not in done.err, done.err
    assert re.search(sentence, done.err), done.err
