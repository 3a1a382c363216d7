package sentence

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// otherWeights are forms of weights that are not read, and what to do about each; %[1]s is
// the folder.
var otherWeights = []struct{ name, says, cure string }{
	{"model.safetensors.index.json", "its weights in several parts", oneFile},
	{"pytorch_model.bin", "its weights as a Python pickle (pytorch_model.bin), which can run code when it is read", oneFile},
	{"pytorch_model.bin.index.json", "its weights as Python pickles", oneFile},
	{"tf_model.h5", "its weights for TensorFlow (tf_model.h5)", "Choose the model's form for PyTorch."},
	{"flax_model.msgpack", "its weights for Flax (flax_model.msgpack)", "Choose the model's form for PyTorch."},
	{"onnx", "an ONNX graph", onnxCure},
	{"model.onnx", "an ONNX graph", onnxCure},
	{"model_quantized.onnx", "an ONNX graph", onnxCure},
}

const (
	oneFile = `Write them as model.safetensors with one line of Python (transformers and torch): ` +
		`python -c "from transformers import AutoModel as M; M.from_pretrained('%[1]s').save_pretrained('%[1]s', max_shard_size='100GB')"`
	onnxCure = "An ONNX graph is not run. Pull the model that it was made from; its README names it."
)

// missingWeights says what a folder has instead of model.safetensors.
func missingWeights(dir string) error {
	for _, other := range otherWeights {
		if _, err := os.Stat(filepath.Join(dir, other.name)); err != nil {
			continue
		}
		cure := other.cure
		if cure == oneFile {
			cure = fmt.Sprintf(oneFile, dir)
		}
		return usererr.New(cure, "unsupported model: %s has no model.safetensors but %s", dir, other.says)
	}
	return usererr.New("Pull the model again.", "%s has no model.safetensors", dir)
}
