"""Metrics of how near one picture is to another: in NumPy, and with gradients in torch."""
