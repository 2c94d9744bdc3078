"""Pictures prepared in a second: `read_picture` on PNGs of digits, side by side.

    python experiments/preparing.py [--pictures 500]

One process on an idle machine.  The pictures are the built-in digits, dark on white paper,
enlarged to each size, so nothing has to be downloaded.
"""

import argparse
import tempfile
import time
from pathlib import Path

from PIL import Image

from jaxdigits.data import digits, read_picture

SIDES = (28, 40, 56, 80, 100)


def main() -> None:
    """Print a line for each size: pictures a second, by the clock and by the processor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=500, help="of each size")
    count = parser.parse_args().pictures
    image = 255 - digits()[0].inputs[:count]
    print("side  pictures/s  by processor")
    for side in SIDES:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{i}.png") for i in range(len(image))]
            for path, each in zip(paths, image, strict=True):
                Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC).save(path)
            read_picture(paths[0])  # imports
            clock, processor = time.perf_counter(), time.process_time()
            for path in paths:
                read_picture(path)
            seconds = time.perf_counter() - clock, time.process_time() - processor
        rates = [f"{len(paths) / s:,.0f}" for s in seconds]
        print(f"{side:4}  {rates[0]:>10}  {rates[1]:>12}")


if __name__ == "__main__":
    main()
