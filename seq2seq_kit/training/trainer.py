"""The training loop, plain: read a batch, predict, compare, step; validate and save now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_kit.checkpoint import save_weights
from seq2seq_kit.console import stderr
from seq2seq_kit.errors import DataError, UserError
from seq2seq_kit.evaluation.evaluate import Evaluation
from seq2seq_kit.interfaces import Task
from seq2seq_kit.manifest import BEST, LAST
from seq2seq_kit.model import Model
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import RunConfig, TrainingConfig
from seq2seq_kit.training.allocator import keep_memory
from seq2seq_kit.training.callbacks import Callback, Record, Step
from seq2seq_kit.training.compiling import compile_model, uncompiled
from seq2seq_kit.training.corpus import Corpus, token_batches
from seq2seq_kit.training.curves import Curves
from seq2seq_kit.training.interrupt import Interrupt, Interrupted
from seq2seq_kit.training.kept_weights import kept_name, remove_others
from seq2seq_kit.training.log import MetricsLog, TensorBoard
from seq2seq_kit.training.out_of_memory import OutOfMemory
from seq2seq_kit.training.parts import build_parts
from seq2seq_kit.training.processes import Processes
from seq2seq_kit.training.progress import progress_callback
from seq2seq_kit.training.samples import Samples
from seq2seq_kit.training.seeding import seed_generators
from seq2seq_kit.training.state import TrainingState, Window, load_state, save_state, state_of
from seq2seq_kit.training.supply import Supply, positions_of
from seq2seq_kit.training.update import NotFinite
from seq2seq_kit.training.validation import Validator
from seq2seq_kit.training.watching import CallbackFailed, Watchers


@dataclass(frozen=True)
class Summary:
    """How a training ended."""

    run: Path
    reason: str  # why it stopped
    steps: int
    seconds: float  # training time over all resumes
    tokens_per_second: float  # target tokens, validation time left out
    parameters: int
    best_step: int | None
    best_metrics: dict[str, Any]


class Trainer:
    """One run. Callbacks read its public attributes.

    Attributes:
        run: the run folder.
        state: where the run stands; see :class:`TrainingState`.
        parts: what it works with; see :class:`Parts`.
    """

    def __init__(
        self,
        config: RunConfig,
        run: Path,
        task: Task,
        corpus: Corpus,
        processes: Processes,
        callbacks: Sequence[Callback],
        start: Path | None = None,
    ) -> None:
        self.config = config
        self.run = run
        self.task = task
        self.device = processes.device
        self.state = TrainingState(data_digest=corpus.digest())
        self.parts = build_parts(config, task, corpus, processes, start)
        self._processes = processes
        self._corpus = corpus
        self._rate = build("schedule", config.training.schedule)
        self._forcing = build("schedule", config.training.teacher_forcing)
        batches = token_batches(corpus.train, config.training.batch_tokens, config.seed)
        self._supply = Supply(task, corpus.train, batches, processes)
        self._validator = Validator(config, task, corpus, processes.device)
        self._watchers = _watchers(config.training, callbacks if processes.first else None)
        self.reason: str | None = None
        self._stop_reason: str | None = None
        self._validation_seconds = 0.0
        self._saved_step = 0
        self._started = time.perf_counter()

    @property
    def model(self) -> Model:
        """What the optimizer changes."""
        return self.parts.learner.model

    @property
    def seconds(self) -> float:
        """Training time so far, validation included, over all resumes."""
        return time.perf_counter() - self._started

    @property
    def metric(self) -> str:
        """The name of the number that makes a checkpoint the best."""
        return self._validator.metric

    @property
    def decoded(self) -> Evaluation | None:
        """What the last validation decoded: examples, outputs, metrics; None: nothing."""
        return self._validator.decoded

    @property
    def evaluated(self) -> Model:
        """The model that is validated and saved: ``model``, or what ``ema_decay`` and ``lora`` make of it."""
        return self.parts.evaluated

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def stop(self, reason: str) -> None:
        """End the training after the current step and a last validation."""
        self._stop_reason = reason

    def fit(self) -> Summary:
        """Train to the end."""
        keep_memory()
        self._started = time.perf_counter() - self.state.seconds
        self.parts.learner.train()
        if self.config.training.compile:
            some = self.task.collate(self._corpus.dev[:2])
            compile_model(self.model, lambda: self.parts.update.try_out(some, self._forcing(self.state.step + 1)))
        self.parts.update.join()
        with Interrupt() as interrupt:
            try:
                with self._watchers.watching(self):
                    reason = self.reason = self._run(interrupt)
            except CallbackFailed as failure:
                raise self._stopped_by(failure) from failure.__cause__
            except Interrupted:
                self._processes.wait()
                if not self._processes.first:
                    raise SystemExit(0) from None  # the first process says it
                hint = f"Stopped at step {self.state.step:,}. Continue with: s2s train --resume {self.run}"
                print(hint, file=sys.stderr, flush=True)
                raise KeyboardInterrupt from None
            except Exception as error:
                if self._processes.first and not isinstance(error, UserError):  # which says it itself
                    print(f"{self._kept()}. Continue with: s2s train --resume {self.run}", file=sys.stderr, flush=True)
                raise
        s = self.state
        speed = s.tokens / s.step_seconds if s.step_seconds else 0.0
        return Summary(self.run, reason, s.step, s.seconds, speed, self.parameters, s.best_step, s.best_metrics)

    def save(self) -> None:
        """Save the last state; all processes call this together, and the first one writes it."""
        config, parts = self.config.training, self.parts
        optimizer_state = {name: x for name, x in state_of(parts.optimizer) if self._processes.first}
        if not self._processes.first:
            return
        self.state.seconds = self.seconds
        facts = {
            "loss_scale": parts.update.scaler.state_dict(),
            "schedule": {config.schedule.name: self._rate.state()},
            "teacher_forcing": {config.teacher_forcing.name: self._forcing.state()},
        }
        if parts.shadow:
            parts.shadow.refresh()
        save_state(self.run, self.state, parts.learner, optimizer_state, facts, parts.evaluated)
        self._saved_step = self.state.step
        remove_others(self.run, (step for step, _ in self.state.kept))  # only now: a run that is killed needs them
        self._watchers.tell("on_save", self, self.run / LAST)

    def restore(self) -> None:
        """Go back to the last saved state."""
        digest, parts = self.state.data_digest, self.parts
        saved = load_state(self.run, parts.learner, parts.optimizer, parts.evaluated)
        self.state = saved.state
        if scale := saved.facts["loss_scale"]:  # none was saved in other precisions than float16
            parts.update.scaler.load_state_dict(scale)
        for field, schedule in (("schedule", self._rate), ("teacher_forcing", self._forcing)):
            learned = saved.facts.get(field, {}).get(schedule.config.name)  # not of one that --set put in its place
            if learned:
                schedule.restore(learned)
        self._saved_step = self.state.step
        if self.state.data_digest != digest:
            self._corpus.train.forget()
            names = self.config.data.training_files
            raise DataError(f"{names}: is not the data that {self.run} was trained on; it cannot be resumed with it")

    def _run(self, interrupt: Interrupt) -> str:
        """Train until there is a reason to stop; save where that is Ctrl-C."""
        try:
            return self._loop(interrupt)
        except Interrupted:
            self.save()
            raise

    def _loop(self, interrupt: Interrupt) -> str:
        """Steps, validations and saves until there is a reason to stop."""
        config, state = self.config.training, self.state
        while True:
            before = state.validated_step
            reason = self._validate_or_stop(interrupt) if self._processes.first else None
            validated = state.validated_step != before
            interrupted, ended, save = self._processes.add(interrupt.requested, reason is not None, validated)
            if save:
                self.save()
            if interrupted:
                raise Interrupted
            if ended:
                return reason or "the first process ended it"
            step = self._step()
            self._watchers.tell("on_step", self, step)
            if state.step % config.log_every == 0:
                self._log()
            if config.save_every and state.step % config.save_every == 0:
                self.save()

    def _validate_or_stop(self, interrupt: Interrupt) -> str | None:
        """Validate where it is time for it; the reason to stop, if there is one."""
        state = self.state
        reason = self._reason_to_stop()
        due = state.step > 0 and state.step % self.config.training.validate_every == 0
        if (due or reason) and state.validated_step != state.step:
            try:
                self._validate(interrupt)
            except Interrupted:
                return None
            except CallbackFailed:
                raise
            except Exception as error:  # of a metric, say: what was learnt since the last save is not lost
                if self._processes.count == 1 and self._saved_step != state.step:
                    self.save()
                if isinstance(error, UserError):
                    error.args = (f"{error}. {self._kept()}",)
                raise
        return reason or self._reason_to_stop()

    def _reason_to_stop(self) -> str | None:
        config, state = self.config.training, self.state
        if self._stop_reason:
            return self._stop_reason
        if config.max_steps is not None and state.step >= config.max_steps:
            return f"reached max_steps ({config.max_steps:,})"
        # A last validation is part of the time: what the one before took is kept for it.
        reserve = self._validation_seconds if state.validated_step != state.step else 0.0
        if config.max_minutes is not None and self.seconds + reserve >= config.max_minutes * 60:
            return f"reached max_minutes ({config.max_minutes:g})"
        if config.patience is not None and state.validations_since_best >= config.patience:
            return f"no better {self._validator.metric} in {config.patience} validations"
        return None

    def _step(self) -> Step:
        """One update of the parameters."""
        config, state = self.config.training, self.state
        start = time.perf_counter()
        number = state.step + 1
        rate = config.learning_rate * self._rate(number)
        forcing = self._forcing(number)
        rate, forcing = self._processes.numbers_of_first(rate, forcing)
        batches = self._supply.take(state, config.batches_per_update)
        seed_generators(self.config.seed, number, self._processes.rank)
        try:
            done = self.parts.update(batches, rate, forcing)
        except NotFinite as cause:
            if not self._processes.first:
                raise SystemExit(0) from None  # the first process says it
            raise self._diverged(number, cause) from None
        except OutOfMemory as cause:
            raise self._too_large(number, cause) from None
        if self.parts.shadow:
            self.parts.shadow.update(number)
        positions, padding = map(int, self._processes.add(*positions_of(batches)))
        seconds = time.perf_counter() - start
        state.step = number
        state.tokens += done.tokens
        state.step_seconds += seconds
        state.window += Window(1, done.loss * done.tokens, done.tokens, done.gradient_norm, seconds, positions, padding)
        share = padding / positions
        return Step(number, done.loss, done.tokens, seconds, done.gradient_norm, rate, forcing, share)

    def _stopped_by(self, failure: CallbackFailed) -> CallbackFailed:
        """What to say of a callback's failure, the state saved."""
        if self._processes.count == 1 and self._saved_step != self.state.step:
            self.save()  # nobody is told any more
        resume = f"s2s train --resume {self.run}"
        return CallbackFailed(
            f"{failure}. {self._kept()}; to continue once the plugin is "
            f"mended: {resume}; without any callbacks: {resume} --set training.callbacks=[]"
        )

    def _kept(self) -> str:
        """Of where the last save was."""
        return f"{self.run} keeps the state of step {self._saved_step:,}"

    def _too_large(self, step: int, cause: OutOfMemory) -> UserError:
        if self.config.training.on_out_of_memory == "stop":
            split = "training.on_out_of_memory=split"
            remedy = f"to compute such batches in halves: s2s train --resume {self.run} --set {split}"
        else:
            remedy = "one example cannot be halved: leave such ones out of a new run with data.max_length"
        return UserError(f"step {step:,}: {cause}. {self._kept()}; {remedy}")

    def _diverged(self, step: int, cause: NotFinite) -> UserError:
        lower = f"training.learning_rate={self.config.training.learning_rate / 2:g}"
        return UserError(
            f"step {step:,}: {cause}, so training cannot go on. {self._kept()}; to continue from "
            f"it with a lower rate: s2s train --resume {self.run} --set {lower}"
        )

    def _log(self) -> None:
        """Tell the callbacks the means over the steps since the last record."""
        config, state, window = self.config.training, self.state, self.state.window
        record: Record = {
            "kind": "train",
            "step": state.step,
            "epoch": state.epoch,
            "seconds": round(self.seconds, 3),
            **window.means(),
            "target_tokens": state.tokens,
            "learning_rate": config.learning_rate * self._rate(state.step),
            "teacher_forcing": self._forcing(state.step),
        }
        state.window = Window()
        self._watchers.tell("on_log", self, record)

    def _save_weights(self, metrics: dict[str, float], best: bool) -> list[Path]:
        """Save the weights as the best ones, and among those that are kept beside them; the files that are written."""
        written: list[Path] = []
        config, state, metric = self.config.training, self.state, self._validator.metric
        facts = {
            "step": state.step,
            "metric": metric,
            "higher_is_better": self._validator.higher_is_better,
            "metrics": metrics,
        }
        if best:
            save_weights(self.run, self.evaluated, facts)
            if self.parts.shadow:
                self.parts.shadow.save_adapters(self.run)
            written.append(self.run / BEST)
        if config.keep_best == 1 and config.keep_last == 0:
            state.kept = []
            return written
        this = state.step, metrics[metric]
        ranked = self._validator.best_first([*state.kept, this])
        state.kept = sorted({*ranked[: config.keep_best], *sorted(ranked, reverse=True)[: config.keep_last]})
        if this in state.kept:
            save_weights(self.run, self.evaluated, facts, kept_name(state.step))
            written.append(self.run / kept_name(state.step))
        return written

    def _validate(self, interrupt: Interrupt) -> None:
        """Validate, and save the weights if they are the best so far."""
        start = time.perf_counter()
        state = self.state
        seed_generators(self.config.seed, state.step)
        self._watchers.tell("on_validation_start", self)
        if self.parts.shadow:
            self.parts.shadow.refresh()
        with uncompiled() if self.config.training.compile else nullcontext():
            metrics = self._validator.measure(self.evaluated, self.parts.learner.criterion, interrupt.check)
        if self.decoded is not None:
            self._watchers.tell("on_decoded", self, self.decoded)
        value = metrics[self._validator.metric]
        best = self._validator.better(value, state.best_value)
        self._rate.on_validation(best)
        self._forcing.on_validation(best)
        state.validated_step = state.step
        state.validations_since_best += 1
        if best:
            state.best_step, state.best_value, state.best_metrics = state.step, value, metrics
            state.validations_since_best = 0
        written = self._save_weights(metrics, best)
        record: Record = {
            "kind": "validation",
            "step": state.step,
            "epoch": state.epoch,
            "seconds": round(self.seconds, 3),
            **metrics,
            "best": best,
        }
        self._watchers.tell("on_validation", self, record)
        for path in written:
            self._watchers.tell("on_save", self, path)
        self._validation_seconds = time.perf_counter() - start


def _watchers(config: TrainingConfig, passed: Sequence[Callback] | None) -> Watchers:
    """The log first: the curves are drawn from what it wrote.

    Args:
        passed: None: in another than the first process, where nobody watches.
    """
    if passed is None:
        return Watchers([], [], [])
    own: list[Callback] = [MetricsLog(), Curves()]
    if config.tensorboard:
        own.append(TensorBoard())
    own.append(progress_callback(stderr()))
    if config.samples or config.attention_pictures:
        own.append(Samples(config.samples, config.attention_pictures, stderr()))
    return Watchers(own, config.callbacks, passed)
