"""Encoder-decoders of Hugging Face's transformers (https://huggingface.co/docs/transformers) as runs of seq2seq_kit."""
