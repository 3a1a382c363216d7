package connect

import (
	"net/url"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
)

// Target is where requests would go, and the variable whose value would go along.
type Target struct {
	URL    string // without settings
	KeyEnv string // "" = no key
}

// Targets returns where a pool of these options would send, without making it: not the
// default address without a key, which is this machine's own. A setting that cannot be read
// is left to [Pool] to refuse.
func Targets(opt Options) []Target {
	urls := opt.URLs
	if len(urls) == 0 && opt.Kind == Ollama {
		urls = []string{ollama.DefaultURL}
	}
	var all []Target
	for _, written := range urls {
		base, fragment, _ := strings.Cut(written, "#")
		kind, key := opt.Kind, opt.KeyEnv
		if values, err := url.ParseQuery(fragment); err == nil {
			if v := values["kind"]; len(v) > 0 {
				kind = v[len(v)-1]
			}
			if v := values["key-env"]; len(v) > 0 {
				key = v[len(v)-1]
			}
		}
		if key == "" && kind == OpenAI {
			key = DefaultKeyEnv // sent where it is set
		}
		t := Target{strings.TrimRight(strings.TrimSpace(base), "/"), key}
		if t != (Target{URL: ollama.DefaultURL}) {
			all = append(all, t)
		}
	}
	return all
}
