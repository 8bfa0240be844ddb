"""How the shipped weights are made. Imports the models; the models never import it."""
