"""The run folder: what ``s2s train`` writes and every other verb reads. Nothing in it is ever unpickled.

=========================  ===========================================================================================
``checkpoint.json``        format version, kit and torch version, the whole configuration, the provider of every
                           component, the digests of the tokenizer files; readable without any plugin
``model.safetensors``      the best weights; its metadata holds their step and scores
``weights-*.safetensors``  those of other validations, with ``training.keep_best`` and ``training.keep_last``
``training.safetensors``   the last state: weights, optimizer, schedules, position in the data
``tokenizers/``            what the task saved
``compiled/``              what ``s2s compile`` made: see :mod:`seq2seq_kit.decoding.compiled`
``metrics.jsonl``          one JSON object a line, for training and validation
=========================  ===========================================================================================
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seq2seq_kit import __version__
from seq2seq_kit.config import component_sections
from seq2seq_kit.errors import CheckpointError, ConfigError, PluginError
from seq2seq_kit.interfaces import Task
from seq2seq_kit.manifest import (
    BEST,
    FORMAT,
    LAST,
    MANIFEST,
    MODEL_PREFIX,
    TOKENIZERS,
    Manifest,
    SavedComponent,
    check_task_files,
    read_manifest,
)
from seq2seq_kit.migration import NotMigrated, can_migrate, migrated_config, migrated_state, migrates_state
from seq2seq_kit.model import Model, build_model
from seq2seq_kit.registry import build, registry
from seq2seq_kit.run_config import RunConfig, make_config
from seq2seq_kit.sealed import digest, explain_write_errors, read_tensors, write_json, write_tensors

_CALLBACKS = "training.callbacks"


@dataclass
class LoadedRun:
    """A run, ready for use. ``facts`` are those of the loaded weights: their step, scores, …"""

    config: RunConfig
    task: Task
    model: Model
    manifest: Manifest
    facts: dict[str, Any]


def save_task(run: Path, task: Task) -> None:
    """Write the task's files into the run folder."""
    folder = run / TOKENIZERS
    with explain_write_errors(folder):
        folder.mkdir(exist_ok=True)
        task.save(folder)


def write_manifest(run: Path, config: RunConfig) -> None:
    """Write ``checkpoint.json`` for a run whose task is already saved."""
    files = sorted(path for path in (run / TOKENIZERS).rglob("*") if path.is_file())
    values = {
        "format": FORMAT,
        "kit_version": __version__,
        "torch_version": torch.__version__,
        "components": [vars(_saved(path, kind, section.name)) for path, kind, section in component_sections(config)],
        "files": {path.relative_to(run).as_posix(): digest(path) for path in files},
        "config": config.model_dump(mode="json"),
    }
    write_json(run / MANIFEST, values)


def _saved(path: str, kind: str, name: str) -> SavedComponent:
    provided = registry().find(kind, name)
    component, provider = provided.component, provided.provider
    return SavedComponent(path, kind, component.name, provider.distribution, provider.version, component.state_version)


