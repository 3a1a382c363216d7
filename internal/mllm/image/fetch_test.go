package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// serve starts a server of one handler.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func servePNG(t *testing.T, asked *atomic.Int32) *httptest.Server {
	data := asPNG(t, corners(20, 10))
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked != nil {
			asked.Add(1)
		}
		w.Header().Set("Content-Type", "text/plain") // content decides, not this
		_, _ = w.Write(data)
	})
}

func TestPublicAddresses(t *testing.T) {
	for _, s := range []string{"8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2002:808:808::1"} {
		if !public(netip.MustParseAddr(s)) {
			t.Errorf("%s is public", s)
		}
	}
	for _, s := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
		"ff02::1", "fec0::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001::1", "2001:db8::1",
	} {
		if public(netip.MustParseAddr(s)) {
			t.Errorf("%s is not public", s)
		}
	}
}

func TestLoadRefusesAddressesInside(t *testing.T) {
	var asked atomic.Int32
	srv := servePNG(t, &asked)
	port := srv.URL[strings.LastIndexByte(srv.URL, ':'):]
	l := newTestLoader(t, Options{Timeout: 2 * time.Second, Attempts: 1})
	for ref, want := range map[string]Kind{
		srv.URL:                               Blocked,
		"http://localhost" + port:             Blocked,
		"http://LOCALHOST" + port:             Blocked,
		"http://[::1]" + port:                 Blocked,
		"http://[::ffff:127.0.0.1]" + port:    Blocked,
		"http://[::ffff:7f00:1]" + port:       Blocked,
		"http://0.0.0.0" + port:               Blocked,
		"http://[::]" + port:                  Blocked,
		"http://169.254.169.254/latest/meta":  Blocked,
		"http://2130706433" + port:            BadReference,
		"http://0x7f000001" + port:            BadReference,
		"http://0x7f.0.0.1" + port:            Blocked, // no name: refused below whatever the resolver says
		"http://127.1" + port:                 BadReference,
		"http://0177.0.0.1" + port:            BadReference,
		"http://127.0.0.1." + port:            BadReference,
		"http://user:pw@127.0.0.1" + port:     BadReference,
		"http://example.com@127.0.0.1" + port: BadReference,
		"file:///etc/passwd":                  BadReference,
		"file:/etc/passwd":                    BadReference,
		"FILE:///etc/passwd":                  BadReference,
		"gopher://127.0.0.1:70/_x":            BadReference,
		"ftp://127.0.0.1/a.jpg":               BadReference,
		"javascript:alert(1)":                 BadReference,
		"http:///a.jpg":                       BadReference,
		"http:a.jpg":                          BadReference,
		"//127.0.0.1" + port + "/a.jpg":       Missing, // a path, not a URL
		"http://exa mple/":                    BadReference,
	} {
		_, err := l.Load(t.Context(), ref)
		if ref == "http://0x7f.0.0.1"+port && KindOf(err) != "" {
			continue // every typed refusal will do: it depends on the resolver
		}
		if KindOf(err) != want {
			t.Errorf("%s: kind %q, want %q: %v", ref, KindOf(err), want, err)
		}
		if err != nil && strings.Contains(err.Error(), "pw@") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("the server inside was asked %d times", asked.Load())
	}
	open := newTestLoader(t, Options{AllowPrivate: true})
	if img, err := open.Load(t.Context(), srv.URL+"/x.txt"); err != nil || img.Width != 20 {
		t.Errorf("allowed, it must load: %v", err)
	}
}

// only lets a loader connect to one server, as if that were the public internet.
func only(l *Loader, srv *httptest.Server) {
	ok := netip.MustParseAddrPort(srv.Listener.Addr().String())
	l.allowed = func(ap netip.AddrPort) bool { return ap == ok }
}

