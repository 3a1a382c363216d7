package ledger

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/database/sqlitefile"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/ledgertest"
)

// format1 copies testdata/format1.db, which the last program of format 1 wrote, and
// returns what that program put into it.
func format1(t *testing.T) (path string, want map[string]texts.Generation) {
	t.Helper()
	raw, err := os.ReadFile("testdata/format1.db")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "l.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	want = map[string]texts.Generation{
		"full": ledgertest.Full("full"),
		"bare": {Key: "bare", Stage: texts.StageDescribe, Fold: texts.FullFold, Status: texts.StatusQuarantined, Sources: []int32{}, Created: time.UnixMicro(0).UTC()},
	}
	for i := range 40 {
		g := ledgertest.Full(strings.Repeat(fmt.Sprintf("%02x", i), 32))
		g.Subject, g.Params, g.Text, g.Fold = fmt.Sprint("u", i%20), fmt.Sprintf(`{"prompt_sha256":"%d"}`, i), fmt.Sprint("text of ", i), i/20
		g.Sources = g.Sources[:i%4]
		if i%5 == 0 {
			g.Stage = texts.StageDescribe
		}
		if i%7 == 0 {
			g.Status, g.Class, g.Error, g.Text = texts.StatusQuarantined, "empty", "the answer is empty", ""
		}
		want[g.Key] = g
	}
	return path, want
}

func keysOf(gs map[string]texts.Generation) []string {
	var keys []string
	for k := range gs {
		keys = append(keys, k)
	}
	return keys
}

func TestFormat1IsUpgraded(t *testing.T) {
	path, want := format1(t)
	for range 2 { // upgraded, then as it is
		s := open(t, path)
		got, err := s.Get(t.Context(), keysOf(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		each := map[string]texts.Generation{}
		for _, stage := range []string{texts.StageDescribe, texts.StageReason} {
			if err := s.Each(t.Context(), stage, func(g texts.Generation) error {
				each[g.Key] = g
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, each); diff != "" {
			t.Fatal(diff)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// What was quarantined can be answered, what was answered cannot be replaced.
	s := open(t, path)
	failed, answered := want[strings.Repeat("07", 32)], want[strings.Repeat("08", 32)]
	failed.Status, failed.Text, failed.Class, failed.Error = texts.StatusOK, "at last", "", ""
	other := answered
	other.Text = "another"
	if err := s.Put(t.Context(), []texts.Generation{failed, other}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), []string{failed.Key, answered.Key})
	if diff := cmp.Diff(map[string]texts.Generation{failed.Key: failed, answered.Key: answered}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// TestFailedUpgradeChangesNothing stops upgrades at every size at which the disk may be
// full: each time the file still holds every row of format 1.
func TestFailedUpgradeChangesNothing(t *testing.T) {
	path, want := format1(t)
	failures := 0
	for pages := 8; ; pages++ {
		db, err := sql.Open("sqlite", fmt.Sprintf("file:%s?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=max_page_count(%d)", path, pages))
		if err != nil {
			t.Fatal(err)
		}
		err = format.Prepare(t.Context(), db)
		if cerr := db.Close(); cerr != nil {
			t.Fatal(cerr)
		}
		if err == nil {
			break
		}
		failures++
		if n := rowsOfFormat1(t, path); n != len(want) {
			t.Fatalf("after %v: %d rows of %d", err, n, len(want))
		}
	}
	if failures < 3 {
		t.Errorf("the disk was full %d times only", failures)
	}
	if got, err := open(t, path).Get(t.Context(), keysOf(want)); err != nil || len(got) != len(want) {
		t.Errorf("%d of %d generations, %v", len(got), len(want), err)
	}
}

func rowsOfFormat1(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if version, _, err := sqlitefile.FileVersion(t.Context(), db); err != nil || version != 1 {
		t.Fatalf("the file has format %d, %v", version, err)
	}
	if err := db.QueryRow("SELECT count(*) FROM generations WHERE length(key) > 0 AND sources LIKE '[%]'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestUpgradeRefusesToLoseRows upgrades a file with a row that has no place in format 2.
func TestUpgradeRefusesToLoseRows(t *testing.T) {
	path, want := format1(t)
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// Only a program that is not ours can have written this.
	for _, stmt := range []string{"PRAGMA writable_schema = ON", "UPDATE sqlite_schema SET sql = replace(sql, 'finish        TEXT NOT NULL', 'finish        TEXT') WHERE name = 'generations'",
		"PRAGMA writable_schema = RESET", "UPDATE generations SET finish = NULL WHERE key = 'full'"} {
		if _, err := db.Exec(stmt); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := OpenSQLite(t.Context(), path); err == nil {
		s.Close()
		t.Fatal("it was upgraded")
	}
	if n := rowsOfFormat1(t, path); n != len(want) {
		t.Errorf("%d rows of %d", n, len(want))
	}
}

func TestOtherToolsSeeWholeGenerations(t *testing.T) {
	path, want := format1(t)
	s := open(t, path)
	rows, err := s.db.Query(`SELECT key, stage, subject, status, text, model, prompt_hash, split_hash, sources FROM generations`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var g texts.Generation
		var sources string
		if err := rows.Scan(&g.Key, &g.Stage, &g.Subject, &g.Status, &g.Text, &g.Model, &g.PromptHash, &g.SplitHash, &sources); err != nil {
			t.Fatal(err)
		}
		w := want[g.Key]
		if g.Stage != w.Stage || g.Subject != w.Subject || g.Status != w.Status || g.Text != w.Text || g.Model != w.Model || g.PromptHash != w.PromptHash || g.SplitHash != w.SplitHash || sources != writeSources(w.Sources) {
			t.Errorf("%s: %+v, want %+v", g.Key, g, w)
		}
	}
	if err := rows.Err(); err != nil || n != len(want) {
		t.Errorf("%d of %d rows, %v", n, len(want), err)
	}
}
