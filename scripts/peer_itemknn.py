#!/usr/bin/env python3
"""BM25 ItemKNN on Amazon Baby: the library implicit and ours, fitted by turns in one run.

Both begin with the train interactions in memory and fit the 500 nearest neighbours of each
item, K1 = B = 0.2, on two threads. The lowest of several rounds is printed of each.

Usage: peer_itemknn.py DATA_DIR [--rounds N]     with DATA_DIR/baby/baby.inter; needs implicit
"""
import argparse
import os
import re
import subprocess
import time

import numpy as np
import scipy.sparse as sp
from implicit.nearest_neighbours import BM25Recommender


def train_matrix(path):
    rows = np.loadtxt(path, delimiter="\t", skiprows=1, usecols=(0, 1, 4), dtype=float).astype(int)
    rows = rows[rows[:, 2] == 0]
    return sp.csr_matrix((np.ones(len(rows), np.float32), (rows[:, 0], rows[:, 1])))


def theirs(x):
    start = time.perf_counter()
    BM25Recommender(K=500, K1=0.2, B=0.2, num_threads=2).fit(x, show_progress=False)
    return time.perf_counter() - start


def ours(data):
    out = subprocess.run(["go", "test", "-run", "^$", "-bench", "BM25Baby", "-benchtime", "1x", "./internal/model/linear"],
                         env={**os.environ, "MLLMREC_DATA_DIR": data}, capture_output=True, text=True, check=True).stdout
    return float(re.search(r"BM25Baby\S*\s+\d+\s+(\d+) ns/op", out).group(1)) / 1e9


p = argparse.ArgumentParser()
p.add_argument("data")
p.add_argument("--rounds", type=int, default=5)
a = p.parse_args()
x = train_matrix(os.path.join(a.data, "baby", "baby.inter"))
times = [(theirs(x), ours(os.path.abspath(a.data))) for _ in range(a.rounds)]
for name, column in zip(("implicit", "ours"), zip(*times)):
    print(f"{name:9} {min(column):.3f} s (rounds: {', '.join(f'{t:.3f}' for t in column)})")