func TestLoadChecksEveryRedirect(t *testing.T) {
	var asked atomic.Int32
	inside := servePNG(t, &asked)
	var to atomic.Value
	outside := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ok" {
			_, _ = w.Write(asPNG(t, corners(20, 10)))
			return
		}
		http.Redirect(w, r, to.Load().(string), http.StatusFound)
	})
	l := newTestLoader(t, Options{})
	only(l, outside)
	for target, want := range map[string]Kind{
		inside.URL:                    Blocked,
		"http://[::ffff:127.0.0.1]:1": Blocked,
		"file:///etc/passwd":          BadReference,
		"gopher://x":                  BadReference,
		"http://2130706433/":          BadReference,
		"http://u:p@" + outside.Listener.Addr().String() + "/ok": BadReference,
		"/again": Redirects,
		"/ok":    "",
	} {
		to.Store(target)
		_, err := l.Load(t.Context(), outside.URL+"/start")
		if KindOf(err) != want || (want == "" && err != nil) {
			t.Errorf("to %s: kind %q, want %q: %v", target, KindOf(err), want, err)
		}
	}
	if asked.Load() != 0 {
		t.Error("a redirect led inside")
	}
}

// rebinding is a DNS server that answers 127.0.0.1 first and 127.0.0.2 ever after.
func rebinding(t *testing.T) (*net.Resolver, *atomic.Int32) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var answered atomic.Int32
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			end := 12 + bytes.IndexByte(buf[12:n], 0) + 5 // the question: name, type, class
			reply := append([]byte{buf[0], buf[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, buf[12:end]...)
			if buf[end-3] == 1 { // A
				last := byte(min(answered.Add(1), 2))
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, last)
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}, &answered
}

func TestLoadIsNotFooledByDNSRebinding(t *testing.T) {
	srv := servePNG(t, nil)
	srv.Config.SetKeepAlivesEnabled(false) // each download connects, and resolves, anew
	resolver, answered := rebinding(t)
	l := newTestLoader(t, Options{Attempts: 1})
	l.client.Transport = l.transport(resolver)
	only(l, srv)
	ref := "http://pictures.example.test:" + srv.URL[strings.LastIndexByte(srv.URL, ':')+1:] + "/a.png"
	if _, err := l.Load(t.Context(), ref); err != nil {
		t.Fatalf("the first address is good: %v", err)
	}
	if _, err := l.Load(t.Context(), ref); KindOf(err) != Blocked {
		t.Errorf("the second address is not: %v", err)
	}
	if answered.Load() < 2 {
		t.Errorf("the name was resolved %d times", answered.Load())
	}
}

func TestLoadBoundsWhatAServerSends(t *testing.T) {
	png := asPNG(t, corners(20, 10))
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(append(png, make([]byte, 32<<10)...)); err != nil {
					return
				}
			}
		case "/declared":
			w.Header().Set("Content-Length", "999999999999")
			_, _ = w.Write(png)
		case "/gzip": // promised small, unpacks large
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"))
		case "/drip":
			for r.Context().Err() == nil {
				_, _ = w.Write(png[:1])
				_ = http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		case "/hang":
			<-r.Context().Done()
		case "/cut":
			w.Header().Set("Content-Length", fmt.Sprint(len(png)))
			_, _ = w.Write(png[:len(png)/2])
		case "/gone":
			http.Error(w, "gone", http.StatusGone)
		case "/secret":
			http.Error(w, "no", http.StatusForbidden)
		case "/html":
			_, _ = io.WriteString(w, "<html>not found</html>")
		}
	})
	l := newTestLoader(t, Options{AllowPrivate: true, MaxBytes: 1 << 20, Timeout: 200 * time.Millisecond, Attempts: 2})
	for path, want := range map[string]Kind{
		"/endless": TooLarge, "/declared": TooLarge, "/gzip": NotAnImage, "/drip": Timeout, "/hang": Timeout, "/cut": Network,
		"/gone": Missing, "/secret": Refused, "/html": NotAnImage,
	} {
		_, err := l.Load(t.Context(), srv.URL+path+"?signature=hidden")
		var e *Error
		if !errors.As(err, &e) || e.Kind != want {
			t.Errorf("%s: kind %q, want %q: %v", path, KindOf(err), want, err)
		} else if !strings.Contains(e.Ref, path) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: the error names %q: %v", path, e.Ref, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := l.Load(ctx, srv.URL+"/hang"); KindOf(err) != Cancelled {
		t.Errorf("cancelled: %v", err)
	}
}

