"""A plugin as it was built against seq2seq_kit 0.1.0. Never edit it: later releases of the kit must run it as it is."""
