"""An application of models that are alike: without events, with ours, and with a peer's."""