def weights(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model to save; what is tied to another (one parameter, two names) is listed once."""
    distinct = {name for name, _ in [*model.named_parameters(), *model.named_buffers()]}
    return {name: tensor for name, tensor in model.state_dict().items() if name in distinct}


def save_weights(run: Path, model: nn.Module, facts: Mapping[str, Any], name: str = BEST) -> None:
    """Replace the best weights (or another file of weights), and the facts about them (step, scores), in one atomic
    step."""
    write_tensors(run / name, weights(model), facts)


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], path: Path, assign: bool = False) -> None:
    """Copy tensors into a model, or with ``assign`` take them for its own; every name and shape must fit. ``path`` is
    for the message."""
    try:
        missing, unexpected = model.load_state_dict(tensors, strict=False, assign=assign)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: does not fit the model of {MANIFEST}: {reason}") from None
    missing = [name for name in missing if name in weights(model)]
    if missing or unexpected:
        parts = [
            f"{what}: {', '.join(names)}" for what, names in (("missing", missing), ("unexpected", unexpected)) if names
        ]
        raise CheckpointError(f"{path}: does not fit the model of {MANIFEST} ({'; '.join(parts)})")


def load_run(run: Path, which: Literal["best", "last"] = "best", device: torch.device | str = "cpu") -> LoadedRun:
    """Rebuild a run's task and model from its folder.

    Args:
        which: the best weights by the validation metric, or those of the last saved step.

    Raises:
        CheckpointError: the folder is missing, incomplete or damaged, or a component is not installed here, or saves
            its state in another way and does not migrate it.
    """
    manifest = read_manifest(run)
    config = load_run_config(run, manifest)
    task = load_task(run, manifest, config)
    path = run / (BEST if which == "best" else LAST)
    if which == "best" and not path.exists() and (run / LAST).exists():
        raise CheckpointError(f"{path}: there is none yet: the first validation writes it; the last state can be used")
    shared = task.shared_vocabulary
    model = build_model(config.model, task.source_spec, task.target_spec, shared_vocabulary=shared).to(device)
    older = [saved for saved in manifest.components if saved.path.startswith("model.") and _is_older(saved)]
    places = {} if older else _places(model)
    tensors, facts = read_tensors(path, places, "" if which == "best" else MODEL_PREFIX)
    for saved in older:
        with _taking_over(run, saved):
            tensors = migrated_state(_class(saved), model, tensors, saved.state_version)
    load_weights(model, tensors, path)
    return LoadedRun(config, task, model, manifest, facts)


def _places(model: nn.Module) -> dict[str, Tensor]:
    """Where the weights of a model lie, so that they can be read there: nowhere, if one of its modules takes its own
    over in a way of its own."""
    for module in model.modules():
        load = getattr(module._load_from_state_dict, "__func__", None)
        if load is not nn.Module._load_from_state_dict or module._load_state_dict_pre_hooks:
            return {}
    return dict([*model.named_parameters(), *model.named_buffers()])


def load_run_config(
    run: Path, manifest: Manifest, overrides: list[str] | None = None, *, watched: bool = False
) -> RunConfig:
    """The validated configuration of a run whose components are all here.

    Args:
        watched: with its callbacks, which are then needed unless ``overrides`` names others; without, there are none.
    """
    replaced = any(override.replace(" ", "").startswith(f"{_CALLBACKS}=") for override in overrides or ())
    manifest = manifest if watched and not replaced else _without_callbacks(manifest)
    for saved in manifest.components:
        _check_component(run, saved)
    try:
        return make_config(_as_written_now(run, manifest), overrides or [], str(run / MANIFEST))
    except ConfigError as error:
        if overrides:
            raise
        hint = f"\n(the run was written by seq2seq_kit {manifest.kit_version}, this is {__version__})"
        raise CheckpointError(f"{error}{hint if manifest.kit_version != __version__ else ''}") from None


def _without_callbacks(manifest: Manifest) -> Manifest:
    """What watched a training is not needed to use what it made."""
    config = copy.deepcopy(manifest.config)
    config.get("training", {}).pop("callbacks", None)
    components = [saved for saved in manifest.components if not saved.path.startswith(f"{_CALLBACKS}.")]
    return replace(manifest, config=config, components=components)


def load_task(run: Path, manifest: Manifest, config: RunConfig) -> Task:
    """The run's task with its tokenizers, each file checked against its digest."""
    check_task_files(run, manifest)
    task: Task = build("task", config.task)
    task.load(run / TOKENIZERS)
    return task


def _check_component(run: Path, saved: SavedComponent) -> None:
    """Refuse a component that is not here, or whose author changed the meaning of its state and does not migrate it."""
    provided = saved.installed()
    if provided is None:
        raise CheckpointError(f"{run}: needs the {saved}, which is not installed here: {saved.remedy()}")
    here = provided.component.state_version
    if here != saved.state_version and not (_is_older(saved) and can_migrate(provided.load())):
        raise CheckpointError(
            f"{run}: its {saved} was saved with state version {saved.state_version}; "
            f"{saved.distribution} {provided.provider.version} here reads {here}: {saved.remedy()}"
        )


def check_same_state(run: Path, manifest: Manifest) -> None:
    """Refuse to resume a run whose tensors have to be migrated: what the optimizer keeps for each cannot be.

    Raises:
        CheckpointError: a component was saved by an earlier release that names or shapes its tensors in another way.
    """
    for saved in manifest.components:
        if _is_older(saved) and migrates_state(_class(saved)):
            raise CheckpointError(
                f"{run}: its {saved} was saved with state version {saved.state_version}: the run can be decoded with, "
                f"evaluated and trained from (s2s train … --from {run}), but not resumed; for that: {saved.remedy()}"
            )


def _is_older(saved: SavedComponent) -> bool:
    """Was it saved by an earlier release than the one here, with another meaning?"""
    provided = saved.installed()
    return provided is not None and saved.state_version < provided.component.state_version


def _class(saved: SavedComponent) -> type:
    """The class of a component that is here."""
    found: type = registry().find(saved.kind, f"{saved.distribution}/{saved.name}").load()
    return found


@contextmanager
def _taking_over(run: Path, saved: SavedComponent) -> Iterator[None]:
    try:
        yield
    except NotMigrated as error:
        raise CheckpointError(
            f"{run}: its {saved} was saved with state version {saved.state_version}, which the release that is "
            f"installed cannot take over: {error}; {saved.remedy()}"
        ) from error


def _as_written_now(run: Path, manifest: Manifest) -> dict[str, Any]:
    """The configuration as the components that are here write it.

    A component's distribution is in its name where the bare name is another's here too; sections of earlier releases
    are migrated, inner ones first, as outer ones may be arranged in another way afterwards.
    """
    config = copy.deepcopy(manifest.config)
    for saved in reversed(manifest.components):
        parent: Any = config
        *path, last = [int(part) if part.isdigit() else part for part in saved.path.split(".")]
        for part in path:
            parent = parent[part]
        try:
            found = registry().find(saved.kind, parent[last]["name"]).provider.distribution
        except PluginError:
            found = None
        if found != saved.distribution:
            parent[last]["name"] = f"{saved.distribution}/{saved.name}"
        if _is_older(saved):
            with _taking_over(run, saved):
                parent[last] = migrated_config(_class(saved), parent[last], saved.state_version)
    return config
