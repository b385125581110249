"""Importers as strangers write them: what they give becomes an ordinary run; nothing is left of what fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
import torch

from seq2seq_kit import (
    Component,
    ComponentConfig,
    ConfigError,
    Imported,
    Importer,
    Pipeline,
    SourceSpec,
    TargetSpec,
    Tokenizer,
    UserError,
    load,
    register,
)
from seq2seq_kit.cli import main
from seq2seq_kit.config import validate
from seq2seq_kit.model import build_model
from seq2seq_kit.run_config import ModelConfig, load_config
from seq2seq_kit.training.runs import train

LETTERS = "abcdefghijklmnopqrstuvwxyz "
STACK = {"name": "transformer", "size": 8, "layers": 1, "heads": 2, "feed_forward_size": 8}


class Letters(Tokenizer):
    """Nothing to learn; special ids of its own, and something around every text."""

    pad_id, bos_id, eos_id, unk_id = 4, 2, 2, 3
    vocab_size = 5 + len(LETTERS)
    prefix = (1,)

    def __init__(self, config: ComponentConfig) -> None:
        self.config = config

    @property
    def suffix(self) -> tuple[int, ...]:
        return (2, 0)

    def train(self, texts: Iterable[str]) -> None:
        assert not list(texts)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[5 + LETTERS.index(letter) if letter in LETTERS else 3 for letter in text] for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(LETTERS[i - 5] for i in ids if i >= 5)

    def tokens(self, ids: Sequence[int]) -> list[str]:
        return [LETTERS[i - 5] if i >= 5 else f"<{i}>" for i in ids]

    def save(self, path: Path) -> None:
        path.write_text("{}", encoding="utf-8")

    def load(self, path: Path) -> None:
        assert path.read_text(encoding="utf-8") == "{}"


class OtherKitConfig(ComponentConfig):
    """Of the importer below."""

    name: str = "other-kit"
    forget: str | None = None
    """A parameter to leave out."""


class OtherKit(Importer):
    """Reads a file that holds a seed."""

    def __init__(self, config: OtherKitConfig) -> None:
        self.config = config

    def read(self, source: str) -> Imported:
        path = Path(source)
        if not path.exists():
            raise UserError(f"{source}: there is no such seed")
        model = {"encoder": STACK, "decoder": STACK, "share_embeddings": True}
        tokenizers = {f"{side}_tokenizer": "letters" for side in ("source", "target")}
        config = {
            "task": {"name": "translation", "shared_vocabulary": True, **tokenizers},
            "model": model,
            "search": {"semantics": "hf", "beam_size": 2, "max_length": 6, "forced_first": 1},
        }
        torch.manual_seed(int(path.read_text(encoding="utf-8")))
        specs = SourceSpec(Letters.vocab_size, 4), TargetSpec(Letters.vocab_size, 4, 2, 2, 3)
        built = build_model(validate(ModelConfig, model, "test"), *specs, shared_vocabulary=True)
        tensors = {name: x for name, x in built.named_parameters() if name != self.config.forget}
        return Imported(config, tensors, {"seed": path.name})


@pytest.fixture(scope="module", autouse=True)
def other_kit() -> None:
    register(Component("tokenizer", "letters", Letters))
    register(Component("importer", "other-kit", OtherKit, OtherKitConfig))


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    path = tmp_path / "seed"
    path.write_text("3", encoding="utf-8")
    return path


def s2s(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def run(seed: Path, tmp_path: Path) -> Path:
    assert s2s("import", "other-kit", seed, tmp_path / "run") == 0
    return tmp_path / "run"


def test_an_imported_run_decodes(run: Path, seed: Path) -> None:
    pipeline = load(run)
    [output] = pipeline(["abc"], n_best=2)
    assert len(output.tokens) == 6 or output.finish == "eos"
    assert output.tokens[0] == "<1>" and output.text == "".join(output.tokens[1:]).replace("<2>", "")
    assert output.source_tokens == ["<1>", "a", "b", "c", "<2>", "<0>"]
    assert output.attention is not None and output.attention.shape[1] == 6
    assert pipeline.model.encoder.embedding is pipeline.model.decoder.embedding
    assert pipeline.config.search.beam_size == 2


def test_its_phrases_begin_within_a_text_and_its_prefixes_at_the_beginning(run: Path) -> None:
    pipeline = load(run)
    [forced] = pipeline(["abc"], prefixes=["zx"])
    assert forced.tokens[:3] == ["<1>", "z", "x"]
    [chosen] = pipeline(["abc"], choices=[["yes", "no"]])
    assert chosen.text in ("yes", "no")
    [constrained] = pipeline(["abc"], constraints=[["q"]], semantics="kit")
    assert "q" in constrained.text
    [free] = pipeline(["abc"])
    [banned] = pipeline(["abc"], banned=[[free.text[:1]]])
    assert free.text[:1] not in banned.text


def test_it_is_trained_from(run: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.tsv"
    data.write_text("abc\txyz\nde\tvw\n", encoding="utf-8")
    config = load_config(
        run / "config.yaml",
        [f"data.train=[{data}]", f"data.dev=[{data}]", "training.max_steps=2", "training.validation_examples=0"],
    )
    train(config, tmp_path / "tuned", start=run)
    before, after = (dict(load(folder).model.named_parameters()) for folder in (run, tmp_path / "tuned"))
    moved = [float((after[name] - x).detach().abs().max()) for name, x in before.items()]
    assert 0 < max(moved) < 1e-3


def test_nothing_is_left_of_an_import_that_fails(
    seed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert s2s("import", "other-kit", tmp_path / "none", tmp_path / "new") == 2
    assert "there is no such seed" in capsys.readouterr().err
    forget = "--set=forget=decoder.layers.0.feed_forward.out.bias"
    assert s2s("import", "other-kit", seed, tmp_path / "new", forget) == 2
    assert "missing: decoder.layers.0.feed_forward.out.bias" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_refusals_say_why(seed: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in [
        (("import", "other-kit", seed, run), "is not empty; choose another folder"),
        (("import", "other-kit", seed, seed), "is a file; choose another folder"),
        (("import", "other-kitt", seed, tmp_path / "new"), "did you mean 'other-kit'?"),
        (("import", "other-kit", seed, tmp_path / "new", "--set=forgot=x"), "did you mean 'forget'?"),
        (("import", "other-kit", seed, tmp_path / "new", "--set=forget"), "--set forget: write key=value"),
        (("import", "other-kit", seed, tmp_path / "new", "--set=forget=["), "'[' is not a YAML value"),
        (("export", "other-kit", run, tmp_path / "new"), "OtherKit only imports"),
        (("export", "other-kit", tmp_path / "none", tmp_path / "new"), "there is no such run folder"),
    ]:
        assert s2s(*arguments) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "new").exists()


def test_vocabularies_of_two_sizes_are_not_shared(run: Path) -> None:
    task = load(run).task
    task.target_tokenizer.vocab_size += 1
    with pytest.raises(ConfigError, match="32 and 33 tokens: they share none"):
        task.prepare(())


def test_an_importer_may_write_too(run: Path, tmp_path: Path) -> None:
    class Both(OtherKit):
        def write(self, run: Pipeline, folder: Path) -> None:
            (folder / "size").write_text(str(run.config.model.decoder.size), encoding="utf-8")

    register(Component("importer", "both-ways", Both, OtherKitConfig))
    assert s2s("export", "both-ways", run, tmp_path / "back") == 0
    assert (tmp_path / "back" / "size").read_text(encoding="utf-8") == "8"
