#!/usr/bin/env python3
"""Writes internal/model/linear/testdata/implicit.json: what the library implicit makes of a
small train matrix, which TestAgreesWithImplicit of package linear must come out at.

    python3 -m venv v && v/bin/pip install implicit==0.7.3
    v/bin/python scripts/make_implicit_goldens.py
"""
import json, os
import numpy as np, scipy.sparse as sp
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender

USERS, ITEMS = 60, 25
rng = np.random.default_rng(20)
popularity = 0.5 / (1 + np.arange(ITEMS)) ** 0.6
x = (rng.random((USERS, ITEMS)) < popularity).astype(np.float64)
x[:, -1] = 0  # an item that nobody chose
x[-1] = 0  # a user without items
x = sp.csr_matrix(x)


def similarity(model):
    model.fit(x, show_progress=False)
    s = model.similarity.tocoo()
    return [[int(j), int(i), float(v)] for j, i, v in zip(s.row, s.col, s.data)]


out = {"n_users": USERS, "n_items": ITEMS,
       "histories": [[int(i) for i in x[u].indices] for u in range(USERS)], "bm25": []}
for k, k1, b in ((ITEMS, 0.2, 0.2), (6, 0.2, 0.2), (5, 1.2, 0.75)):
    m = BM25Recommender(K=k, K1=k1, B=b)
    out["bm25"].append({"k": k, "k1": k1, "b": b, "similarity": similarity(m)})
cosine = CosineRecommender(K=ITEMS)
out["cosine"] = similarity(cosine)

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "internal", "model", "linear", "testdata", "implicit.json")
with open(path, "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
