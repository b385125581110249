"""A decoder with a compiled step, as a plugin of seq2seq_kit."""
