"""Measuring the codec: Bjøntegaard rates, the codecs to compare with, ideal code lengths, and the bench."""
