"""pandas and numpy reading the files of the bench `reading`."""

import time

import lines
import numpy as np
import pandas as pd


def csv(request):
    return pd.read_csv(request["path"]).shape


def json_lines(request):
    frame = pd.read_json(request["path"], lines=True)
    first = frame.columns[0]
    return np.array(frame[first].tolist(), dtype="float32").shape


def npy(request):
    return np.ascontiguousarray(np.load(request["path"])).shape


def parquet(request):
    return pd.read_parquet(request["path"]).shape


def timed(work):
    def handler(request):
        begun = time.perf_counter()
        shape = work(request)
        return {"seconds": time.perf_counter() - begun, "shape": list(shape)}

    return handler


lines.serve(
    {"versions": {"pandas": pd.__version__, "numpy": np.__version__}},
    {"csv": timed(csv), "jsonLines": timed(json_lines), "npy": timed(npy), "parquet": timed(parquet)},
)
