// Package pages holds the web pages of a served shop: what a shopper is recommended and why, what the shop believes of them and how they
// change it, an item with its neighbourhood, runs side by side. They are made by the server and need no script. What items, users and
// texts say is text there, never markup.
package pages

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/shopfront"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/web/api"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// Options of the pages.
type Options struct {
	Dir    string // of the workspace
	Secure bool   // over TLS: cookies are not sent otherwise
	Log    *slog.Logger
}

// site is the pages of one shop.
type site struct {
	api   *api.API
	shop  *shopfront.Shop
	opt   Options
	pages map[string]*template.Template
}

// Add adds the pages to the API's addresses.
func Add(a *api.API, shop *shopfront.Shop, opt Options) error {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &site{api: a, shop: shop, opt: opt, pages: map[string]*template.Template{}}
	for _, name := range []string{"home", "user", "item", "search", "describe", "runs", "run", "texts", "docs", "login", "error"} {
		t, err := template.New("base.html").Funcs(s.functions()).ParseFS(templateFiles, "templates/base.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return err
		}
		s.pages[name] = t
	}
	mux := a.Mux()
	get := func(path, name string, role live.Role, data func(*http.Request) (any, error)) {
		mux.Handle("GET "+path, s.guarded(role, func(w http.ResponseWriter, r *http.Request) {
			v, err := data(r)
			if err != nil {
				s.fail(w, r, err)
				return
			}
			s.write(w, r, http.StatusOK, name, v)
		}))
	}
	get("/{$}", "home", live.Read, s.home)
	get("/u/{user}", "user", live.Read, s.user)
	get("/i/{item}", "item", live.Read, s.item)
	get("/search", "search", live.Read, s.search)
	get("/describe", "describe", live.Read, s.describe)
	get("/runs", "runs", live.Read, s.runs)
	get("/runs/{run}", "run", live.Read, s.run)
	get("/texts", "texts", live.Read, s.texts)
	get("/docs", "docs", "", s.docs)
	get("/login", "login", "", func(r *http.Request) (any, error) { return local(r.URL.Query().Get("to")), nil })
	mux.HandleFunc("GET /u", func(w http.ResponseWriter, r *http.Request) { // the form that asks for an id
		http.Redirect(w, r, "/u/"+url.PathEscape(r.URL.Query().Get("id")), http.StatusSeeOther)
	})
	mux.Handle("GET /picture/{item}", s.guarded(live.Read, s.picture))
	mux.HandleFunc("GET /static/{file}", s.static)
	s.forms(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, usererr.Of(usererr.KindUnknown, "", "there is no page %q", r.URL.Path))
	})
	return nil
}

func (s *site) functions() template.FuncMap {
	return template.FuncMap{
		"path":  url.PathEscape,
		"num":   func(v float64) string { return strings.Replace(fmt.Sprintf("%.4f", v), "-", "−", 1) },
		"score": func(v float64) string { return strings.Replace(fmt.Sprintf("%+.3f", v), "-", "−", 1) },
		"when":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
		"name": func(title, id string) string {
			if title == "" {
				return id
			}
			return title
		},
		"dict":    dict,
		"bars":    barsOf,
		"views":   viewsOf,
		"tint":    func(n int) int { return n % tints },
		"reason":  reasonWords,
		"dots":    clip,
		"metrics": func() []string { return []string{"recall@10", "recall@20", "ndcg@10", "ndcg@20"} },
	}
}

func clip(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return strings.TrimSpace(string(runes[:n])) + "…"
}

func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict: a key without a value")
	}
	m := map[string]any{}
	for n := 0; n < len(pairs); n += 2 {
		key, ok := pairs[n].(string)
		if !ok {
			return nil, errors.New("dict: a key that is no string")
		}
		m[key] = pairs[n+1]
	}
	return m, nil
}

// frame is what every page has around what it shows.
type frame struct {
	Page   string
	Nonce  string
	Said   string // what a form just did
	Info   any
	Keyed  bool
	Editor bool // who looks may post feedback and edit preferences
	Admin  bool
	Data   any
}

// keyCookie holds the API key of who looks.
const keyCookie = "mllmrec_key"

// secretOf is the API key that a request for a page brings.
func secretOf(r *http.Request) string {
	if c, err := r.Cookie(keyCookie); err == nil {
		return c.Value
	}
	return api.Bearer(r.Header.Get("Authorization"))
}

// guarded lets only those at a page who may; who has no key is asked for one.
func (s *site) guarded(role live.Role, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch verdict, _ := s.api.Gate().Admit(secretOf(r), role); verdict {
		case api.Admitted:
			next(w, r)
		case api.WrongRole:
			s.write(w, r, http.StatusForbidden, "error", map[string]string{"Title": "Not with this key", "Detail": "The key has not the role " + string(role) + "."})
		case api.TooMany:
			w.Header().Set("Retry-After", "1")
			s.write(w, r, http.StatusTooManyRequests, "error", map[string]string{"Title": "Too many requests", "Detail": "Wait a second."})
		default:
			if r.Method != http.MethodGet {
				s.write(w, r, http.StatusUnauthorized, "error", map[string]string{"Title": "A key is needed", "Detail": "Sign in first."})
				return
			}
			http.Redirect(w, r, "/login?to="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		}
	})
}

// may reports whether who looks has a role, without counting it as a request.
func (s *site) may(r *http.Request, role live.Role) bool {
	return s.api.Gate().May(secretOf(r), role)
}

