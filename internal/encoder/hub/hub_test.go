package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// fakeHub serves one model as the hub does: small files itself, named by git's SHA-1;
// large ones by a redirect to another host, named by SHA-256.
type fakeHub struct {
	files     map[string]string
	mu        sync.Mutex
	hits      map[string]int // by method and path
	ranges    []string
	tokens    map[string]string // last Authorization by host kind: hub, store
	cut       int               // break so many transfers half-way
	fail      int               // answer so many requests with 503
	status    int               // answer everything with this status
	damage    bool              // send other bytes than the hash says
	noResume  bool              // ignore Range
	hubServer *httptest.Server
	store     *httptest.Server
}

func newFakeHub(t *testing.T) *fakeHub {
	h := &fakeHub{hits: map[string]int{}, tokens: map[string]string{}, files: map[string]string{
		"config.json": `{"model_type":"bert"}`, "modules.json": "[]", "1_Pooling/config.json": "{}", "vocab.txt": "[PAD]\n",
		"tokenizer.json": "{}", "model.safetensors": strings.Repeat("weights!", 5000), "README.md": "no", "pytorch_model.bin": "no",
		"onnx/config.json": "no", ".gitattributes": "no",
	}}
	h.store = httptest.NewServer(http.HandlerFunc(h.serveStore))
	h.hubServer = httptest.NewServer(http.HandlerFunc(h.serveHub))
	t.Cleanup(h.store.Close)
	t.Cleanup(h.hubServer.Close)
	for _, name := range []string{"HF_ENDPOINT", "HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_OFFLINE", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HOME", t.TempDir())
	return h
}

func (h *fakeHub) options() Options {
	return Options{Endpoint: h.hubServer.URL, Backoff: time.Millisecond}
}

func (h *fakeHub) etag(name string) string {
	data := h.files[name]
	if name == "model.safetensors" {
		sum := sha256.Sum256([]byte(data))
		return hex.EncodeToString(sum[:])
	}
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data))
	return hex.EncodeToString(sum[:])
}

func (h *fakeHub) count(kind string, r *http.Request) (abort bool, w int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hits[r.Method+" "+r.URL.Path]++
	h.tokens[kind] = r.Header.Get("Authorization")
	if h.fail > 0 {
		h.fail--
		return true, http.StatusServiceUnavailable
	}
	return h.status != 0, h.status
}

func (h *fakeHub) serveHub(w http.ResponseWriter, r *http.Request) {
	if abort, status := h.count("hub", r); abort {
		w.WriteHeader(status)
		return
	}
	if r.URL.Path == "/api/models/org/model/revision/main" {
		type sibling struct {
			Name string `json:"rfilename"`
		}
		var list []sibling
		for name := range h.files {
			list = append(list, sibling{name})
		}
		json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": list})
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/org/model/resolve/"+commit+"/")
	if _, have := h.files[name]; !ok || !have {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	if name == "model.safetensors" {
		w.Header().Set("X-Linked-Etag", `"`+h.etag(name)+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(h.files[name])))
		// The same address under another name is another host to the client.
		http.Redirect(w, r, strings.Replace(h.store.URL, "127.0.0.1", "localhost", 1)+"/signed/"+name+"?Signature=sesame", http.StatusFound)
		return
	}
	h.send(w, r, name)
}

func (h *fakeHub) serveStore(w http.ResponseWriter, r *http.Request) {
	if abort, status := h.count("store", r); abort {
		w.WriteHeader(status)
		return
	}
	h.send(w, r, strings.TrimPrefix(r.URL.Path, "/signed/"))
}

func (h *fakeHub) send(w http.ResponseWriter, r *http.Request, name string) {
	data := h.files[name]
	w.Header().Set("ETag", `W/"`+h.etag(name)+`"`)
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.damage {
		data = strings.Repeat("x", len(data))
	}
	if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		h.ranges = append(h.ranges, r.Header.Get("Range"))
		start, _ := strconv.Atoi(strings.TrimSuffix(from, "-"))
		if !h.noResume {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(data)-1, len(data)))
			w.Header().Set("Content-Length", strconv.Itoa(len(data)-start))
			w.WriteHeader(http.StatusPartialContent)
			data = data[start:]
		}
	}
	if name == "model.safetensors" && h.cut > 0 {
		h.cut--
		if w.Header().Get("Content-Length") == "" {
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		}
		io.WriteString(w, data[:len(data)/2])
		panic(http.ErrAbortHandler)
	}
	io.WriteString(w, data)
}

