package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image/color"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/image/imagetest"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// thing is an item of a shop of pictures, and what is to become of its picture.
type thing struct {
	id, image string
	class     string      // of the failure; "" = it is described
	shows     color.Color // in the middle of the upper half, where it matters
}

// title tells prompts apart.
func (th thing) title() string { return "Thing called " + th.id }

// shopOfThings imports items with pictures, all of them liked by a few.
func shopOfThings(t *testing.T, things []thing) string {
	t.Helper()
	dir := t.TempDir()
	var inter, items bytes.Buffer
	w := csv.NewWriter(&items)
	w.Write([]string{"item", "title", "image"})
	for _, th := range things {
		w.Write([]string{th.id, th.title(), th.image})
	}
	w.Flush()
	inter.WriteString("user,item,time\n")
	for u := range 3 {
		for i, th := range things {
			fmt.Fprintf(&inter, "u%d,%s,%d\n", u, th.id, i)
		}
	}
	return importTables(t, dir, inter.String(), items.String())
}

// failed reads what a finished stage and status say of failures: classes by subject, and
// the number counted as failed.
func failed(t *testing.T, stageJSON, ws string) (classes map[string]string, count int) {
	t.Helper()
	var stage struct {
		Info struct {
			Failures []struct{ Subject, Class, Error string }
		}
	}
	if err := json.Unmarshal([]byte(stageJSON), &stage); err != nil {
		t.Fatalf("%v: %s", err, stageJSON)
	}
	classes = map[string]string{}
	for _, f := range stage.Info.Failures {
		classes[f.Subject] = f.Class
	}
	code, out, errs := call(t, "status", ws, "--json")
	var status struct{ Describe struct{ Failed int } }
	if err := json.Unmarshal([]byte(out), &status); code != exitOK || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	return classes, status.Describe.Failed
}

// wantThings checks what became of every item: its text, its picture as the model saw it,
// and how it is reported.
func wantThings(t *testing.T, ws string, things []thing, stdout, stderr string, server *mllmtest.Server) {
	t.Helper()
	classes, count := failed(t, stdout, ws)
	w, err := workspace.Open(ws)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := w.ItemTexts(currentOf(w, workspace.KindItemTexts))
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]workspace.ItemText{}
	for _, text := range texts {
		described[text.Item] = text
	}
	seen := map[string][]byte{}
	for _, r := range server.Requests() {
		for _, th := range things {
			if strings.Contains(r.Prompt, th.title()) && len(r.Images) == 1 {
				seen[th.id] = r.Images[0]
			}
		}
	}
	failures := 0
	for _, th := range things {
		text := described[th.id]
		if !strings.HasPrefix(text.Text, th.title()) {
			t.Errorf("%s lost its words: %q", th.id, text.Text)
		}
		if classes[th.id] != th.class {
			t.Errorf("%s is reported as %q, want %q", th.id, classes[th.id], th.class)
		}
		if th.class != "" {
			failures++
			if text.ImageText != "" || text.Status != workspace.StatusFallback {
				t.Errorf("%s is described as %q, marked %q", th.id, text.ImageText, text.Status)
			}
			if !strings.Contains(stderr, th.id+": "+th.class) {
				t.Errorf("%s and %s are not on the terminal", th.id, th.class)
			}
			continue
		}
		if (text.ImageText == "") != (th.id == "plain") || text.Status != workspace.StatusOK {
			t.Errorf("%s is not described: %+v", th.id, text)
			continue
		}
		if th.shows != nil {
			wantColour(t, th, seen[th.id])
		}
	}
	if count != failures {
		t.Errorf("status counts %d failed, want %d", count, failures)
	}
}

func wantColour(t *testing.T, th thing, sent []byte) {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(sent))
	if err != nil {
		t.Errorf("%s was sent as something else: %v", th.id, err)
		return
	}
	b := img.Bounds()
	r, g, bl, _ := img.At(b.Dx()/2, b.Dy()/4).RGBA()
	wr, wg, wb, _ := th.shows.RGBA()
	for _, d := range [][2]uint32{{r, wr}, {g, wg}, {bl, wb}} {
		if max(d[0], d[1])-min(d[0], d[1]) > 20<<8 {
			t.Errorf("the model saw %s as %d %d %d, want %d %d %d", th.id, r>>8, g>>8, bl>>8, wr>>8, wg>>8, wb>>8)
			return
		}
	}
}

var (
	redInk  = color.RGBA{220, 20, 20, 255}
	blueInk = color.RGBA{20, 20, 220, 255}
)

// pictureHost serves the pictures of strangers.
type pictureHost struct {
	*httptest.Server
	asked atomic.Int32
	well  atomic.Bool // /flaky answers
	quit  chan struct{}
}

