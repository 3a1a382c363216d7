package pages_test

import (
	"context"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/sqlite"
	"github.com/mllmrec/mllmrec/internal/shopfront"
	"github.com/mllmrec/mllmrec/internal/shopfront/shoptest"
	"github.com/mllmrec/mllmrec/internal/web/api"
	"github.com/mllmrec/mllmrec/internal/web/pages"
)

func TestMain(m *testing.M) { shoptest.Main(m) }

// visit is a browser at a shop. It notes what the console says and what is asked of whom.
type visit struct {
	ctx   context.Context
	base  string
	shop  *shopfront.Shop
	mu    sync.Mutex
	wrong []string
}

// browser opens Chromium, where the machine has one.
func browser(t *testing.T) *visit {
	t.Helper()
	found := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			found = path
			break
		}
	}
	if found == "" {
		t.Skip("no Chromium on this machine; .ci/run installs one")
	}
	dir, _ := shoptest.Shop(t, "hybrid")
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "live.db"))
	if err != nil {
		t.Fatal(err)
	}
	shop, err := shopfront.Open(t.Context(), store, "", shopfront.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	up := api.New(shop, api.Options{Version: "test", Open: true})
	if err := pages.Add(up, shop, pages.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(up.Handler())
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(found), chromedp.NoSandbox, chromedp.WindowSize(1100, 1300))
	machine, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(machine)
	ctx, late := context.WithTimeout(ctx, 2*time.Minute)
	v := &visit{ctx: ctx, base: server.URL, shop: shop}
	t.Cleanup(func() {
		late()
		end()
		stop()
		server.Close()
		shop.Close()
		store.Close() //nolint:errcheck // nothing is written any more
	})
	chromedp.ListenTarget(ctx, v.note)
	v.do(t, network.Enable(), log.Enable())
	return v
}

