package cli

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mllmrec/mllmrec/mllm/mllmtest"
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
	for name, value := range map[string]string{"MLLM": honest.URL, "KEYED": keyed.URL, "SICK": sick.URL, "MLLM_KEY": mllmKey, "OPENAI_API_KEY": ""} {
		env.Setenv(name, value)
	}
	return nil
}