func newPictureHost(t *testing.T) *pictureHost {
	h := &pictureHost{quit: make(chan struct{})}
	whole := imagetest.PNG(imagetest.Halves(64, 64, redInk, blueInk))
	const unpacked = 20000 * 20000 / 8
	files := map[string][]byte{
		"/good.png":      whole,
		"/bomb.png":      imagetest.Bomb(20000, 20000, unpacked),
		"/inside.png":    imagetest.Bomb(16, 16, unpacked),
		"/huge.jpg":      imagetest.Huge(10000, 10000),
		"/moving.gif":    imagetest.Animation(40, 40, redInk, blueInk),
		"/cmyk.jpg":      imagetest.Printed([4]byte{0, 255, 255, 255}, imagetest.AdobeCMYK),
		"/ycck.jpg":      imagetest.Printed([4]byte{179, 171, 1, 255}, imagetest.AdobeYCCK),
		"/truncated.png": whole[:len(whole)*2/3],
		"/text.jpg":      []byte("this is no picture at all"),
		"/page.jpg":      []byte("<!DOCTYPE html><html><body>Sorry, this product is gone.</body></html>"),
		// Stored upside down; 3 says so.
		"/turned.jpg": imagetest.Rotated(imagetest.JPEG(imagetest.Halves(64, 64, blueInk, redInk)), 3),
	}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.asked.Add(1)
		to := map[string]string{
			"/to-decimal": "http://2130706433" + h.port() + "/good.png", "/to-file": "file:///etc/hostname",
			"/to-good": "/good.png", "/to-itself": "/to-itself", "/to-login": "http://user:pw@" + h.Listener.Addr().String() + "/good.png",
		}[r.URL.Path]
		data, known := files[r.URL.Path]
		switch {
		case to != "":
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/slow.png":
			h.drip(w, r, whole)
		case r.URL.Path == "/flaky.png" && h.well.Load():
			w.Write(whole)
		case r.URL.Path == "/flaky.png":
			w.WriteHeader(http.StatusServiceUnavailable)
		case !known:
			http.NotFound(w, r)
		default:
			w.Header().Set("Content-Type", "image/jpeg") // of all of them: content decides
			w.Write(data)
		}
	}))
	t.Cleanup(func() { close(h.quit); h.CloseClientConnections(); h.Close() })
	return h
}

// drip sends a byte now and then and never ends.
func (h *pictureHost) drip(w http.ResponseWriter, r *http.Request, data []byte) {
	for _, b := range data {
		w.Write([]byte{b})
		http.NewResponseController(w).Flush()
		select {
		case <-time.After(300 * time.Millisecond):
		case <-r.Context().Done():
			return
		case <-h.quit:
			return
		}
	}
}

func (h *pictureHost) port() string { return h.URL[strings.LastIndexByte(h.URL, ':'):] }

// TestPicturesOfStrangers describes a catalogue whose pictures are all that is known to
// go wrong with pictures: each costs its item the picture at most.
func TestPicturesOfStrangers(t *testing.T) {
	t.Parallel()
	host := newPictureHost(t)
	at := func(path string) string { return host.URL + path }
	dataURI := "data:image/png;base64," + base64.StdEncoding.EncodeToString(imagetest.PNG(imagetest.Plain(20, 20, blueInk)))
	things := []thing{
		{id: "good", image: at("/good.png"), shows: redInk},
		{id: "bomb", image: at("/bomb.png"), class: "image:too-many-pixels"},
		{id: "inside", image: at("/inside.png"), class: "image:corrupt"},
		{id: "huge", image: at("/huge.jpg"), class: "image:too-many-pixels"},
		{id: "moving", image: at("/moving.gif"), shows: redInk},
		{id: "cmyk", image: at("/cmyk.jpg"), shows: color.RGBA{0, 255, 255, 255}},
		{id: "ycck", image: at("/ycck.jpg"), shows: color.RGBA{255, 0, 0, 255}},
		{id: "truncated", image: at("/truncated.png"), class: "image:corrupt"},
		{id: "text", image: at("/text.jpg"), class: "image:not-an-image"},
		{id: "page", image: at("/page.jpg"), class: "image:not-an-image"},
		{id: "gone", image: at("/gone.jpg"), class: "image:missing"},
		{id: "slow", image: at("/slow.png"), class: "image:timeout"},
		{id: "flaky", image: at("/flaky.png"), class: "image:http-status"},
		{id: "turned", image: at("/turned.jpg"), shows: redInk},
		{id: "dataURI", image: dataURI, shows: blueInk},
		{id: "badURI", image: "data:image/png;base64,%%%", class: "image:bad-reference"},
		{id: "in-folder", image: at("/gone-too.jpg"), shows: blueInk},
		{id: "text-in-folder", class: "image:not-an-image"},
		{id: "to-good", image: at("/to-good"), shows: redInk},
		{id: "to-itself", image: at("/to-itself"), class: "image:redirects"},
		{id: "to-decimal", image: at("/to-decimal"), class: "image:bad-reference"},
		{id: "to-file", image: at("/to-file"), class: "image:bad-reference"},
		{id: "to-login", image: at("/to-login"), class: "image:bad-reference"},
		{id: "file", image: "file:///etc/hostname", class: "image:bad-reference"},
		{id: "plain"},
	}
	folder := t.TempDir()
	for name, data := range map[string][]byte{"in-folder.png": imagetest.PNG(imagetest.Plain(20, 20, blueInk)), "text-in-folder.jpg": []byte("words")} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ws := shopOfThings(t, things)
	server := mllmtest.New(t, mllmtest.Options{})
	args := []string{"describe", ws, "--base-url", server.URL, "--image-dir", folder, "--allow-private-images", "--image-timeout", "2s", "--json"}
	code, out, errs := call(t, args...)
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	wantThings(t, ws, things, out, errs, server)
	asked := server.Total()

	// What may pass is tried again by the same command, and nothing that is described.
	host.well.Store(true)
	for i := range things {
		if things[i].id == "flaky" {
			things[i].class, things[i].shows = "", redInk
		}
	}
	if code, out, errs = call(t, args...); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	wantThings(t, ws, things, out, errs, server)
	if server.Total() != asked+1 {
		t.Errorf("%d questions in the second run, want 1", server.Total()-asked)
	}
}

