"""Writes the golden data of the encoder tests beside this file.

    python golden.py MINILM_DIR

MINILM_DIR is a folder of sentence-transformers/all-MiniLM-L6-v2. Needs sentence-transformers
(torch, transformers, tokenizers). Writes
    texts.json.gz      500 texts; for MiniLM and the tiny model: ids and lengths uncut
    minilm.npy         Sentence-Transformers' MiniLM vectors of the 500 texts, float16
    tiny/              a random BERT, with tiny/golden/<variant>.npy for each variant below
The variants are the tiny model with other configuration files; bert_test.go makes the same.
"""
import gzip
import json
import pathlib
import random
import shutil
import sys
import tempfile

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel

HERE = pathlib.Path(__file__).parent
LANGUAGES = [
    "Crème brûlée à la carte, déjà vu, naïve façade, Noël, garçon, œuvre", "Zażółć gęślą jaźń, łódź, Kraków",
    "Příliš žluťoučký kůň úpěl ďábelské ódy", "Tiếng Việt có nhiều dấu: ằ ẵ ặ ệ ỗ ợ ữ", "Straße, Größe, ÄÖÜ, ẞ",
    "İstanbul'da ışık, DİYARBAKIR ığdır", "Það er æðislegt; Þór og Óðinn", "Ångström smörgåsbord ÆØÅ",
    "Быстрая коричневая лиса; Ёлка, йод, Київ ґанок", "Ὀδυσσεύς ΣΊΣΥΦΟΣ σίσυφος άέήίόύώ", "שָׁלוֹם עולם בְּרֵאשִׁית",
    "مَرْحَبًا بِالعَالَم كتاب ١٢٣", "नमस्ते दुनिया क्षत्रिय ज़रूर", "สวัสดีชาวโลก ภาษาไทย", "বাংলা ভাষা ও বিজ্ঞান", "தமிழ் மொழி",
    "これはテストです。東京タワー、カタカナとひらがな。", "ｶﾞｷﾞｸﾞ ﾊﾟﾋﾟﾌﾟ ＡＢＣ１２３", "你好，世界！这是一个推荐系统。", "繁體中文：電影、音樂與書籍",
    "한국어 텍스트 추천 시스템 가각힣", "አማርኛ ጽሑፍ", "ქართული ენა Ⴀ", "Հայերեն լեզու", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ພາສາລາວ", "မြန်မာဘာသာ", "ខ្មែរ",
]
EMOJI = ["😀😃 fun 🎉", "👩‍👩‍👧‍👦 family", "👍🏽 nice 👍", "🏳️‍🌈🇺🇳🇯🇵", "❤️ ♥ ☺️ ™ © ®", "🤷🏻‍♀️ dunno 1️⃣2️⃣", "🫠🪿🫨 new ones", "text🙂glued🙂together"]
LINKS = [
    "https://www.example.com/watch?v=dQw4w9WgXcQ&list=PL123#t=42s", "see http://user:pw@host.example:8080/a/b;c?d=e%20f",
    "mail someone@example.org, cc: first.last+tag@sub.example.co.uk", "#funny #comic@author #two_words #1", "www.a-b-c.example/_x_/~me/",
    "C:\\Users\\me\\file.txt and /usr/local/bin", "s3://bucket/key.parquet::row=7",
]
ODD = [
    "", " ", "\t\n\r ", "\u00a0\u2003\u3000", "\x00", "a\x00b\x01c\x7fd\x85e", "\ufeffbom", "\ufffd\ufffd", "zero\u200bwidth\u200djoin\u2060er",
    "soft\u00adhyphen", "line\u2028sep\u2029par", "\x0bvt\x0cff", "\u202ertl override\u202c", "\ue000private\U000f0000use", "\U0001d173music",
    "[CLS] and [SEP] [MASK] [PAD] [UNK]", "x[SEP]y", "[sep] [ SEP ] [SEP", "##ing ##", "[unused1] [unused0]", "[[CLS]]]", "a" * 99, "a" * 100, "a" * 101,
    "é" * 100, "é" * 101, "e\u0301" * 100, "x" * 100 + "!" + "y" * 101, "don't can't won't I'm we've o'clock", "U.S.A. e.g. i.e. Ph.D. 3.14 1,000,000.00",
    "$5.99 £3 €7,50 ¥100 50% 5° ½ ² ³ µ", "a+b=c; x<y>z; p^q~r`s|t{u}v[w]", "…—–‘’“”«»‹›¿¡§¶†‡•", "−×÷±√∞≈≠≤≥∑∫", "→←↑↓⇒■□▲●★☆", "½cup ﬁne ﬂoor ﬀ ǅ ŉ",
    "i̇ İ I ı i", "a\u0300\u0301\u0302\u0303\u0304", "Z\u0351\u036b\u0343\u036a\u0302a\u0346l\u0304g\u0306o\u0308" * 5, "q" + "\u0301" * 60 + "r",
    "\u1734\U00011938\u061d\u2e5d\u166d", "\u302e\u302f\u3099か", "豈更車賈 﨎 \U0002f800", "\U00020000\U0002a6d6 rare", "㈱㍿㎏ ①②③ Ⅳ ⅷ", "\U0001f1e6\U0001f1e7",
    "ALL CAPS SHOUTING", "camelCaseWords and snake_case_words", "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis",
    "ΑΣ ΑΣΑ Σ", "ǄǅǆǇ Ᲊ Ჟ ꟋꟌ", "\u0345\u0344\u0374\u037e\u0387", "नि\u200dक्\u200cष", "\u034f\u180e\u061c",
]
NOUNS = "film song recipe phone baby carrier bottle shirt shoe game puzzle lamp garden bicycle camera notebook guitar kettle blanket story".split()
VERBS = "shows compares repairs paints explains reviews unpacks loves cooks builds records wears hides explores".split()
WORDS = ("quick brown soft durable vintage wireless organic unbelievable hilarious unexpected handmade lightweight waterproof ergonomic "
         "beautiful the a of with and under without every my your our their two seventeen 2024 really").split()


