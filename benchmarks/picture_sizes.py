"""Measures how the size at which wide pictures are read changes what the default encoder learns in a given time.

Each picture, of 400 x 100 pixels, shows three to eight shapes of 10 to 25 pixels: circles, squares and triangles in three colours. The
encoder and one linear layer learn which of the nine combinations are present. Accuracy is the share of right answers on 500 new pictures;
``chance`` is that of the more frequent answer. Time is the processor time of one thread, so that other processes change it little.

    python benchmarks/picture_sizes.py --rows 2000 --seconds 90 64 32x128 64x128 64x256
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from PIL import Image as Pillow
from PIL import ImageDraw
from torch import nn
from torch.nn import functional

from polymodal.encoders import ConvnetConfig
from polymodal.flow import Field
from polymodal.modalities import Image, ImageConfig, Roots

WIDTH, HEIGHT, TESTED, BATCH, LR = 400, 100, 500, 32, 1e-3
COLORS = ((220, 40, 40), (40, 160, 60), (40, 80, 220))


def shapes(rng: np.random.Generator, smallest: int, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture (H, W, C), and which of the nine combinations of colour and shape it shows, float32 (9,)."""
    picture = Pillow.new("RGB", (WIDTH, HEIGHT), (235, 235, 235))
    canvas, present, boxes = ImageDraw.Draw(picture), np.zeros(9, np.float32), []
    count = rng.integers(3, 9)
    while len(boxes) < count:
        side = int(rng.integers(smallest, largest + 1))
        left, top = int(rng.integers(2, WIDTH - side - 2)), int(rng.integers(2, HEIGHT - side - 2))
        right, bottom = left + side, top + side
        if any(left < box[2] + 3 and box[0] < right + 3 and top < box[3] + 3 and box[1] < bottom + 3 for box in boxes):
            continue
        boxes.append((left, top, right, bottom))
        color, shape = rng.integers(0, 3, 2)
        present[3 * color + shape] = 1
        if shape == 0:
            canvas.ellipse(boxes[-1], fill=COLORS[color])
        elif shape == 1:
            canvas.rectangle(boxes[-1], fill=COLORS[color])
        else:
            canvas.polygon([(left, bottom), (right, bottom), (left + side // 2, top)], fill=COLORS[color])
    return np.asarray(picture), present


def learned(pictures: list[np.ndarray], present_N9: torch.Tensor, size: int | list[int], rows: int, seconds: float) -> tuple[float, int]:
    """Return the accuracy on the last pictures after training on the first ``rows`` for some seconds, and the number of epochs."""
    config = ImageConfig(column="picture", size=size, flip=True)
    image = Image(config, Image.fit(config, pictures[:256], "pixels", {}, Roots()), Roots())
    samples = [image.read(picture) for picture in pictures]
    torch.manual_seed(0)
    encoder = ConvnetConfig().build(256, image.state)
    model = nn.ModuleList([encoder, nn.Linear(256, 9)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.01)
    rng = np.random.default_rng(0)
    used, epochs = 0.0, 0.0

    def logits(numbers: np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(np.stack([samples[number]["pixels"] for number in numbers]))
        answer: torch.Tensor = model[1](encoder(Field({"pixels": pixels}, torch.ones(len(numbers), dtype=torch.bool))).tokens_BLD[:, 0])
        return answer

    while used < seconds:
        for numbers in np.array_split(rng.permutation(rows), rows // BATCH):
            begin = time.process_time()
            for group in optimizer.param_groups:
                group["lr"] = LR * max(0.02, 1 - used / seconds)
            loss = functional.binary_cross_entropy_with_logits(logits(numbers), present_N9[numbers])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            used += time.process_time() - begin
            epochs += len(numbers) / rows
            if used >= seconds:
                break
    model.eval()
    with torch.no_grad():
        tested = np.arange(rows, len(pictures))
        right = [((logits(part) > 0) == (present_N9[part] > 0)).float().mean().item() for part in np.array_split(tested, 5)]
    return float(np.mean(right)), round(epochs)


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="+", help="64 = a square, to which pictures are squeezed; 32x128 = height x width")
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--shapes", nargs=2, type=int, default=(10, 25), help="smallest and largest height and width of a shape in pixels")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    pairs = [shapes(rng, *options.shapes) for _ in range(options.rows + TESTED)]
    pictures = [picture for picture, _ in pairs]
    present_N9 = torch.from_numpy(np.stack([present for _, present in pairs]))
    share_9 = present_N9[options.rows :].mean(0)
    print(f"{options.rows:,} rows, {options.seconds:g} s; chance {torch.maximum(share_9, 1 - share_9).mean():.3f}")
    for word in options.sizes:
        sides = [int(side) for side in word.split("x")]
        accuracy, epochs = learned(pictures, present_N9, sides if len(sides) > 1 else sides[0], options.rows, options.seconds)
        print(f"{word:>8}  accuracy {accuracy:.3f}  epochs {epochs}", flush=True)


if __name__ == "__main__":
    main()
