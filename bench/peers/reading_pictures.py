"""Pillow reading the pictures of the bench `reading-pictures`."""

import os
import time

import lines
import numpy as np
import PIL
from PIL import Image


def read(request):
    names = sorted(os.listdir(request["path"]))
    begun = time.process_time()
    rows = np.stack([np.asarray(Image.open(os.path.join(request["path"], name))) for name in names])
    return {"seconds": time.process_time() - begun, "shape": list(rows.shape)}


lines.serve({"versions": {"Pillow": PIL.__version__, "numpy": np.__version__}}, {"read": read})
