"""``s2s demo``: the whole way in one command, on the corpus that ships in the package."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seq2seq_kit.decoding.pipeline import Pipeline

CONFIG = Path(__file__).with_name("demo.yaml")
QUICK = ["training.max_minutes=0.35", "training.validate_every=200", "training.validation_examples=50"]
SENTENCES = [  # the attention of the first is drawn
    "The teacher gave us a brown armchair.",
    "Where is the station?",
    "I don't have any money.",
    "Can you help me, please?",
]


def add_to(cli: typer.Typer) -> None:
    """Add the command ``demo``."""
    cli.command("demo")(demo)


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="The same path in small: under a minute.")] = False,
    out: Annotated[Path | None, typer.Option(help="The run folder; default: runs/demo-N, the next free N.")] = None,
) -> None:
    """Train a small English-French model on the phrasebook in the package, score it and translate with it.

    Example: s2s demo --quick
    """
    from rich.console import Console

    from seq2seq_kit.decoding.pipeline import load
    from seq2seq_kit.run_config import load_config
    from seq2seq_kit.training.runs import train

    console = Console()
    run = out or _next_free(Path("runs"))
    minutes = "half a minute" if quick else "three minutes"
    console.print(f"[bold]Training[/] an English-French model for about {minutes}: {CONFIG}", soft_wrap=True)
    start = time.perf_counter()
    train(load_config(CONFIG, QUICK if quick else []), run)
    console.print(f"Trained in {time.perf_counter() - start:.0f} s.")
    pipeline = load(run)
    _score(pipeline, limit=60 if quick else None)
    _pictures(pipeline, console)
    console.print("\nTranslate your own sentence:")
    console.print(f'  [bold]echo "Where is my umbrella?" | {_this_command()} translate {run}[/]', soft_wrap=True)


def _this_command() -> str:
    """How to call ``s2s`` from here: the environment of ``make demo`` is not on the path."""
    if shutil.which("s2s"):
        return "s2s"
    started = Path(sys.argv[0])
    return os.path.relpath(started) if started.name == "s2s" else f"{sys.executable} -m seq2seq_kit"


def _next_free(folder: Path) -> Path:
    number = 1
    while (folder / f"demo-{number}").exists():
        number += 1
    return folder / f"demo-{number}"


def _score(pipeline: Pipeline, limit: int | None) -> None:
    """Composed held-out sentences (of the patterns seen in training) and hand-written ones (unlike any seen)."""
    from itertools import islice

    from seq2seq_kit.cli.evaluate import print_evaluation
    from seq2seq_kit.data.references import with_references
    from seq2seq_kit.evaluation.evaluate import evaluate

    parts = {"test": "held-out composed sentences", "test_handwritten": "held-out hand-written sentences"}
    for part, title in parts.items():
        examples = islice(pipeline.task.read([f"phrasebook:{part}"]), limit)
        result = evaluate(pipeline.model, pipeline.task, with_references(examples), pipeline.options())
        print_evaluation(result, title, show=12)


def _pictures(pipeline: Pipeline, console: object) -> None:
    from rich.table import Table

    from seq2seq_kit.evaluation.attention_picture import draw_attention

    outputs = pipeline(SENTENCES)
    table = Table("you say", "it says", "score", title="Translations", title_justify="left")
    for sentence, output in zip(SENTENCES, outputs, strict=True):
        table.add_row(sentence, output.text, f"{output.score:.2f}")
    picture = pipeline.run / "attention.png"
    draw_attention(outputs[0], picture)
    console.print(table)  # type: ignore[attr-defined]
    console.print(f"Loss curve:        {pipeline.run / 'curves.png'}", soft_wrap=True)  # type: ignore[attr-defined]
    console.print(f"Attention picture: {picture}", soft_wrap=True)  # type: ignore[attr-defined]
