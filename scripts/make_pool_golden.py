#!/usr/bin/env python3
"""Writes internal/model/pool/testdata/pool.json: model pool by NumPy in float64, from its formulas.

    python3 scripts/make_pool_golden.py

Principal components of made-up text vectors, the loss over the whole catalogue on one batch, its
gradients (which central differences confirm before anything is written), ten steps of Adam, and
the vectors that come of them.
"""
import json, os
import numpy as np

USERS, ITEMS, WIDTH, D, LR = 7, 11, 6, 4, 0.01
DECAY, TRAIN_DECAY, SCALE, START_LENGTH = 0.7, 0.9, 20.0, 0.65
# By user, oldest first. One user has a single item, one the same item twice, one an item again.
HISTORIES = [[3, 0, 7], [1, 2], [5], [4, 4], [8, 1, 0, 9, 2], [6, 3, 6, 7], [2, 8]]

rng = np.random.default_rng(11)
text = rng.normal(size=(ITEMS, WIDTH)) * np.array([3, 2, 1.5, 1, .7, .5]) + 0.4
text /= np.linalg.norm(text, axis=1, keepdims=True)
text = text.astype(np.float32).astype(np.float64)
centred = text - text.mean(0)
_, _, right = np.linalg.svd(centred, full_matrices=False)
right = right[:D].T
right *= np.sign(right[np.abs(right).argmax(0), np.arange(D)])
seed = centred @ right
seed *= START_LENGTH / np.sqrt((seed ** 2).sum(1).mean())
# The tables differ, so that one taken for the other shows.
start = {"item_input": seed + 0.1 * rng.normal(size=seed.shape), "item_output": seed + 0.1 * rng.normal(size=seed.shape), "scale": np.array([SCALE])}
start = {k: v.astype(np.float32).astype(np.float64) for k, v in start.items()}


def weights(history, left_out, gamma):
    w, age = np.zeros(ITEMS), 0
    for i in reversed(history):
        if i != left_out:
            w[i] += gamma ** age
            age += 1
    return w


PAIRS = [(u, i) for u, h in enumerate(HISTORIES) for i in h]
LEARNT = [(u, i) for u, i in PAIRS if weights(HISTORIES[u], i, TRAIN_DECAY).any()]
S = np.array([weights(HISTORIES[u], i, TRAIN_DECAY) for u, i in LEARNT])
TARGET = np.array([i for _, i in LEARNT])
ROWS = np.arange(len(TARGET))


def unit(x):
    n = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.maximum(n, 1e-12), n


CHOSEN = np.isin(np.arange(ITEMS), [i for h in HISTORIES for i in h])


def loss_and_gradients(p, trained):
    u, nu = unit(S @ p["item_input"])
    v, nv = unit(p["item_output"])
    cos = u @ v.T
    logits = p["scale"][0] * cos
    e = np.exp(logits - logits.max(1, keepdims=True))
    soft = e / e.sum(1, keepdims=True)
    loss = -np.log(soft[ROWS, TARGET]).mean()
    g = soft.copy()
    g[ROWS, TARGET] -= 1
    g /= len(TARGET)
    du, dv = p["scale"][0] * g @ v, p["scale"][0] * g.T @ u
    du = (du - u * (u * du).sum(1, keepdims=True)) / nu
    dv = (dv - v * (v * dv).sum(1, keepdims=True)) / nv * trained[:, None]
    return loss, {"item_input": S.T @ du, "item_output": dv, "scale": np.array([(g * cos).sum()])}


def confirm(p, grads, trained):
    for name, g in grads.items():
        for at in np.ndindex(g.shape):
            if name == "item_output" and not trained[at[0]]:
                continue
            q = {k: v.copy() for k, v in p.items()}
            q[name][at] += 1e-6
            up = loss_and_gradients(q, trained)[0]
            q[name][at] -= 2e-6
            numeric = (up - loss_and_gradients(q, trained)[0]) / 2e-6
            assert abs(numeric - g[at]) < 1e-7, (name, at, numeric, g[at])


def numbers(x):
    return {"shape": list(x.shape), "data": [float("%.9g" % v) for v in x.ravel()]}


def train(trained):
    p = {k: v.copy() for k, v in start.items()}
    grads = loss_and_gradients(p, trained)[1]
    confirm(p, grads, trained)
    m, v = {k: 0 * x for k, x in p.items()}, {k: 0 * x for k, x in p.items()}
    losses = []
    for step in range(1, 11):
        loss, g = loss_and_gradients(p, trained)
        losses.append(loss)
        for k in p:
            m[k] = 0.9 * m[k] + 0.1 * g[k]
            v[k] = 0.999 * v[k] + 0.001 * g[k] ** 2
            p[k] = p[k] - LR / (1 - 0.9 ** step) * m[k] / (np.sqrt(v[k] / (1 - 0.999 ** step)) + 1e-8)
    users = unit(np.array([weights(h, None, DECAY) for h in HISTORIES]) @ p["item_input"])[0]
    print("loss %.6f, after ten steps %.6f" % (losses[0], losses[-1]))
    return {"gradients": {k: numbers(x) for k, x in grads.items()}, "losses": losses, "params_after": {k: numbers(x) for k, x in p.items()},
            "users_after": numbers(users), "items_after": numbers(unit(p["item_output"])[0])}


out = {
    "lr": LR, "items": ITEMS, "histories": HISTORIES, "text": numbers(text), "components": numbers(seed), "params": {k: numbers(x) for k, x in start.items()},
    "new_items": {"compete": train(np.ones(ITEMS)), "keep": train(CHOSEN)},
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "internal", "model", "pool", "testdata", "pool.json")
os.makedirs(os.path.dirname(path), exist_ok=True)
with open(path, "w") as f:
    json.dump(out, f)
    f.write("\n")
