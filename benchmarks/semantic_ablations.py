"""What each loss brings to the encoder of the profile `semantic`: the table of docs/semantic.md.

    python benchmarks/hold_out.py SHARDS... --manifest manifest.jsonl --train train.tar --held held.tar
    python benchmarks/semantic_ablations.py train.tar --validation dev --held held.tar dev kodak --kinds own \\
        -o benchmarks/results/semantic_ablations.json

Small encoders of `recipes/semantic.toml` learn from all losses, and from all but one. On each of them, as it is in its
model file, a decoder is trained from scratch. Seed, steps, bytes and the weights that everything starts with are the
same. On pictures that none has seen are measured, picture by picture,

    recall      of a changed picture, by the meaning or the layout alone and by the whole vector, as `eval` does it
    kind        whether the nearest other photograph of groceries, by one of them, shows the same kind
    velocity    the error of the decoder, with its vector and without
    drawn       how near drawn pictures are to their originals: PSNR, and the cosine of the teacher's features

and for each variant the mean, and the mean difference from `all` with its standard error over pictures: what other
pictures would change. What another `--seed` would change is not in it. The teacher is searched by, too, and for kinds
the shipped model.

The folder of `--runs` keeps what is trained and measured: the same command goes on where it was stopped, and other ones
take another folder.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from machine import describe  # lies beside this file

from imgcodec.codec import load_codec
from imgcodec.evaluation.retrieval import QUERIES, RANKS
from imgcodec.pictures.io import load
from imgcodec.pictures.square import as_square
from imgcodec.profiles.semantic.codec import SemanticCodec, as_semantic
from imgcodec.storage import files
from imgcodec.training.data import load_photographs
from imgcodec.training.recipe import read_recipe, train
from imgcodec.training.semantic.objective import TIMES
from imgcodec.training.semantic.recipe import TAUGHT
from imgcodec.training.semantic.teacher import SIDE, Teacher
from imgcodec.training.semantic.views import as_tensor
from imgcodec.training.shipped_recipes import find_recipe

VARIANTS = {
    "all": [],
    "without distil": ["loss.distil=0"],
    "without contrast": ["loss.contrast=0"],
    "without diffusion": ["loss.diffusion=0"],
}
SMALL = ["features.side=64", "features.widths=[32, 48, 96, 96]"]
FIRST_DECODER = "decoder.base=32"  # whose loss the encoder learns from
SECOND_DECODER = "decoder.base=48"  # other sizes, so it starts from scratch
PHASE = '{name = "%s", trains = "%s", steps = %d, rate = %g, schedule = "cosine", decay_from = 0.3, average = 0.99}'
DRAWING_STEPS = 25
BATCH = 50

Numbers = dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="to train on")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--held", type=Path, nargs="+", required=True, help="to measure on")
    parser.add_argument("--kinds", type=Path, required=True, help="a folder whose manifest.json has kinds in its paths")
    parser.add_argument("--count", type=int, default=500, help="pictures to measure on, at most")
    parser.add_argument("--steps", type=int, default=400, help="of each of three phases")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/ablations"))
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    models = {name: train_variant(name, losses, arguments) for name, losses in VARIANTS.items()}
    pictures = load_photographs(arguments.held, 64)[: arguments.count]
    groceries, kinds = load_kinds(arguments.kinds)
    found = {name: measure(path, pictures, groceries, kinds) for name, path in models.items()}
    result = {
        "machine": describe(),
        "pictures": len(pictures),
        "photographs of kinds": len(groceries),
        "steps of each phase": arguments.steps,
        "seed": arguments.seed,
        "variants": {name: compared(numbers, found["all"]) for name, numbers in found.items()},
        "teacher": compared(measure_teacher(pictures, groceries, kinds)),
        "shipped": compared(measure_kinds(open_codec("semantic"), groceries, kinds)),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.output:
        files.write(arguments.output, (text + "\n").encode(), force=True)


def train_variant(name: str, losses: list[str], arguments: argparse.Namespace) -> Path:
    """Trains an encoder, and on it, as it is then, a decoder from scratch; returns the model."""
    folder = arguments.runs / name.replace(" ", "-")
    shared = [*SMALL, f"seed={arguments.seed}"]
    phases = [("encoder", 1e-3), ("both", 4e-4)]
    encoder = run(folder / "encoder", [*shared, FIRST_DECODER, *losses], phases, None, arguments)
    return run(folder / "decoder", [*shared, SECOND_DECODER], [("decoder", 4e-4)], str(encoder), arguments)


def run(
    folder: Path, settings: list[str], phases: list[tuple[str, float]], start: str | None, arguments: argparse.Namespace
) -> Path:
    """What `imgcodec train semantic --resume` does with these settings; nothing where the model is there already.

    phases: what each trains, and its learning rate.
    """
    model = folder / "semantic.safetensors"
    if model.exists():
        return model
    of_phases = ", ".join(PHASE % (name, name, arguments.steps, rate) for name, rate in phases)
    settings = [*settings, f"phases=[{of_phases}]"]
    print(f"{folder}: {' '.join(settings)}", flush=True)
    recipe = read_recipe(find_recipe("semantic"), settings)
    # what the teacher sees is the same for all, and takes minutes
    here, kept = folder / TAUGHT, arguments.runs / TAUGHT
    folder.mkdir(parents=True, exist_ok=True)
    if kept.exists():
        shutil.copy(kept, here)
    train(recipe, arguments.data, arguments.validation, folder, True, start)
    if here.exists() and not kept.exists():
        shutil.copy(here, kept)
    return model


def load_kinds(folder: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Photographs, and numbers of their kinds: two groceries are of one kind that share a folder like Fruit/Apple."""
    rows = json.loads((folder / "manifest.json").read_text())
    pictures = [load((folder / row["file"]).read_bytes()).pixels for row in rows]
    names = [tuple(row["path"].split("/")[2:4]) for row in rows]
    return pictures, np.array([sorted(set(names)).index(name) for name in names])


