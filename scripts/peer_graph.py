#!/usr/bin/env python3
"""An epoch of LightGCN and of FREEDOM in PyTorch, to stand beside BenchmarkEpochOf.

Same mathematics, same sizes (Amazon Baby: 19,445 users, 7,050 items, 118,551 train
interactions, batch 2048, width 64; pictures of 4096 numbers, texts of 384), two threads,
Adam. Interactions are those of an .inter file where one is named, else random; the items'
vectors are random. As the published code does, a step propagates over the whole graph and
projects the vectors of all items.

Usage: peer_graph.py [--epochs N] [--threads N] [--inter baby.inter] [lightgcn] [freedom]
"""
import argparse
import resource
import time

import numpy as np
import torch
import torch.nn.functional as F

USERS, ITEMS, TRAIN, BATCH, DIM = 19445, 7050, 118551, 2048, 64


def read(path):
    """Train pairs of a file with the columns user, item, label (0 is train) by name."""
    with open(path) as f:
        names = f.readline().split()
        at = [next(k for k, n in enumerate(names) if n.startswith(p)) for p in ("user", "item", "x_label")]
        rows = [[line.split()[k] for k in at] for line in f]
    table = np.array(rows, dtype=float).astype(int)
    train = table[table[:, 2] == 0]
    return train[:, 0], train[:, 1]


def random_pairs(rng):
    keys = np.empty(0, dtype=int)
    while len(keys) < TRAIN:
        items = (ITEMS * rng.random(TRAIN) ** 2).astype(int)
        keys = np.unique(np.concatenate([keys, rng.integers(0, USERS, TRAIN) * ITEMS + items]))
    keys = rng.permutation(keys)[:TRAIN]
    return keys // ITEMS, keys % ITEMS


def adjacency(users, items):
    """D^-1/2 [[0,R],[R',0]] D^-1/2 with 1e-7 added to the degrees."""
    u, i = torch.as_tensor(users), torch.as_tensor(items)
    du = torch.bincount(u, minlength=USERS).double() + 1e-7
    di = torch.bincount(i, minlength=ITEMS).double() + 1e-7
    values = (du[u] * di[i]).rsqrt().float()
    ends = torch.stack([torch.cat([u, i + USERS]), torch.cat([i + USERS, u])])
    return torch.sparse_coo_tensor(ends, torch.cat([values, values]), (USERS + ITEMS,) * 2).coalesce()


def propagate(graph, x, layers):
    total = x
    for _ in range(layers):
        x = torch.sparse.mm(graph, x)
        total = total + x
    return total / (layers + 1)


def table(rows, cols):
    return torch.nn.Parameter(torch.nn.init.xavier_uniform_(torch.empty(rows, cols)))


class LightGCN:
    def __init__(self, users, items):
        self.users, self.items = table(USERS, DIM), table(ITEMS, DIM)
        self.graph = adjacency(users, items)
        self.params = [self.users, self.items]

    def start(self):
        pass

    def loss(self, u, p, n):
        h = propagate(self.graph, torch.cat([self.users, self.items]), 3)
        hu, hi = h[:USERS], h[USERS:]
        rank = -torch.log(1e-10 + torch.sigmoid((hu[u] * (hi[p] - hi[n])).sum(1))).mean()
        norm = (self.users[u].norm() + self.items[p].norm() + self.items[n].norm()) / len(u)
        return rank + 1e-3 * norm


class Freedom:
    def __init__(self, users, items):
        self.users, self.items = table(USERS, DIM), table(ITEMS, DIM)
        self.pairs = torch.as_tensor(users), torch.as_tensor(items)
        raw = [torch.randn(ITEMS, 4096).relu(), torch.randn(ITEMS, 384)]
        self.features = [torch.nn.Parameter(x.clone()) for x in raw]
        self.projections = [torch.nn.Linear(x.shape[1], DIM) for x in raw]
        pictures, texts = (self.nearest(x) for x in raw)
        self.similar = (0.1 * pictures + 0.9 * texts).coalesce()
        self.params = [self.users, self.items, *self.features, *(q for l in self.projections for q in l.parameters())]

    @staticmethod
    def nearest(x, k=10):
        unit = F.normalize(x)
        cols = torch.topk(unit @ unit.T, k).indices
        rows = torch.arange(ITEMS)[:, None].expand(-1, k)
        return torch.sparse_coo_tensor(torch.stack([rows.reshape(-1), cols.reshape(-1)]), torch.full((ITEMS * k,), 1 / k), (ITEMS, ITEMS))

    def start(self):
        u, i = self.pairs
        rate = (torch.bincount(u)[u] * torch.bincount(i)[i]).double().rsqrt()
        kept = torch.multinomial(rate, int(len(u) * 0.2))
        self.graph = adjacency(u[kept], i[kept])

    def loss(self, u, p, n):
        h = propagate(self.graph, torch.cat([self.users, self.items]), 2)
        hu, hi = h[:USERS], h[USERS:] + torch.sparse.mm(self.similar, self.items)
        total = -F.logsigmoid((hu[u] * (hi[p] - hi[n])).sum(1)).mean()
        for project, x in zip(self.projections, self.features):
            z = project(x)
            total = total - 1e-3 * F.logsigmoid((hu[u] * (z[p] - z[n])).sum(1)).mean()
        return total


def negatives(rng, users, keys):
    """One uniform item a row that is not the user's; keys are sorted user*ITEMS+item."""
    items = rng.integers(0, ITEMS, len(users))
    redo = np.arange(len(users))
    while len(redo):
        key = users[redo] * ITEMS + items[redo]
        at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        redo = redo[keys[at] == key]
        items[redo] = rng.integers(0, ITEMS, len(redo))
    return items


def epoch(model, adam, rng, users, items, keys):
    model.start()
    order = rng.permutation(len(users))
    for lo in range(0, len(order), BATCH):
        rows = order[lo:lo + BATCH]
        u, p, n = (torch.as_tensor(x) for x in (users[rows], items[rows], negatives(rng, users[rows], keys)))
        adam.zero_grad()
        model.loss(u, p, n).backward()
        adam.step()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=["lightgcn", "freedom"], help="lightgcn, freedom")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--inter", help="a file of interactions with labels")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    users, items = read(args.inter) if args.inter else random_pairs(rng)
    keys = np.sort(users * ITEMS + items)
    for name in args.models:
        model = {"lightgcn": LightGCN, "freedom": Freedom}[name](users, items)
        adam = torch.optim.Adam(model.params, lr=1e-3)
        seconds, cpu = [], []
        for _ in range(args.epochs):
            start, used = time.perf_counter(), time.process_time()
            epoch(model, adam, rng, users, items, keys)
            seconds.append(time.perf_counter() - start)
            cpu.append(time.process_time() - used)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 * 1.024
        print(f"{name}: {min(seconds):.2f} s an epoch, {min(cpu):.2f} processor seconds, peak memory of the program so far {peak:.0f} MB (PyTorch {torch.__version__}, {args.threads} threads)", flush=True)


if __name__ == "__main__":
    main()
