package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/client"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/sqlite"
	"github.com/mllmrec/mllmrec/internal/shopfront"
	"github.com/mllmrec/mllmrec/internal/shopfront/shoptest"
	"github.com/mllmrec/mllmrec/internal/web/api"
	"github.com/mllmrec/mllmrec/internal/web/pages"
)

func TestMain(m *testing.M) { shoptest.Main(m) }

// stand is a server over a shop of the test's own.
type stand struct {
	*httptest.Server
	dir   string
	runs  map[string]string
	store *live.Store
	shop  *shopfront.Shop
	log   *locked
	api   *api.API
}

func serve(t testing.TB, opt api.Options, models ...string) *stand {
	t.Helper()
	dir, runs := shoptest.Shop(t, models...)
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "live.db"))
	if err != nil {
		t.Fatal(err)
	}
	shop, err := shopfront.Open(t.Context(), store, "", shopfront.Options{Dir: dir, Cache: 8 << 20, Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{dir: dir, runs: runs, store: store, shop: shop, log: new(locked)}
	opt.Version = "test"
	opt.Runs = func() ([]client.Run, error) {
		var all []client.Run
		for model, id := range runs {
			all = append(all, client.Run{ID: id, Model: model})
		}
		return all, nil
	}
	opt.Log = slog.New(slog.NewTextHandler(s.log, nil))
	s.api = api.New(shop, opt)
	if err := pages.Add(s.api, shop, pages.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(s.api.Handler())
	t.Cleanup(func() {
		s.Close()
		shop.Close()
		store.Close() //nolint:errcheck // nothing is written any more
	})
	return s
}

// locked is a log that handlers write to and a test reads meanwhile.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (s *stand) key(t testing.TB, roles ...live.Role) string {
	t.Helper()
	text, _, err := s.store.NewKey(t.Context(), "test", roles)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.shop.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	return text
}

// send sends a request and returns what came back.
func (s *stand) send(t testing.TB, method, path, key, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(raw)
}

// The Go client does all that a shop does in a day, and the next answer heeds each of it.
func TestADayOfAShop(t *testing.T) {
	s := serve(t, api.Options{Open: true}, "hybrid")
	c, ctx := client.New(s.URL, ""), t.Context()
	user := shoptest.User(0)
	list, err := c.ForUser(ctx, user, 5)
	if err != nil || len(list.Items) != 5 || list.Run != s.runs["hybrid"] || list.Basis != "user" || list.Request == "" || len(list.Items[0].Because) == 0 {
		t.Fatalf("%v %+v", err, list)
	}
	top := list.Items[0].Item
	receipts, err := c.Feedback(ctx, client.Event{Key: "order-1", User: user, Item: top, Type: "purchase", Request: list.Request})
	if err != nil || len(receipts) != 1 || receipts[0].Again {
		t.Fatalf("%v %+v", err, receipts)
	}
	if again, err := c.Feedback(ctx, client.Event{Key: "order-1", User: user, Item: top, Type: "purchase", Request: list.Request}); err != nil || !again[0].Again || again[0].Seq != receipts[0].Seq {
		t.Errorf("posted again: %v %+v", err, again)
	}
	var problem *client.Error
	if _, err := c.Feedback(ctx, client.Event{Key: "order-1", User: user, Item: top, Type: "hide"}); !errors.As(err, &problem) || problem.Status != http.StatusConflict {
		t.Errorf("another event under the same key: %v", err)
	}
	if next, err := c.ForUser(ctx, user, 5); err != nil || next.Items[0].Item == top {
		t.Errorf("%s is still recommended after it was bought: %v", top, err)
	}
	x, err := c.Explain(ctx, user, list.Items[3].Item)
	if err != nil || len(x.Parts) == 0 || x.Rank == 0 {
		t.Errorf("%v %+v", err, x)
	}
	p, err := c.Preference(ctx, user)
	if err != nil || p.Text == "" {
		t.Fatalf("%v %+v", err, p)
	}
	edited, err := c.EditPreference(ctx, user, client.Edit{Text: "waterproof tent for campers", Base: &p.Version})
	if err != nil || edited.Version != 1 || edited.Own || edited.OwnText != p.Text {
		t.Errorf("%v %+v", err, edited)
	}
	if _, err := c.EditPreference(ctx, user, client.Edit{Text: "x", Base: &p.Version}); !errors.As(err, &problem) || problem.Status != http.StatusConflict {
		t.Errorf("an edit of what was edited meanwhile: %v", err)
	}
	if _, err := c.PutItem(ctx, client.Item{ID: "mug/new one?", Title: "Striped mug", Categories: []string{"Home", "Mugs"}, Description: "Stoneware for coffee and tea"}); err != nil {
		t.Fatal(err)
	}
	it, err := c.Item(ctx, "mug/new one?")
	if err != nil || !it.Provisional || it.Why != "" || len(it.Near) == 0 || shoptest.Kind(it.Near[0].Item) != "mug" {
		t.Errorf("%v %+v", err, it)
	}
	said, err := c.Recommend(ctx, client.Question{Text: "striped mug for coffee", K: 20})
	if err != nil || !slices.ContainsFunc(said.Items, func(r client.Recommendation) bool { return r.Item == "mug/new one?" && r.Provisional }) {
		t.Errorf("the new mug is not in the list of a sentence about mugs: %v %+v", err, said)
	}
	if _, err := c.HideItem(ctx, "mug/new one?", true); err != nil {
		t.Fatal(err)
	}
	if said, err = c.Recommend(ctx, client.Question{Text: "striped mug for coffee", K: 1000}); err != nil || slices.ContainsFunc(said.Items, func(r client.Recommendation) bool { return r.Item == "mug/new one?" }) {
		t.Errorf("hidden, and still in a list: %v", err)
	}
	both, err := c.Recommend(ctx, client.Question{History: []string{shoptest.Item(1, 0), shoptest.Item(1, 3)}, Text: "warm light", K: 3, Filter: &client.Filter{Any: []string{"Lamps"}}})
	if err != nil || both.Basis != "history and sentence" || len(both.Items) != 3 || shoptest.Kind(both.Items[0].Item) != "lamp" {
		t.Errorf("%v %+v", err, both)
	}
	// Of a kind, items cost 0 (unknown) to 40 in steps of 10. The changed one is judged by its new price at once.
	if _, err := c.PutItem(ctx, client.Item{ID: shoptest.Item(1, 0), Title: "Lamp", Categories: []string{"Home", "Lamps"}, Price: 30}); err != nil {
		t.Fatal(err)
	}
	priced, err := c.Recommend(ctx, client.Question{Text: "warm light", K: 1000, Filter: &client.Filter{Any: []string{"Lamps"}, MinPrice: 30, MaxPrice: 35}})
	if err != nil || !slices.ContainsFunc(priced.Items, func(r client.Recommendation) bool { return r.Item == shoptest.Item(1, 0) }) {
		t.Errorf("%v %+v", err, priced)
	}
	for _, r := range priced.Items {
		if it, err := c.Item(ctx, r.Item); err != nil || it.Price != 30 {
			t.Errorf("%s of %v from 30 to 35: %v", r.Item, it.Price, err)
		}
	}
	for _, where := range []string{"/v1/users/" + user + "/recommendations?k=1000&min_price=", "/v1/items/" + shoptest.Item(1, 1) + "/similar?k=1000&min_price="} {
		_, all := s.send(t, http.MethodGet, where+"0", "", "")
		_, dear := s.send(t, http.MethodGet, where+"40", "", "")
		_, none := s.send(t, http.MethodGet, where+"41", "", "")
		if n, of := strings.Count(dear, `"rank":`), strings.Count(all, `"rank":`); n == 0 || n >= of || strings.Contains(none, `"rank":`) {
			t.Errorf("%s: %d of %d from 40; from 41 %.200s", where, n, of, none)
		}
	}
	if similar, err := c.Similar(ctx, shoptest.Item(3, 1), 4); err != nil || len(similar.Items) != 4 {
		t.Errorf("%v %+v", err, similar)
	}
	info, err := c.Info(ctx)
	if err != nil || info.Items != 4*shoptest.Looks+1 || info.Added != 1 || info.Hidden != 1 {
		t.Errorf("%v %+v", err, info)
	}
}

func TestBatchIsStreamed(t *testing.T) {
	s := serve(t, api.Options{Open: true}, "bm25")
	resp, body := s.send(t, "POST", "/v1/batch", "", `{"users":["u00","nobody","u01"],"k":3}`)
	lines := strings.Split(strings.TrimSpace(body), "\n")
	if resp.StatusCode != 200 || len(lines) != 4 || lines[3] != `{"done":true}` || !strings.Contains(lines[1], "unknown user") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	var one struct {
		User string      `json:"user"`
		List client.List `json:"list"`
	}
	if err := json.Unmarshal([]byte(lines[2]), &one); err != nil || one.User != "u01" || len(one.List.Items) != 3 {
		t.Errorf("%v: %s", err, lines[2])
	}
	if resp, body := s.send(t, "POST", "/v1/batch", "", `{"all":true,"k":1}`); resp.StatusCode != 200 || strings.Count(body, "\n") != shoptest.Users+1 {
		t.Errorf("%d, %d lines", resp.StatusCode, strings.Count(body, "\n"))
	}
	if resp, _ := s.send(t, "POST", "/v1/batch", "", `{"all":true,"users":["u00"]}`); resp.StatusCode != 422 {
		t.Errorf("users named twice: %d", resp.StatusCode)
	}
}

// A server whose live state is away serves what is in memory, refuses what it could not keep, and says so.
func TestLiveStateAway(t *testing.T) {
	s := serve(t, api.Options{Open: true}, "bm25")
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	if resp, body := s.send(t, "GET", "/v1/users/u00/recommendations", "", ""); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body := s.send(t, "POST", "/v1/feedback", "", `{"events":[{"user":"u00","item":"mug-01","type":"like"}]}`)
	if resp.StatusCode < 500 {
		t.Errorf("feedback that is kept nowhere is acknowledged: %d %s", resp.StatusCode, body)
	}
	if _, body := s.send(t, "GET", "/metrics", "", ""); !strings.Contains(body, "mllmrec_feedback_refused_total 1") {
		t.Error("the metrics do not say that feedback was refused")
	}
}

// Runs are swapped under load by the API, and no request fails.
func TestHotSwapByTheAPI(t *testing.T) {
	s := serve(t, api.Options{Open: true}, "hybrid", "bm25")
	stop := make(chan struct{})
	failed := make(chan string, 100)
	done := make(chan int)
	for w := range 4 {
		go func() {
			c, n := client.New(s.URL, ""), 0
			for ; ; n++ {
				select {
				case <-stop:
					done <- n
					return
				default:
				}
				if list, err := c.ForUser(context.Background(), shoptest.User((n+w)%shoptest.Users), 5); err != nil || len(list.Items) != 5 {
					failed <- "a request failed"
				}
			}
		}()
	}
	for n := range 20 {
		run := s.runs[[]string{"hybrid", "bm25"}[n%2]]
		if resp, body := s.send(t, "PUT", "/v1/serving", "", `{"run":"`+run+`"}`); resp.StatusCode != 200 || !strings.Contains(body, `"served":true`) {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	close(stop)
	total := 0
	for range 4 {
		total += <-done
	}
	if len(failed) > 0 || total < 50 {
		t.Errorf("%d of %d requests failed", len(failed), total)
	}
}
