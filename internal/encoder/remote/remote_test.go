package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const secret = "sk-Zq9/7+x=y"

// server speaks all three dialects. The vector of a text is its length, its first byte
// and 1.
type server struct {
	*httptest.Server

	mu       sync.Mutex
	faults   []fault // for the next embedding requests, in order
	requests [][]string
	headers  []http.Header
	inFlight int
	most     int
	delay    time.Duration
}

type fault func(w http.ResponseWriter, s *server)

func status(code int, header ...string) fault {
	return func(w http.ResponseWriter, _ *server) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":"status %d for key %s"}`, code, secret)
	}
}

func body(text string) fault {
	return func(w http.ResponseWriter, _ *server) { io.WriteString(w, text) }
}

func hang(w http.ResponseWriter, _ *server) { time.Sleep(300 * time.Millisecond) }

func breakOff(w http.ResponseWriter, _ *server) {
	w.Header().Set("Content-Length", "1000")
	io.WriteString(w, `{"data": [{"index"`)
	panic(http.ErrAbortHandler)
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/api/tags":
		io.WriteString(w, `{"models":[{"name":"m:latest","model":"m:latest","digest":"d1"},{"name":"other:1b","digest":"d2"}]}`)
		return
	case "/info":
		io.WriteString(w, `{"model_id":"m","model_sha":"d1","max_client_batch_size":7}`)
		return
	}
	var in struct{ Input, Inputs []string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	texts := append(in.Input, in.Inputs...)
	s.mu.Lock()
	s.requests, s.headers = append(s.requests, texts), append(s.headers, r.Header)
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	var f fault
	if len(s.faults) > 0 {
		f, s.faults = s.faults[0], s.faults[1:]
	}
	delay := s.delay
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.inFlight--; s.mu.Unlock() }()
	time.Sleep(delay)
	if f != nil {
		f(w, s)
		return
	}
	if slices.ContainsFunc(texts, func(text string) bool { return text == "" || strings.Contains(text, "forbidden") }) {
		status(http.StatusBadRequest)(w, s)
		return
	}
	var vectors [][]float64
	for _, text := range texts {
		vectors = append(vectors, []float64{float64(len(text)), float64(text[0]), 1})
	}
	var answer any = vectors
	switch r.URL.Path {
	case "/v1/embeddings":
		type item struct {
			Index     int       `json:"index"`
			Embedding []float64 `json:"embedding"`
		}
		var data []item
		for i := len(vectors) - 1; i >= 0; i-- { // any order is allowed
			data = append(data, item{i, vectors[i]})
		}
		answer = map[string]any{"data": data}
	case "/api/embed":
		answer = map[string]any{"embeddings": vectors}
	case "/embed":
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

func (s *server) reset(faults ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.requests, s.headers, s.most = faults, nil, nil, 0
}

func config(t *testing.T, s *server, kind string) Config {
	t.Helper()
	t.Setenv("EMBEDDING_KEY", secret)
	key, err := mllm.KeyFromEnv("EMBEDDING_KEY")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{BaseURL: s.URL, Model: "m", Key: key, Batch: 10, Concurrency: 3, Backoff: time.Millisecond, Timeout: 100 * time.Millisecond, Retries: 3}
	if kind == "openai" {
		cfg.BaseURL += "/v1/"
	}
	return cfg
}

// eachKind runs a test against a server and an open client of every kind.
func eachKind(t *testing.T, run func(t *testing.T, s *server, c *Client)) {
	for _, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) {
			s := newServer(t)
			c, err := Open(t.Context(), kind, config(t, s, kind))
			if err != nil {
				t.Fatal(err)
			}
			s.reset()
			run(t, s, c)
		})
	}
}

func manyTexts(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = strings.Repeat(string(rune('a'+i%26)), 1+i)
	}
	return texts
}

