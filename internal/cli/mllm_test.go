package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
)

// mllmKey is the key that the server behind $KEYED wants; it must never show.
const mllmKey = "sk-secret-5f1d2c3b4a"

// setupScripts gives each script what the encoders' have, and three model servers: an
// honest one ($MLLM), one that wants a key ($KEYED), and one ($SICK) that gives no good
// answer about the item or user named in the file sick, while that exists.
func setupScripts(env *testscript.Env) error {
	if err := setupEncoders(env); err != nil {
		return err
	}
	honest := mllmtest.New(nil, mllmtest.Options{})
	env.Defer(honest.Stop)
	keyed := mllmtest.New(nil, mllmtest.Options{Key: mllmKey, Model: "gpt-test"})
	env.Defer(keyed.Stop)
	sick := mllmtest.New(nil, mllmtest.Options{Choose: func(r mllmtest.Record) (mllmtest.Fault, bool) {
		words, err := os.ReadFile(filepath.Join(env.WorkDir, "sick"))
		return mllmtest.Refusal, err == nil && strings.Contains(r.Prompt, strings.TrimSpace(string(words)))
	}})
	env.Defer(sick.Stop)
	for name, value := range map[string]string{"MLLMREC_CONFIG_DIR": filepath.Join(env.WorkDir, ".config"), "MLLM": honest.URL, "KEYED": keyed.URL, "SICK": sick.URL, "MLLM_KEY": mllmKey, "OPENAI_API_KEY": ""} {
		env.Setenv(name, value)
	}
	return nil
}

// runBatch answers a batch file as a service would, in another order, by asking server;
// the first request it gets fails.
func runBatch(server, in, out string) int {
	data, err := os.ReadFile(in)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	var results bytes.Buffer
	for i := len(lines) - 1; i >= 0; i-- {
		var req struct {
			ID   string          `json:"custom_id"`
			URL  string          `json:"url"`
			Body json.RawMessage `json:"body"`
		}
		if err := json.Unmarshal(lines[i], &req); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		result := map[string]any{"custom_id": req.ID, "response": nil, "error": map[string]any{"code": "batch_expired", "message": "too late"}}
		if i > 0 {
			resp, err := http.Post(server+req.URL, "application/json", bytes.NewReader(req.Body))
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			result["error"], result["response"] = nil, map[string]any{"status_code": resp.StatusCode, "body": json.RawMessage(body)}
		}
		line, _ := json.Marshal(result)
		results.Write(append(line, '\n'))
	}
	if err := os.WriteFile(out, results.Bytes(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
