"""Writes the golden data of the encoders beside BERT, and of the tokenizers.

    python scripts/tiny_encoders.py

Needs sentence-transformers, model2vec, tokenizers, sentencepiece and protobuf. Reads the texts of
internal/encoder/sentence/testdata/texts.json.gz and writes, all with random weights,
    internal/encoder/sentence/testdata/kinds/<model>/   one small model of each architecture, with
        golden.npy   Sentence-Transformers' (model2vec's) vectors of every sixteenth text and of some more
    internal/encoder/tokenizer/testdata/conformance.json.gz   more texts; tokenizers, each with the
        number of ids of every text and a digest of them, as Hugging Face's library gives them
"""
import base64
import copy
import gzip
import hashlib
import io
import json
import pathlib
import random
import shutil
import tempfile
import unicodedata

import numpy as np
import sentencepiece
import torch
from model2vec import StaticModel
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import DistilBertConfig, DistilBertModel, MPNetConfig, MPNetModel, RobertaConfig, RobertaModel, XLMRobertaConfig, XLMRobertaModel

ENCODER = pathlib.Path(__file__).parent.parent / "internal" / "encoder"
KINDS = ENCODER / "sentence" / "testdata" / "kinds"
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
HIDDEN, POSITIONS = 32, 70

# Where clusters end, what maps change, white space, marks of SentencePiece, special tokens.
CAREFUL = [
    "<mask> a <mask>b  <mask>", "x<s>y</s>z <pad> q <unk>", "<pad> <pad> film <pad>", "a\r\nb\u0301 \r\u0301 \u00a9\u200d\u00a9\u0301 \u0915\u094d\u0915\u0301",
    "e\u0301 \u00e9 \u00c5 A\u030a \u00bd \ufb01 \u337f \u2163", "\u0600a \u0600 1 \u06ddx", "\uac01\ud7a3\u1100\u1161\u11a8\u0301 \u1100\u0301",
    "\U0001f1fa\U0001f1f3\U0001f1ef\U0001f1f5\U0001f1fa", "\u0e17\u0e33 \u0e81\u0eb3", "a\u2581b \u2581 c\u2581\u2581d", " lead  two   three ",
    "\u00a0nbsp\u3000ideo", "it's we'll I'd 'tis 're's they've'", "tabs\t\tand\n\nlines  \n end \n", "x  y   z    ", "\u0130stanbul \u01c5 \u1e9e",
]
PARTS = ["\u0301", "\u200d", "\u00a9", "a", "\u0915", "\u094d", "\r", "\n", "\u0600", "\uac01", "\u1100", "\u1161", "\u11a8", "\U0001f1fa", "\u200c", "\u0903",
         "\u263a", "\u00e9", "e", " ", "\U0001f600", "\u093c", "\u00c5", "\ufb01", "\u200b", "\u0e33", "x", "\u4e2d", "\ufe0f", "\u1160", "\ufdfa", "\uff76",
         "\uff9e", "\u2460", "'s", "1", "\u0661", "\u2581"]


def texts():
    rng = random.Random(5)
    golden = json.load(gzip.open(ENCODER / "sentence" / "testdata" / "texts.json.gz"))["texts"]
    mixed = ["".join(rng.choice(PARTS) for _ in range(rng.randint(1, 9))) for _ in range(300)]
    return golden, CAREFUL + mixed


def rules(sample):
    """A small character map: compatibility forms, composition, white space, controls."""
    found = {}
    for text in sample:
        for a, b in zip(text, text[1:] + " "):
            for s in (a, a + b):
                n = unicodedata.normalize("NFKC", s)
                if n != s and len(n) <= 4 and " " not in s:
                    found[s] = n
    some = dict(sorted(found.items())[::3][:170])
    some.update({c: " " for c in "\t\n\r\u00a0\u2003\u3000\u2581"})
    some.update({c: "" for c in "\x01\x7f\u200b\u200e\ufeff"})
    some.update({"\u00a9": "(c)", "e\u0301": "\u00e9", "\ufb01": "fi"})
    return some


def train_unigram(sample):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as f:
        for a, b in rules(sample).items():
            f.write("%s\t%s\n" % (" ".join("%X" % ord(c) for c in a), " ".join("%X" % ord(c) for c in b)))
        f.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([t[:400] for t in sample[:9] + sample[18:20] if t.strip()] + [t[:400] for t in sample if t.isascii() and t.strip()]),
            model_writer=model, vocab_size=300, model_type="unigram", character_coverage=0.98, normalization_rule_tsv=f.name, hard_vocab_limit=False, minloglevel=3)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    table = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    table += [(p.piece, p.score) for p in proto.pieces if p.type == 1] + [("<mask>", 0.0)]
    return table, proto.normalizer_spec.precompiled_charsmap


def added(names):
    return [AddedToken(n, special=True, normalized=False, lstrip=n == "<mask>") for n in names]


