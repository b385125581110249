"""What this distribution provides; the module that its entry point names. Torch-free."""

from seq2seq_kit import Component, hookimpl


@hookimpl
def register_components() -> list[Component]:
    return [
        Component(
            kind="importer",
            name="hf",
            target="seq2seq_kit_hf.importer:HFImporter",
            config="seq2seq_kit_hf.importer:HFImporterConfig",
            summary="Marian, BART, mBART, M2M100, NLLB, T5, mT5, Pegasus (safetensors)",
        ),
        Component(
            kind="tokenizer",
            name="hf",
            target="seq2seq_kit_hf.tokenizer:HFTokenizer",
            config="seq2seq_kit_hf.tokenizer:HFTokenizerConfig",
            summary="that of one of these models, as it is",
        ),
    ]
