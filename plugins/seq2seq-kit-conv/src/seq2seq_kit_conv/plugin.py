"""What this distribution provides; the module that its entry point names. Torch-free."""

from seq2seq_kit import Component, hookimpl


@hookimpl
def register_components() -> list[Component]:
    return [
        Component(
            kind="encoder",
            name="conv",
            target="seq2seq_kit_conv.encoder:ConvEncoder",
            config="seq2seq_kit_conv.encoder:ConvEncoderConfig",
            summary="gated convolutions (Gehring et al. 2017)",
        ),
        Component(
            kind="decoder",
            name="conv",
            target="seq2seq_kit_conv.decoder:ConvDecoder",
            config="seq2seq_kit_conv.decoder:ConvDecoderConfig",
            summary="gated causal convolutions, attention in each layer (Gehring et al. 2017)",
        ),
    ]
