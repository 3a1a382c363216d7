package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// call is what is known of a request on its way.
type call struct {
	id, operation, key, arm, run string
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

// wrap gives every request an id, counts it, logs it, and outlives a panic of its handler.
func (a *API) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{id: newID(), operation: "other"}
		began := time.Now()
		seen := &status{ResponseWriter: w, code: http.StatusOK}
		h := w.Header()
		h.Set("X-Request-Id", c.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // the sentinel of the standard library
					panic(p)
				}
				a.opt.Log.Error("panic", "request", c.id, "operation", c.operation, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if !seen.wrote {
					http.Error(seen, `{"status":500,"title":"Internal Server Error","detail":"This is our fault. The log has more under request `+c.id+`."}`, http.StatusInternalServerError)
				}
			}
			took := time.Since(began)
			a.metrics.request(c.operation, seen.code, took)
			a.opt.Log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("request", c.id), slog.String("method", r.Method), slog.String("operation", c.operation),
				slog.Int("status", seen.code), slog.Duration("took", took), slog.String("key", c.key), slog.String("arm", c.arm), slog.String("run", c.run))
		}()
		next.ServeHTTP(seen, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
	})
}

// fromHere refuses what a page of another site has a browser send: the browser may be on this machine, where no key is needed, or bring one along.
func (a *API) fromHere(next http.Handler) http.Handler {
	deny := func(w http.ResponseWriter, detail string) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"status":403,"title":"Forbidden","detail":%q}`+"\n", detail) //nolint:errcheck // whoever asked has gone
	}
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { deny(w, "the request comes from a page of another site") }))
	guarded := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.opt.Local && !a.shop.Keyed() && !isLocal(r.Host) {
			deny(w, "without API keys this server answers to the name localhost alone")
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// isLocal reports whether a Host header names this machine.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// status notes what a handler answered.
type status struct {
	http.ResponseWriter
	code  int
	wrote bool
}

func (s *status) WriteHeader(code int) {
	if !s.wrote {
		s.code, s.wrote = code, true
	}
	s.ResponseWriter.WriteHeader(code)
}

func (s *status) Write(p []byte) (int, error) {
	s.wrote = true
	return s.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController at what is behind.
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func newID() string {
	var raw [8]byte
	rand.Read(raw[:]) //nolint:errcheck // it never fails
	return hex.EncodeToString(raw[:])
}

// guard lets only those call an operation who may.
func (a *API) guard(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	c := callOf(ctx.Context())
	c.operation = op.OperationID
	role, _ := op.Metadata[roleKey].(live.Role)
	verdict, key := a.gate.Admit(Bearer(ctx.Header("Authorization")), role)
	c.key = key
	deny := func(status int, detail string) {
		huma.WriteErr(a.api, ctx, status, detail) //nolint:errcheck // whoever asked has gone
	}
	switch verdict {
	case Admitted:
		next(ctx)
	case WrongRole:
		deny(http.StatusForbidden, fmt.Sprintf("the API key has not the role %s", role))
	case TooMany:
		ctx.SetHeader("Retry-After", "1")
		deny(http.StatusTooManyRequests, fmt.Sprintf("more than %g requests a second with this key", a.opt.Rate))
	default:
		ctx.SetHeader("WWW-Authenticate", "Bearer")
		deny(http.StatusUnauthorized, "an API key is needed: Authorization: Bearer KEY")
	}
}

// problem makes an error one of HTTP. What is not the caller's to mend is told to the log, not to the caller.
func (a *API) problem(ctx context.Context, err error) error {
	var already huma.StatusError
	if errors.As(err, &already) {
		return err
	}
	code := http.StatusInternalServerError
	switch kind := usererr.KindOf(err); {
	case errors.Is(err, context.Canceled):
		code = 499
	case errors.Is(err, context.DeadlineExceeded), live.Unavailable(err), kind == usererr.KindUnavailable:
		code = http.StatusServiceUnavailable
	case live.Conflict(err):
		code = http.StatusConflict
	case kind == usererr.KindUnknown:
		code = http.StatusNotFound
	case kind == usererr.KindMistake:
		code = http.StatusUnprocessableEntity
	case kind == usererr.KindNotReady, kind == usererr.KindLocked:
		code = http.StatusConflict
	}
	c := callOf(ctx)
	detail, hint := a.Public(err)
	if hint != "" {
		detail += ". " + hint
	}
	if code >= 500 {
		a.opt.Log.Error("failed", "request", c.id, "operation", c.operation, "error", detail)
		if code == http.StatusInternalServerError {
			detail = "this is our fault. The log has more under request " + c.id
		}
	}
	return huma.NewError(code, detail)
}

// Public is an error's message and hint as others may read them: without secrets, and without where on this machine the workspace lies.
func (a *API) Public(err error) (detail, hint string) {
	public := func(s string) string {
		return secret.Redact(strings.NewReplacer("workspace "+a.shop.Dir(), "the workspace", a.shop.Dir(), "the workspace").Replace(s))
	}
	hint, _ = usererr.Hint(err)
	return public(err.Error()), public(hint)
}