func pullWhole(t *testing.T, h *fakeHub, opt Options) string {
	t.Helper()
	dir, err := Pull(t.Context(), "org/model", opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.json", "modules.json", "1_Pooling/config.json", "vocab.txt", "tokenizer.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(data) != h.files[name] {
			t.Errorf("%s: wrong content, %v", name, err)
		}
	}
	return dir
}

func TestPullWritesTheStandardLayout(t *testing.T) {
	h := newFakeHub(t)
	seen := map[string]Progress{}
	opt := h.options()
	opt.Progress = func(p Progress) { seen[p.File] = p }
	dir := pullWhole(t, h, opt)
	root := filepath.Join(os.Getenv("HF_HOME"), "hub", "models--org--model")
	if dir != filepath.Join(root, "snapshots", commit) {
		t.Errorf("snapshot at %s", dir)
	}
	if ref, _ := os.ReadFile(filepath.Join(root, "refs", "main")); string(ref) != commit {
		t.Errorf("refs/main holds %q", ref)
	}
	for name, up := range map[string]string{"model.safetensors": "../../blobs/", "1_Pooling/config.json": "../../../blobs/"} {
		if link, err := os.Readlink(filepath.Join(dir, name)); err != nil || link != up+h.etag(name) {
			t.Errorf("%s links to %q, %v", name, link, err)
		}
	}
	for _, name := range []string{"README.md", "pytorch_model.bin", "onnx/config.json", ".gitattributes"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was pulled", name)
		}
	}
	left, _ := filepath.Glob(filepath.Join(root, "blobs", "*.incomplete"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if size := int64(len(h.files["model.safetensors"])); seen["model.safetensors"] != (Progress{"model.safetensors", size, size, false}) {
		t.Errorf("last progress %+v", seen["model.safetensors"])
	}
	if found, err := Locate("org/model", Options{}); err != nil || found != dir {
		t.Errorf("Locate: %s, %v", found, err)
	}

	h.hits = map[string]int{}
	pullWhole(t, h, opt)
	for call := range h.hits {
		if strings.HasPrefix(call, "GET /org") || strings.HasPrefix(call, "GET /signed") {
			t.Errorf("fetched again: %s", call)
		}
	}
	if !seen["model.safetensors"].Cached {
		t.Errorf("not reported as cached")
	}
}

func TestPullResumesBrokenTransfers(t *testing.T) {
	for _, noResume := range []bool{false, true} {
		h := newFakeHub(t)
		h.cut, h.noResume = 2, noResume
		if noResume {
			h.cut = 1
		}
		pullWhole(t, h, h.options())
		if len(h.ranges) == 0 {
			t.Error("no transfer was resumed")
		}
	}
}

func TestPullGoesOnAfterACancelledOne(t *testing.T) {
	h := newFakeHub(t)
	h.cut = 1
	opt := h.options()
	opt.Retries = -1
	if _, err := Pull(t.Context(), "org/model", opt); err == nil {
		t.Fatal("the broken transfer went unnoticed")
	}
	if _, err := Locate("org/model", Options{}); err == nil {
		t.Error("a partial model is located")
	}
	pullWhole(t, h, h.options())
	if len(h.ranges) != 1 || h.ranges[0] == "bytes=0-" {
		t.Errorf("ranges %v", h.ranges)
	}
}

func TestPullRetriesServerErrors(t *testing.T) {
	h := newFakeHub(t)
	h.fail = 3
	pullWhole(t, h, h.options())
}

func TestPullRejectsDamagedContent(t *testing.T) {
	h := newFakeHub(t)
	h.damage = true
	_, err := Pull(t.Context(), "org/model", h.options())
	if err == nil || !strings.Contains(err.Error(), "hash") {
		t.Fatalf("error %v", err)
	}
	if hint, ok := usererr.Hint(err); !ok || hint == "" {
		t.Errorf("no hint: %v", err)
	}
	blobs, _ := filepath.Glob(filepath.Join(os.Getenv("HF_HOME"), "hub", "models--org--model", "blobs", "*"))
	if len(blobs) > 0 {
		t.Errorf("damaged files stay: %v", blobs)
	}
	h.damage = false
	pullWhole(t, h, h.options())
}

func TestPullSendsTheTokenToTheHubOnly(t *testing.T) {
	h := newFakeHub(t)
	t.Setenv("HF_TOKEN", "hf_secret")
	pullWhole(t, h, h.options())
	if h.tokens["hub"] != "Bearer hf_secret" || h.tokens["store"] != "" {
		t.Errorf("tokens %v", h.tokens)
	}
	h.status = http.StatusUnauthorized
	_, err := Pull(t.Context(), "org/model", h.options())
	hint, ok := usererr.Hint(err)
	if !ok || !strings.Contains(hint, "HF_TOKEN") || strings.Contains(fmt.Sprint(err, hint), "hf_secret") {
		t.Errorf("error %v, hint %q", err, hint)
	}
}

func TestErrorsHideSignedLinks(t *testing.T) {
	h := newFakeHub(t)
	h.store.Close()
	opt := h.options()
	opt.Retries = -1
	if _, err := Pull(t.Context(), "org/model", opt); err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("error %v", err)
	}
}

