"""The file: container, sections and entropy coding. Knows numpy and nothing of pictures, networks or torch.

    errors.py      what can go wrong
    cursor.py      bytes read from front to back, and the variable-length integer
    limits.py      what a reader is willing to take on
    header.py      the header
    payload.py     what is inside the sections that hold no tokens
    sections.py    the kinds of sections, a row of a table each
    container.py   the file as a whole: header, sections, checksums, limits
    entropy.py     integers to bytes and back under frozen frequency tables

The specification is `docs/format.md`.
"""
