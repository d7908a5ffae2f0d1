"""Reading the PNG files that the server makes."""

import io

from PIL import Image

__all__ = ["read_png"]


def read_png(data: bytes) -> Image.Image:
    """The picture, once its chunks and checksums are verified."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as checked:
        checked.verify()
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        return image.convert("RGB")