func TestPullErrors(t *testing.T) {
	h := newFakeHub(t)
	for _, c := range []struct {
		name, repo, says string
		change           func(*Options)
	}{
		{"no such model", "org/other", "does not have it", nil},
		{"no such revision", "org/model", "does not have it", func(o *Options) { o.Revision = "v9" }},
		{"bad revision", "org/model", "no revision", func(o *Options) { o.Revision = "../../x" }},
		{"bad name", "org/../model", "no model name", nil},
		{"bad endpoint", "org/model", "no http or https URL", func(o *Options) { o.Endpoint = "ftp://x" }},
		{"offline", "org/model", "offline", func(o *Options) { o.Offline = true }},
	} {
		opt := h.options()
		if c.change != nil {
			c.change(&opt)
		}
		_, err := Pull(t.Context(), c.repo, opt)
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	delete(h.files, "model.safetensors")
	if _, err := Pull(t.Context(), "org/model", h.options()); err == nil || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("model without safetensors: %v", err)
	}
	h.files["model.safetensors"], h.files["../../config.json"] = "w", "{}"
	if _, err := Pull(t.Context(), "org/model", h.options()); err != nil {
		t.Errorf("files outside the snapshot are not wanted and no reason to fail: %v", err)
	}
	h.files["1_x\\..\\config.json"] = "{}"
	if _, err := Pull(t.Context(), "org/model", h.options()); err == nil || !strings.Contains(err.Error(), "unsafe") {
		t.Errorf("unsafe file name: %v", err)
	}
}

// TestPullChecksBeforeTheWeights refuses a model by its configuration: its vocabulary and
// weights are not fetched, and what is in the cache is not taken for a model.
func TestPullChecksBeforeTheWeights(t *testing.T) {
	h := newFakeHub(t)
	opt := h.options()
	refusal := errors.New("not run")
	opt.Check = func(dir string) error {
		for _, name := range []string{"config.json", "modules.json", "1_Pooling/config.json"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
		return refusal
	}
	if _, err := Pull(t.Context(), "org/model", opt); !errors.Is(err, refusal) {
		t.Fatalf("error %v", err)
	}
	for call := range h.hits {
		if strings.Contains(call, "model.safetensors") || strings.Contains(call, "vocab.txt") || strings.Contains(call, "tokenizer.json") {
			t.Errorf("fetched before the check: %s", call)
		}
	}
	if _, err := Locate("org/model", Options{}); err == nil {
		t.Error("a refused model is located")
	}
	opt.Check = func(string) error { return nil }
	pullWhole(t, h, opt)
}

func TestPullTakesModulesInFolders(t *testing.T) {
	h := newFakeHub(t)
	weights := h.files["model.safetensors"]
	h.files = map[string]string{"modules.json": "[]", "0_StaticEmbedding/model.safetensors": weights, "0_StaticEmbedding/tokenizer.json": "{}",
		"onnx/0_x/model.safetensors": "no", "openvino/config.json": "no"}
	dir, err := Pull(t.Context(), "org/model", h.options())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"modules.json", "0_StaticEmbedding/model.safetensors", "0_StaticEmbedding/tokenizer.json"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != h.files[name] {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "openvino")); err == nil {
		t.Error("another form of the model was pulled")
	}
}

