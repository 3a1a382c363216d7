#!/usr/bin/env python3
"""Writes BM3.json, DualGNN.json and MMSSL.json into internal/model/testdata/golden.

    python3 scripts/make_multimodal_golden.py

No numbers of published code are stored for these models. Here their equations, as the comments of their packages have them, are
written down once more, with dense matrices, in PyTorch and in float64: loss, gradients, ten steps of Adam, and scores.
Nothing is drawn by lot: dropout, noise and mixtures are off.
"""
import json, math, os
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
USERS, ITEMS, D, WIDTH, LR, SLOPE = 9, 8, 4, {"visual": 6, "text": 5}, 0.01, 0.01
GAMMA, CRITIC_SLOPE, HEADS, TAU, HEAD_WIDTH = 0.7, 0.2, 2, 0.5, 2
rng = np.random.default_rng(7)
R = np.zeros((USERS, ITEMS))
for u in range(USERS - 1):
    R[u, rng.choice(ITEMS, 2 + u % 3, replace=False)] = 1
R[USERS - 1, ITEMS - 1] = 1
R[:USERS - 1, ITEMS - 1] = 0  # the last user shares nothing with anybody
for u in range(USERS):
    if not R[u].any():
        R[u, 0] = 1
EDGES = np.argwhere(R)
picked = EDGES[rng.choice(len(EDGES), 10)]
BATCH = {"users": picked[:, 0].tolist(), "pos": picked[:, 1].tolist(), "neg": rng.integers(0, ITEMS, 10).tolist()}
BU, BP, BN = (torch.tensor(BATCH[k]) for k in ("users", "pos", "neg"))
feature = {m: torch.tensor(rng.normal(size=(ITEMS, w)).astype(np.float32)).double() for m, w in WIDTH.items()}
Rt = torch.tensor(R)
A = torch.zeros(USERS + ITEMS, USERS + ITEMS)
A[:USERS, USERS:], A[USERS:, :USERS] = Rt, Rt.T


def adjacency(eps):
    d = A.sum(1) + eps
    inv = torch.where(d > 0, d.clamp(min=1e-30).pow(-0.5), torch.zeros_like(d))
    return inv[:, None] * A * inv[None, :]


def prop(a, x, layers):
    total, cur = x, x
    for _ in range(layers):
        cur = a @ cur
        total = total + cur
    return total / (layers + 1)


def draw(*shape):
    return torch.tensor((0.5 * rng.normal(size=shape)).astype(np.float32)).double()


def unit(x):
    return x / x.norm(dim=1, keepdim=True).clamp(min=1e-12)


def bpr(u, p, n):
    return -F.logsigmoid((u * p).sum(1) - (u * n).sum(1)).mean()


def nce(a, b, tau):
    s = unit(a) @ unit(b).T / tau
    return -(s.diag() - s.logsumexp(1)).mean()


def bm3():
    c = {"layers": 1, "contrast_weight": 2.0, "reg_weight": 0.1}
    p = {"user_embedding": draw(USERS, D), "item_embedding": draw(ITEMS, D), "predictor.weight": draw(D, D), "predictor.bias": draw(D)}
    for m, w in WIDTH.items():
        p |= {m + ".features": feature[m].clone(), m + ".projection.weight": draw(D, w), m + ".projection.bias": draw(D)}
    a = adjacency(1e-7)

    def h(p, x):
        return x @ p["predictor.weight"].T + p["predictor.bias"]

    def vectors(p):
        x = prop(a, torch.cat([p["user_embedding"], p["item_embedding"]]), c["layers"])
        return x[:USERS], x[USERS:] + p["item_embedding"]

    def apart(x, y):
        return 1 - F.cosine_similarity(x, y.detach(), dim=1).mean()

    def loss(p):
        u, i = vectors(p)
        total = apart(h(p, u)[BU], i[BP]) + apart(h(p, i)[BP], u[BU]) + c["reg_weight"] * (u.norm() + i.norm()) / ITEMS
        for m in WIDTH:
            x = (p[m + ".features"] @ p[m + ".projection.weight"].T + p[m + ".projection.bias"])[BP]
            total = total + c["contrast_weight"] * (apart(h(p, x), i[BP]) + apart(h(p, x), x))
        return total

    def scores(p):
        u, i = vectors(p)
        return h(p, u) @ h(p, i).T

    return c, p, loss, scores


