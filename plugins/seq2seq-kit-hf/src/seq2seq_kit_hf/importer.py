"""``s2s import hf SOURCE RUN`` and ``s2s export hf RUN FOLDER``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq_kit import ComponentConfig, Imported, Importer, Pipeline, UserError

from .families import family_of
from .files import CONFIG, GENERATION, SMALL, Tensors, folder_of, read_json, write_tensors
from .generation import search_section, settings_of
from .tokenizer import HFTokenizer, HFTokenizerConfig, Language

WEIGHTS = ("*.safetensors",)
TRAINING_ONLY = {
    *("dropout", "attention_dropout", "activation_dropout", "word_dropout", "layer_drop", "checkpoint_activations"),
    "attention",  # the default one, which repeats these
}
"""Fields of the model's sections that may differ from the checkpoint's."""


class HFImporterConfig(ComponentConfig):
    """How to read a checkpoint of transformers'."""

    name: str = "hf"
    source_language: Language = None
    """The code of the language that is read, for a model of several (``en_XX``, ``eng_Latn``, ``en``)."""
    target_language: Language = None
    """The code of the language that is written."""
    prefix: str | None = None
    """What each source is preceded by (``"translate English to German: "``); default: as ``task`` says, or nothing."""
    task: str | None = None
    """An entry of the checkpoint's ``task_specific_params`` (``translation_en_to_de``), whose settings and prefix to
    take."""


class HFImporter(Importer):
    """Encoder-decoders as transformers saves them: safetensors, ``config.json`` and the tokenizer's files."""

    def __init__(self, config: HFImporterConfig) -> None:
        self.config = config

    def read(self, source: str) -> Imported:
        folder = folder_of(source, *SMALL, *WEIGHTS)
        values = read_json(folder, CONFIG)
        family, config = family_of(values, str(folder / CONFIG))
        task = self._task(config, source)
        settings = settings_of(config, read_json(folder, GENERATION)) | task
        prefix = settings.pop("prefix", "") if self.config.prefix is None else self.config.prefix
        settings.pop("prefix", None)
        tokenizers = {
            "source": _tokenizer(source, "source", self.config.source_language, prefix),
            "target": _tokenizer(source, "target", self.config.target_language),
        }
        model = family.model(config)
        search = search_section(settings)
        target = HFTokenizer(HFTokenizerConfig(**tokenizers["target"]))
        target.train(())
        if target.language_code in target.prefix:
            search["forced_first"] = target.language_code
        task_section = {
            "name": "translation",
            "source_tokenizer": tokenizers["source"],
            "target_tokenizer": tokenizers["target"],
            "shared_vocabulary": model["share_embeddings"],
        }
        parts = {"task": task_section, "model": model, "search": search}
        return Imported(parts, family.read(config, Tensors(folder)), {"model_type": config["model_type"]})

    def write(self, run: Pipeline, folder: Path) -> None:
        tokenizers = list(run.task.tokenizers().values())
        kept = [tokenizer for tokenizer in tokenizers if isinstance(tokenizer, HFTokenizer)]
        if not kept or len(kept) < len(tokenizers):
            raise UserError(f"{run.run}: its tokenizers are not Hugging Face's: only what was imported can go back")
        family, config = family_of(kept[0].json(CONFIG), f"{run.run}: {CONFIG}")
        _check_same_model(str(run.run), family.model(config), run.config.model)
        for tokenizer in kept:
            for name, content in tokenizer.files.items():
                (folder / name).write_bytes(content)
        parameters = {name: tensor.detach() for name, tensor in run.model.state_dict().items()}
        write_tensors(folder, family.write(config, parameters))

    def _task(self, config: Mapping[str, Any], source: str) -> dict[str, Any]:
        """The settings of the chosen task."""
        tasks = config.get("task_specific_params") or {}
        if self.config.task is None:
            return {}
        if self.config.task not in tasks:
            raise UserError(f"{source}: has no task {self.config.task!r} (there is: {', '.join(tasks) or 'none'})")
        return dict(tasks[self.config.task])


def _tokenizer(source: str, side: str, language: str | None, prefix: str = "") -> dict[str, Any]:
    section: dict[str, Any] = {"name": "hf", "source": source, "side": side}
    if language:
        section["language"] = language
    return section | ({"text_prefix": prefix} if prefix else {})


def _check_same_model(run: str, wanted: Mapping[str, Any], model: Any) -> None:
    """Refuse a model whose sections are not those that its checkpoint was read as."""
    if model.share_embeddings != wanted["share_embeddings"]:
        raise UserError(f"{run}: model.share_embeddings is {model.share_embeddings}, unlike in its checkpoint")
    for side in ("encoder", "decoder"):
        section = getattr(model, side)
        here, there = section.model_dump(), type(section)(**wanted[side]).model_dump()
        for name in here:
            if name not in TRAINING_ONLY and here[name] != there[name]:
                raise UserError(f"{run}: model.{side}.{name} is {here[name]!r}, and {there[name]!r} in its checkpoint")