def unigram(sample):
    table, charsmap = train_unigram(sample)
    t = Tokenizer(models.Unigram(table, unk_id=3, byte_fallback=False))
    t.normalizer = normalizers.Precompiled(charsmap)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("\u2581", "always")])
    t.decoder = decoders.Metaspace("\u2581", "always")
    t.add_special_tokens(added(SPECIAL))
    t.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)])
    return t


def byte_level(sample):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator([s[:400] for s in sample], trainers.BpeTrainer(
        vocab_size=360, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.add_special_tokens(added(SPECIAL))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return t


def word_piece(special, post):
    words = (ENCODER / "sentence" / "testdata" / "tiny" / "vocab.txt").read_text().split("\n")[5:-1]
    vocab = {w: i for i, w in enumerate(special + words)}
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.add_special_tokens(added(special))
    t.post_processor = post
    return t


ROBERTA_POST = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def sentence_files(folder, modules):
    write_json(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind} for i, (path, kind) in enumerate(modules)])
    for path, kind in modules:
        if kind == "Pooling":
            write_json(folder / path / "config.json", {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False})


def golden(folder, sample):
    with tempfile.TemporaryDirectory() as tmp:  # git keeps no empty folder
        d = pathlib.Path(tmp) / "m"
        shutil.copytree(folder, d)
        (d / "2_Normalize").mkdir()
        (d / "1_Normalize").mkdir()
        st = SentenceTransformer(str(d), device="cpu", model_kwargs={"dtype": torch.float32})
        return st.encode(sample).astype("<f4")


def transformer(name, model, tokenizer, tokenizer_class, sample, length):
    folder = KINDS / name
    torch.manual_seed(len(name))
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.copy_((torch.randn_like(p) * 0.3 + (1.0 if "norm.weight" in key.lower() else 0.0)).half().float())
    tensors = {k: v.numpy().astype("<f2") for k, v in model.state_dict().items() if v.dtype == torch.float32}
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {k: v for k, v in json.loads(model.config.to_json_string(use_diff=True)).items() if k not in ("transformers_version", "architectures", "dtype")}
    write_json(folder / "config.json", {**config, "model_type": model.config.model_type})
    write_json(folder / "tokenizer.json", json.loads(tokenizer.to_str()))
    token = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
    if name != "distilbert":
        token = {"unk_token": "[UNK]" if name == "mpnet" else "<unk>", "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>",
                 "sep_token": "</s>", "pad_token": "<pad>", "mask_token": "<mask>"}
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": tokenizer_class, "model_max_length": 64, **token})
    if length:
        write_json(folder / "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False})
    sentence_files(folder, [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")])
    np.save(folder / "golden.npy", golden(folder, sample))


def tables(sample, tokenizer):
    rng = np.random.default_rng(3)
    plain = json.loads(tokenizer.to_str())
    plain["post_processor"], size = None, len(plain["model"]["vocab"])
    folder = KINDS / "static"
    (folder / "0_StaticEmbedding").mkdir(parents=True)
    save_file({"embedding.weight": rng.standard_normal((size, 16)).astype("<f2")}, folder / "0_StaticEmbedding" / "model.safetensors")
    write_json(folder / "0_StaticEmbedding" / "tokenizer.json", plain)
    sentence_files(folder, [("0_StaticEmbedding", "StaticEmbedding"), ("1_Normalize", "Normalize")])
    with tempfile.TemporaryDirectory() as tmp:
        d = pathlib.Path(tmp) / "m"
        shutil.copytree(folder, d)
        (d / "1_Normalize").mkdir()
        st = SentenceTransformer(str(d), device="cpu").float()  # float16 gives the zero vector the norm 0
        np.save(folder / "golden.npy", st.encode(sample).astype("<f4"))
    folder = KINDS / "model2vec"
    model = StaticModel(
        rng.standard_normal((80, 16)).astype("<f4"), Tokenizer.from_str(json.dumps(plain)), config={"model_type": "model2vec", "hidden_dim": 16},
        normalize=True, weights=rng.uniform(0.2, 2, size).astype("<f4"), token_mapping=rng.integers(0, 80, size), max_length=60)
    model.save_pretrained(folder)
    np.save(folder / "golden.npy", StaticModel.from_pretrained(folder).encode(sample).astype("<f4"))
    for extra in ("README.md", "modules.json"):
        (folder / extra).unlink(missing_ok=True)


def variants(kinds):
    """Tokenizers as other models have them, by name: a base and what is put in the place of its parts."""
    space, mark = {"type": "WhitespaceSplit"}, "\u2581"
    meta = {"type": "Metaspace", "replacement": mark, "prepend_scheme": "always", "split": True}
    charsmap = json.loads(kinds["unigram"].to_str())["normalizer"]
    once = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    bpe = json.loads(kinds["byte level"].to_str())["model"]
    joined = [" ".join(m) if isinstance(m, list) else m for m in bpe["merges"]]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    bytes_vocab = json.loads(kinds["unigram"].to_str())["model"]["vocab"] + [["<0x%02X>" % b, -9.0] for b in range(256)]
    return {
        "unigram, spaces joined": ("unigram", {"normalizer": {"type": "Sequence", "normalizers": [charsmap, once]}, "pre_tokenizer": meta}),
        "unigram, before 2024": ("unigram", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            space, {"type": "Metaspace", "replacement": mark, "add_prefix_space": True}]}}),
        "unigram, not split": ("unigram", {"pre_tokenizer": {**meta, "split": False, "prepend_scheme": "never"}}),
        "unigram, bytes": ("unigram", {"model": {"vocab": bytes_vocab, "byte_fallback": True}}),
        "unigram, stripped and lower-cased": ("unigram", {"normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Lowercase"}, {"type": "Replace", "pattern": {"String": "e"}, "content": "a"},
            {"type": "Prepend", "prepend": mark}]}, "pre_tokenizer": None}),
        "unigram of BERT's words": ("unigram", {"normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
            "strip_accents": None, "lowercase": True}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "BertPreTokenizer"}, meta]}}),
        "byte level, prefixed": ("byte level", {"pre_tokenizer": {**level, "add_prefix_space": True}}),
        "byte level, not split": ("byte level", {"pre_tokenizer": {**level, "use_regex": False}}),
        "byte level, merges joined": ("byte level", {"model": {"merges": joined, "ignore_merges": True}}),
        "characters": ("byte level", {"pre_tokenizer": space, "model": {"unk_token": "<unk>", "fuse_unk": True}}),
        "characters, unknown dropped": ("byte level", {"pre_tokenizer": space}),
        "word piece of short words": ("mpnet", {"model": {"max_input_chars_per_word": 5}, "normalizer": {"type": "BertNormalizer",
            "clean_text": False, "handle_chinese_chars": False, "strip_accents": True, "lowercase": False}}),
    }


