"""The parts that encoders and decoders are made of; no component itself."""
