package consent

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// ownFolder gives the test a configuration folder of its own.
func ownFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "config")
	t.Setenv("MLLMREC_CONFIG_DIR", dir)
	return dir
}

func missing(t *testing.T, grants ...Grant) int {
	t.Helper()
	left, err := Missing(grants...)
	if err != nil {
		t.Fatal(err)
	}
	return len(left)
}

func TestWhatIsAgreedTo(t *testing.T) {
	dir := ownFolder(t)
	server, keyed, other := ServerGrant("http://h:1/", "", "base-url"), ServerGrant("http://h:1", "KEY"), ServerGrant("http://h:2", "")
	database := DatabaseGrant("postgres://u:hunter2@db/x")
	if n := missing(t, server, keyed, other, database); n != 4 {
		t.Fatalf("%d missing before anything was agreed to", n)
	}
	if err := Give("shop.ws", server, database); err != nil {
		t.Fatal(err)
	}
	// The same server with another key, or another address, was not agreed to.
	left, err := Missing(ServerGrant("http://h:1", ""), keyed, other, database)
	if err != nil || len(left) != 2 || left[0].Value != keyed.Value || left[1].Value != other.Value {
		t.Errorf("missing %v, %v", left, err)
	}
	// The kind of thing is part of it.
	if n := missing(t, Grant{What: Read, Value: server.Value}); n != 1 {
		t.Error("consent to a server is consent to a file of that name")
	}
	path := filepath.Join(dir, fileName)
	raw, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(raw), "hunter2") {
		t.Errorf("%v: %s", err, raw)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if n, err := Revoke(server, other); n != 1 || err != nil {
		t.Errorf("took back %d, %v", n, err)
	}
	if n := missing(t, server, database); n != 1 {
		t.Errorf("%d missing after one was taken back", n)
	}
}

func TestGate(t *testing.T) {
	ownFolder(t)
	server, folder := ServerGrant("http://h:1", "KEY"), PathGrant(Read, "pictures")
	g := NewGate("shop.ws")
	err := g.Allow("workspace.json", server, folder)
	if usererr.KindOf(err) != usererr.KindUntrusted || usererr.WorkspaceOf(err) != "shop.ws" ||
		!strings.Contains(err.Error(), "http://h:1 with the key in KEY") || !strings.Contains(err.Error(), folder.Value) || !filepath.IsAbs(folder.Value) {
		t.Errorf("error %v of workspace %q", err, usererr.WorkspaceOf(err))
	}
	g.Typed(server)
	if err := g.Allow("workspace.json", server); err != nil {
		t.Errorf("what was typed: %v", err)
	}
	if err := g.Allow("workspace.json", server, folder); err == nil || strings.Contains(err.Error(), "h:1") {
		t.Errorf("what was not typed beside it: %v", err)
	}
	if err := Give("", folder); err != nil {
		t.Fatal(err)
	}
	if err := g.Allow("workspace.json", server, folder); err != nil {
		t.Errorf("typed and agreed to: %v", err)
	}
	all := NewGate("x")
	all.TrustAll()
	if err := all.Allow("y", ServerGrant("http://evil", "")); err != nil {
		t.Errorf("a program that trusts its workspace: %v", err)
	}
}

func TestDamagedConsentsAllowNothing(t *testing.T) {
	dir := ownFolder(t)
	if err := Give("", ServerGrant("http://h:1", "")); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"{", `{"format":2}`, "[]"} {
		if err := os.WriteFile(filepath.Join(dir, fileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Missing(ServerGrant("http://h:1", "")); err == nil || !strings.Contains(err.Error(), fileName) {
			t.Errorf("%s: %v", text, err)
		}
		if err := Give("", ServerGrant("http://h:2", "")); err == nil {
			t.Errorf("%s was overwritten", text)
		}
	}
}

func TestManyGiveAtOnce(t *testing.T) {
	ownFolder(t)
	var wg sync.WaitGroup
	var all []Grant
	for i := range 20 {
		g := ServerGrant(fmt.Sprintf("http://h:%d", i), "")
		all = append(all, g)
		wg.Go(func() {
			if err := Give("ws", g); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := missing(t, all...); n != 0 {
		t.Errorf("%d of %d were lost", n, len(all))
	}
}
