"""`python -m imgcodec` is the command `imgcodec`; torchrun starts it so."""

from imgcodec.cli import main

if __name__ == "__main__":
    main()
