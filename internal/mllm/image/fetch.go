package image

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// download is the result of downloading one URL.
type download struct {
	data         []byte
	etag         string
	lastModified string
	notModified  bool
}

// transport never uses a proxy: a proxy would resolve names and connect itself, where the
// address cannot be checked.
func (l *Loader) transport(resolver *net.Resolver) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: l.checkDial, Resolver: resolver}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  l.opt.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxConnsPerHost:        l.opt.PerHost,
		MaxIdleConns:           256,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true, // pictures are compressed already; a gzip bomb is not unpacked
	}
}

// checkURL refuses URLs that are not http or https, or whose host is not a plain name or
// address.
func checkURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fail(BadReference, "only http and https are followed, not %q", u.Scheme)
	case u.User != nil:
		return fail(BadReference, "the URL carries a user name")
	case host == "":
		return fail(BadReference, "the URL names no host")
	case looksNumeric(host):
		if _, err := netip.ParseAddr(host); err != nil {
			return fail(BadReference, "the host is a number, not a name or a dotted address")
		}
	}
	return nil
}

// looksNumeric reports whether some resolver may take host for an IPv4 address in one of the
// old notations: 2130706433, 0x7f000001, 0177.1.
func looksNumeric(host string) bool {
	last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]
	last = strings.TrimSuffix(last, ".")
	if hex, ok := strings.CutPrefix(strings.ToLower(last), "0x"); ok {
		last = hex
		return strings.Trim(last, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

func (l *Loader) checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > l.opt.MaxRedirects {
		return fail(Redirects, "more than %d", l.opt.MaxRedirects)
	}
	req.Header.Del("Referer")
	return checkURL(req.URL)
}

// fetch downloads u, trying again after failures that may pass.
func (l *Loader) fetch(ctx context.Context, u *url.URL, etag, lastModified string) (download, error) {
	release, err := l.hosts.acquire(ctx, u.Host)
	if err != nil {
		return download{}, &Error{Kind: Cancelled, Err: err}
	}
	defer release()
	sum := sha256.Sum256([]byte(u.String()))
	jitter := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])))
	for attempt := 1; ; attempt++ {
		d, err := l.fetchOnce(ctx, u, etag, lastModified)
		var e *Error
		if err == nil || !errors.As(err, &e) || !e.Temporary || attempt >= l.opt.Attempts || ctx.Err() != nil {
			return d, err
		}
		// Requests that failed together should not come back together.
		wait := l.backoff << (attempt - 1)
		wait += time.Duration(jitter.Int64N(int64(wait) + 1))
		if err := mllm.Sleep(ctx, min(max(wait, e.RetryAfter), l.opt.Timeout)); err != nil {
			return download{}, &Error{Kind: Cancelled, Err: err}
		}
	}
}

func (l *Loader) fetchOnce(ctx context.Context, u *url.URL, etag, lastModified string) (download, error) {
	attempt, cancel := context.WithTimeout(ctx, l.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(attempt, http.MethodGet, u.String(), nil)
	if err != nil {
		return download{}, fail(BadReference, "the URL cannot be requested")
	}
	req.Header.Set("User-Agent", l.opt.UserAgent)
	req.Header.Set("Accept", "image/jpeg,image/png,image/webp,image/gif;q=0.9,*/*;q=0.1")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	} else if lastModified != "" {
		req.Header.Set("If-Modified-Since", lastModified)
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return download{}, transportError(ctx, attempt, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && (etag != "" || lastModified != "") {
		return download{notModified: true}, nil
	}
	if resp.StatusCode != http.StatusOK {
		return download{}, statusError(resp)
	}
	data, err := readBounded(resp.Body, l.opt.MaxBytes, resp.ContentLength)
	if err != nil {
		if KindOf(err) != "" {
			return download{}, err
		}
		return download{}, transportError(ctx, attempt, err)
	}
	return download{data: data, etag: resp.Header.Get("ETag"), lastModified: resp.Header.Get("Last-Modified")}, nil
}

// readBounded reads at most most bytes. A declared length (-1 if unknown) is only used to
// refuse early, never to allocate memory.
func readBounded(r io.Reader, most, declared int64) ([]byte, error) {
	if declared > most {
		return nil, fail(TooLarge, "%d bytes; at most %d are read", declared, most)
	}
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fail(TooLarge, "more than %d bytes", most)
	}
	return data, nil
}

func transportError(parent, attempt context.Context, err error) error {
	var typed *Error
	if errors.As(err, &typed) { // from the dialer or from a redirect
		return &Error{Kind: typed.Kind, Err: typed.Err}
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // its message repeats the URL
	}
	var timeout interface{ Timeout() bool }
	var dns *net.DNSError
	switch {
	case errors.Is(parent.Err(), context.Canceled):
		return &Error{Kind: Cancelled, Err: err}
	case attempt.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return &Error{Kind: Timeout, Temporary: true, Err: err}
	case errors.As(err, &dns) && dns.IsNotFound:
		return &Error{Kind: Network, Err: errors.New("the host does not exist")}
	}
	return &Error{Kind: Network, Temporary: true, Err: err}
}

func statusError(resp *http.Response) error {
	e := &Error{Kind: HTTPStatus, Status: resp.StatusCode}
	switch code := resp.StatusCode; {
	case code == http.StatusNotFound, code == http.StatusGone:
		e.Kind = Missing
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500:
		e.Temporary = true
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
			e.RetryAfter = time.Duration(min(seconds, 3600)) * time.Second
		} else if date, err := http.ParseTime(resp.Header.Get("Retry-After")); err == nil {
			e.RetryAfter = max(0, time.Until(date))
		}
	case code >= 400:
		e.Kind = Refused
	}
	e.Err = fmt.Errorf("the server answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	return e
}
