"""Small files of every kind that a user may bring, by the names that docs/own-data.md gives them."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import soundfile

WORDS = ("slow", "fine", "dull", "bright", "long", "short", "the", "film", "was", "never")


def write_own_files(folder: Path) -> None:
    """Texts with labels, a book, tagged sentences, translations, a table, recordings and films."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 6)) for _ in range(200)]
    rows = [f'"{text}, again",{i % 5 + 1}\n' for i, text in enumerate(texts)]
    (folder / "reviews.csv").write_text("review,stars\n" + "".join(rows))
    (folder / "book.txt").write_text("\n".join(texts * 5))
    tagged = ("\n".join(f"{word}\t{'B-person' if word == 'film' else 'O'}" for word in text.split()) for text in texts)
    (folder / "train.conll").write_text("\n\n".join(tagged) + "\n")
    (folder / "train.de").write_text("\n".join(texts) + "\n")
    (folder / "train.en").write_text("\n".join(text[::-1] for text in texts) + "\n")
    hours = [f"{datetime(2024, 1, 1) + timedelta(hours=hour):%Y-%m-%d %H:%M}" for hour in range(1500)]
    values = rng.normal(size=(1500, 2)).cumsum(0)
    lines = (f"{hour},{load:.3f},{heat:.3f}\n" for hour, (load, heat) in zip(hours, values, strict=True))
    (folder / "load.csv").write_text("date,load,temperature\n" + "".join(lines))
    listed = ["path,label\n"]
    for label in ("yes", "no"):
        (folder / "recordings" / label).mkdir(parents=True)
        for take in range(20):
            path = f"recordings/{label}/{take}.wav"
            soundfile.write(folder / path, 0.1 * rng.normal(size=4000), 16000)
            listed.append(f"{path},{label}\n")
    (folder / "recordings.csv").write_text("".join(listed))
    np.save(folder / "films.npy", rng.integers(0, 255, (30, 12, 16, 16), dtype=np.uint8))
