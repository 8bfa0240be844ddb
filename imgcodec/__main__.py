"""`python -m imgcodec`, and where the command `imgcodec` begins; torchrun starts it so, too.

What the command needs takes a while to import. Until that is done nothing has begun, and Ctrl-C ends the process at
once.
"""

import os
import signal

INTERRUPTED = 130


def main() -> None:
    """The entry point of the `imgcodec` command."""
    usual = signal.getsignal(signal.SIGINT)
    try:
        if usual is signal.default_int_handler:  # a script may have told its commands to ignore Ctrl-C
            signal.signal(signal.SIGINT, lambda *_: leave())
        from imgcodec.cli import main as run

        signal.signal(signal.SIGINT, usual)
        run()
    except KeyboardInterrupt:
        leave()


def leave() -> None:
    """Says that the command was interrupted, and ends the process."""
    os.write(2, b"imgcodec: Interrupted.\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
