"""How good the codec is, in figures: metrics, Bjøntegaard rates, the codecs to compare with, and the bench that uses
them."""
