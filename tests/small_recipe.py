"""Settings that make recipes/photo.toml so small that it trains in seconds."""

SMALL_RECIPE = [
    "batch=2", "export_crops=2", "tokenizer.channels=[8, 12]", "tokenizer.width_coarse=8", "tokenizer.width_fine=8",
    "tokenizer.width_filter=8", "phases.5.decoded=4", "phases.6.decoded=4",
    "prior.width=16", "prior.hidden=16", "prior.heads=2", "prior.slices=[[4, 4], [4, 8]]",
    "prior.attention=[[true, false], [false, true]]", "phases.1.shift_gains=[0.1, -0.1]",
]  # fmt: skip