func TestLoadTriesAgainWhatMayPass(t *testing.T) {
	var asked atomic.Int32
	png := asPNG(t, corners(20, 10))
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(png)
	})
	l := newTestLoader(t, Options{AllowPrivate: true})
	if _, err := l.Load(t.Context(), srv.URL); err != nil || asked.Load() != 3 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}

func TestLoadIsPoliteToEachHost(t *testing.T) {
	var now, most atomic.Int32
	png := asPNG(t, corners(20, 10))
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		_, _ = w.Write(png)
	})
	l := newTestLoader(t, Options{AllowPrivate: true, PerHost: 3})
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			if _, err := l.Load(t.Context(), fmt.Sprintf("%s/%d", srv.URL, i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d downloads at a time, at most 3 are polite", most.Load())
	}
	if len(l.hosts.slots) != 0 {
		t.Errorf("%d hosts are remembered for ever", len(l.hosts.slots))
	}
}

func TestCacheAsksOnlyWhetherThePictureChanged(t *testing.T) {
	var full, same, down atomic.Int32
	var version atomic.Value
	version.Store(`"v1"`)
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch etag := version.Load().(string); {
		case down.Load() > 0:
			http.Error(w, "down", http.StatusBadGateway)
		case r.Header.Get("If-None-Match") == etag:
			same.Add(1)
			w.WriteHeader(http.StatusNotModified)
		default:
			full.Add(1)
			w.Header().Set("ETag", etag)
			_, _ = w.Write(asPNG(t, corners(20+len(etag)*2, 10)))
		}
	})
	dir := t.TempDir()
	load := func(revalidate time.Duration) (string, error) {
		l := newTestLoader(t, Options{AllowPrivate: true, CacheDir: dir, Revalidate: revalidate, Attempts: 1})
		img, err := l.Load(t.Context(), srv.URL+"/a#fragment")
		return img.SHA256, err
	}
	want := func(step string, wantFull, wantSame int32) {
		t.Helper()
		if full.Load() != wantFull || same.Load() != wantSame {
			t.Errorf("%s: %d downloads and %d confirmations, want %d and %d", step, full.Load(), same.Load(), wantFull, wantSame)
		}
	}
	first, err := load(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	want("first", 1, 0)
	_, _ = load(time.Hour)
	want("fresh", 1, 0)
	again, err := load(time.Nanosecond)
	want("stale", 1, 1)
	if err != nil || again != first {
		t.Errorf("the cached picture differs (%v)", err)
	}
	down.Store(1)
	if again, err = load(time.Nanosecond); err != nil || again != first {
		t.Errorf("a server that is down must not change the picture: %v", err)
	}
	down.Store(0)
	version.Store(`"v22"`)
	if again, err = load(time.Nanosecond); err != nil || again == first {
		t.Errorf("a changed picture must be seen (%v)", err)
	}
	want("changed", 2, 1)

	files, _ := filepath.Glob(filepath.Join(dir, "images", "*", "*"))
	if len(files) != 1 {
		t.Fatalf("cache files: %v", files)
	}
	data, _ := os.ReadFile(files[0])
	for name, damage := range map[string][]byte{"torn": data[:len(data)/2], "flipped": append(bytes.Clone(data[:len(data)-1]), data[len(data)-1]^1), "empty": nil} {
		if err := os.WriteFile(files[0], damage, 0o644); err != nil {
			t.Fatal(err)
		}
		before := full.Load()
		if got, err := load(time.Hour); err != nil || got != again || full.Load() != before+1 {
			t.Errorf("%s cache entry: %v, %d downloads", name, err, full.Load()-before)
		}
	}
}