func checkRows(t *testing.T, c *Client, texts []string) {
	t.Helper()
	got, err := c.Encode(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows != len(texts) || got.Cols != 3 {
		t.Fatalf("%d×%d", got.Rows, got.Cols)
	}
	for i, text := range texts {
		if want := []float32{float32(len(text)), float32(text[0]), 1}; !slices.Equal(got.Row(i), want) {
			t.Fatalf("text %d: %v, want %v", i, got.Row(i), want)
		}
	}
}

func TestBatchesInOrder(t *testing.T) {
	eachKind(t, func(t *testing.T, s *server, c *Client) {
		s.delay = 2 * time.Millisecond
		checkRows(t, c, manyTexts(95))
		limit := 10
		if strings.HasPrefix(c.ID(), "tei") {
			limit = 7 // the server's own
		}
		for _, r := range s.requests {
			if len(r) > limit {
				t.Errorf("a request of %d texts", len(r))
			}
		}
		if s.most > 3 || s.most < 2 {
			t.Errorf("%d requests in flight, 3 allowed", s.most)
		}
		if auth := s.headers[0].Get("Authorization"); auth != "Bearer "+secret {
			t.Errorf("Authorization %q", auth)
		}
		if c.Dim() != 3 {
			t.Errorf("Dim %d", c.Dim())
		}
		if m, err := c.Encode(t.Context(), nil); err != nil || m.Rows != 0 {
			t.Errorf("no texts: %v", err)
		}
	})
}

func TestEmptyTextsAndPrefixes(t *testing.T) {
	for _, kind := range Kinds() {
		s := newServer(t)
		cfg := config(t, s, kind)
		plain, err := Open(t.Context(), kind, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := plain.Encode(t.Context(), []string{""}); err != nil || m.Row(0)[0] != 1 {
			t.Errorf("%s: an empty text: %v", kind, err)
		}
		cfg.Prefix = "query: "
		prefixed, err := Open(t.Context(), kind, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := prefixed.Encode(t.Context(), []string{"x"}); err != nil || m.Row(0)[0] != 8 {
			t.Errorf("%s: a prefixed text: %v", kind, err)
		}
		if prefixed.ID() == plain.ID() || !strings.HasPrefix(plain.ID(), kind+"/1 m sha256:") {
			t.Errorf("ids %s and %s", plain.ID(), prefixed.ID())
		}
	}
}

func TestTransientFaultsAreRetried(t *testing.T) {
	eachKind(t, func(t *testing.T, s *server, c *Client) {
		for name, f := range map[string]fault{
			"429": status(429), "429 with a wait": status(429, "Retry-After", "0.01"), "500": status(500), "503": status(503),
			"hang": hang, "torn JSON": body(`{"data":[{"ind`), "broken off": breakOff, "nothing": body(""), "another answer": body(`{"x":1}`),
		} {
			s.reset(f, f)
			checkRows(t, c, manyTexts(5))
			if len(s.requests) != 3 {
				t.Errorf("%s: %d requests", name, len(s.requests))
			}
		}
	})
}

func TestLastingFaultsAreClassified(t *testing.T) {
	eachKind(t, func(t *testing.T, s *server, c *Client) {
		wrong := func(vectors string) fault {
			return func(w http.ResponseWriter, s *server) {
				switch {
				case strings.HasPrefix(c.ID(), "openai"):
					var list []json.RawMessage
					json.Unmarshal([]byte(vectors), &list)
					for i, v := range list {
						list[i] = fmt.Appendf(nil, `{"index":%d,"embedding":%s}`, i, v)
					}
					data, _ := json.Marshal(list)
					fmt.Fprintf(w, `{"data":%s}`, data)
				case strings.HasPrefix(c.ID(), "ollama"):
					fmt.Fprintf(w, `{"embeddings":%s}`, vectors)
				default:
					io.WriteString(w, vectors)
				}
			}
		}
		for _, x := range []struct {
			name  string
			fault fault
			class mllm.Class
			tries int
		}{
			{"429", status(429), mllm.RateLimit, 4},
			{"500", status(500), mllm.Server, 4},
			{"401", status(401), mllm.Auth, 1},
			{"404", status(404), mllm.NotFound, 1},
			{"redirect", status(302, "Location", "http://elsewhere.example/"), mllm.Refused, 3}, // two texts together, then the first alone
			{"too few", wrong(`[[1,2,3]]`), mllm.BadResponse, 4},
			{"too many", wrong(`[[1,2,3],[1,2,3],[1,2,3]]`), mllm.BadResponse, 4},
			{"uneven", wrong(`[[1,2,3],[1,2]]`), mllm.BadResponse, 4},
			{"other length", wrong(`[[1,2],[1,2]]`), mllm.BadResponse, 1},
			{"null", wrong(`[[1,2,3],[1,null,3]]`), mllm.BadResponse, 4},
			{"null vector", wrong(`[[1,2,3],null]`), mllm.BadResponse, 4},
			{"overflow", wrong(`[[1,2,3],[1,1e39,3]]`), mllm.BadResponse, 4},
			{"nested", wrong(`[[1,2,3],[[1],2,3]]`), mllm.BadResponse, 4},
			{"strings", wrong(`[[1,2,3],["1","2","3"]]`), mllm.BadResponse, 4},
		} {
			s.reset(slices.Repeat([]fault{x.fault}, 20)...)
			_, err := c.Encode(t.Context(), []string{"a", "b"})
			if mllm.ClassOf(err) != x.class {
				t.Errorf("%s: %v", x.name, err)
			}
			if x.tries != 3 && len(s.requests) != x.tries {
				t.Errorf("%s: %d requests, want %d", x.name, len(s.requests), x.tries)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the key is in the error", x.name)
			}
		}
	})
}

func TestTheRefusedTextIsNamed(t *testing.T) {
	eachKind(t, func(t *testing.T, s *server, c *Client) {
		texts := manyTexts(25)
		texts[13] = "forbidden"
		_, err := c.Encode(t.Context(), texts)
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(fmt.Sprint(err), "text 13 ") {
			t.Errorf("error %v", err)
		}
	})
}

func TestCancelling(t *testing.T) {
	eachKind(t, func(t *testing.T, s *server, c *Client) {
		s.reset(slices.Repeat([]fault{status(503, "Retry-After", "3600")}, 9)...)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := c.Encode(ctx, manyTexts(40)); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestRequestsPerMinute(t *testing.T) {
	s := newServer(t)
	cfg := config(t, s, "ollama")
	cfg.RequestsPerMinute = 60 * 50 // one each 20 ms
	c, err := Open(t.Context(), "ollama", cfg)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	checkRows(t, c, manyTexts(50)) // 5 requests
	if took := time.Since(start); took < 75*time.Millisecond {
		t.Errorf("5 requests within %s", took)
	}
}

func TestOpenErrors(t *testing.T) {
	s := newServer(t)
	for name, x := range map[string]struct {
		kind   string
		change func(*Config)
		says   string
	}{
		"kind":            {"word2vec", func(*Config) {}, "valid: openai, ollama, tei"},
		"no model":        {"openai", func(c *Config) { c.Model = "" }, "no embedding model"},
		"absent":          {"ollama", func(c *Config) { c.Model = "gone" }, "it has: m:latest, other:1b"},
		"other served":    {"tei", func(c *Config) { c.Model = "gone" }, "has the model m, not gone"},
		"password in URL": {"tei", func(c *Config) { c.BaseURL = "http://u:p4ss@host" }, "must not carry"},
		"no URL":          {"tei", func(c *Config) { c.BaseURL = "host" }, "http or https"},
		"dimensions":      {"tei", func(c *Config) { c.Dimensions = 2 }, "cannot shorten"},
		"ignored":         {"openai", func(c *Config) { c.Dimensions = 2 }, "2 dimensions asked for, 3 came"},
		"truncate":        {"openai", func(c *Config) { c.Truncate = true }, "cannot be asked to cut"},
		"negative":        {"tei", func(c *Config) { c.Batch = -1 }, "negative"},
	} {
		cfg := config(t, s, x.kind)
		x.change(&cfg)
		_, err := Open(t.Context(), x.kind, cfg)
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(fmt.Sprint(err), x.says) || strings.Contains(fmt.Sprint(err), "p4ss") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIDFollowsTheWeights(t *testing.T) {
	s := newServer(t)
	cfg := config(t, s, "ollama")
	a, err := Open(t.Context(), "ollama", cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Model = "other:1b"
	b, err := Open(t.Context(), "ollama", cfg)
	if err != nil || a.ID() == b.ID() {
		t.Errorf("%v, %s", err, a.ID())
	}
	if strings.Contains(fmt.Sprintf("%+v", a.cfg), secret) {
		t.Error("the key prints")
	}
}

func FuzzVector(f *testing.F) {
	for _, s := range []string{`[1,2.5,-3e-2]`, `[]`, `[null]`, `null`, `[1e999]`, `["1"]`, ` [ 1 , 2 ] `, `[[1]]`, `{}`, `[true]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v vector
		if err := json.Unmarshal(data, &v); err != nil {
			return
		}
		var want []*float64
		if err := json.Unmarshal(data, &want); err != nil || len(want) != len(v) {
			t.Fatalf("%q gives %v; encoding/json: %v", data, v, err)
		}
		for i, x := range want {
			if x == nil || float32(*x) != v[i] {
				t.Fatalf("%q: number %d is %v", data, i, v[i])
			}
		}
		if bytes.Contains(data, []byte("null")) {
			t.Fatalf("%q accepted", data)
		}
	})
}