def merged(base, change):
    out = copy.deepcopy(base)
    for key, value in change.items():
        out[key] = {**out[key], **value} if key == "model" else value
    return out


def digest(ids):
    return "%d %s" % (len(ids), hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:6])


def conformance(long, careful, kinds):
    sample = long + careful
    bases = {name: json.loads(t.to_str()) for name, t in kinds.items()}
    record = {"more": careful, "careful": len(CAREFUL), "bases": bases, "cases": []}
    for name, (base, change) in {**{n: (n, {}) for n in bases}, **variants(kinds)}.items():
        t = Tokenizer.from_str(json.dumps(merged(bases[base], change)))
        encodings = t.encode_batch(sample)
        record["cases"].append({"name": name, "base": base, "change": change, "digests": [digest(e.ids) for e in encodings]})
    path = ENCODER / "tokenizer" / "testdata" / "conformance.json.gz"
    with open(path, "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
        z.write(json.dumps(record, separators=(",", ":")).encode())


def main():
    shutil.rmtree(KINDS, ignore_errors=True)
    long, careful = texts()
    sample = long + careful
    few = sample[::16] + CAREFUL
    kinds = {
        "mpnet": word_piece(["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>"], ROBERTA_POST),
        "unigram": unigram(sample), "byte level": byte_level(sample),
        "bert": word_piece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
                           processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", [("[CLS]", 2), ("[SEP]", 3)])),
    }
    size = {name: t.get_vocab_size() for name, t in kinds.items()}
    common = dict(hidden_size=HIDDEN, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40, max_position_embeddings=POSITIONS, layer_norm_eps=1e-5)
    transformer("mpnet", MPNetModel(MPNetConfig(vocab_size=size["mpnet"], **common), add_pooling_layer=False), kinds["mpnet"], "MPNetTokenizer", few, 60)
    transformer("xlm-roberta", XLMRobertaModel(XLMRobertaConfig(vocab_size=size["unigram"], type_vocab_size=1, pad_token_id=1, **common), add_pooling_layer=False),
                kinds["unigram"], "XLMRobertaTokenizer", few, 48)
    transformer("roberta", RobertaModel(RobertaConfig(vocab_size=size["byte level"], type_vocab_size=1, pad_token_id=1, **common), add_pooling_layer=False),
                kinds["byte level"], "RobertaTokenizer", few, None)
    transformer("distilbert", DistilBertModel(DistilBertConfig(vocab_size=size["bert"], dim=HIDDEN, n_layers=2, n_heads=4, hidden_dim=40, max_position_embeddings=64)),
                kinds["bert"], "DistilBertTokenizer", few, 50)
    # multilingual E5 small and paraphrase-multilingual-MiniLM: BERT's network with XLM-RoBERTa's tokenizer.
    with tempfile.TemporaryDirectory() as tmp:
        d = pathlib.Path(tmp) / "m"
        shutil.copytree(KINDS / "xlm-roberta", d)
        config = json.loads((d / "config.json").read_text())
        write_json(d / "config.json", {**config, "model_type": "bert", "pad_token_id": 0})
        np.save(KINDS / "xlm-roberta" / "bert.npy", golden(d, few))
    tables(few, kinds["bert"])
    conformance(long, careful, kinds)


main()
