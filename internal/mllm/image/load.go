package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// Loader reads and prepares pictures. It is safe for concurrent use.
type Loader struct {
	opt      Options
	allowed  func(netip.AddrPort) bool
	client   *http.Client
	hosts    *hosts
	decoding *semaphore.Weighted
	backoff  time.Duration
	root     *os.Root
}

// NewLoader checks the options and returns a Loader.
func NewLoader(opt Options) (*Loader, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Loader{opt: opt, hosts: newHosts(opt.PerHost), decoding: semaphore.NewWeighted(opt.MaxPixels), backoff: 250 * time.Millisecond}
	l.allowed = func(ap netip.AddrPort) bool { return opt.AllowPrivate || public(ap.Addr()) }
	l.client = &http.Client{Transport: l.transport(nil), CheckRedirect: l.checkRedirect}
	if opt.Dir != "" {
		if l.root, err = os.OpenRoot(opt.Dir); err != nil {
			return nil, fmt.Errorf("open the folder of pictures: %w", err)
		}
	}
	return l, nil
}

// Close frees the loader's connections and its folder.
func (l *Loader) Close() error {
	l.client.CloseIdleConnections()
	if l.root != nil {
		return l.root.Close()
	}
	return nil
}

// Load reads and prepares the picture that ref points to: an http or https URL, a data
// URI, or the path of a file. Errors are *Error with Ref set, or wrap ErrCache.
func (l *Loader) Load(ctx context.Context, ref string) (mllm.Image, error) {
	img, err := l.load(ctx, ref)
	if err == nil {
		return img, nil
	}
	var e *Error
	switch {
	case errors.Is(err, ErrCache): // the cause is not the picture
		return mllm.Image{}, err
	case !errors.As(err, &e):
		return mllm.Image{}, fmt.Errorf("image %s: %w", displayRef(ref), err)
	}
	labelled := *e
	labelled.Ref = displayRef(ref)
	return mllm.Image{}, &labelled
}

func (l *Loader) load(ctx context.Context, ref string) (mllm.Image, error) {
	if err := ctx.Err(); err != nil {
		return mllm.Image{}, &Error{Kind: Cancelled, Err: err}
	}
	data, err := l.read(ctx, ref)
	if err != nil {
		return mllm.Image{}, err
	}
	return l.Prepare(ctx, data)
}

