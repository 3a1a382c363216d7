package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

const lockPoll = 200 * time.Millisecond

// transientError marks a failure that may pass.
type transientError struct{ err error }

func (e *transientError) Error() string { return e.err.Error() }
func (e *transientError) Unwrap() error { return e.err }

func transient(err error) error { return &transientError{err} }

// retry calls try until it succeeds, fails finally, or the tries are used up.
func (p *puller) retry(ctx context.Context, try func() error) error {
	wait := p.opt.Backoff
	for n := 0; ; n++ {
		err := try()
		var again *transientError
		if err == nil || !errors.As(err, &again) || n >= p.opt.Retries || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// do sends a request with the token. Go's client does not send the token on when a redirect
// leads to another host.
func (p *puller) do(ctx context.Context, method, address string, header http.Header, client *http.Client) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "mllmrec")
	if p.opt.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.opt.Token)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, transient(fmt.Errorf("ask %s: %w", req.URL.Host, withoutURL(err)))
	}
	return res, nil
}

// withoutURL removes the URL from an error, because a signed download link is a secret while
// it is valid.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// status returns an error if the status is not the one wanted.
func (p *puller) status(res *http.Response, want int) error {
	switch code := res.StatusCode; {
	case code == want:
		return nil
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		hint := "Check the name. For a private or gated model, accept its terms on the hub and set HF_TOKEN."
		if p.opt.Token != "" {
			hint = "Check the name, and whether the token (HF_TOKEN) may read this model and its terms are accepted on the hub."
		}
		return usererr.New(hint, "the hub refused (%s): no such model, or it is private or gated", res.Status)
	case code == http.StatusNotFound:
		return usererr.New("Check the name and the revision.", "the hub does not have it at revision %s (%s)", p.opt.Revision, res.Status)
	case code == http.StatusTooManyRequests || code >= 500 || code == http.StatusRequestTimeout:
		return transient(fmt.Errorf("the hub answered %s", res.Status))
	default:
		return fmt.Errorf("the hub answered %s", res.Status)
	}
}
