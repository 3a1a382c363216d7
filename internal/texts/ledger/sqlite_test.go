package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/ledgertest"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func open(t testing.TB, path string) *SQLite {
	t.Helper()
	s, err := OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSQLiteConforms(t *testing.T) {
	var path string
	ledgertest.Run(t, func(t *testing.T) texts.Store {
		path = filepath.Join(t.TempDir(), "gene rations?#%.db")
		return open(t, path)
	}, func(t *testing.T) texts.Store { return open(t, path) })
}

func TestFileHasTheNameGiven(t *testing.T) {
	dir := t.TempDir()
	open(t, filepath.Join(dir, "a?b#c%20d.db"))
	if _, err := os.Stat(filepath.Join(dir, "a?b#c%20d.db")); err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "l.db"))
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "30000"} {
		var got string
		if err := s.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", pragma, got, want, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, make func(path string)) string {
		p := filepath.Join(dir, name)
		make(p)
		return p
	}
	exec := func(path, stmt string) {
		s := open(t, path)
		if _, err := s.db.Exec(stmt); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ path, say string }{
		"text":        {file("text", func(p string) { os.WriteFile(p, []byte(strings.Repeat("no database ", 100)), 0o600) }), "not a database"},
		"newer":       {file("newer", func(p string) { exec(p, "PRAGMA user_version = 99") }), "newer version"},
		"foreign":     {file("foreign", func(p string) { exec(p, "PRAGMA application_id = 5") }), "another program"},
		"no folder":   {filepath.Join(dir, "absent", "l.db"), "unable to open"},
		"is a folder": {dir, "unable to open"},
	} {
		_, err := OpenSQLite(t.Context(), c.path)
		if err == nil || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func fill(t testing.TB, s *SQLite, n int) []string {
	t.Helper()
	var keys []string
	for lo := 0; lo < n; lo += 2000 {
		var gs []texts.Generation
		for i := lo; i < min(lo+2000, n); i++ {
			g := ledgertest.Full(fmt.Sprintf("%064x", uint64(i)*0x9e3779b97f4a7c15))
			g.Subject, g.Text = fmt.Sprint("u", i), strings.Repeat("word ", 80)
			keys, gs = append(keys, g.Key), append(gs, g)
		}
		if err := s.Put(t.Context(), gs); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

func TestDamagedFileIsAClearError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	s := open(t, path)
	keys := fill(t, s, 3000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(raw); i++ {
		raw[i] ^= 0x5a
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = OpenSQLite(t.Context(), path)
	if err == nil {
		_, err = s.Get(t.Context(), keys)
		s.Close()
	}
	hint, ok := usererr.Hint(err)
	if !ok || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error()+hint, "damaged") {
		t.Errorf("%v (hint %q)", err, hint)
	}
}

// What SQLite calls a code is said in words, and so is whether it may pass.
func TestReadOnlyLedgerIsSaidInWords(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "l.db"))
	fill(t, s, 1)
	if _, err := s.writer.conn.ExecContext(t.Context(), "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	err := s.Put(t.Context(), []texts.Generation{ledgertest.Full("more")})
	hint, _ := usererr.Hint(err)
	var unwritable *texts.UnwritableError
	if err == nil || !strings.Contains(err.Error(), "the ledger may only be read") || !strings.Contains(hint, "copy of the workspace") || !errors.As(err, &unwritable) {
		t.Errorf("%v (hint %q)", err, hint)
	}
}

func TestFullDiskIsAClearErrorAndKeepsWhatWasStored(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "l.db"))
	keys := fill(t, s, 100)
	if _, err := s.writer.conn.ExecContext(t.Context(), "PRAGMA max_page_count = 1"); err != nil { // raised by SQLite to what is in use
		t.Fatal(err)
	}
	var gs []texts.Generation
	for i := range 200 {
		gs = append(gs, ledgertest.Full(fmt.Sprint("more", i)))
	}
	err := s.Put(t.Context(), gs)
	hint, ok := usererr.Hint(err)
	var unwritable *texts.UnwritableError
	if !ok || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(hint, "Free some space") || !errors.As(err, &unwritable) {
		t.Fatalf("%v (hint %q)", err, hint)
	}
	if got, err := s.Get(t.Context(), append(keys, "more0")); err != nil || len(got) != 100 {
		t.Errorf("%d of 100 generations, %v", len(got), err)
	}
}