// write makes a page. It is made whole before its first byte is sent, so that an error is a page of its own.
func (s *site) write(w http.ResponseWriter, r *http.Request, code int, name string, data any) {
	nonce := newNonce()
	f := frame{Page: name, Nonce: nonce, Said: said(r), Keyed: s.shop.Keyed(), Editor: s.may(r, live.Feedback), Admin: s.may(r, live.Admin), Data: data}
	if info, err := s.api.Info(); err == nil {
		f.Info = info
	}
	var page bytes.Buffer
	if err := s.pages[name].Execute(&page, f); err != nil {
		s.opt.Log.Error("a page cannot be made", "page", name, "error", secret.Redact(err.Error()))
		http.Error(w, "This page cannot be made. The log says more.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'nonce-"+nonce+"'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(code)
	w.Write(page.Bytes()) //nolint:errcheck // who asked has gone
}

func newNonce() string {
	var raw [16]byte
	rand.Read(raw[:]) //nolint:errcheck // it never fails
	return base64.RawStdEncoding.EncodeToString(raw[:])
}

// notices are what pages say after a form, by the word in their address: an address can say nothing else.
var notices = map[string]string{
	"edited":   "Saved. The recommendations below follow it.",
	"reverted": "Taken back. The recommendations below follow it.",
	"liked":    "Noted as liked. The recommendations below follow it.",
	"hid":      "Hidden: it is in no list of theirs any more.",
	"hidden":   "Hidden: the item is gone from every list.",
	"shown":    "The item is in lists again.",
	"served":   "The run is served from now on.",
}

func said(r *http.Request) string { return notices[r.URL.Query().Get("said")] }

// fail shows an error as a page.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	code, title := http.StatusInternalServerError, "That failed"
	switch kind := usererr.KindOf(err); {
	case live.Unavailable(err), kind == usererr.KindUnavailable:
		code, title = http.StatusServiceUnavailable, "Not now"
	case live.Conflict(err):
		code, title = http.StatusConflict, "Edited meanwhile"
	case kind == usererr.KindUnknown:
		code, title = http.StatusNotFound, "Not found"
	case kind == usererr.KindMistake, kind == usererr.KindNotReady:
		code, title = http.StatusUnprocessableEntity, "That cannot be"
	}
	detail, hint := s.api.Public(err)
	if code == http.StatusInternalServerError {
		s.opt.Log.Error("a page failed", "path", r.URL.Path, "error", detail)
		detail, hint = "This is our fault. The log says more.", ""
	}
	s.write(w, r, code, "error", map[string]string{"Title": title, "Detail": capital(detail), "Hint": hint})
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// static sends the style sheet and the script.
func (s *site) static(w http.ResponseWriter, r *http.Request) {
	types := map[string]string{"style.css": "text/css; charset=utf-8", "script.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
	name := r.PathValue("file")
	raw, err := staticFiles.ReadFile("static/" + name)
	if err != nil || types[name] == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", types[name])
	w.Header().Set("Cache-Control", "max-age=300")
	w.Write(raw) //nolint:errcheck // who asked has gone
}

// local is an address of this site; what leads elsewhere is not followed.
func local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
		return "/"
	}
	return to
}

// reasonWords says in words what carried an item.
func reasonWords(r shopfront.Reason) string {
	switch {
	case r.Item == nil:
		return "you said “" + r.Words + "”"
	case r.Via == "chosen together":
		people := "people"
		if r.Weight == 1 {
			people = "person"
		}
		return fmt.Sprintf("%.0f %s chose it and %s", r.Weight, people, called(r.Item.Title, r.Item.ID))
	}
	return fmt.Sprintf("like %s (%.0f %%)", called(r.Item.Title, r.Item.ID), 100*r.Weight)
}

func called(title, id string) string {
	if title == "" {
		return id
	}
	return clip(title, 60)
}

// bar is one stripe of a stacked bar: what a view adds to a score.
type bar struct {
	View     string
	Score    float64
	X, Width float64 // in percent
	Tint     int     // of a fixed palette, by view
	Against  bool    // it lowers the score
	Items    []shopfront.ItemPart
	Rest     float64
	HasRest  bool
}

// viewsOf names the views that have a part in the scores of a list, in a fixed order: each keeps its colour over the whole list.
func viewsOf(hits []shopfront.Hit) (views []string) {
	for _, h := range hits {
		for _, p := range h.Parts {
			if !slices.Contains(views, p.View) {
				views = append(views, p.View)
			}
		}
	}
	slices.Sort(views)
	return views
}

// tints is how many colours there are.
const tints = 8

// barsOf lays the parts of a score out side by side, by their sizes.
func barsOf(views []string, parts []shopfront.Part) (bars []bar) {
	total := 0.0
	for _, p := range parts {
		total += abs(p.Score)
	}
	x := 0.0
	for _, p := range parts {
		width := 0.0
		if total > 0 {
			width = 100 * abs(p.Score) / total
		}
		bars = append(bars, bar{View: p.View, Score: p.Score, X: x, Width: width, Tint: max(0, slices.Index(views, p.View)) % tints, Against: p.Score < 0, Items: p.Items, Rest: p.Rest, HasRest: abs(p.Rest) > 5e-4})
		x += width
	}
	return bars
}

func abs(v float64) float64 { return max(v, -v) }