def sentence(rng, n):
    pool = [NOUNS, VERBS, WORDS, WORDS]
    s = " ".join(rng.choice(rng.choice(pool)) for _ in range(n))
    return s.capitalize() + rng.choice([".", "!", "?", "", " #fun", "..."])


def texts():
    rng = random.Random(20)
    out = LANGUAGES + EMOJI + LINKS + ODD
    everything = " ".join(out)
    out = out + [
        (" ".join(sentence(rng, 12) for _ in range(200)))[:10000], "a" * 10000, "漢字" * 5000, "🙂 " * 5000, "x.y-" * 2500,
        (everything * 5)[:10000], " " * 9999 + "end", ("é" * 60 + " ") * 160,
    ]
    for n in (50, 90, 120, 180, 240, 252, 253, 254, 255, 256, 257, 300, 508, 700):
        out.append(" ".join(["film"] * n))
    while len(out) < 330:
        out.append(sentence(rng, rng.choice([1, 2, 3, 5, 8, 13, 21, 34, 55, 90, 150])))
    while len(out) < 400:
        out.append(" ".join(rng.choice([rng.choice(LANGUAGES), rng.choice(EMOJI), rng.choice(LINKS), rng.choice(ODD), sentence(rng, 6)])
                            for _ in range(rng.randint(2, 6))))
    blocks = [(0x20, 0x7F), (0xA0, 0x250), (0x250, 0x600), (0x600, 0x1000), (0x1000, 0x2000), (0x2000, 0x3000), (0x3000, 0xA000),
              (0xA000, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000), (0x1F300, 0x1FB00), (0, 0xD800)]
    while len(out) < 500:
        s = ""
        for _ in range(rng.randint(1, 8)):
            lo, hi = rng.choice(blocks)
            s += "".join(chr(rng.randrange(lo, hi)) for _ in range(rng.randint(1, 12))) + rng.choice(["", " ", "a", "ing "])
        out.append(s)
    return out


