#!/usr/bin/env python3
"""MLLMRec's training and evaluation in PyTorch, to stand beside our benchmarks.

Same mathematics, same sizes (Amazon Baby: 19,445 users, 7,050 items, 118,551 train
interactions, batch 2048, towers 384-256-64, Adam, BPR), random data, two threads.
Two ways of taking a step:

  whole    the towers run on every user and every item in each step, as the
           published code does
  rows     the towers run on the rows of the batch only, which gives the same loss
           and is what a careful PyTorch user would write; repeated users and items
           are computed once

Usage: peer_mllmrec.py [--epochs N] [--threads N] [--mode whole|rows|both] [--json]
"""
import argparse
import json
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

USERS, ITEMS, TRAIN, BATCH = 19445, 7050, 118551, 2048
WIDTH, HIDDEN, DIM, TOP = 384, 256, 64, 50


def interactions(rng):
    """At least three distinct items a user, popular items more often; and one held-out item each."""
    counts = np.full(USERS, 3)
    counts += np.bincount(rng.integers(0, USERS, TRAIN - 3 * USERS), minlength=USERS)
    popularity = 1.0 / (np.arange(ITEMS) + 20)
    popularity /= popularity.sum()
    owned, held_out = [], []
    for n in counts:
        items = rng.choice(ITEMS, n + 1, replace=False, p=popularity)
        owned.append(items[:n])
        held_out.append(items[n])
    return owned, np.array(held_out)


def tower():
    return torch.nn.Sequential(torch.nn.Linear(WIDTH, HIDDEN), torch.nn.LeakyReLU(0.01), torch.nn.Linear(HIDDEN, DIM))


def negatives(rng, users, keys):
    """One uniform item a row that is not the user's; keys are sorted user*ITEMS+item."""
    items = rng.integers(0, ITEMS, len(users))
    redo = np.arange(len(users))
    while len(redo):
        key = users[redo] * ITEMS + items[redo]
        at = np.searchsorted(keys, key)
        redo = redo[keys[np.minimum(at, len(keys) - 1)] == key]
        items[redo] = rng.integers(0, ITEMS, len(redo))
    return items


class Peer:
    def __init__(self, mode):
        self.rng = np.random.default_rng(1)
        torch.manual_seed(1)
        owned, self.held_out = interactions(self.rng)
        self.users = np.repeat(np.arange(USERS), [len(o) for o in owned])
        self.items = np.concatenate(owned)
        self.keys = np.sort(self.users * ITEMS + self.items)
        self.user_features = F.normalize(torch.randn(USERS, WIDTH))
        self.item_features = F.normalize(torch.randn(ITEMS, WIDTH))  # propagated once, hence constant
        self.user_tower, self.item_tower = tower(), tower()
        self.adam = torch.optim.Adam([*self.user_tower.parameters(), *self.item_tower.parameters()], lr=1e-3)
        self.mode = mode

    def epoch(self):
        order = self.rng.permutation(TRAIN)
        neg = negatives(self.rng, self.users[order], self.keys)
        for lo in range(0, TRAIN, BATCH):
            rows = order[lo:lo + BATCH]
            u, p = torch.from_numpy(self.users[rows]), torch.from_numpy(self.items[rows])
            n = torch.from_numpy(neg[lo:lo + BATCH])
            loss = self.loss(u, p, n)
            self.adam.zero_grad()
            loss.backward()
            self.adam.step()
        return loss.item()

    def loss(self, u, p, n):
        if self.mode == "whole":
            users, items = self.user_tower(self.user_features), self.item_tower(self.item_features)
            hu, hp, hn = users[u], items[p], items[n]
        else:
            distinct_users, u = torch.unique(u, return_inverse=True)
            distinct_items, i = torch.unique(torch.cat([p, n]), return_inverse=True)
            users, items = self.user_tower(self.user_features[distinct_users]), self.item_tower(self.item_features[distinct_items])
            hu, hp, hn = users[u], items[i[:len(p)]], items[i[len(p):]]
        return -F.logsigmoid((hu * hp).sum(1) - (hu * hn).sum(1)).mean()

    @torch.no_grad()
    def evaluate(self):
        """Recall of the held-out item in the top 50 of the whole catalogue, train items masked."""
        users, items = self.user_tower(self.user_features), self.item_tower(self.item_features)
        hits = 0
        for lo in range(0, USERS, 4096):
            hi = min(lo + 4096, USERS)
            scores = users[lo:hi] @ items.T
            a, b = np.searchsorted(self.users, [lo, hi])
            scores[torch.from_numpy(self.users[a:b] - lo), torch.from_numpy(self.items[a:b])] = -1e10
            top = torch.topk(scores, TOP).indices
            hits += (top == torch.from_numpy(self.held_out[lo:hi])[:, None]).any(1).sum().item()
        return hits / USERS


def measure(mode, epochs):
    peer = Peer(mode)
    train, evaluate = [], []
    for _ in range(epochs):
        start = time.perf_counter()
        loss = peer.epoch()
        train.append(time.perf_counter() - start)
        start = time.perf_counter()
        recall = peer.evaluate()
        evaluate.append(time.perf_counter() - start)
    return {
        "mode": mode, "torch": torch.__version__, "threads": torch.get_num_threads(), "epochs": epochs,
        "train_seconds": min(train), "train_seconds_median": float(np.median(train)),
        "eval_seconds": min(evaluate), "eval_seconds_median": float(np.median(evaluate)),
        "loss": loss, "recall@50": recall,
        # Of the process so far: with --mode both, the second mode's includes the first's.
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mode", choices=["whole", "rows", "both"], default="both")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for mode in ["rows", "whole"] if args.mode == "both" else [args.mode]:
        r = measure(mode, args.epochs)
        if args.json:
            print(json.dumps(r))
        else:
            print(f"{mode:6} epoch {r['train_seconds']:.2f} s (median {r['train_seconds_median']:.2f}), evaluation {r['eval_seconds']:.2f} s, "
                  f"peak memory {r['peak_rss_mb']:.0f} MB, torch {r['torch']}, {r['threads']} threads", flush=True)


if __name__ == "__main__":
    sys.exit(main())
