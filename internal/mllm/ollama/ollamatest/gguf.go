package ollamatest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
)

// gguf writes a GGUF file, version 3: a header, key-value pairs, tensor descriptions, and the
// tensors' data, each aligned to 32 bytes. It supports only what the tiny model below needs.
type gguf struct {
	keys    int
	kv      bytes.Buffer
	tensors []ggufTensor
	rng     *rand.Rand
}

type ggufTensor struct {
	name  string
	shape []uint64 // fastest dimension first
	half  bool
	data  []float32
}

const (
	ggufUint32, ggufInt32, ggufFloat32, ggufBool, ggufString, ggufArray = 4, 5, 6, 7, 8, 9

	ggufAlignment = 32
)

func le(buf *bytes.Buffer, values ...any) {
	for _, v := range values {
		if s, ok := v.(string); ok {
			le(buf, uint64(len(s)))
			buf.WriteString(s)
			continue
		}
		if err := binary.Write(buf, binary.LittleEndian, v); err != nil {
			panic(err) // a type this test should not have used
		}
	}
}

// set adds a key-value pair.
func (g *gguf) set(key string, value any) {
	g.keys++
	le(&g.kv, key)
	switch v := value.(type) {
	case int:
		le(&g.kv, uint32(ggufUint32), uint32(v))
	case float32:
		le(&g.kv, uint32(ggufFloat32), v)
	case bool:
		le(&g.kv, uint32(ggufBool), v)
	case string:
		le(&g.kv, uint32(ggufString), v)
	case []string:
		le(&g.kv, uint32(ggufArray), uint32(ggufString), uint64(len(v)))
		for _, s := range v {
			le(&g.kv, s)
		}
	case []int32:
		le(&g.kv, uint32(ggufArray), uint32(ggufInt32), uint64(len(v)), v)
	case []float32:
		le(&g.kv, uint32(ggufArray), uint32(ggufFloat32), uint64(len(v)), v)
	default:
		panic(fmt.Sprintf("no GGUF type for %T", value))
	}
}

// random adds a tensor of normal values with the given standard deviation.
func (g *gguf) random(name string, deviation float64, shape ...uint64) {
	n := uint64(1)
	for _, d := range shape {
		n *= d
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(g.rng.NormFloat64() * deviation)
	}
	g.tensors = append(g.tensors, ggufTensor{name: name, shape: shape, data: data, half: len(shape) == 4 || n > 1<<20})
}

// constant adds a vector of one value.
func (g *gguf) constant(name string, value float32, n uint64) {
	data := make([]float32, n)
	for i := range data {
		data[i] = value
	}
	g.tensors = append(g.tensors, ggufTensor{name: name, shape: []uint64{n}, data: data})
}

func (g *gguf) bytes() []byte {
	var out, data bytes.Buffer
	pad := func(b *bytes.Buffer) {
		for b.Len()%ggufAlignment != 0 {
			b.WriteByte(0)
		}
	}
	out.WriteString("GGUF")
	le(&out, uint32(3), uint64(len(g.tensors)), uint64(g.keys))
	out.Write(g.kv.Bytes())
	for _, t := range g.tensors {
		pad(&data)
		kind := uint32(0) // F32
		if t.half {
			kind = 1 // F16
		}
		le(&out, t.name, uint32(len(t.shape)), t.shape, kind, uint64(data.Len()))
		if !t.half {
			le(&data, t.data)
			continue
		}
		half := make([]uint16, len(t.data))
		for i, v := range t.data {
			half[i] = float16(v)
		}
		le(&data, half)
	}
	pad(&out)
	pad(&data)
	return append(out.Bytes(), data.Bytes()...)
}

// float16 rounds to half precision by cutting; values below its normal range become 0.
func float16(v float32) uint16 {
	b := math.Float32bits(v)
	sign, exponent, fraction := uint16(b>>16&0x8000), int(b>>23&0xff)-127+15, uint16(b>>13&0x3ff)
	switch {
	case exponent <= 0:
		return sign
	case exponent >= 31:
		return sign | 0x7bff
	}
	return sign | uint16(exponent)<<10 | fraction
}

// Facts of the tiny model that tests rely on.
const (
	Context     = 32768
	ImageTokens = 4 // patches after pooling
	AroundImage = 4 // tokens Gemma 3 puts around a picture
)

