"""What this distribution provides; the module that its entry point names. Torch-free."""

from seq2seq_kit import Component, hookimpl


@hookimpl
def register_components() -> list[Component]:
    return [
        Component(
            kind="decoder",
            name="copy",
            target="seq2seq_kit_copy.decoder:CopyDecoder",
            config="seq2seq_kit_copy.decoder:CopyDecoderConfig",
            summary="any decoder with attention, and words copied from the source (See et al. 2017)",
        ),
        Component(
            kind="attention",
            name="coverage",
            target="seq2seq_kit_copy.coverage:CoverageAttention",
            config="seq2seq_kit_copy.coverage:CoverageAttentionConfig",
            summary="knows where it has looked so far (See et al. 2017)",
        ),
    ]
