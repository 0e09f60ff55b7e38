"""A folder of drawn shapes, as a person might have one: several formats and sizes."""

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("circle", "cross", "square")
FORMATS = (("png", {}), ("jpg", {"quality": 90}), ("bmp", {}), ("webp", {"lossless": True}), ("gif", {}))


def draw(kind, rng, size):
    """Return a picture of one of the shapes, somewhere on a ground of some grey."""
    ground, ink = int(rng.integers(0, 90)), int(rng.integers(160, 256))
    picture = Image.new("L", size, ground)
    pen = ImageDraw.Draw(picture)
    radius = int(rng.integers(7, 11))
    x, y = (int(rng.integers(radius + 1, side - radius - 1)) for side in size)
    box = (x - radius, y - radius, x + radius, y + radius)
    if kind == "circle":
        pen.ellipse(box, outline=ink, width=3)
    elif kind == "square":
        pen.rectangle(box, outline=ink, width=3)
    else:
        pen.line((x - radius, y, x + radius, y), fill=ink, width=3)
        pen.line((x, y - radius, x, y + radius), fill=ink, width=3)
    return picture


def write_shapes(root, each=40, *, seed=0, sizes=((32, 32),), classes=CLASSES):
    """Write so many pictures of each shape below a folder."""
    rng = np.random.default_rng(seed)
    for kind in classes:
        (root / kind).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            form, options = FORMATS[i % len(FORMATS)]
            draw(kind, rng, sizes[i % len(sizes)]).save(root / kind / f"{i:04d}.{form}", **options)
    return root
