"""``python -m seq2seq_kit`` is ``s2s``."""

from seq2seq_kit.cli import main

if __name__ == "__main__":
    main()
