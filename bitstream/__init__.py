"""The file: container, sections and entropy coding. Knows numpy and nothing of pictures, networks or torch.

    errors.py      exceptions, warnings and exit codes
    cursor.py      reading bytes from front to back, and the variable-length integer
    limits.py      the limits of a reader
    header.py      the header
    payload.py     the data of the sections that hold no tokens
    sections.py    the kinds of sections, a row of a table each
    token_sections.py  what token sections hold, and which are missing
    frames.py      the frame of a section
    container.py   the file as a whole: header, sections, checksums, limits
    salvage.py     what is still whole of a damaged file
    entropy.py     the range coder: integers to bytes and back under frozen frequency tables

The specification is `docs/format.md`.
"""
