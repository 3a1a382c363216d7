// Package ollamatest gives tests a real Ollama server with a tiny model that sees: a
// Gemma 3 with random weights, whose answers are noise. That the parts fit is the point.
package ollamatest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

// BinaryEnv names the Ollama binary that tests are to run.
const BinaryEnv = "MLLMREC_OLLAMA_BIN"

// The models of the server: the same random weights. Model writes until it may write no
// more; Brief stops where a word begins with a certain digit, as if it were done.
const (
	Model = "tiny-gemma3"
	Brief = "tiny-gemma3-brief"

	// The turns of Gemma 3, system message and user message alike.
	template = "{{ range .Messages }}<start_of_turn>user\n{{ .Content }}<end_of_turn>\n{{ end }}<start_of_turn>model\n"
)

// Start runs a server, with folders of its own, that has the tiny models, and returns its
// address. Without a binary in the environment the test is skipped.
func Start(t testing.TB) string {
	t.Helper()
	binary := os.Getenv(BinaryEnv)
	if binary == "" {
		t.Skipf("set %s to an Ollama binary to run this against a real server (make test-ollama builds one)", BinaryEnv)
	}
	address := freeAddress(t)
	home := t.TempDir()
	var log bytes.Buffer
	cmd := exec.CommandContext(context.Background(), binary, "serve") // it is stopped below, gently at first
	cmd.Env = append(os.Environ(), "OLLAMA_HOST="+address, "HOME="+home, "OLLAMA_MODELS="+home+"/models", "OLLAMA_NUM_PARALLEL=1", "OLLAMA_KEEP_ALIVE=10m")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Log(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			cmd.Wait() //nolint:errcheck // it was killed
		}()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			if err := cmd.Process.Kill(); err != nil {
				t.Log(err)
			}
			<-ended
		}
		if t.Failed() {
			text := log.String()
			t.Logf("the server's log ends:\n%s", text[max(0, len(text)-6000):])
		}
	})
	url := "http://" + address
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		_, _, err := send(t.Context(), http.MethodGet, url+"/api/version", nil)
		if err == nil {
			break
		}
		if time.Since(start) > 30*time.Second {
			t.Fatalf("the server does not start: %v", err)
		}
	}
	createModels(t, url)
	return url
}

// freeAddress returns an address that no server listens at.
func freeAddress(t testing.TB) string {
	t.Helper()
	var any net.ListenConfig
	l, err := any.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// send sends a request and reads the answer whole.
func send(ctx context.Context, method, url string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, errors.Join(err, resp.Body.Close())
}

// createModels uploads the GGUF file and makes the models of it.
func createModels(t testing.TB, url string) {
	t.Helper()
	data := tinyGemma3()
	sum := sha256.Sum256(data)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	post := func(path string, body []byte) {
		t.Helper()
		status, answer, err := send(t.Context(), http.MethodPost, url+path, body)
		if err != nil || status/100 != 2 {
			t.Fatalf("%s: HTTP %d: %s, %v", path, status, answer, err)
		}
	}
	post("/api/blobs/"+digest, data)
	for name, stop := range map[string][]string{Model: nil, Brief: {"word7"}} {
		// More threads would spin on each other's tiny steps, on a busy machine for ever.
		parameters := map[string]any{"num_thread": 1}
		if stop != nil {
			parameters["stop"] = stop
		}
		request, err := json.Marshal(map[string]any{"model": name, "files": map[string]string{"tiny.gguf": digest}, "template": template,
			"stream": false, "parameters": parameters})
		if err != nil {
			t.Fatal(err)
		}
		post("/api/create", request)
	}
}