def dualgnn():
    c = {"layers": 2, "k": 3, "reg_weight": 0.1}
    p = {"modality_weights": draw(USERS, len(WIDTH))}
    for m, w in WIDTH.items():
        p |= {m + ".preference": draw(USERS, D), m + ".widen.weight": draw(4 * D, w), m + ".widen.bias": draw(4 * D), m + ".narrow.weight": draw(D, 4 * D), m + ".narrow.bias": draw(D)}
    a = adjacency(0)
    common = R @ R.T
    similar = torch.zeros(USERS, USERS)
    for u in range(USERS):
        near = sorted((v for v in range(USERS) if v != u and common[u, v] > 0), key=lambda v: (-common[u, v], v))[:c["k"]]
        if near:
            similar[u, near] = torch.softmax(torch.tensor(common[u, near]), 0)

    def vectors(p):
        z, items = 0, 0
        for k, m in enumerate(WIDTH):
            hidden = F.leaky_relu(feature[m] @ p[m + ".widen.weight"].T + p[m + ".widen.bias"], SLOPE)
            x = unit(torch.cat([p[m + ".preference"], hidden @ p[m + ".narrow.weight"].T + p[m + ".narrow.bias"]]))
            x = x + a @ x + a @ (a @ x)
            z, items = z + p["modality_weights"][:, k:k + 1] * x[:USERS], items + x[USERS:]
        return z + similar @ z, items

    def loss(p):
        u, i = vectors(p)
        total = bpr(u[BU], i[BP], i[BN]) + c["reg_weight"] * (p["modality_weights"] ** 2).mean()
        return total + c["reg_weight"] * sum((p[m + ".preference"][BU] ** 2).mean() for m in WIDTH)

    def scores(p):
        u, i = vectors(p)
        return u @ i.T

    return c, p, loss, scores


