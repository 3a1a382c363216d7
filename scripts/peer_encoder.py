"""Sentence-Transformers on PyTorch CPU, for the numbers beside `go test -bench` in encoder/sentence.

    MLLMREC_DATA_DIR=... python scripts/peer_encoder.py FOLDER [TEXTS [RUNS]]

Encodes the same item texts (2,000 unless TEXTS says otherwise) and the same sentence; prints the
best of several runs (3).
"""
import csv
import os
import resource
import sys
import time

import torch
from sentence_transformers import SentenceTransformer

with open(os.path.join(os.environ["MLLMREC_DATA_DIR"], "microlens", "MicroLens-50k_titles.csv"), newline="") as f:
    titles = [row[1] for row in csv.reader(f)][1:]
texts = []
for i in range(int(sys.argv[2]) if len(sys.argv) > 2 else 2000):
    n = 1 if i % 2 == 0 else 3 + i // 2 % 5
    texts.append(" ".join(titles[i:i + n]))

torch.set_num_threads(os.cpu_count())
model = SentenceTransformer(sys.argv[1], device="cpu")
tokens = sum(len(x) for x in model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)["input_ids"])
sentence = " ".join(["the quick brown fox jumps over the lazy dog and"] * 10)


def best(runs, items):
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        model.encode(items, show_progress_bar=False, batch_size=32)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


runs = int(sys.argv[3]) if len(sys.argv) > 3 else 3
batch, one = best(runs, texts), best(20 * runs, [sentence])
few = texts[:60]
few_tokens = sum(len(x) for x in model.tokenizer(few, truncation=True, max_length=model.max_seq_length)["input_ids"])
torch.set_num_threads(1)
start = time.process_time()
best(runs, few)
processor = (time.process_time() - start) / runs / few_tokens
print("sentence-transformers, torch %s, %d threads" % (torch.__version__, os.cpu_count()))
print("%d item texts: %.2f s, %.1f texts/s, %.0f tokens/s" % (len(texts), batch, len(texts) / batch, tokens / batch))
print("one sentence of 100 words: %.2f ms" % (one * 1000))
print("processor time on one core: %.0f µs/token" % (processor * 1e6))
print("peak memory: %.0f MB" % (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
