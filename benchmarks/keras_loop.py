"""The rival of ``decode_characters``: Keras 3 as in its character-level tutorial, ``predict()`` for each character.

Written after the ideas of the tutorial "Character-level recurrent sequence-to-sequence model": the encoder's states
start the decoder, which is given one one-hot character and its states at a time. Runs in an environment of its own.
"""

from __future__ import annotations

ALPHABET, SOURCE_LENGTH, OUTPUT_LENGTH = 100, 20, 60
BOS, SIZE = 1, 256


class TutorialLoop:
    """One source sentence, decoded greedily for ``OUTPUT_LENGTH`` characters and EOS."""

    def __init__(self) -> None:
        import numpy as np
        from keras import Input, Model, layers, utils

        utils.set_random_seed(1)
        self.parts: dict[str, float] = {}
        source = Input((None, ALPHABET))
        _, h, c = layers.LSTM(SIZE, return_state=True)(source)
        self.encoder = Model(source, [h, c])
        character, state_h, state_c = Input((None, ALPHABET)), Input((SIZE,)), Input((SIZE,))
        lstm = layers.LSTM(SIZE, return_sequences=True, return_state=True)
        written, new_h, new_c = lstm(character, initial_state=[state_h, state_c])
        probabilities = layers.Dense(ALPHABET, activation="softmax")(written)
        self.decoder = Model([character, state_h, state_c], [probabilities, new_h, new_c])
        ids = np.random.default_rng(1).integers(4, ALPHABET, SOURCE_LENGTH)
        self.source = np.eye(ALPHABET, dtype="float32")[ids][None]  # [1, S, V]

    def output(self) -> list[int]:
        import numpy as np

        states = self.encoder.predict(self.source, verbose=0)
        token, tokens = BOS, []
        for _ in range(OUTPUT_LENGTH + 1):
            character = np.zeros((1, 1, ALPHABET), "float32")
            character[0, 0, token] = 1.0
            probabilities, *states = self.decoder.predict([character, *states], verbose=0)
            token = int(probabilities[0, -1].argmax())
            tokens.append(token)
        return tokens

    def run(self) -> int:
        return len(self.output())


if __name__ == "__main__":
    from benchmarks.support.worker import serve

    serve(lambda _system, _case: TutorialLoop(), ["keras", "tensorflow-cpu"])
