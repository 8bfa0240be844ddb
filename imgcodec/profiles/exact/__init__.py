"""The profile `exact`: files of the pixels themselves, without a loss, tokens or a model."""
