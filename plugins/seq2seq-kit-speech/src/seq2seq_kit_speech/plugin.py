"""What this distribution provides; the module that its entry point names. Torch-free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq_kit import Component, hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_components() -> list[Component]:
    return [
        Component(
            kind="task",
            name="transcription",
            target="seq2seq_kit_speech.task:Transcription",
            config="seq2seq_kit_speech.task:TranscriptionConfig",
            summary="recordings to text",
            verb="transcribe",
        ),
        Component(
            kind="encoder",
            name="speech",
            target="seq2seq_kit_speech.encoder:SpeechEncoder",
            config="seq2seq_kit_speech.encoder:SpeechEncoderConfig",
            summary="convolutions that shorten the input, then any encoder; CTC",
        ),
        Component(
            kind="attention",
            name="location",
            target="seq2seq_kit_speech.location:LocationAttention",
            config="seq2seq_kit_speech.location:LocationAttentionConfig",
            summary="knows where it looked last (Chorowski et al. 2015)",
        ),
        Component(
            kind="criterion",
            name="ctc",
            target="seq2seq_kit_speech.ctc:JointCTC",
            config="seq2seq_kit_speech.ctc:JointCTCConfig",
            summary="CTC beside another criterion (Watanabe et al. 2017)",
        ),
        Component(
            kind="processor",
            name="ctc",
            target="seq2seq_kit_speech.ctc_prefix:CTCPrefixScores",
            config="seq2seq_kit_speech.ctc_prefix:CTCPrefixScoresConfig",
            summary="CTC prefix scores in the search (Watanabe et al. 2017)",
        ),
        Component(
            kind="transform",
            name="spec_augment",
            target="seq2seq_kit_speech.spec_augment:SpecAugment",
            config="seq2seq_kit_speech.spec_augment:SpecAugmentConfig",
            summary="hides bands of frequency and of time (Park et al. 2019)",
        ),
    ]


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    from seq2seq_kit_speech.transcribe import transcribe

    cli.command("transcribe")(transcribe)
