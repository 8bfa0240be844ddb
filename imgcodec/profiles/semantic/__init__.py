"""The profile `semantic`: a vector that says what a picture shows, and a decoder that draws it again."""