// scheme matches the beginning of a URL. It has at least two letters, so that a Windows drive
// begins a path.
var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:`)

// read returns the encoded bytes that ref points to.
func (l *Loader) read(ctx context.Context, ref string) ([]byte, error) {
	ref = strings.TrimSpace(ref)
	prefix := strings.ToLower(scheme.FindString(ref))
	switch prefix {
	case "":
		return l.readFile(ref)
	case "data:":
		return l.readDataURI(ref[len(prefix):])
	case "http:", "https:":
		return l.readURL(ctx, ref)
	}
	return nil, fail(BadReference, "only http, https and data URLs are followed, not %q; write a file's path with ./ before it", strings.TrimSuffix(prefix, ":"))
}

func (l *Loader) readFile(path string) ([]byte, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, fail(BadReference, "the path is empty or no path")
	}
	f, err := l.open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fail(Missing, "there is no such file")
	case KindOf(err) != "":
		return nil, err
	case err != nil:
		return nil, fail(Unreadable, "%w", withoutPath(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fail(Unreadable, "%w", withoutPath(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fail(Unreadable, "it is not a regular file")
	}
	data, err := readBounded(f, l.opt.MaxBytes, info.Size())
	if err != nil && KindOf(err) == "" {
		return nil, fail(Unreadable, "%w", withoutPath(err))
	}
	return data, err
}

// open opens a file. If the path is a named pipe it does not wait for a writer.
func (l *Loader) open(path string) (*os.File, error) {
	if l.root != nil {
		return l.root.OpenFile(path, os.O_RDONLY|nonblock, 0)
	}
	if l.opt.Within != nil {
		return l.openWithin(path)
	}
	return os.OpenFile(path, os.O_RDONLY|nonblock, 0)
}

// openWithin opens a file in one of the folders that pictures must lie in.
func (l *Loader) openWithin(path string) (*os.File, error) {
	outside := fail(Outside, "it lies outside the folder of the catalogue's pictures")
	for _, dir := range l.opt.Within {
		rel, err := filepath.Rel(dir, path)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		f, err := root.OpenFile(rel, os.O_RDONLY|nonblock, 0)
		root.Close()
		if err != nil && strings.Contains(err.Error(), "escapes") {
			return nil, outside
		}
		return f, err
	}
	return nil, outside
}

func withoutPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// readDataURI reads what follows "data:" (RFC 2397).
func (l *Loader) readDataURI(rest string) ([]byte, error) {
	head, body, ok := strings.Cut(rest, ",")
	if !ok {
		return nil, fail(BadReference, "the data URI has no comma")
	}
	if int64(len(body)) > 4*l.opt.MaxBytes {
		return nil, fail(TooLarge, "more than %d bytes", l.opt.MaxBytes)
	}
	body, err := url.PathUnescape(body)
	if err != nil {
		return nil, fail(BadReference, "the data URI is escaped wrongly")
	}
	if !strings.HasSuffix(strings.ToLower(strings.TrimSpace(head)), ";base64") {
		return readBounded(strings.NewReader(body), l.opt.MaxBytes, int64(len(body)))
	}
	body = strings.TrimRight(body, "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(body, "-_") {
		encoding = base64.RawURLEncoding
	}
	data, err := readBounded(base64.NewDecoder(encoding, strings.NewReader(body)), l.opt.MaxBytes, -1)
	if err != nil && KindOf(err) == "" {
		return nil, fail(BadReference, "the data URI is not base64")
	}
	return data, err
}

// readURL downloads a picture, or takes it from the cache while it is fresh. If asking the
// server again fails in a way that may pass, it uses the cached bytes (stale-if-error of
// RFC 5861): a server that is down has not changed the picture.
func (l *Loader) readURL(ctx context.Context, ref string) ([]byte, error) {
	u, err := url.Parse(ref)
	if err != nil {
		return nil, fail(BadReference, "it is not a URL")
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	u.Fragment = ""
	key := u.String()
	have := l.cached(key)
	if have != nil && time.Since(have.Fetched) < l.opt.Revalidate {
		return have.data, nil
	}
	var etag, lastModified string
	if have != nil {
		etag, lastModified = have.ETag, have.LastModified
	}
	got, err := l.fetch(ctx, u, etag, lastModified)
	if err != nil {
		var e *Error
		if have != nil && errors.As(err, &e) && e.Temporary {
			return have.data, nil
		}
		return nil, err
	}
	if got.notModified {
		have.Fetched = time.Now().UTC()
		return have.data, l.keep(have)
	}
	if _, err := sniff(got.data); err != nil {
		return nil, err // do not cache an error page that came with HTTP 200
	}
	fresh := &entry{URL: key, ETag: got.etag, LastModified: got.lastModified, Fetched: time.Now().UTC(), SHA256: hash(got.data), data: got.data}
	return got.data, l.keep(fresh)
}

var _ io.Closer = (*Loader)(nil)

// displayRef shortens a reference for a message, without credentials, query (which may be a
// signature) and data.
func displayRef(ref string) string {
	const most = 120
	if strings.HasPrefix(strings.ToLower(ref), "data:") {
		head, _, _ := strings.Cut(ref, ",")
		return head[:min(len(head), 40)] + ",…"
	}
	if scheme.MatchString(ref) {
		if at := strings.IndexAny(ref, "?#"); at >= 0 {
			ref = ref[:at] + "?…"
		}
		if start := strings.Index(ref, "//"); start >= 0 {
			authority, _, _ := strings.Cut(ref[start+2:], "/")
			if at := strings.LastIndexByte(authority, '@'); at >= 0 {
				ref = ref[:start+2] + "…" + ref[start+2+at:]
			}
		}
	}
	if runes := []rune(ref); len(runes) > most {
		ref = string(runes[:most]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, ref)
}