def measure(path: Path, pictures: list[np.ndarray], groceries: list[np.ndarray], kinds: np.ndarray) -> Numbers:
    """Everything about a model, a number for each picture; kept beside it."""
    kept = path.with_name("measured.npz")
    if kept.exists():
        return dict(np.load(kept))
    codec = open_codec(str(path))
    stored = codec.vectors(codec.levels(pictures))
    asked = [codec.features(some) for some in changed(pictures)]
    found = measure_kinds(codec, groceries, kinds)
    for name, part in parts(codec).items():
        recalls = measure_recall(stored[:, part], [vectors[:, part] for vectors in asked])
        found |= {f"{name}, {rank}": numbers for rank, numbers in recalls.items()}
    whole = measure_recall(codec.search_vectors(stored), [codec.search_vectors(vectors) for vectors in asked])
    found |= {f"whole, {rank}": numbers for rank, numbers in whole.items()}
    found |= measure_decoder(codec, torch.from_numpy(stored), pictures)
    np.savez(kept, **found)
    return found


def open_codec(model: str) -> SemanticCodec:
    return as_semantic(load_codec(model), "This benchmark")


def parts(codec: SemanticCodec) -> dict[str, slice]:
    """Where the parts of a vector are."""
    layout = codec.tokenizer.encoder.config.layout
    return {"meaning": slice(layout, None), "layout": slice(layout)}


def measure_kinds(codec: SemanticCodec, groceries: list[np.ndarray], kinds: np.ndarray) -> Numbers:
    """`measure_kind` by each part of the vectors."""
    vectors = codec.vectors(codec.levels(groceries))
    return {f"{name}, kind": measure_kind(vectors[:, part], kinds) for name, part in parts(codec).items()}


def measure_teacher(pictures: list[np.ndarray], groceries: list[np.ndarray], kinds: np.ndarray) -> Numbers:
    """How well pictures are found by the teacher's features."""
    recalls = measure_recall(taught(pictures), [taught(some) for some in changed(pictures)])
    return {**recalls, "kind": measure_kind(taught(groceries), kinds)}


