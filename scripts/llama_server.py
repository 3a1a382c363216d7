"""A real llama.cpp server for tests, from the package xllamacpp.

    python scripts/llama_server.py serve MODEL.gguf PORT NAME chat|embed CONTEXT [PROJECTOR.gguf]
    python scripts/llama_server.py projector OUT.gguf WIDTH

The second writes a small projector of random weights, so that a language model of that width
takes pictures: what it says about them is noise, which is what answers are checked for. It
needs the packages numpy and gguf.
"""
import sys
import threading


def serve(model, port, name, mode, context, projector=None):
    import xllamacpp

    p = xllamacpp.CommonParams()
    p.model.path, p.model_alias = model, {name}
    p.hostnames, p.port = ["127.0.0.1"], int(port)
    p.n_ctx, p.n_parallel = int(context), 1
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1  # spinning threads starve each other beside other work
    if mode == "embed":
        p.embedding, p.pooling_type = True, xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    if projector:
        p.mmproj.path, p.mmproj_use_gpu = projector, False
    server = xllamacpp.Server(p)
    print("listening", server.listening_address, flush=True)
    threading.Event().wait()


def projector(path, width):
    import gguf
    import numpy as np

    rng, out = np.random.default_rng(7), gguf.GGUFWriter(path, "clip")
    embed, hidden, patch, size, heads, blocks = 64, 128, 16, 64, 4, 2
    for key, value in {"has_vision_encoder": True, "has_llava_projector": True, "use_gelu": False}.items():
        out.add_bool("clip." + key, value)
    out.add_string("clip.projector_type", "mlp")
    numbers = {"image_size": size, "patch_size": patch, "embedding_length": embed, "feed_forward_length": hidden,
               "block_count": blocks, "projection_dim": int(width), "attention.head_count": heads}
    for key, value in numbers.items():
        out.add_uint32("clip.vision." + key, value)
    out.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    for key in ("image_mean", "image_std"):
        out.add_array("clip.vision." + key, [0.5, 0.5, 0.5])

    def weight(name, *shape):
        out.add_tensor(name + ".weight", rng.normal(0, 0.02, shape).astype(np.float32))

    def linear(name, rows, cols):
        weight(name, rows, cols)
        out.add_tensor(name + ".bias", np.zeros(rows, np.float32))

    def norm(name):
        out.add_tensor(name + ".weight", np.ones(embed, np.float32))
        out.add_tensor(name + ".bias", np.zeros(embed, np.float32))

    out.add_tensor("v.class_embd", rng.normal(0, 0.02, embed).astype(np.float32))
    weight("v.patch_embd", embed, 3, patch, patch)
    weight("v.position_embd", (size // patch) ** 2 + 1, embed)
    norm("v.pre_ln")
    norm("v.post_ln")
    for b in range(blocks):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            linear(f"v.blk.{b}.{name}", embed, embed)
        norm(f"v.blk.{b}.ln1")
        norm(f"v.blk.{b}.ln2")
        linear(f"v.blk.{b}.ffn_up", hidden, embed)
        linear(f"v.blk.{b}.ffn_down", embed, hidden)
    linear("mm.0", int(width), embed)
    linear("mm.2", int(width), int(width))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    {"serve": serve, "projector": projector}[sys.argv[1]](*sys.argv[2:])
