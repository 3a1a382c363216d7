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
	left, err := Missing("shop.ws", grants...)
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
	left, err := Missing("other.ws", ServerGrant("http://h:1", ""), keyed, other, database)
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
	if n, err := Revoke("x.ws", server, other); n != 1 || err != nil {
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
		if _, err := Missing("", ServerGrant("http://h:1", "")); err == nil || !strings.Contains(err.Error(), fileName) {
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

// What a workspace may do without saying to what is agreed to for that workspace alone.
func TestPermissionsAreOfOneWorkspace(t *testing.T) {
	ownFolder(t)
	permission := Grant{What: Permission, Value: "read pictures anywhere"}
	if err := Give("mine.ws", permission); err != nil {
		t.Fatal(err)
	}
	for ws, want := range map[string]int{"mine.ws": 0, "./mine.ws/": 0, "stranger.ws": 1} {
		left, err := Missing(ws, permission)
		if err != nil || len(left) != want {
			t.Errorf("%s: missing %v, %v", ws, left, err)
		}
	}
	if err := NewGate("stranger.ws").Allow("its record", permission); usererr.KindOf(err) != usererr.KindUntrusted {
		t.Errorf("a stranger's: %v", err)
	}
}

// A path in a stranger's folder may be a link: what is shown and agreed to is where it leads.
func TestLinksAreAgreedToByWhereTheyLead(t *testing.T) {
	ownFolder(t)
	dir := t.TempDir()
	for _, name := range []string{"harmless", "private"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "pictures")
	point := func(to string) {
		t.Helper()
		os.Remove(link)
		if err := os.Symlink(filepath.Join(dir, to), link); err != nil {
			t.Skip(err) // Windows without the privilege
		}
	}
	point("harmless")
	g := PathGrant(Read, link)
	if filepath.Base(g.Value) != "harmless" {
		t.Errorf("shown is %s", g.Value)
	}
	if err := Give("", g); err != nil {
		t.Fatal(err)
	}
	point("private")
	if n := missing(t, PathGrant(Read, link)); n != 1 {
		t.Error("consent moved with the link")
	}
	if g := PathGrant(Write, filepath.Join(link, "new", "page.html")); !strings.HasSuffix(g.Value, filepath.Join("private", "new", "page.html")) {
		t.Errorf("of what is not there yet, shown is %s", g.Value)
	}
}

// Passwords that a workspace or the user wrote into addresses are not repeated.
func TestGrantsShowNoPasswords(t *testing.T) {
	dir := ownFolder(t)
	all := []Grant{ServerGrant("http://me:hunter2hunter2@h:1/v1", "KEY"), {What: Database, Value: "postgres://me:hunter2hunter2@h/x?password=hunter2hunter2"}}
	if err := Give("", all...); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{string(raw), all[0].String(), all[1].String(), Refuse("x", "y", all).Error()} {
		if strings.Contains(said, "hunter2") {
			t.Errorf("%s", said)
		}
	}
	if !strings.Contains(all[0].String(), "h:1/v1 with the key in KEY") {
		t.Errorf("%s", all[0])
	}
}
