"""Tokens -> integer parameters of their probabilities. Pure `nn.Module`s: they know nothing of files or tokenizers."""
