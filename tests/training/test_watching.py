"""What callbacks are told, in which order, and what happens when one of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.components import Component
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.decoding.pipeline import load
from seq2seq_kit.errors import CheckpointError, PluginError, UserError
from seq2seq_kit.run_config import make_config
from seq2seq_kit.testing import temporary_plugin
from seq2seq_kit.training.callbacks import Callback
from seq2seq_kit.training.log import read_metrics
from seq2seq_kit.training.runs import resume, train

Values = Callable[..., dict[str, Any]]
HOOKS = [name for name in vars(Callback) if name.startswith("on_")]
TOLD: list[tuple[str, str]] = []


class SpyConfig(ComponentConfig):
    name: str = "spy"
    label: str = "a"
    fails_in: str = ""
    says: str = ""


class Spy(Callback):
    """Writes down what it is told, and fails where it is asked to."""

    def __init__(self, config: SpyConfig) -> None:
        self.config = config

    def __eq__(self, other: object) -> bool:  # as a dataclass has it: not hashable
        return isinstance(other, Spy)

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("on_"):
            return super().__getattribute__(name)

        def told(*arguments: Any) -> None:
            what = arguments[1:] and (getattr(arguments[1], "name", None) or type(arguments[1]).__name__)
            TOLD.append((self.config.label, f"{name} {what}" if what else name))
            if name == self.config.fails_in:
                raise UserError(self.config.says) if self.config.says else ZeroDivisionError("by zero")

        return told


SPY = Component("callback", "spy", Spy, SpyConfig)


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExitStack]:
    """Closed, it is uninstalled."""
    monkeypatch.setattr("seq2seq_kit.training.curves.draw_curves", lambda *_: None)  # half of a short run
    TOLD.clear()
    with ExitStack() as installed:
        installed.enter_context(temporary_plugin(SPY, distribution="spies", version="1.2"))
        yield installed


def _config(tiny_values: Values, *callbacks: dict[str, Any], **training: Any) -> Any:
    training = {"max_steps": 4, "validate_every": 4, "log_every": 2, "save_every": 3, "keep_last": 1, **training}
    sections = [{"name": "spy", **section} for section in callbacks]
    return make_config(tiny_values(callbacks=sections, **training), [], "test")


def test_the_order_of_what_a_callback_is_told(tiny_values: Values, tmp_path: Path) -> None:
    train(_config(tiny_values, {}), tmp_path / "run", callbacks=[Spy(SpyConfig(label="b"))])
    told = [what for label, what in TOLD if label == "a"]
    assert told == [
        "on_start",
        "on_step Step",
        "on_step Step",
        "on_log dict",
        "on_step Step",
        "on_save training.safetensors",
        "on_step Step",
        "on_log dict",
        "on_validation_start",
        "on_decoded Evaluation",
        "on_validation dict",
        "on_save model.safetensors",
        "on_save weights-4.safetensors",
        "on_save training.safetensors",
        "on_end",
    ]
    assert [what for label, what in TOLD if label == "b"] == told
    assert [label for label, _ in TOLD] == ["a", "b"] * (len(told) - 1) + ["b", "a"]  # the end the other way round


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook != "on_failure"])
def test_a_plugin_that_fails_is_named_and_the_run_goes_on_from_there(
    tiny_values: Values, tmp_path: Path, hook: str
) -> None:
    run = tmp_path / "run"
    config = _config(tiny_values, {"label": "before"}, {"label": "bad", "fails_in": hook}, {"label": "after"})
    with pytest.raises(PluginError) as caught:
        train(config, run)
    said = str(caught.value)
    step = {"on_start": 0, "on_step": 1, "on_log": 2, "on_save": 3}.get(hook, 4)
    assert f"the callback 'spy' of spies 1.2: {hook} failed at step {step}: ZeroDivisionError: by zero" in said
    assert f"keeps the state of step {step}; to continue once the plugin is mended: s2s train --resume {run};" in said
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    ended = [label for label, what in TOLD if what == "on_end"]
    assert ended == {"on_start": ["before"]}.get(hook, ["after", "bad", "before"])
    failed = [label for label, what in TOLD if what.startswith("on_failure")]
    assert failed == ([] if hook == "on_end" else ended)

    assert resume(run, ["training.callbacks=[]"]).steps == 4
    validated = [r["step"] for r in read_metrics(run / "metrics.jsonl") if r["kind"] == "validation"]
    assert validated == [4]


def test_a_user_error_of_a_plugin_is_its_sentence(tiny_values: Values, tmp_path: Path) -> None:
    config = _config(tiny_values, {"fails_in": "on_start", "says": "TRACKER_KEY is not set"})
    with pytest.raises(PluginError, match=r"on_start failed at step 0: TRACKER_KEY is not set\. .*run keeps"):
        train(config, tmp_path / "run")


def test_what_a_programs_own_callback_raises_comes_out_as_it_is(tiny_values: Values, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        train(_config(tiny_values), tmp_path / "run", callbacks=[Spy(SpyConfig(fails_in="on_step"))])
    assert [what for _, what in TOLD][-2:] == ["on_failure ZeroDivisionError", "on_end"]


def test_a_second_failure_at_the_end_is_a_warning(
    tiny_values: Values, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = _config(tiny_values, {"fails_in": "on_end"}, {"label": "bad", "fails_in": "on_step"})
    with pytest.raises(PluginError, match="on_step failed"):
        train(config, tmp_path / "run")
    assert "Warning: the callback 'spy' of spies 1.2: on_end failed at step 1" in capsys.readouterr().err


def test_a_run_is_used_without_the_plugins_that_watched_it(
    tiny_values: Values, tmp_path: Path, plugin: ExitStack
) -> None:
    run = tmp_path / "run"
    train(_config(tiny_values, {}), run)
    plugin.close()
    assert len(load(run).translate(["one two"])) == 1
    with pytest.raises(CheckpointError, match=r"needs the callback .spy. of spies 1\.2, which is not installed here"):
        resume(run, ["training.max_steps=5"])
    assert resume(run, ["training.max_steps=5", "training.callbacks=[]"]).steps == 5
