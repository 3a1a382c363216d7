package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// maxListing bounds the answer that lists a model's files.
const maxListing = 32 << 20

// Pull downloads a model into the cache and returns its snapshot folder. It downloads only the
// files that a sentence encoder needs (model.safetensors, vocab.txt and the JSON files) and
// that the cache does not have; vocabularies and weights last, if Options.Check accepts the others.
func Pull(ctx context.Context, name string, opt Options) (string, error) {
	repo, err := RepoName(name)
	if err != nil {
		return "", err
	}
	if opt, err = opt.withEnv(); err != nil {
		return "", err
	}
	cache := repoCache{opt.CacheDir, repo}
	if opt.Offline {
		if dir, err := cache.snapshot(opt.Revision); err == nil && cache.firstUnknown(dir) == "" {
			return dir, nil
		}
		return "", absent(repo, "offline (HF_HUB_OFFLINE), and the model %s is not in the cache %s", repo, opt.CacheDir)
	}
	p := &puller{opt: opt, repo: repo, cache: cache}
	dir, err := p.pull(ctx)
	if err != nil {
		return "", fmt.Errorf("download the model %s: %w", repo, err)
	}
	return dir, nil
}

type puller struct {
	opt   Options
	repo  string
	cache repoCache
}

func (p *puller) pull(ctx context.Context) (string, error) {
	commit, files, err := p.list(ctx)
	if err != nil {
		return "", err
	}
	small, large, err := neededFiles(p.repo, files)
	if err != nil {
		return "", err
	}
	if err := p.files(ctx, commit, small); err != nil {
		return "", err
	}
	if err := p.opt.Check(p.cache.dir("snapshots", commit)); err != nil {
		return "", err
	}
	if err := p.files(ctx, commit, large); err != nil {
		return "", err
	}
	if err := p.cache.recordAbsent(commit, files); err != nil {
		return "", err
	}
	if err := p.cache.setRef(p.opt.Revision, commit); err != nil {
		return "", err
	}
	return p.cache.dir("snapshots", commit), nil
}

func (p *puller) files(ctx context.Context, commit string, files []string) error {
	for _, file := range files {
		if err := p.file(ctx, commit, file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// list asks the hub for the commit of the revision and its files.
func (p *puller) list(ctx context.Context) (commit string, files []string, err error) {
	var answer struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
		} `json:"siblings"`
	}
	address := p.opt.Endpoint + "/api/models/" + p.repo + "/revision/" + url.PathEscape(p.opt.Revision)
	err = p.retry(ctx, func() error {
		res, err := p.do(ctx, http.MethodGet, address, nil, p.opt.Client)
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		if err := p.status(res, http.StatusOK); err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(res.Body, maxListing))
		if err != nil {
			return transient(fmt.Errorf("read the list of files: %w", err))
		}
		if err := json.Unmarshal(data, &answer); err != nil {
			return transient(fmt.Errorf("the list of files is not valid JSON: %w", err))
		}
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	if !commitPattern.MatchString(answer.SHA) {
		return "", nil, fmt.Errorf("the hub named no commit for revision %s", p.opt.Revision)
	}
	for _, s := range answer.Siblings {
		files = append(files, s.Name)
	}
	return answer.SHA, files, nil
}

const weightsFile = "model.safetensors"

// largeFiles are fetched when the others tell of a model that is run.
var largeFiles = []string{weightsFile, "tokenizer.json", "vocab.json", "vocab.txt"}

// neededFiles returns the files that a sentence encoder needs: those that say what it is, and
// the large ones, vocabularies and weights. Modules lie in folders whose names begin with a
// digit.
func neededFiles(repo string, files []string) (small, large []string, err error) {
	weights := false
	for _, f := range files {
		base, dir := path.Base(f), path.Dir(f)
		module := !strings.Contains(dir, "/") && dir[0] >= '0' && dir[0] <= '9'
		isLarge := slices.Contains(largeFiles, base)
		if dir != "." && !module || !isLarge && !strings.HasSuffix(base, ".json") {
			continue
		}
		if !filepath.IsLocal(filepath.FromSlash(f)) || strings.Contains(f, "\\") {
			return nil, nil, fmt.Errorf("the hub lists the unsafe file name %q", f)
		}
		if isLarge {
			large = append(large, f)
		} else {
			small = append(small, f)
		}
		weights = weights || base == weightsFile
	}
	if !slices.Contains(small, "config.json") && !slices.Contains(small, "modules.json") {
		return nil, nil, usererr.New("Choose a sentence encoder, such as "+DefaultModel+".",
			"unsupported model: %s has %d files, and neither config.json nor modules.json", repo, len(files))
	}
	if !weights {
		return nil, nil, noWeights(repo, files)
	}
	slices.Sort(small)
	slices.Sort(large)
	return small, large, nil
}

// noWeights says what a model that could be run has instead of model.safetensors.
func noWeights(repo string, files []string) error {
	has := func(end string) bool {
		return slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, end) })
	}
	switch {
	case has("pytorch_model.bin"), has("pytorch_model.bin.index.json"), has("model.safetensors.index.json"):
		return usererr.New(fmt.Sprintf("Write them as one file with Python (sentence-transformers and torch), and name its folder: "+
			`python -c "from sentence_transformers import SentenceTransformer as S; S('%s').save('FOLDER')"`, repo),
			"unsupported model: %s has no model.safetensors but its weights as Python pickles or in several parts", repo)
	case has(".onnx"):
		return usererr.New("An ONNX graph is not run. Pull the model that it was made from; its page names it.",
			"unsupported model: %s has no model.safetensors but ONNX graphs", repo)
	}
	return usererr.New("Choose a model that has model.safetensors.", "unsupported model: %s has %d files and no model.safetensors", repo, len(files))
}

// remote is what the hub reports about a file before the download.
type remote struct {
	etag string // its name in the cache: SHA-256, git's SHA-1, or something else on a mirror
	size int64
}

// stat asks the hub for a file's hash and size. It follows redirects within the hub, but not
// one to the store of large files, which does not report the hash.
func (p *puller) stat(ctx context.Context, address string) (r remote, err error) {
	client := *p.opt.Client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > 5 || next.URL.Host != via[0].URL.Host || linkedETag(next.Response) != "" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	err = p.retry(ctx, func() error {
		res, err := p.do(ctx, http.MethodHead, address, http.Header{"Accept-Encoding": {"identity"}}, &client)
		if err != nil {
			return err
		}
		_ = res.Body.Close() // a HEAD has none
		if res.StatusCode < 300 || res.StatusCode >= 400 {
			if err := p.status(res, http.StatusOK); err != nil {
				return err
			}
		}
		r, err = describe(res)
		return err
	})
	return r, err
}

func linkedETag(res *http.Response) string {
	if res == nil {
		return ""
	}
	return res.Header.Get("X-Linked-Etag")
}

func describe(res *http.Response) (remote, error) {
	etag := firstOf(linkedETag(res), res.Header.Get("ETag"))
	etag = strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
	if !etagPattern.MatchString(etag) {
		return remote{}, errors.New("the hub sent no usable ETag")
	}
	size, err := strconv.ParseInt(firstOf(res.Header.Get("X-Linked-Size"), res.Header.Get("Content-Length")), 10, 64)
	if err != nil || size < 0 {
		return remote{}, errors.New("the hub did not say how large the file is")
	}
	return remote{etag, size}, nil
}

// escapePath escapes each element of a slash path.
func escapePath(s string) string {
	parts := strings.Split(s, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
