"""Writes the golden data of the encoder tests that take real weights.

    python scripts/real_encoders.py MPNET_FOLDER XLMR_FOLDER

The folders are those of MLLMREC_MPNET_DIR (all-mpnet-base-v2) and MLLMREC_XLMR_DIR (see
xlmr_folder.py). Needs sentence-transformers. Reads internal/encoder/sentence/testdata/texts.json.gz
and writes beside it
    real.json.gz             for each model the number of ids of every text and a digest of them
    mpnet.npy, xlmr.npy      Sentence-Transformers' vectors of every 32nd text, float16
"""
import gzip
import hashlib
import json
import pathlib
import sys

import numpy as np
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent.parent / "internal" / "encoder" / "sentence" / "testdata"


def digest(ids):
    return "%d %s" % (len(ids), hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:6])


def main():
    texts = json.load(gzip.open(HERE / "texts.json.gz"))["texts"]
    record = {}
    for name, folder in zip(("mpnet", "xlmr"), sys.argv[1:]):
        tok = Tokenizer.from_file(folder + "/tokenizer.json")
        tok.no_truncation()
        tok.no_padding()
        record[name] = [digest(e.ids) for e in tok.encode_batch(texts)]
        np.save(HERE / (name + ".npy"), SentenceTransformer(folder, device="cpu").encode(texts[::32], batch_size=1).astype("<f2"))
    with open(HERE / "real.json.gz", "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
        z.write(json.dumps(record, separators=(",", ":")).encode())


main()
