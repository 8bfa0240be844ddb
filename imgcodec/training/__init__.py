"""The training of the shipped weights. It imports the models; the models never import it."""
