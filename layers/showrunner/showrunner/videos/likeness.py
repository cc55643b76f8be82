"""Tell pictures that look alike by a hash of their brightness (dHash): near hashes, alike pictures."""

import io

# A row more than it is high: each of 64 bits says whether a point is darker than the one right of it.
_WIDTH, _HEIGHT = 9, 8
# https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html: more than ten of the 64
# bits differ between different pictures.
_ALIKE_BITS = 10
# A preview has a few hundred pixels a side; decoding a larger one could take all memory.
_MOST_PIXELS = 4_000_000


def of(content: bytes) -> str | None:
    """Return the hash of a JPEG file as 16 hexadecimal digits, None if it can't be read."""
    # 60 ms of CPU, and scenes whose pictures are known already need none.
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            # The decoder makes it smaller and grey at once.
            picture.draft("L", (8 * _WIDTH, 8 * _HEIGHT))
            points = picture.convert("L").resize((_WIDTH, _HEIGHT), Image.Resampling.BOX).tobytes()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return None
    rows = (points[at : at + _WIDTH] for at in range(0, _WIDTH * _HEIGHT, _WIDTH))
    bits = "".join(str(int(row[x] < row[x + 1])) for row in rows for x in range(_WIDTH - 1))
    return f"{int(bits, 2):016x}"


def are_alike(one: str, other: str) -> bool:
    """Return True if the pictures of two hashes look alike."""
    return (int(one, 16) ^ int(other, 16)).bit_count() <= _ALIKE_BITS
