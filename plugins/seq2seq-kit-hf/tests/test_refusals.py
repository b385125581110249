"""What cannot be imported is refused by its name, and leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from seeded import GOLDEN, write_checkpoint
from seq2seq_kit_hf.files import folder_of
from seq2seq_kit_hf.generation import search_section, settings_of
from seq2seq_kit_hf.importer import HFImporter, HFImporterConfig
from seq2seq_kit_hf.tokenizer import HFTokenizer, HFTokenizerConfig

from seq2seq_kit import UserError


def checkpoint(folder: Path, family: str = "bart", **changes: Any) -> Path:
    """A checkpoint with some fields of ``config.json`` changed."""
    golden = json.loads((GOLDEN / f"{family}.json").read_text(encoding="utf-8"))
    golden["config"] |= changes
    write_checkpoint(folder / family, golden)
    return folder / family


def refused(folder: Path, **settings: Any) -> str:
    """The sentence with which an import is refused."""
    with pytest.raises(UserError) as error:
        HFImporter(HFImporterConfig(**settings)).read(str(folder))
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "longt5"}, "model_type is 'longt5': must be one of marian, bart,"),
        ({"architectures": ["BartForSequenceClassification"]}, "is a BartForSequenceClassification"),
        ({"quantization_config": {"bits": 4}}, "has quantization_config, which is not supported"),
        ({"activation_function": "mish"}, "activation_function is 'mish': must be one of relu,"),
        ({"encoder_layers": 3}, "has no tensor 'model.encoder.layers.2."),
        ({"encoder_layers": 1}, "has a tensor 'model.encoder.layers.1."),
    ],
)
def test_models_that_the_kit_has_not(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert message in refused(checkpoint(tmp_path, **changes))


def test_buckets_that_the_kit_has_not(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, "t5", relative_attention_num_buckets=16)
    assert "relative_attention_num_buckets is 16: only 32 are supported" in refused(folder)


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _pickled_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _bad_json(folder: Path) -> None:
    (folder / "config.json").write_text("{", encoding="utf-8")


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_weights, "weights are read from model.safetensors, and there is none"),
        (_pickled_weights, "only pytorch_model.bin, which is pickled and therefore not read"),
        (_cut_weights, "is damaged, or no safetensors file"),
        (_bad_json, "cannot be read as JSON"),
        (_no_tokenizer, "its tokenizer needs tokenizer.json, which is not there: write it with"),
    ],
)
def test_files_that_are_missing_or_damaged(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    folder = checkpoint(tmp_path)
    spoil(folder)
    assert message in refused(folder)


def test_names_that_are_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no such folder (one of the hub is hf:OWNER/NAME)" in refused(tmp_path / "none")
    assert "it holds no config.json" in refused(tmp_path)
    import huggingface_hub

    asked = []

    def fail(name: str, **_: Any) -> str:
        asked.append(name)
        raise OSError("no network\nhere")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(UserError, match="hf:owner/name: cannot be fetched from the hub: no network here"):
        folder_of("hf:owner/name")
    with pytest.raises(UserError):
        folder_of("owner/name")
    assert asked == ["owner/name"]  # by the first name alone: nothing is fetched unasked


def test_a_name_of_the_hub_is_fetched_once_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = checkpoint(tmp_path)
    import huggingface_hub

    wanted = {}

    def fetch(name: str, allow_patterns: list[str]) -> str:
        wanted.setdefault(name, allow_patterns)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    imported = HFImporter(HFImporterConfig()).read("hf:owner/name")
    assert imported.config["task"]["source_tokenizer"]["source"] == "hf:owner/name"
    assert wanted == {"owner/name": ["*.json", "*.txt", "*.spm", "*.model", "*.safetensors"]}


def test_a_tokenizer_of_another_kind_says_itself_what_it_puts_around_a_text(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path)
    path = folder / "tokenizer.json"
    from tokenizers import Tokenizer, processors

    backend = Tokenizer.from_file(str(path))
    for template, prefix in (("t0 $A t2", (0,)), ("$A t2", ()), ("$A", None)):
        backend.post_processor = processors.TemplateProcessing(template, special_tokens=[("t0", 0), ("t2", 2)])
        backend.save(str(path))
        tokenizer = HFTokenizer(HFTokenizerConfig(source=str(folder), side="source"))
        if prefix is None:
            with pytest.raises(UserError, match="PreTrainedTokenizer does not end texts with EOS"):
                tokenizer.train(())
        else:
            tokenizer.train(())
            assert (tokenizer.prefix, tokenizer.suffix) == (prefix, (2,))


def test_several_languages_need_to_be_named(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path)
    settings = json.dumps({"tokenizer_class": "MBart50Tokenizer"})
    (folder / "tokenizer_config.json").write_text(settings, encoding="utf-8")
    assert "is of several languages: say which its targets are in" in refused(folder, source_language="t4")
    assert "its tokenizer has no token 't99'" in refused(folder, source_language="t4", target_language="t99")
    generation = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    generation["forced_bos_token_id"] = 7
    (folder / "generation_config.json").write_text(json.dumps(generation), encoding="utf-8")
    for language, code in ((None, 7), ("t6", 6)):
        imported = HFImporter(HFImporterConfig(source_language="t4", target_language=language)).read(str(folder))
        assert imported.config["search"]["forced_first"] == code
    settings = json.dumps({"tokenizer_class": "MBartTokenizer", "src_lang": "t4"})
    (folder / "tokenizer_config.json").write_text(settings, encoding="utf-8")
    tokenizer = HFTokenizer(HFTokenizerConfig(source=str(folder), side="target"))
    tokenizer.train(())
    assert (tokenizer.bos_id, tokenizer.prefix, tokenizer.suffix) == (2, (), (2,))  # what the decoder starts with
    tokenizer = HFTokenizer(HFTokenizerConfig(source=str(folder), side="source"))
    tokenizer.train(())
    assert (tokenizer.prefix, tokenizer.suffix) == ((), (2, 4))


def test_a_tokenizer_writes_files_into_its_folder_alone(tmp_path: Path) -> None:
    config = HFTokenizerConfig(source=str(checkpoint(tmp_path)), side="target")
    tokenizer = HFTokenizer(config)
    tokenizer.train(())
    tokenizer.files["../evil"] = b"x"
    tokenizer.save(tmp_path / "target.json")
    found = HFTokenizer(config)
    found.load(tmp_path / "target.json")
    assert "evil" in found.files and all("/" not in name for name in found.files)
    (tmp_path / "target.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="is damaged, or not a tokenizer of seq2seq-kit-hf"):
        found.load(tmp_path / "target.json")


def test_yaml_reads_norwegian_as_false() -> None:
    assert HFImporterConfig(target_language=False).target_language == "no"


def test_choices_that_a_checkpoint_has_not(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path)
    assert "has no task 'summarization' (there is: none)" in refused(folder, task="summarization")
    assert "has no languages to choose from" in refused(folder, target_language="fr")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"penalty_alpha": 0.6}, "penalty_alpha is 0.6: the kit's search has no such option"),
        ({"guidance_scale": 1.5}, "guidance_scale is 1.5"),
        ({"eos_token_id": [2, 5]}, r"eos_token_id is \[2, 5\]: a run has one end symbol"),
        ({"something_new": True}, "something_new is True"),
    ],
)
def test_generation_settings_that_the_kit_has_not(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        search_section(settings)


def test_generation_settings_become_search_options() -> None:
    assert search_section({"token_healing": False, "use_cache": True}) == {
        "semantics": "hf",
        "beam_size": 1,
        "max_length": 20,
    }
    assert search_section({"num_beams": 4, "early_stopping": True, "max_length": 142, "min_length": 56}) == {
        "semantics": "hf",
        "beam_size": 4,
        "stop": "enough",
        "max_length": 141,
        "min_length": 55,
    }
    sampled = search_section({"do_sample": True, "top_p": 0.9, "max_new_tokens": 30})
    assert sampled == {
        "semantics": "hf",
        "beam_size": 1,
        "max_length": 30,
        "sampling": "tokens",
        "top_k": 50,
        "top_p": 0.9,
    }
    assert search_section({"top_p": 0.9})["beam_size"] == 1 and "top_p" not in search_section({"top_p": 0.9})
    assert settings_of({"num_beams": 6, "d_model": 8}, {}) == {"num_beams": 6}  # an old checkpoint
