package sqlite

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	made := func(name, stmt string) string {
		path := filepath.Join(dir, name)
		openStore(t, path)
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(stmt); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, say string }{
		"text":        {text, "not a live state"},
		"newer":       {made("newer", "PRAGMA user_version = 99"), "newer version"},
		"a ledger":    {made("ledger", "PRAGMA application_id = 0x6d6c6c72"), "another program"},
		"no folder":   {filepath.Join(dir, "absent", "l.db"), "cannot be opened"},
		"is a folder": {dir, "cannot be opened"},
	} {
		_, err := Open(t.Context(), c.path)
		if err == nil || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A record that somebody spoilt is named, and does not take others with it.
func TestSpoiltRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live.db")
	s := openStore(t, path)
	for _, user := range []string{"spoilt", "sound"} {
		if _, err := s.EditPreference(t.Context(), live.Edit{User: user, Text: "t", By: live.ByUser}); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE records SET body = '{' WHERE id = 'spoilt'"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Preference(t.Context(), "spoilt"); usererr.KindOf(err) != usererr.KindDamaged || !strings.Contains(err.Error(), `"spoilt"`) {
		t.Errorf("%v", err)
	}
	if p, there, err := s.Preference(t.Context(), "sound"); err != nil || !there || p.Text != "t" {
		t.Errorf("%+v, %v", p, err)
	}
}
