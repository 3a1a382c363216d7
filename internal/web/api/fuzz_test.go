package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/web/api"
)

// posts are the operations that read a body.
var posts = []struct{ method, path string }{
	{"POST", "/v1/recommendations"}, {"POST", "/v1/batch"}, {"POST", "/v1/feedback"}, {"POST", "/v1/items"}, {"PUT", "/v1/items/x"}, {"PUT", "/v1/items/mug-00/hidden"},
	{"POST", "/v1/users"}, {"PUT", "/v1/users/u00/preference"}, {"POST", "/v1/users/u00/preference/revert"}, {"PUT", "/v1/serving"},
	{"POST", "/u/u00/preference"}, {"POST", "/u/u00/feedback"}, {"POST", "/u/u00/revert"}, {"POST", "/i/mug-00/hidden"}, {"POST", "/login"}, {"POST", "/runs/x/serve"},
}

// Whatever a body holds, the server answers, and that it is not its own fault.
func FuzzBodies(f *testing.F) {
	for n, body := range []string{`{"text":"mug"}`, `{"users":["u00"],"k":2}`, `{"events":[{"key":"a","user":"u","item":"i","type":"like","time":"2026-01-01T00:00:00Z","weight":0.5}]}`, `{"items":[{"id":"a","categories":["x"]}]}`,
		`{"id":"x","title":"t"}`, `{"hidden":true}`, `{"users":["n"]}`, `{"text":"t","base":0}`, `{"version":0}`, `{"run":"x"}`, "text=a&base=0", "item=x&type=like", "version=1", "hidden=true", "key=x&to=/", ""} {
		f.Add(byte(n), body)
	}
	f.Add(byte(0), `{"history":["mug-00"],"cursor":"eyJmIjoxLCJxIjoiIn0","k":3,"diversity":0.5,"filter":{"any":["Mugs"],"deny":["x"]}}`)
	f.Add(byte(0), `{"user":"u00","k":1e999}`)
	f.Add(byte(2), `{"events":[{"user":"\ud800","item":"i","type":"like"}]}`)
	s := serve(f, api.Options{Open: true}, "bm25")
	h := s.api.Handler()
	f.Fuzz(func(t *testing.T, which byte, body string) {
		op := posts[int(which)%len(posts)]
		r := httptest.NewRequestWithContext(t.Context(), op.method, op.path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if !strings.HasPrefix(op.path, "/v1") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %s: %d %s", op.method, op.path, w.Code, w.Body)
		}
	})
}

// Whatever an address holds, the server answers, and that it is not its own fault.
func FuzzAddresses(f *testing.F) {
	for _, path := range []string{"/v1/users/u00/recommendations?k=3&any=Mugs&parts=true&cursor=x", "/v1/items/mug-00/similar?k=2", "/v1/items?q=mug&from=1", "/v1/users/u00/explanations/mug-01", "/u/u00", "/i/mug-00",
		"/search?q=x", "/describe?text=x", "/runs/x", "/picture/mug-00", "/static/style.css", "/docs", "/u?id=%2F", "/v1/users/%00/preference", "/%", "//x", "/v1/users/a%2Fb/history?x=%zz"} {
		f.Add(path)
	}
	s := serve(f, api.Options{Open: true}, "bm25")
	h := s.api.Handler()
	f.Fuzz(func(t *testing.T, path string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop/", nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := r.URL.Parse("/" + strings.TrimLeft(path, "/"))
		if err != nil || u.Host != "shop" {
			return
		}
		r.URL, r.RequestURI = u, u.RequestURI()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if location := w.Header().Get("Location"); location != "" && !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") {
			t.Errorf("%s leads to %q", path, location)
		}
	})
}