// note writes down what must not happen.
func (v *visit) note(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Hostname() != "127.0.0.1" && u.Scheme != "data" {
			v.wrong = append(v.wrong, "asks "+e.Request.URL)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			v.wrong = append(v.wrong, "the console: "+e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		v.wrong = append(v.wrong, "a script fails: "+e.ExceptionDetails.Text)
	}
}

func (v *visit) do(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(v.ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// titles are the items of the lists on the page.
func (v *visit) titles(t *testing.T, path string) (titles []string) {
	t.Helper()
	v.do(t, chromedp.Navigate(v.base+path), chromedp.Evaluate(`[...document.querySelectorAll('.hits h3 a')].map(a => a.textContent)`, &titles))
	return titles
}

// picture keeps a screenshot where MLLMREC_SCREENSHOTS names a folder.
func (v *visit) picture(t *testing.T, name string) {
	t.Helper()
	var raw []byte
	v.do(t, chromedp.FullScreenshot(&raw, 90))
	if dir := os.Getenv("MLLMREC_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".jpg"), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A shopper edits what is believed of them and gets other items; a visitor's sentence gives results; an item is hidden and gone from every
// list; the console is silent and nobody outside is asked, in light and dark and on a phone.
func TestPagesInABrowser(t *testing.T) {
	v := browser(t)
	user := "/u/" + shoptest.User(0)
	before := v.titles(t, user)
	if len(before) != 12 || !strings.Contains(strings.Join(before[:5], " "), "mug") {
		t.Fatalf("the shopper who likes mugs gets %q", before)
	}
	v.do(t, chromedp.Click(`details:has(#pref) > summary`), chromedp.SetValue(`#pref`, "waterproof tent, a shelter for two campers"), chromedp.Click(`.edit button`), chromedp.WaitVisible(`.said`))
	after := v.titles(t, user)
	tents := func(list []string) int { return strings.Count(strings.Join(list, " "), "tent") }
	if tents(after) <= tents(before) {
		t.Errorf("after the edit %q, before %q", after, before)
	}
	v.do(t, chromedp.Click(`details:has(#pref) > summary`), chromedp.Click(`[aria-label="Go back to the run's own text"]`), chromedp.WaitVisible(`.said`))
	if again := v.titles(t, user); !slices.Equal(again, before) {
		t.Errorf("taken back: %q, want %q", again, before)
	}
	v.do(t, chromedp.Navigate(v.base+"/"), chromedp.SendKeys(`#text`, "warm light beside the bed\r"), chromedp.WaitVisible(`.hits`))
	var first string
	v.do(t, chromedp.Text(`.hits h3`, &first))
	if !strings.Contains(first, "lamp") {
		t.Errorf("who wants light gets %q first", first)
	}
	v.do(t, chromedp.Navigate(v.base+user), chromedp.Click(`.hits h3 a`), chromedp.WaitVisible(`.one`), chromedp.Click(`.one form button`), chromedp.WaitVisible(`.said`))
	for _, path := range []string{user, "/describe?text=mug+for+coffee"} {
		if list := v.titles(t, path); slices.Contains(list, before[0]) || len(list) == 0 {
			t.Errorf("%s is hidden and in %s: %q", before[0], path, list)
		}
	}
	for _, look := range []struct {
		name          string
		dark          bool
		width, height int64
	}{{"light", false, 1100, 1300}, {"dark", true, 1100, 1300}, {"phone", false, 390, 844}} {
		scheme := "light"
		if look.dark {
			scheme = "dark"
		}
		v.do(t, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}), chromedp.EmulateViewport(look.width, look.height))
		for name, path := range everyPage() {
			var wide, shown int64
			v.do(t, chromedp.Navigate(v.base+path), chromedp.Evaluate(`document.documentElement.scrollWidth`, &wide), chromedp.Evaluate(`window.innerWidth`, &shown))
			if wide > shown {
				t.Errorf("%s, %s: %d pixels wide in a window of %d", name, look.name, wide, shown)
			}
			v.picture(t, name+"-"+look.name)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, wrong := range v.wrong {
		if !strings.Contains(wrong, "404") || !strings.Contains(wrong, "/i/none") { // the page that is not there, which was asked for on purpose
			t.Error(wrong)
		}
	}
}

// Without a script everything works: forms and links are of the page itself.
func TestPagesNeedNoScript(t *testing.T) {
	v := browser(t)
	v.do(t, emulation.SetScriptExecutionDisabled(true))
	v.do(t, chromedp.Navigate(v.base+"/u/"+shoptest.User(1)), chromedp.Click(`.act button[value="hide"]`), chromedp.WaitVisible(`.said`))
	if _, change, err := v.shop.Store().Last(t.Context()); err != nil || change != 0 {
		t.Errorf("%d changes, %v", change, err)
	}
	if event, _, err := v.shop.Store().Last(t.Context()); err != nil || event != 1 {
		t.Errorf("%d events, %v", event, err)
	}
}

// axe-core finds nothing serious on any page, in light and dark. MLLMREC_AXE names its script, which .ci/run fetches.
func TestPagesAreAccessible(t *testing.T) {
	file := os.Getenv("MLLMREC_AXE")
	if file == "" {
		t.Skip("MLLMREC_AXE names no script of axe-core; .ci/run fetches one")
	}
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := browser(t)
	if err := v.shop.EditPreference(t.Context(), live.Edit{User: shoptest.User(2), Text: "canvas sneaker", By: live.ByUser}); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		v.do(t, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
		for name, path := range everyPage() {
			var found []struct {
				ID, Impact, Help string
				Nodes            []struct{ HTML string }
			}
			v.do(t, chromedp.Navigate(v.base+path), chromedp.Evaluate(`document.querySelectorAll('details').forEach(d => { d.open = true })`, nil), chromedp.Evaluate(string(script), nil),
				chromedp.Evaluate(`axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)`, &found, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
			for _, f := range found {
				if f.Impact == "serious" || f.Impact == "critical" {
					t.Errorf("%s, %s: %s (%s): %s, %.200s", name, scheme, f.ID, f.Impact, f.Help, f.Nodes[0].HTML)
				} else {
					t.Logf("%s, %s: %s (%s): %s", name, scheme, f.ID, f.Impact, f.Help)
				}
			}
		}
	}
}

// everyPage names a page of each kind.
func everyPage() map[string]string {
	return map[string]string{"shopper": "/u/" + shoptest.User(0), "edited": "/u/" + shoptest.User(2), "item": "/i/" + shoptest.Item(1, 2), "describe": "/describe?text=warm+light", "home": "/", "runs": "/runs", "texts": "/texts",
		"docs": "/docs", "search": "/search?q=mug", "missing": "/i/none", "login": "/login"}
}
