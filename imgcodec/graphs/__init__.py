"""The nets of a `photo` model as ONNX graphs, built from the numbers of its model file. Knows no torch."""