// TestPicturesInside asks for pictures from this machine and its network under all the
// names that such addresses have: nobody is connected to, unless that is allowed.
func TestPicturesInside(t *testing.T) {
	host := newPictureHost(t)
	const blocked, bad = "image:blocked-address", "image:bad-reference"
	var things []thing
	for name, c := range map[string][2]string{
		"dotted":    {"http://127.0.0.1" + host.port(), blocked},
		"named":     {"http://localhost" + host.port(), blocked},
		"six":       {"http://[::1]" + host.port(), blocked},
		"mapped":    {"http://[::ffff:127.0.0.1]" + host.port(), blocked},
		"mappedhex": {"http://[::ffff:7f00:1]" + host.port(), blocked},
		"any":       {"http://0.0.0.0" + host.port(), blocked},
		"metadata":  {"http://169.254.169.254", blocked},
		"ten":       {"http://10.0.0.1", blocked},
		"decimal":   {"http://2130706433" + host.port(), bad},
		"hex":       {"http://0x7f000001" + host.port(), bad},
		"octal":     {"http://0177.0.0.1" + host.port(), bad},
		"short":     {"http://127.1" + host.port(), bad},
	} {
		things = append(things, thing{id: name, image: c[0] + "/good.png", class: c[1]})
	}
	ws := shopOfThings(t, things)
	server := mllmtest.New(t, mllmtest.Options{})
	code, out, errs := call(t, "describe", ws, "--base-url", server.URL, "--json")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	wantThings(t, ws, things, out, errs, server)
	if n := host.asked.Load(); n != 0 {
		t.Errorf("the server inside was asked %d times", n)
	}
	if server.Total() != 0 {
		t.Errorf("%d questions about nothing", server.Total())
	}

	// The same command with the permission must not take the stage for finished.
	for i, th := range things {
		switch th.id {
		case "dotted", "mapped", "mappedhex", "any":
			things[i].class, things[i].shows = "", redInk
		case "named":
			things[i].class = ""
		}
	}
	kept := things[:0]
	for _, th := range things { // these are somebody else's, or nobody's
		if th.id != "metadata" && th.id != "ten" && th.id != "six" {
			kept = append(kept, th)
		}
	}
	ws2 := shopOfThings(t, kept)
	for _, flags := range [][]string{nil, {"--allow-private-images"}} {
		if code, out, errs = call(t, append([]string{"describe", ws2, "--base-url", server.URL, "--json"}, flags...)...); code != exitOK {
			t.Fatalf("exit %d: %s", code, errs)
		}
	}
	wantThings(t, ws2, kept, out, errs, server)
}

// TestUnwritablePictureCache stops the run at once: that the disk is full or the folder
// closed is no fault of any picture.
func TestUnwritablePictureCache(t *testing.T) {
	host := newPictureHost(t)
	things := []thing{{id: "first", image: host.URL + "/good.png"}, {id: "second", image: host.URL + "/moving.gif"}, {id: "third", image: host.URL + "/turned.jpg"}}
	ws := shopOfThings(t, things)
	if err := os.MkdirAll(filepath.Join(ws, "images"), 0o755); err != nil {
		t.Fatal(err)
	}
	inTheWay := filepath.Join(ws, "images", "cache")
	if err := os.WriteFile(inTheWay, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	server := mllmtest.New(t, mllmtest.Options{})
	args := []string{"describe", ws, "--base-url", server.URL, "--allow-private-images"}
	code, _, errs := call(t, args...)
	if code != exitUser || strings.Count(errs, "write the image cache") != 1 || !strings.Contains(errs, "continues where it stopped") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if code, _, errs = call(t, args...); code != exitOK || !strings.Contains(errs, "3 with a described picture") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
