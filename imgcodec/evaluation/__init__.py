"""Measuring the codec: Bjøntegaard rates, the codecs to compare with, ideal code lengths, the bench and its page."""
