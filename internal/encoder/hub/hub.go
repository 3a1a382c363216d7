// Package hub downloads models from the Hugging Face hub, or a mirror of it, into the cache
// folder that the Python tools share, and finds models there. The layout of the cache is:
//
//	models--org--name/refs/<revision>          the commit that a branch or tag pointed to
//	models--org--name/blobs/<etag>             one file for each content
//	models--org--name/snapshots/<commit>/...   links to the blobs
//
// Every file is checked against the hash that the hub names it by: SHA-256 for large files,
// git's SHA-1 for small ones. An interrupted download is resumed.
package hub

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// DefaultModel is the paper's sentence encoder.
const DefaultModel = "sentence-transformers/all-MiniLM-L6-v2"

const defaultEndpoint = "https://huggingface.co"

// Options say where models are downloaded from and where the cache is. Fields that are zero
// are taken from the environment, as by the Python tools.
type Options struct {
	Endpoint string // HF_ENDPOINT, else the hub
	Revision string // branch, tag or commit; "main" when empty
	Token    string // HF_TOKEN, else the token file in HF_HOME
	CacheDir string // HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub
	Offline  bool   // also set by HF_HUB_OFFLINE
	Client   *http.Client
	Retries  int                 // further tries after a failed transfer or a server error; 0 is 5, negative none
	Backoff  time.Duration       // wait before the first retry, doubled each time; 0 is one second
	Progress func(file Progress) // called as bytes arrive, from one goroutine

	// Check is called with the snapshot's folder when its configuration is there, before
	// vocabularies and weights are fetched; an error ends the pull. nil accepts every model.
	Check func(dir string) error
}

// Progress is the state of the download of one file.
type Progress struct {
	File        string
	Done, Total int64 // bytes
	Cached      bool  // it was in the cache already
}

// withEnv fills empty fields from the environment.
func (o Options) withEnv() (Options, error) {
	if o.Endpoint == "" {
		o.Endpoint = firstOf(os.Getenv("HF_ENDPOINT"), defaultEndpoint)
	}
	o.Endpoint = strings.TrimRight(o.Endpoint, "/")
	if u, err := url.Parse(o.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return o, usererr.New("Set HF_ENDPOINT to a URL such as "+defaultEndpoint+".", "the hub's address is no http or https URL")
	}
	o.Revision = firstOf(o.Revision, "main")
	if !filepath.IsLocal(o.Revision) || strings.ContainsAny(o.Revision, "\\?#") {
		return o, usererr.New("", "%q is no revision", o.Revision)
	}
	home, err := hfHome()
	if err != nil {
		return o, err
	}
	o.CacheDir = firstOf(o.CacheDir, os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE"), filepath.Join(home, "hub"))
	if o.Token == "" {
		o.Token = firstOf(os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN"))
	}
	if o.Token == "" {
		if data, err := plainfile.Read(firstOf(os.Getenv("HF_TOKEN_PATH"), filepath.Join(home, "token")), 64<<10); err == nil {
			o.Token = strings.TrimSpace(string(data))
		}
	}
	secret.Register(o.Token)
	o.Offline = o.Offline || isTrue(os.Getenv("HF_HUB_OFFLINE")) || isTrue(os.Getenv("TRANSFORMERS_OFFLINE"))
	if o.Client == nil {
		o.Client = &http.Client{}
	}
	if o.Retries == 0 {
		o.Retries = 5
	}
	if o.Backoff <= 0 {
		o.Backoff = time.Second
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Check == nil {
		o.Check = func(string) error { return nil }
	}
	return o, nil
}

func hfHome() (string, error) {
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "huggingface"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usererr.Wrap(fmt.Errorf("find the model cache: %w", err), "Set HF_HOME or HF_HUB_CACHE to a folder.")
	}
	return filepath.Join(home, ".cache", "huggingface"), nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func isTrue(s string) bool {
	switch strings.ToUpper(s) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

var (
	repoPattern   = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9._-]*/)?[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	commitPattern = regexp.MustCompile(`^[0-9a-f]{40}$`)
	etagPattern   = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$`)
)

// RepoName completes a model name: a name without an organisation belongs to
// sentence-transformers, as in Sentence-Transformers itself.
func RepoName(name string) (string, error) {
	if !repoPattern.MatchString(name) || strings.Contains(name, "--") || strings.Contains(name, "..") {
		return "", usererr.New("Give a name such as "+DefaultModel+".", "%q is no model name", name)
	}
	if !strings.Contains(name, "/") {
		return "sentence-transformers/" + name, nil
	}
	return name, nil
}
