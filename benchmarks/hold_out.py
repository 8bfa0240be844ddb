"""Parts shards of photographs for training into those that a model learns from and those that judge it.

    python benchmarks/hold_out.py SHARDS... --manifest manifest.jsonl --train train.tar --held held.tar

Several crops of one photograph are on one side: the side depends on the source's hash, which the manifest gives with
each crop (`shard`, `name`, `blob`). Of a photograph that is held out, the first crop is kept and the others are left.
"""

import argparse
import json
import tarfile
from pathlib import Path

HELD_PERCENT = 27


def is_held(blob: str) -> bool:
    """Whether the photograph with this hash, in hexadecimal, judges."""
    return int(blob[:8], 16) % 100 < HELD_PERCENT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path, nargs="+")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--held", type=Path, required=True)
    arguments = parser.parse_args()
    rows = (json.loads(line) for line in arguments.manifest.read_text().splitlines())
    blobs = {(row["shard"], row["name"]): row["blob"] for row in rows}
    seen: set[str] = set()
    counts = {"train": 0, "held": 0}
    with tarfile.open(arguments.train, "w") as train, tarfile.open(arguments.held, "w") as held:
        for shard in arguments.shards:
            with tarfile.open(shard) as source:
                for member in source:
                    blob = blobs[shard.name, member.name]
                    if is_held(blob) and blob in seen:
                        continue
                    seen.add(blob)
                    side, tar = ("held", held) if is_held(blob) else ("train", train)
                    counts[side] += 1
                    member.name = f"{shard.stem}-{member.name}"  # names repeat between shards
                    tar.addfile(member, source.extractfile(member))
    print(f"{counts['train']} crops to learn from, {counts['held']} photographs to judge by")


if __name__ == "__main__":
    main()
