// Package llamatest gives tests real llama.cpp servers with a small language model, SmolLM2,
// whose answers are poor: it loops, echoes and counts, which is what answers are checked for.
package llamatest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// DirEnv names the folder with what the servers need: venv/bin/python with the package
// xllamacpp, smollm2.gguf and projector.gguf (scripts/llama_server.py writes it).
const DirEnv = "MLLMREC_LLAMA_DIR"

// Model is the name that the servers give their model.
const Model = "smollm2"

// Options say what a server is started as.
type Options struct {
	Context  int  // tokens; 0 = 4096
	Pictures bool // with a projector, so that the model takes pictures
	Embed    bool // makes vectors of texts, and answers nothing
}

// Start runs a server and returns its address. Without the folder in the environment the
// test is skipped.
func Start(t testing.TB, o Options) string {
	t.Helper()
	dir := os.Getenv(DirEnv)
	if dir == "" {
		t.Skipf("set %s to a folder with a llama.cpp server and its models to run this against real ones (make test-llama fetches them)", DirEnv)
	}
	if o.Context == 0 {
		o.Context = 4096
	}
	mode := "chat"
	if o.Embed {
		mode = "embed"
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, here, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(here), "..", "..", "..", "..", "scripts", "llama_server.py")
	args := []string{script, "serve", filepath.Join(dir, "smollm2.gguf"), fmt.Sprint(port), Model, mode, fmt.Sprint(o.Context)}
	if o.Pictures {
		args = append(args, filepath.Join(dir, "projector.gguf"))
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(context.Background(), filepath.Join(dir, "venv", "bin", "python"), args...) // it is stopped below
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() //nolint:errcheck // it is killed
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil && !strings.Contains(err.Error(), "already finished") {
			t.Log(err)
		}
		<-ended
		if t.Failed() {
			text := log.String()
			t.Logf("the server's log ends:\n%s", text[max(0, len(text)-3000):])
		}
	})
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	for start := time.Now(); !healthy(t.Context(), url); time.Sleep(100 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatal("the server ended by itself")
		default:
		}
		if time.Since(start) > 60*time.Second {
			t.Fatal("the server does not start")
		}
	}
	return url
}

func healthy(ctx context.Context, url string) bool {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/health", nil)
	if err != nil {
		return false
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return false
	}
	defer r.Body.Close()
	return r.StatusCode == http.StatusOK
}
