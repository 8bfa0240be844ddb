"""Settings that make recipes/snac.toml so small that it trains in seconds."""

SMALL_SNAC = [
    "batch=2", "token_crops=4", "tokenizer.vq_strides=[4, 2]", "tokenizer.widths=[8, 8]", "tokenizer.latent_dim=8",
    "tokenizer.codebook_size=16", "prior.sides=[4, 8]", "prior.codes=16", "prior.digits=[4, 4]", "prior.width=16",
    "prior.hidden=16", "prior.heads=2", "prior.blocks=1", "phases.1.batch=2", "phases.2.batch=2",
    *(f"phases.{i}.steps={n}" for i, n in enumerate((4, 3, 2))),
    *(f"phases.{i}.validate_every=3" for i in (0, 1)), "phases.0.revive_every=2",
]  # fmt: skip
