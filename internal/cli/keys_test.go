package cli

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
)

// parrot answers as a server of either dialect that has a model, and hands every question
// to answer together with the key that came with it.
func parrot(t *testing.T, answer func(w http.ResponseWriter, key string)) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/models", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"data":[{"id":"gemma3:27b"}]}`) })
	mux.HandleFunc("/api/version", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"version":"0"}`) })
	mux.HandleFunc("/api/tags", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"models":[{"name":"gemma3:27b","digest":"d"}]}`)
	})
	mux.HandleFunc("/api/show", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"capabilities":["vision"]}`) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		answer(w, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// wantSecret fails if the key stands in the output or in any file of the workspace.
func wantSecret(t *testing.T, ws string, outputs ...string) {
	t.Helper()
	for _, out := range outputs {
		if strings.Contains(out, mllmKey) || strings.Contains(out, mllmKey[:12]) {
			t.Errorf("the key is shown: %s", out)
		}
	}
	err := filepath.WalkDir(ws, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(mllmKey[:12])) {
			t.Errorf("the key is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestKeysShowNowhere asks servers that repeat the key they were given wherever a server
// can put words: it is neither shown nor kept, and no less the answers that are.
func TestKeysShowNowhere(t *testing.T) {
	t.Setenv("PARROT_KEY", mllmKey)
	body := func(status int, format string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, key string) {
			w.WriteHeader(status)
			fmt.Fprintf(w, format, key)
		}
	}
	long := strings.Repeat("x", 390) // so that an excerpt ends in the middle of the key
	for name, answer := range map[string]func(http.ResponseWriter, string){
		"401":           body(401, `{"error":{"message":"incorrect API key provided: %s"}}`),
		"400":           body(400, `{"error":{"message":"bad request by %s"}}`),
		"400 at length": body(400, `{"error":{"message":"`+long+`%s"}}`),
		"500":           body(500, `<html>internal error, key=%s</html>`),
		"429":           body(429, `{"error":"insufficient_quota for %s"}`),
		"torn":          body(200, `{"model":"gemma3:27b","message":{"content":"%s`),
		"error in 200":  body(200, `{"error":"%s is unknown"}`),
		"model":         body(200, `{"model":"%[1]s","done":true,"message":{"content":"x"},"choices":[{"message":{"content":"x"}}]}`),
		"answer": body(200, `{"model":"gemma3:27b","done":true,"done_reason":"stop","prompt_eval_count":5000,"message":{"content":"A buyer with the key %[1]s who likes mugs."},`+
			`"choices":[{"finish_reason":"stop","message":{"content":"A buyer with the key %[1]s who likes mugs."}}]}`),
		"redirect": func(w http.ResponseWriter, key string) {
			w.Header().Set("Location", "http://elsewhere/?key="+key)
			w.WriteHeader(302)
		},
	} {
		for _, dialect := range []string{"ollama", "openai"} {
			t.Run(name+"/"+dialect, func(t *testing.T) {
				t.Parallel()
				ws := shopOfUsers(t, t.TempDir(), 2)
				url := parrot(t, answer)
				args := []string{"reason", ws, "--mllm", dialect, "--model", "gemma3:27b", "--base-url", url + "#concurrency=1", "--api-key-env", "PARROT_KEY", "--attempts", "1", "--max-hours", "0.0005"}
				_, out, errs := call(t, args...)
				if out+errs == "" {
					t.Error("nothing was said")
				}
				_, shown, shownErrs := call(t, "reason", "show", ws, "--json")
				_, status, _ := call(t, "status", ws, "--json")
				wantSecret(t, ws, out, errs, shown, shownErrs, status)
			})
		}
	}
	t.Run("honest", func(t *testing.T) {
		server := mllmtest.New(t, mllmtest.Options{Key: mllmKey})
		ws := shopOfUsers(t, t.TempDir(), 4)
		code, out, errs := call(t, "reason", ws, "--mllm", "openai", "--model", "gemma3:27b", "--base-url", server.URL, "--api-key-env", "PARROT_KEY", "--json")
		if code != exitOK {
			t.Fatalf("exit %d: %s", code, errs)
		}
		wantSecret(t, ws, out, errs)
		wantOnce(t, ws, 4, server)
	})
}