// TestPullNamesOtherWeights says what a model has instead of model.safetensors, and the cure.
func TestPullNamesOtherWeights(t *testing.T) {
	for file, x := range map[string]struct{ says, cure string }{
		"pytorch_model.bin":                {"Python pickles", "SentenceTransformer as S; S('org/model').save('FOLDER')"},
		"model-00001-of-00002.safetensors": {"no model.safetensors", "Choose a model that has"},
		"model.safetensors.index.json":     {"several parts", "save('FOLDER')"},
		"onnx/model_quantized.onnx":        {"ONNX", "that it was made from"},
	} {
		h := newFakeHub(t)
		h.files = map[string]string{"config.json": "{}", "vocab.txt": "[PAD]\n", file: "w"}
		_, err := Pull(t.Context(), "org/model", h.options())
		if hint, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), x.says) || !strings.Contains(hint, x.cure) {
			t.Errorf("%s: %v; %s", file, err, hint)
		}
		for call := range h.hits {
			if strings.HasPrefix(call, "GET /org") {
				t.Errorf("%s: fetched %s", file, call)
			}
		}
	}
}

func TestOffline(t *testing.T) {
	h := newFakeHub(t)
	dir := pullWhole(t, h, h.options())
	t.Setenv("HF_HUB_OFFLINE", "1")
	h.hits = map[string]int{}
	if got, err := Pull(t.Context(), "org/model", h.options()); err != nil || got != dir || len(h.hits) > 0 {
		t.Errorf("offline pull: %s, %v, %v", got, err, h.hits)
	}
	_, err := Locate("org/absent", Options{})
	if hint, ok := usererr.Hint(err); !ok || !strings.Contains(hint, "Pull the model org/absent") {
		t.Errorf("%v, hint %q", err, hint)
	}
}

func TestPullStopsWithItsContext(t *testing.T) {
	h := newFakeHub(t)
	h.fail = 1 << 30
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	opt := h.options()
	opt.Backoff = time.Hour
	if _, err := Pull(ctx, "org/model", opt); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestLocate(t *testing.T) {
	newFakeHub(t)
	dir := t.TempDir()
	if got, err := Locate(dir, Options{}); err != nil || got != dir {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{"./no/such", "/no/such", "a/b/c", "a b"} {
		if _, err := Locate(bad, Options{}); err == nil {
			t.Errorf("%q is located", bad)
		}
	}
	cache := filepath.Join(t.TempDir(), "c")
	t.Setenv("HF_HUB_CACHE", cache)
	snapshot := filepath.Join(cache, "models--sentence-transformers--m", "snapshots", commit)
	os.MkdirAll(snapshot, 0o755)
	os.MkdirAll(filepath.Join(cache, "models--sentence-transformers--m", "refs"), 0o755)
	os.WriteFile(filepath.Join(cache, "models--sentence-transformers--m", "refs", "main"), []byte(commit), 0o644)
	if _, err := Locate("m", Options{}); err == nil || !strings.Contains(err.Error(), "whether it has modules.json") {
		t.Errorf("a snapshot as other programs leave it: %v", err)
	}
	absent := filepath.Join(cache, "models--sentence-transformers--m", ".no_exist", commit)
	os.MkdirAll(absent, 0o755)
	for _, name := range []string{"modules.json", "sentence_bert_config.json"} {
		os.WriteFile(filepath.Join(absent, name), nil, 0o644)
	}
	os.WriteFile(filepath.Join(snapshot, "config_sentence_transformers.json"), nil, 0o644)
	for _, opt := range []Options{{}, {Revision: commit}} {
		if got, err := Locate("m", opt); err != nil || got != snapshot {
			t.Errorf("%s, %v", got, err)
		}
	}
}