def tiny_vocab(sample):
    chars = {}
    for s in sample:
        for c in s.lower():
            if c.isprintable() and not c.isspace():
                chars[c] = chars.get(c, 0) + 1
    chars = sorted(sorted(chars, key=lambda c: (-chars[c], c))[:170])
    words = sorted(set(NOUNS[:12] + VERBS[:8] + WORDS[:8] + ["query", "passage", "Film", "E"]))
    tails = ["##s", "##ing", "##ed", "##er", "##a", "##e", "##i", "##o", "##n", "##t", "##r", "##l", "##d", "##m", "##k", "##p", "##c", "##u",
             "##h", "##g", "##y", "##w", "##b", "##f", "##v", "##x", "##q", "##z", "##j", "##1", "##2", "##0"]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    for token in chars + words + tails:
        if token not in vocab:
            vocab.append(token)
    return vocab


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def make_tiny(folder, vocab):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "golden").mkdir()
    torch.manual_seed(7)
    config = BertConfig(vocab_size=len(vocab), hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=72,
                        max_position_embeddings=64, type_vocab_size=2)
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.randn_like(p) * 0.3 + (1.0 if name.endswith("LayerNorm.weight") else 0.0))
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n")
    write_json(folder / "tokenizer_config.json", {
        "do_lower_case": True, "tokenizer_class": "BertTokenizer", "model_max_length": 64, "strip_accents": None, "tokenize_chinese_chars": True})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": False})
    write_json(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind}
        for i, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")])])
    write_json(folder / "1_Pooling" / "config.json", {
        "word_embedding_dimension": 36, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False})


def edit(path, change):
    value = json.loads(path.read_text())
    changed = change(value)
    write_json(path, value if changed is None else changed)


VARIANTS = {
    "mean": lambda d: None,
    "cls": lambda d: edit(d / "1_Pooling" / "config.json", lambda c: c.update(pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)),
    "raw": lambda d: edit(d / "modules.json", lambda m: m[:2]),
    "cased": lambda d: edit(d / "tokenizer_config.json", lambda c: c.update(do_lower_case=False)),
    "lowered": lambda d: (edit(d / "tokenizer_config.json", lambda c: c.update(do_lower_case=False)),
                          edit(d / "sentence_bert_config.json", lambda c: c.update(do_lower_case=True))),
    "short": lambda d: edit(d / "sentence_bert_config.json", lambda c: c.update(max_seq_length=9)),
    "positions": lambda d: (d / "sentence_bert_config.json").unlink(),
}


def windows(st, ids, limit):
    """Mean of the vectors of consecutive windows, weighted by their tokens, then normalised."""
    total = np.zeros(36)
    for i in range(0, max(len(ids), 1), limit - 2):
        part = ids[i:i + limit - 2]
        with torch.no_grad():
            h = st[0].auto_model(input_ids=torch.tensor([[2] + part + [3]])).last_hidden_state[0].mean(0).double().numpy()
        total += h / np.linalg.norm(h) * max(len(part), 1)
    return total / np.linalg.norm(total)


def main():
    sample = texts()
    minilm = SentenceTransformer(sys.argv[1], device="cpu")
    tokens = minilm.tokenizer
    record = {
        "texts": sample,
        "minilm": tokens(sample, truncation=True, max_length=minilm.max_seq_length)["input_ids"],
        "minilm_lengths": [len(x) for x in tokens(sample, truncation=False)["input_ids"]],
    }
    np.save(HERE / "minilm.npy", minilm.encode(sample, batch_size=16).astype("<f2"))

    folder = HERE / "tiny"
    make_tiny(folder, tiny_vocab(sample))
    for name, change in VARIANTS.items():
        with tempfile.TemporaryDirectory() as tmp:
            d = pathlib.Path(tmp) / "m"
            shutil.copytree(folder, d)
            change(d)
            st = SentenceTransformer(str(d), device="cpu")
            np.save(folder / "golden" / (name + ".npy"), st.encode(sample[::4]).astype("<f4"))
            if name == "mean":
                record["tiny"] = st.tokenizer(sample, truncation=True, max_length=48)["input_ids"]
                whole = st.tokenizer(sample, truncation=False)["input_ids"]
                record["tiny_lengths"] = [len(x) for x in whole]
                np.save(folder / "golden" / "windows.npy", np.array([windows(st, x[1:-1], 48) for x in whole[::4]], dtype="<f4"))
                for prefix in ("query", "passage"):
                    np.save(folder / "golden" / (prefix + ".npy"), st.encode(sample[::4], prompt=prefix + ": ").astype("<f4"))
                st.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
            if name in ("cased", "lowered"):
                record["tiny_" + name] = st.tokenizer(sample, truncation=True, max_length=48)["input_ids"]
    with open(HERE / "texts.json.gz", "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
        z.write(json.dumps(record, separators=(",", ":")).encode())


main()
