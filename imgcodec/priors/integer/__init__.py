"""The arithmetic of the priors: integers, computed with floating-point hardware, the same on every machine."""
