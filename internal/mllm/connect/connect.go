// Package connect makes a pool of model servers from the user's settings: the kind of server
// and one or more base URLs, which may carry limits of their own.
package connect

import (
	"fmt"
	"math"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The kinds of server.
const (
	Ollama = "ollama"
	OpenAI = "openai"
)

// DefaultKeyEnv names the variable that holds the key of an OpenAI-compatible server
// unless another is named. It need not be set.
const DefaultKeyEnv = "OPENAI_API_KEY"

// Options describe the servers.
type Options struct {
	Kind string // ollama | openai
	// URLs are the base URLs; none means ollama.DefaultURL. Settings of one server that
	// differ from those below follow a #; they are never sent:
	//
	//	http://gpu1:11434#weight=2&concurrency=8
	//	https://api.example.com#kind=openai&key-env=EXAMPLE_KEY&rpm=500&tpm=200000
	//
	// Valid there: kind, weight, concurrency, rpm, tpm, key-env, any-model (an
	// OpenAI-compatible server may answer under another name than the one asked for).
	URLs        []string
	KeyEnv      string // variable that holds the key; must be set if named
	Concurrency int    // requests in flight at one endpoint, fewer at endpoints of lower weight; 0 means 4
	RPM, TPM    float64
	Timeout     time.Duration // of one attempt; 0 means the client's default
	PerImage    int           // tokens a picture, for estimates
	KeepAlive   string        // Ollama only
	MaxNumCtx   int           // Ollama only
	Body        openai.BodyOptions
	Pool        mllm.PoolOptions
}

const defaultConcurrency = 4

// maxConcurrency bounds the requests in flight at one endpoint, each of which holds a
// prompt and a picture: records of a workspace say how many, and may be a stranger's.
const maxConcurrency = 1024

const settings = "After the # of a base URL, write kind, weight, concurrency, rpm, tpm, key-env or any-model=yes, joined by &."

// Pool makes the pool. It does not contact the servers; Describe does.
func Pool(opt Options) (*mllm.Pool, error) {
	if opt.Concurrency < 0 {
		return nil, usererr.New("Leave it out for the default.", "%d requests in flight", opt.Concurrency)
	}
	if opt.Concurrency > maxConcurrency {
		return nil, usererr.New(fmt.Sprintf("Use %d at most.", maxConcurrency), "%d requests in flight", opt.Concurrency)
	}
	urls := opt.URLs
	if len(urls) == 0 {
		if opt.Kind == OpenAI {
			return nil, usererr.New("Give the base URL of the server.", "an OpenAI-compatible server has no default address")
		}
		urls = []string{ollama.DefaultURL}
	}
	endpoints := make([]mllm.EndpointConfig, 0, len(urls))
	for _, u := range urls {
		e, err := endpoint(opt, u)
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, e)
	}
	shareConcurrency(endpoints, opt.Concurrency)
	return mllm.NewPool(endpoints, opt.Pool)
}

// shareConcurrency sets the concurrency of endpoints that have none of their own: that with the
// greatest weight gets the common one, the others less in proportion to their weights. A run
// keeps every endpoint busy, so that its share of requests follows from its concurrency.
func shareConcurrency(endpoints []mllm.EndpointConfig, common int) {
	if common == 0 {
		common = defaultConcurrency
	}
	heaviest := 0.0
	for i := range endpoints {
		if endpoints[i].Weight == 0 {
			endpoints[i].Weight = 1
		}
		if endpoints[i].Concurrency == 0 {
			heaviest = max(heaviest, endpoints[i].Weight)
		}
	}
	for i := range endpoints {
		if endpoints[i].Concurrency == 0 {
			endpoints[i].Concurrency = max(1, int(math.Round(float64(common)*endpoints[i].Weight/heaviest)))
		}
	}
}

func endpoint(opt Options, written string) (mllm.EndpointConfig, error) {
	base, fragment, _ := strings.Cut(written, "#")
	e := mllm.EndpointConfig{RequestsPerMinute: opt.RPM, TokensPerMinute: opt.TPM}
	kind, keyEnv, anyModel := opt.Kind, opt.KeyEnv, false
	values, err := url.ParseQuery(fragment)
	if err != nil {
		return e, usererr.New(settings, "the settings of a base URL cannot be read")
	}
	for name, list := range values {
		value := list[len(list)-1]
		if len(list) > 1 {
			return e, usererr.New(settings, "base URL %s: %s is set twice", base, name)
		}
		var number float64
		switch name {
		case "weight", "concurrency", "rpm", "tpm":
			if number, err = strconv.ParseFloat(value, 64); err != nil || !(number > 0) || number > 1e12 || (name == "concurrency" && (number != float64(int(number)) || number > maxConcurrency)) {
				return e, usererr.New(settings, "base URL %s: %s=%s is not a positive number, or too large", base, name, value)
			}
		}
		switch name {
		case "kind":
			kind = value
		case "key-env":
			keyEnv = value
		case "any-model":
			if value != "yes" && value != "no" {
				return e, usererr.New(settings, "base URL %s: any-model=%s is neither yes nor no", base, value)
			}
			anyModel = value == "yes"
		case "weight":
			e.Weight = number
		case "concurrency":
			e.Concurrency = int(number)
		case "rpm":
			e.RequestsPerMinute = number
		case "tpm":
			e.TokensPerMinute = number
		default:
			return e, usererr.New(settings, "base URL %s: there is no setting %q", base, name)
		}
	}
	if keyEnv == "" && kind == OpenAI && os.Getenv(DefaultKeyEnv) != "" {
		keyEnv = DefaultKeyEnv
	}
	key, err := mllm.KeyFromEnv(keyEnv)
	if err != nil {
		return e, err
	}
	e.Client, err = newClient(opt, kind, base, key, anyModel)
	return e, err
}

// newClient makes one client. An option that has no effect with the kind is an error.
func newClient(opt Options, kind, base string, key mllm.Key, anyModel bool) (mllm.Client, error) {
	switch kind {
	case Ollama:
		if anyModel {
			return nil, usererr.New("Leave it out: Ollama lists all its models.", "base URL %s: any-model has no effect with Ollama", base)
		}
		return ollama.New(ollama.Config{BaseURL: base, Key: key, Timeout: opt.Timeout, PerImage: opt.PerImage,
			KeepAlive: opt.KeepAlive, MaxNumCtx: opt.MaxNumCtx})
	case OpenAI:
		if opt.Kind == OpenAI && (opt.KeepAlive != "" || opt.MaxNumCtx != 0) {
			return nil, usererr.New("Leave it out, or use an Ollama server.", "keep-alive and context window can be set for Ollama only")
		}
		return openai.New(openai.Config{BaseURL: base, Key: key, Timeout: opt.Timeout, PerImage: opt.PerImage, Body: opt.Body, AnyModel: anyModel})
	}
	return nil, usererr.New("The kinds are ollama and openai.", "unknown kind of model server %q", kind)
}