// tinyGemma3 is a Gemma 3 with vision and random weights: the parts of the real one, in
// the smallest sizes that fit together. Its vocabulary is as large as the real one's,
// because the server knows some tokens by their number.
func tinyGemma3() []byte {
	const (
		vocabulary               = 256128
		width, heads, head, deep = 32, 2, 16, 6 // six layers: the last one attends globally
		hidden                   = 64
		vWidth, vHeads, vDeep    = 32, 2, 2
		image, patch             = 56, 14
		perSide                  = image / patch
	)
	g := &gguf{rng: rand.New(rand.NewPCG(1, 2))}
	g.set("general.architecture", "gemma3")
	g.set("general.name", "tiny random gemma3")
	g.set("general.file_type", 1)
	for key, value := range map[string]any{
		"context_length": Context, "embedding_length": width, "block_count": deep, "feed_forward_length": hidden,
		"attention.head_count": heads, "attention.head_count_kv": 1, "attention.key_length": head, "attention.value_length": head,
		"attention.layer_norm_rms_epsilon": float32(1e-6), "attention.sliding_window": 512,
		"rope.local.freq_base": float32(10000), "rope.global.freq_base": float32(1000000),
		"vision.block_count": vDeep, "vision.embedding_length": vWidth, "vision.feed_forward_length": hidden,
		"vision.attention.head_count": vHeads, "vision.attention.layer_norm_epsilon": float32(1e-6),
		"vision.image_size": image, "vision.patch_size": patch, "vision.num_channels": 3, "mm_tokens_per_image": ImageTokens,
	} {
		g.set("gemma3."+key, value)
	}
	tinyVocabulary(g, vocabulary)

	g.random("token_embd.weight", 0.2, width, vocabulary)
	g.constant("output_norm.weight", 1, width)
	for i := range deep {
		name := func(s string) string { return fmt.Sprintf("blk.%d.%s.weight", i, s) }
		for _, norm := range []string{"attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"} {
			g.constant(name(norm), 1, width)
		}
		g.constant(name("attn_q_norm"), 1, head)
		g.constant(name("attn_k_norm"), 1, head)
		g.random(name("attn_q"), 0.2, width, heads*head)
		g.random(name("attn_k"), 0.2, width, head)
		g.random(name("attn_v"), 0.2, width, head)
		g.random(name("attn_output"), 0.2, heads*head, width)
		g.random(name("ffn_gate"), 0.2, width, hidden)
		g.random(name("ffn_up"), 0.2, width, hidden)
		g.random(name("ffn_down"), 0.2, hidden, width)
	}
	linear := func(name string, in, out uint64) {
		g.random(name+".weight", 0.2, in, out)
		g.constant(name+".bias", 0, out)
	}
	norm := func(name string) {
		g.constant(name+".weight", 1, vWidth)
		g.constant(name+".bias", 0, vWidth)
	}
	g.random("v.patch_embedding.weight", 0.1, patch, patch, 3, vWidth)
	g.random("v.position_embedding.weight", 0.2, vWidth, perSide*perSide)
	for i := range vDeep {
		block := fmt.Sprintf("v.blk.%d.", i)
		norm(block + "layer_norm1")
		norm(block + "layer_norm2")
		for _, part := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			linear(block+part, vWidth, vWidth)
		}
		linear(block+"mlp.fc1", vWidth, hidden)
		linear(block+"mlp.fc2", hidden, vWidth)
	}
	norm("v.post_layernorm")
	g.constant("mm.mm_soft_emb_norm.weight", 1, vWidth)
	g.random("mm.mm_input_projection.weight", 0.5, width, vWidth)
	return g.bytes()
}

// tinyVocabulary spells every text letter by letter: words exist, to make answers
// readable, but nothing leads from letters to them.
func tinyVocabulary(g *gguf, size int) {
	const normal, unknown, control, single = 1, 2, 3, 6
	tokens, types, scores := make([]string, size), make([]int32, size), make([]float32, size)
	for i := range tokens {
		tokens[i], types[i] = fmt.Sprintf("▁word%d", i), normal
	}
	special := map[int]string{0: "<pad>", 1: "<eos>", 2: "<bos>", 105: "<start_of_turn>", 106: "<end_of_turn>", 255999: "<start_of_image>", 256000: "<end_of_image>"}
	for id, text := range special {
		tokens[id], types[id] = text, control
	}
	tokens[3], types[3] = "<unk>", unknown
	tokens[107], tokens[108], tokens[109] = "\n", "\n\n", "▁"
	for b := range 256 {
		tokens[238+b], types[238+b] = fmt.Sprintf("<0x%02X>", b), single
	}
	for i := range 94 { // printable ASCII
		tokens[500+i] = string(rune('!' + i))
	}
	g.set("tokenizer.ggml.model", "llama")
	g.set("tokenizer.ggml.tokens", tokens)
	g.set("tokenizer.ggml.scores", scores)
	g.set("tokenizer.ggml.token_type", types)
	g.set("tokenizer.ggml.bos_token_id", 2)
	g.set("tokenizer.ggml.eos_token_id", 1)
	g.set("tokenizer.ggml.unknown_token_id", 3)
	g.set("tokenizer.ggml.padding_token_id", 0)
	g.set("tokenizer.ggml.add_bos_token", true)
	g.set("tokenizer.ggml.add_eos_token", false)
}
