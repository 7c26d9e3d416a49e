"""A table with Chinese column names and Chinese text: made, trained on, measured and used for predictions.

Each row is a picture (图片), a title (标题), a price (价格) and a class (类别). The example draws the pictures: a coloured
disc or square on a light background. Some cells are empty and one picture cannot be read, as in real tables.

    python examples/chinese_table.py
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import polymodal as pm

FRUIT = {  # class: colour, words of its titles, price from, to
    "苹果": ((205, 40, 50), ("脆甜", "红富士", "烟台产地", "果径八十毫米"), 8, 15),
    "香蕉": ((235, 205, 60), ("软糯", "海南产地", "现摘", "一把约六根"), 4, 9),
    "葡萄": ((110, 50, 140), ("多汁", "无籽", "巨峰", "带梗整串"), 12, 25),
}
EVERYWHERE = ("新鲜", "包邮", "当季水果", "产地直发", "坏果包赔", "家庭装")


def write_table(folder: Path, name: str, rows: int, seed: int) -> Path:
    """Write the table ``name``, and its pictures in a folder beside it whose name does not contain the class."""
    rng = np.random.default_rng(seed)
    pictures = folder / f"pictures_{seed}"
    pictures.mkdir()
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["图片", "标题", "价格", "类别"])
        for at in range(rows):
            label = str(rng.choice(list(FRUIT)))
            color, own, low, high = FRUIT[label]
            picture = pictures / f"{at:04d}.png"
            draw_picture(picture, color, rng)
            words = [str(word) for word in rng.choice(EVERYWHERE, 3, replace=False)]
            if rng.random() < 0.6:
                words.append(str(rng.choice(own)))
            title = ",".join(str(word) for word in rng.permutation(words))
            price = "" if rng.random() < 0.1 else f"{rng.uniform(low, high):.2f}"
            writer.writerow([str(picture.relative_to(folder)), title, price, label])
    return folder / name


def draw_picture(path: Path, color: tuple[int, int, int], rng: np.random.Generator) -> None:
    """Draw a disc or a square of about this colour at a random place."""
    ground = tuple(int(value) for value in rng.integers(200, 256, 3))
    image = Image.new("RGB", (48, 48), ground)
    left, top = (int(value) for value in rng.integers(2, 18, 2))
    side = int(rng.integers(16, 27))
    shade = tuple(int(value) for value in np.clip(np.array(color) + rng.normal(0, 25, 3), 0, 255))
    shape = ImageDraw.Draw(image).ellipse if rng.random() < 0.5 else ImageDraw.Draw(image).rectangle
    shape((left, top, left + side, top + side), fill=shade)
    image.save(path)


def main() -> None:
    """Make the tables, train, measure, and predict."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = write_table(folder, "商品.csv", 160, seed=0)
        test = write_table(folder, "新商品.csv", 60, seed=1)
        (folder / "pictures_1" / "0000.png").write_bytes(b"not a picture")

        model = pm.train(
            train,
            "data.split.kind=random",  # one model; the default under 3,000 rows is five, averaged
            "training.epochs=8",
            "model.width=32",
            "training.baselines=false",
            "fields.图片.size=24",
            "model.encoders.图片.kind=convnet",
            "model.encoders.图片.channels=[16, 32]",
            target="类别",
            seed=0,
        )

        measured = model.evaluate(test)
        print("准确率", f"{measured['tasks']['类别']['accuracy']:.3f}", "行数", measured["rows"])
        for field, by_target in measured["hidden"].items():
            print(f"  没有 {field}: {by_target['类别']['accuracy']:.3f}")

        print("类别的顺序", model.classes.tolist())
        rows = [
            {"标题": "红富士,脆甜,包邮", "价格": 9.9},
            {"图片": "pictures_1/0001.png", "标题": None, "价格": None},
            {"标题": "无籽葡萄,多汁,当季水果", "价格": "19.80"},
        ]
        answers = model.predict(rows, root=[folder])
        for row, answer, probabilities in zip(rows, answers, model.predict_proba(rows, root=[folder]), strict=True):
            print(row, "->", answer, [f"{probability:.3f}" for probability in probabilities])

        first = next(model.predictions(test))
        print("第 1 行缺陷:", first.faults[0], "| 有的字段:", first.present[0])


if __name__ == "__main__":
    main()
