"""What this distribution provides; the module that its entry point names. Torch-free."""

from seq2seq_kit import Component, hookimpl


@hookimpl
def register_components() -> list[Component]:
    return [
        Component(
            kind="decoder",
            name="minimal",
            target="seq2seq_kit_native_example.decoder:MinimalDecoder",
            config="seq2seq_kit_native_example.decoder:MinimalDecoderConfig",
            summary="a minimal gated unit with attention, whose step is compiled (Zhou et al. 2016)",
        )
    ]
