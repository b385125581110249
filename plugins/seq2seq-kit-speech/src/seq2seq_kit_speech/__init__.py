"""Speech recognition as a plugin of seq2seq_kit: a task, its features, an encoder, an attention and CTC."""
