"""``s2s import NAME SOURCE RUN`` and ``s2s export NAME RUN FOLDER``: checkpoints of other toolkits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seq2seq_kit.interfaces import Importer

Name = Annotated[str, typer.Argument(help="The importer: see s2s plugins list --kind importer.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value of the importer: see s2s plugins show NAME; several allowed."),
]


def add_to(cli: typer.Typer) -> None:
    """Add the commands ``import`` and ``export``."""
    cli.command("import")(import_)
    cli.command("export")(export)


def import_(
    name: Name,
    source: Annotated[str, typer.Argument(help="The checkpoint, as the importer calls it: a folder, say.")],
    run: Annotated[Path, typer.Argument(help="The new run folder.")],
    settings: Settings = None,
) -> None:
    """Make a run folder of another toolkit's checkpoint.

    Importers come with plugins; that of Hugging Face's models, hf, with seq2seq-kit-hf.

    Example: s2s import hf opus-mt-en-de runs/en-de
    """
    from seq2seq_kit.importing import CONFIG, import_run

    model = import_run(_importer(name, settings), source, run)
    numbers = sum(parameter.numel() for parameter in model.parameters())
    print(f"{source} is in {run}: {numbers:,} parameters. To fine-tune it: s2s train {run / CONFIG} --from {run}")


def export(
    name: Name,
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    folder: Annotated[Path, typer.Argument(help="The new folder for the checkpoint.")],
    settings: Settings = None,
) -> None:
    """Write a run as another toolkit's checkpoint.

    Example: s2s export hf runs/en-de-medical opus-mt-en-de-medical
    """
    from seq2seq_kit.importing import export_run

    export_run(_importer(name, settings), run, folder)
    print(f"{run} is in {folder}")


def _importer(name: str, settings: list[str] | None) -> Importer:
    from yaml import YAMLError

    from seq2seq_kit.config import ComponentConfig, validate
    from seq2seq_kit.errors import ConfigError
    from seq2seq_kit.registry import build, registry
    from seq2seq_kit.yaml_reader import read_yaml

    values = {"name": name}
    for setting in settings or []:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: write key=value")
        try:
            values[key.strip()] = read_yaml(text)
        except YAMLError:
            raise ConfigError(f"--set {setting}: {text!r} is not a YAML value") from None
    config_class = registry().find("importer", name).load_config() or ComponentConfig
    importer: Importer = build("importer", validate(config_class, values, "--set"))
    return importer