def changed(pictures: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """All pictures, changed in one way after the other."""
    for change in QUERIES.values():
        yield [change(pixels) for pixels in pictures]


def measure_recall(stored: np.ndarray, asked: list[np.ndarray]) -> Numbers:
    """Vectors (N, n) of pictures, and of their changed versions -> of each picture, the share of its versions that find
    it as the first, and among five."""
    likeness = [unit(vectors) @ unit(stored).T for vectors in asked]
    nearer = np.array([(some >= some.diagonal()[:, None]).sum(1) - 1 for some in likeness])
    return {f"recall@{rank}": (nearer < rank).mean(0) for rank in RANKS}


def measure_kind(vectors: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Of each picture of whose kind there is another, whether the nearest other one is of its kind."""
    likeness = unit(vectors) @ unit(vectors).T
    np.fill_diagonal(likeness, -np.inf)
    has_others = (kinds[:, None] == kinds).sum(1) > 1
    return (kinds[likeness.argmax(1)] == kinds)[has_others].astype(float)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@torch.inference_mode()
def measure_decoder(codec: SemanticCodec, vectors: torch.Tensor, pictures: list[np.ndarray]) -> Numbers:
    """Errors of the velocity, and how near what is drawn from vectors is to the pictures."""
    decoder, encoder = codec.tokenizer.decoder, codec.tokenizer.encoder
    generator = torch.Generator().manual_seed(0)
    parts: dict[str, list[torch.Tensor]] = {"velocity": [], "velocity, no vector": [], "drawn, PSNR": []}
    drawings = []
    for first in range(0, len(pictures), BATCH):
        vector = vectors[first : first + BATCH]
        pixels = as_tensor([as_square(p, decoder.config.side) for p in pictures[first : first + BATCH]])
        thumbnail = encoder.thumbnail(vector)
        hint = decoder.hint(thumbnail, len(vector))
        for name, told in (("velocity", vector), ("velocity, no vector", torch.zeros_like(vector))):
            generator.manual_seed(first)
            errors = []
            for per_mille in TIMES:
                times = torch.full((len(pixels),), per_mille * decoder.noise.steps // 1000)
                noise = torch.randn(pixels.shape, generator=generator)
                noisy = decoder.noise.q_sample(decoder.to_difference(pixels, hint), times, noise)
                error = (decoder.predict(noisy, times, told, hint) - noise).square().mean((1, 2, 3))
                errors.append(error / decoder.noise.kept[times[0]])
            parts[name].append(torch.stack(errors).mean(0))
        *_, drawn = decoder.draw(vector, thumbnail, DRAWING_STEPS, 0.0, 1.0, seed=first)
        parts["drawn, PSNR"].append(-10 * (drawn - pixels).square().mean((1, 2, 3)).log10())
        drawings += list(drawn.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    squares = [as_square(pixels, decoder.config.side) for pixels in pictures]
    likeness = (unit(taught(drawings)) * unit(taught(squares))).sum(1)
    return {name: torch.cat(numbers).numpy() for name, numbers in parts.items()} | {"drawn, teacher's cosine": likeness}


def taught(pictures: list[np.ndarray]) -> np.ndarray:
    """The teacher's features of pictures, (N, 1280)."""
    return Teacher(torch.device("cpu"))([as_square(p, SIDE) for p in pictures]).float().numpy()


def compared(found: Numbers, other: Numbers | None = None) -> dict[str, dict[str, float]]:
    """Means over pictures; and their differences from another variant's, with standard errors."""
    figures = {}
    for name, numbers in found.items():
        figures[name] = {"mean": float(numbers.mean())}
        if other is not None and other is not found:
            difference = numbers - other[name]
            error = difference.std(ddof=1) / len(difference) ** 0.5
            figures[name] |= {"difference": float(difference.mean()), "standard_error": float(error)}
    return figures


if __name__ == "__main__":
    main()
