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
// that the cache does not have.
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
	if files, err = neededFiles(files); err != nil {
		return "", err
	}
	for _, file := range files {
		if err := p.file(ctx, commit, file); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
	}
	if err := p.cache.recordAbsent(commit, files); err != nil {
		return "", err
	}
	if err := p.cache.setRef(p.opt.Revision, commit); err != nil {
		return "", err
	}
	return p.cache.dir("snapshots", commit), nil
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

// neededFiles returns the files that a sentence encoder needs.
func neededFiles(files []string) ([]string, error) {
	var list []string
	for _, f := range files {
		local := filepath.IsLocal(filepath.FromSlash(f)) && !strings.Contains(f, "\\")
		base, dir := path.Base(f), path.Dir(f)
		wanted := dir == "." && (base == "model.safetensors" || base == "vocab.txt" || strings.HasSuffix(base, ".json")) ||
			base == "config.json" && !strings.Contains(dir, "/") && dir[0] >= '0' && dir[0] <= '9'
		if wanted && !local {
			return nil, fmt.Errorf("the hub lists the unsafe file name %q", f)
		}
		if wanted {
			list = append(list, f)
		}
	}
	if !slices.Contains(list, "config.json") || !slices.Contains(list, "model.safetensors") {
		return nil, usererr.New("Choose a model that has config.json and model.safetensors.",
			"unsupported model: it has %d files, and not both config.json and model.safetensors", len(files))
	}
	slices.Sort(list)
	return list, nil
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