def mmssl():
    c = {"layers": 2, "heads": HEADS, "id_weight": 0.36, "modality_weight": 0.55, "contrast_weight": 0.3, "temperature": TAU, "adversarial_weight": GAMMA, "critic_dim": 6,
         "critic_users": 4, "real_weight": 1.5, "reg_weight": 0.1, "reg_batch": 5, "feature_reg_weight": 0.1}
    h, n = c["critic_dim"], HEADS * HEAD_WIDTH
    p = {"user_embedding": draw(USERS, D), "item_embedding": draw(ITEMS, D), "query.weight": draw(n, D), "key.weight": draw(n, D), "merge.weight": draw(D, HEADS * D),
         "critic.first.weight": draw(h, ITEMS), "critic.first.bias": draw(h), "critic.second.weight": draw(h // 2, h), "critic.second.bias": draw(h // 2), "critic.last.weight": draw(1, h // 2)}
    for m, w in WIDTH.items():
        p |= {m + ".projection.weight": draw(D, w), m + ".projection.bias": draw(D)}
    a = adjacency(0)
    r = a[:USERS, USERS:]

    def softmax(fit, dim):  # over edges; a node without any gets nothing
        e = fit.exp() * Rt
        return e / e.sum(dim, keepdim=True).clamp(min=1e-30)

    def forward(p):
        content, related = [], []
        for m in WIDTH:
            fu = r @ (feature[m] @ p[m + ".projection.weight"].T + p[m + ".projection.bias"])
            fi = r.T @ fu
            fit = unit(fu) @ unit(fi).T / TAU
            content.append((fu, fi))
            related.append(torch.cat([softmax(fit, 1) @ p["item_embedding"], softmax(fit, 0).T @ p["user_embedding"]]))
        heads = []
        for k in range(HEADS):
            cut = slice(k * HEAD_WIDTH, (k + 1) * HEAD_WIDTH)
            q = torch.stack([e @ p["query.weight"][cut].T for e in related], 1)
            key = torch.stack([e @ p["key.weight"][cut].T for e in related], 1)
            share = (q @ key.transpose(1, 2) / math.sqrt(HEAD_WIDTH)).softmax(2).mean(1)
            heads.append((share[:, :, None] * torch.stack(related, 1)).sum(1))
        z = torch.cat(heads, 1) @ p["merge.weight"].T
        out = prop(a, torch.cat([p["user_embedding"], p["item_embedding"]]) + c["id_weight"] * unit(z), c["layers"])
        out = out + c["modality_weight"] * sum(torch.cat([unit(u), unit(i)]) for u, i in content)
        return out[:USERS], out[USERS:], content, related

    def critic(p, x):
        x = F.leaky_relu(x @ p["critic.first.weight"].T + p["critic.first.bias"], CRITIC_SLOPE)
        x = F.leaky_relu(x @ p["critic.second.weight"].T + p["critic.second.bias"], CRITIC_SLOPE)
        return (x @ p["critic.last.weight"].T).mean()

    def loss(p):
        u, i, content, related = forward(p)
        total = bpr(u[BU], i[BP], i[BN]) + c["reg_weight"] / 2 / c["reg_batch"] * ((u[BU] ** 2).sum() + (i[BP] ** 2).sum() + (i[BN] ** 2).sum())
        total = total + sum(c["contrast_weight"] * nce(e[BU], u[BU], TAU) for e in related)
        total = total + c["feature_reg_weight"] / 2 / ITEMS * sum((x ** 2).sum() + (y ** 2).sum() for x, y in content)
        some = BU[:c["critic_users"]]
        fake = torch.cat([unit(x[some] @ y.T * (1 - Rt[some])) for x, y in content])
        turned = fake.detach() - GAMMA * (fake - fake.detach())
        own = unit(u[some] @ i.T * (1 - Rt[some])).detach()
        real = unit(Rt[some].softmax(1) + c["real_weight"] * own)
        return total + critic(p, turned) - critic(p, real)

    def scores(p):
        u, i, _, _ = forward(p)
        return u @ i.T

    return c, p, loss, scores


def array(x):
    x = np.asarray(x.detach(), dtype=np.float32)
    return {"shape": list(x.shape), "data": [float(v) for v in x.ravel()]}


for name, make in {"BM3": bm3, "DualGNN": dualgnn, "MMSSL": mmssl}.items():
    config, start, loss, scores = make()
    p = {k: v.clone().requires_grad_() for k, v in start.items()}
    first = loss(p)
    first.backward()
    out = {"model": name, "config": {"embedding_dim": D, **config}, "n_users": USERS, "n_items": ITEMS, "interactions": [[int(u), int(i), 0] for u, i in EDGES],
           "params": {k: array(v) for k, v in start.items()}, "image_feat": array(feature["visual"]), "text_feat": array(feature["text"]), "batch": BATCH,
           "loss": float(first), "grad_norms": {k: float(v.grad.norm()) for k, v in p.items()}, "scores": array(scores(p)), "loss_10_adam_steps_lr_0.01": []}
    adam = torch.optim.Adam(p.values(), lr=LR)
    for _ in range(10):
        adam.zero_grad()
        value = loss(p)
        value.backward()
        out["loss_10_adam_steps_lr_0.01"].append(float(value))
        adam.step()
    out["scores_after"] = array(scores(p))
    path = os.path.join(os.path.dirname(__file__), "..", "internal", "model", "testdata", "golden", name + ".json")
    assert math.isfinite(out["loss"])
    with open(path, "w") as f:
        json.dump(out, f, allow_nan=False)
        f.write("\n")
