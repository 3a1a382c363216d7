package cli

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

const (
	tinyModel = "../encoder/sentence/testdata/tiny"  // a random BERT of 36 dimensions that reads 48 tokens
	tinyKinds = "../encoder/sentence/testdata/kinds" // small models of other architectures
	tinyHash  = "0123456789abcdef0123456789abcdef01234567"
	apiKey    = "key-of-the-test"
)

// setupEncoders gives each script a copy of the tiny model ($TINY), an embedding server
// ($SERVER), a hub that has the model as org/tiny and with a foreign architecture as org/foreign ($HUB), the folder
// of models of other architectures ($KINDS), and keeps it away from the
// caches of whoever runs the tests.
func setupEncoders(env *testscript.Env) error {
	tiny := filepath.Join(env.WorkDir, "models", "tiny")
	if err := os.CopyFS(tiny, os.DirFS(tinyModel)); err != nil {
		return err
	}
	server := httptest.NewServer(serveVectors(filepath.Join(env.WorkDir, "new-weights")))
	env.Defer(server.Close)
	hub := httptest.NewServer(serveHub(tinyModel))
	env.Defer(hub.Close)
	kinds, err := filepath.Abs(tinyKinds)
	if err != nil {
		return err
	}
	tutorial, err := filepath.Abs("../../docs/tutorial")
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"TUTORIAL": tutorial, "TINY": tiny, "KINDS": kinds, "SERVER": server.URL, "HUB": hub.URL, "TEST_KEY": apiKey,
		"HF_HOME": filepath.Join(env.WorkDir, "hf"), "HF_ENDPOINT": "http://127.0.0.1:1", "HF_TOKEN": "", "HF_HUB_CACHE": ""} {
		env.Setenv(name, value)
	}
	return nil
}

// serveVectors speaks the dialects of OpenAI, which wants the key, Ollama and TEI, with
// vectors of eight numbers. The server has other weights once the file changed exists. A
// text with the word overlong is refused unless it may be cut.
func serveVectors(changed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		digest := "d1"
		if _, err := os.Stat(changed); err == nil {
			digest = "d2"
		}
		switch r.URL.Path {
		case "/api/tags":
			fmt.Fprintf(w, `{"models":[{"name":"m:latest","model":"m:latest","digest":%q}]}`, digest)
		case "/info":
			fmt.Fprintf(w, `{"model_id":"m","model_sha":%q,"max_client_batch_size":7}`, digest)
		case "/v1/embeddings":
			if r.Header.Get("Authorization") != "Bearer "+apiKey {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			embedTexts(w, r)
		default:
			embedTexts(w, r)
		}
	}
}

func embedTexts(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Input, Inputs []string
		Truncate      bool
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	texts := slices.Concat(in.Input, in.Inputs)
	var vectors [][]float64
	var data []any
	for i, text := range texts {
		if strings.Contains(text, "overlong") && !in.Truncate {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			fmt.Fprint(w, `{"error":"input too long"}`)
			return
		}
		sum := sha256.Sum256([]byte(text))
		v := make([]float64, 8)
		for j := range v {
			v[j] = float64(int8(sum[j])) / 128
		}
		vectors = append(vectors, v)
		data = append(data, map[string]any{"index": i, "embedding": v})
	}
	var answer any = vectors
	switch r.URL.Path {
	case "/v1/embeddings":
		answer = map[string]any{"data": data}
	case "/api/embed":
		answer = map[string]any{"embeddings": vectors}
	}
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client notices
}

// serveHub serves the files of a folder as the model org/tiny.
func serveHub(dir string) http.Handler {
	names := []string{"config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "tokenizer.json",
		"tokenizer_config.json", "vocab.txt", "model.safetensors"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		model := "tiny"
		if strings.Contains(r.URL.Path, "org/foreign/") { // the same files with another architecture
			model = "foreign"
		}
		if r.URL.Path == "/api/models/org/"+model+"/revision/main" {
			var list []map[string]string
			for _, name := range names {
				list = append(list, map[string]string{"rfilename": name})
			}
			json.NewEncoder(w).Encode(map[string]any{"sha": tinyHash, "siblings": list}) //nolint:errcheck // the client notices
			return
		}
		name, ok := strings.CutPrefix(r.URL.Path, "/org/"+model+"/resolve/"+tinyHash+"/")
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if model == "foreign" && name == "config.json" {
			data = []byte(`{"model_type": "deberta-v2"}`)
		}
		if !ok || err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf("\"%x\"", sha256.Sum256(data)))
		w.Header().Set("X-Repo-Commit", tinyHash)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		if r.Method != http.MethodHead {
			w.Write(data) //nolint:errcheck // the client notices
		}
	})
}
