package mllmrec_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec"
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/tables"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// wantKind checks an error as a caller sees it.
func wantKind(t *testing.T, name string, err error, kind mllmrec.Kind, message string) {
	t.Helper()
	var e *mllmrec.Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("%s: %v is no Error", name, err)
	case e.Kind != kind || mllmrec.KindOf(err) != kind:
		t.Errorf("%s: kind %q, want %q: %v", name, e.Kind, kind, err)
	case !strings.Contains(err.Error(), message):
		t.Errorf("%s: %q does not say %q", name, err, message)
	case e.Hint != "" && (!strings.HasSuffix(e.Hint, ".") || strings.Contains(e.Hint, "--")):
		t.Errorf("%s: the hint %q is no whole sentence, or names a flag", name, e.Hint)
	}
}

func TestKindsOfQuestions(t *testing.T) {
	ctx, rec, clicks := t.Context(), open(t, "shop.ws"), open(t, "clicks.ws")
	for name, c := range map[string]struct {
		ask     func() error
		kind    mllmrec.Kind
		message string
	}{
		"unknown user":    {func() error { _, err := rec.ForUser(ctx, "nobody", 5); return err }, mllmrec.KindUnknown, `unknown user "nobody"`},
		"one of several":  {func() error { _, err := rec.ForUsers(ctx, []string{"u00", "x"}, 5); return err }, mllmrec.KindUnknown, `unknown user "x"`},
		"their history":   {func() error { _, err := rec.History("nobody"); return err }, mllmrec.KindUnknown, `unknown user "nobody"`},
		"unknown item":    {func() error { _, err := rec.ForHistory(ctx, []string{"mug-01", "no"}, 5); return err }, mllmrec.KindUnknown, `unknown item "no"`},
		"item of none":    {func() error { _, err := rec.Item("no"); return err }, mllmrec.KindUnknown, `unknown item "no"`},
		"like none":       {func() error { _, err := rec.Similar(ctx, "no", 5); return err }, mllmrec.KindUnknown, `unknown item "no"`},
		"empty history":   {func() error { _, err := rec.ForHistory(ctx, nil, 5); return err }, mllmrec.KindMistake, "empty history"},
		"empty sentence":  {func() error { _, err := rec.ForText(ctx, " \n", 5); return err }, mllmrec.KindMistake, "empty sentence"},
		"foreign words":   {func() error { _, err := rec.ForText(ctx, "qwxyz", 5); return err }, mllmrec.KindMistake, "no word of the text"},
		"k of none":       {func() error { _, err := rec.ForUser(ctx, "u00", 0); return err }, mllmrec.KindMistake, "k is 0"},
		"k below none":    {func() error { _, err := rec.ForTexts(ctx, nil, -3); return err }, mllmrec.KindMistake, "k is -3"},
		"similar to none": {func() error { _, err := rec.Similar(ctx, "mug-00", 0); return err }, mllmrec.KindMistake, "k is 0"},
		"bpr, sentence":   {func() error { _, err := clicks.ForText(ctx, "a mug", 5); return err }, mllmrec.KindMistake, "model bpr cannot place"},
		"bpr, history":    {func() error { _, err := clicks.ForHistory(ctx, []string{"mug-00"}, 5); return err }, mllmrec.KindMistake, "model bpr cannot place"},
		"unknown run": {func() error { _, err := mllmrec.Open(ctx, "shop.ws", mllmrec.WithRun("none")); return err },
			mllmrec.KindUnknown, `has no run "none"`},
		"run with a path": {func() error { _, err := mllmrec.Open(ctx, "shop.ws", mllmrec.WithRun("../data")); return err },
			mllmrec.KindUnknown, `has no run "../data"`},
		"no workspace": {func() error { _, err := mllmrec.Open(ctx, "nowhere.ws"); return err }, mllmrec.KindUnknown, "is no workspace"},
		"no runs":      {func() error { _, err := mllmrec.Runs(ctx, "nowhere.ws"); return err }, mllmrec.KindUnknown, "is no workspace"},
		"a writer of no name": {func() error {
			_, err := open(t, "shop.ws", mllmrec.WithWriter("parrot")).ForHistory(ctx, []string{"mug-00"}, 5)
			return err
		}, mllmrec.KindMistake, `option "mllm"`},
	} {
		wantKind(t, name, c.ask(), c.kind, c.message)
	}
}

func TestKindsOfBuilds(t *testing.T) {
	build := func(dir string, opt mllmrec.BuildOptions) error {
		_, err := mllmrec.Build(t.Context(), dir, opt)
		return err
	}
	options := func(pairs ...string) mllmrec.BuildOptions {
		o := map[string]string{"mllm": "offline"}
		for i := 0; i < len(pairs); i += 2 {
			o[pairs[i]] = pairs[i+1]
		}
		return mllmrec.BuildOptions{Options: o}
	}
	for name, c := range map[string]struct {
		err     error
		kind    mllmrec.Kind
		message string
	}{
		"no workspace":        {build("nowhere.ws", mllmrec.BuildOptions{}), mllmrec.KindUnknown, "is no workspace"},
		"unknown model":       {build("shop.ws", mllmrec.BuildOptions{Model: "oracle"}), mllmrec.KindMistake, "oracle"},
		"unknown setting":     {build("shop.ws", mllmrec.BuildOptions{Model: "bpr", Settings: map[string]string{"magic": "1"}}), mllmrec.KindMistake, "magic"},
		"misspelt option":     {build("shop.ws", options("treshold", "0.4")), mllmrec.KindMistake, `option "treshold"`},
		"value of no sense":   {build("shop.ws", options("threshold", "high")), mllmrec.KindMistake, `option "threshold" must be a number`},
		"value out of range":  {build("shop.ws", options("threshold", "7")), mllmrec.KindMistake, `option "threshold" must be at most 1`},
		"without effect":      {build("shop.ws", mllmrec.BuildOptions{Model: "bpr", Options: map[string]string{"threshold": "0.4"}}), mllmrec.KindMistake, `option "threshold" has no effect`},
		"field given by name": {build("shop.ws", options("seed", "3")), mllmrec.KindMistake, `option "seed"`},
		"no server": {build("shop.ws", mllmrec.BuildOptions{Options: map[string]string{"mllm": "ollama", "base-url": "http://127.0.0.1:1"}}),
			mllmrec.KindUnavailable, "no model server answers"},
	} {
		wantKind(t, name, c.err, c.kind, c.message)
	}
}

func TestKindsOfImports(t *testing.T) {
	shop := func() *dataset.Dataset {
		ds := &dataset.Dataset{UserIDs: []string{"a", "b"}, Items: []dataset.Item{{ID: "x"}, {ID: "y"}, {ID: "z"}}}
		for u := range int32(2) {
			for i := range int32(3) {
				ds.Append(dataset.Interaction{User: u, Item: i})
			}
		}
		return ds
	}
	twice, outside := shop(), shop()
	twice.UserIDs[1] = "a"
	outside.Append(dataset.Interaction{User: 2})
	occupied := t.TempDir()
	if err := os.WriteFile(filepath.Join(occupied, "letter.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir     string
		ds      *dataset.Dataset
		opt     mllmrec.ImportOptions
		kind    mllmrec.Kind
		message string
	}{
		"no data":           {"a", nil, mllmrec.ImportOptions{}, mllmrec.KindMistake, "no data set is given"},
		"nothing in it":     {"a", &dataset.Dataset{}, mllmrec.ImportOptions{}, mllmrec.KindMistake, ""},
		"an id twice":       {"a", twice, mllmrec.ImportOptions{}, mllmrec.KindMistake, `id "a" stands in row 0 already`},
		"a user outside":    {"a", outside, mllmrec.ImportOptions{}, mllmrec.KindMistake, "user row 2 is outside the 2 users"},
		"an empty core":     {"a", shop(), mllmrec.ImportOptions{KCore: 9}, mllmrec.KindMistake, "the 9-core is empty"},
		"no such split":     {"a", shop(), mllmrec.ImportOptions{Split: "halves"}, mllmrec.KindMistake, `unknown split "halves"`},
		"an occupied place": {occupied, shop(), mllmrec.ImportOptions{}, mllmrec.KindMistake, "letter.txt"},
		"another workspace": {"shop.ws", shop(), mllmrec.ImportOptions{}, mllmrec.KindMistake, "exists already"},
	} {
		if c.dir == "a" {
			c.dir = filepath.Join(t.TempDir(), "a.ws")
		}
		_, err := mllmrec.Import(t.Context(), c.dir, c.ds, c.opt)
		wantKind(t, name, err, c.kind, c.message)
	}
}

func TestABadRowIsNamed(t *testing.T) {
	torn := filepath.Join(t.TempDir(), "torn.csv")
	if err := os.WriteFile(torn, []byte("user,item\na,x\nb,\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := tables.Read(t.Context(), tables.Options{Interactions: torn})
	var row dataset.RowError
	e := mllmrec.AsError(err)
	if !errors.As(e, &row) || row.Line != 3 || row.File != torn {
		t.Errorf("row %+v of %v", row, e)
	}
	wantKind(t, "bad row", e, mllmrec.KindMistake, "torn.csv:3")
	_, _, err = tables.Read(t.Context(), tables.Options{Interactions: "none.csv"})
	wantKind(t, "no file", mllmrec.AsError(err), mllmrec.KindUnknown, "none.csv")
}

func TestOpenBeforeTraining(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new.ws")
	if err := importShop(t.Context(), dir, ""); err != nil {
		t.Fatal(err)
	}
	_, err := mllmrec.Open(t.Context(), dir)
	wantKind(t, "no run", err, mllmrec.KindNotReady, "has no finished run")
	if stage := mllmrec.AsError(err).Stage; stage != "train" {
		t.Errorf("stage %q, want train", stage)
	}
	if runs, err := mllmrec.Runs(t.Context(), dir); err != nil || len(runs) != 0 {
		t.Errorf("runs %v, %v", runs, err)
	}
}

func TestBuildUnderALock(t *testing.T) {
	dir := copyOf(t, "clicks.ws")
	ws, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	release, err := ws.Lock()
	if err != nil {
		t.Fatal(err)
	}
	opt := mllmrec.BuildOptions{Model: "bpr"}
	_, err = mllmrec.Build(t.Context(), dir, opt)
	wantKind(t, "locked", err, mllmrec.KindLocked, fmt.Sprintf("process %d", os.Getpid()))
	if _, err := open(t, dir).ForUser(t.Context(), "u00", 3); err != nil {
		t.Errorf("a locked workspace cannot be read: %v", err)
	}
	release()
	if _, err := mllmrec.Build(t.Context(), dir, opt); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestDamagedFiles(t *testing.T) {
	ask := func(dir string) error {
		rec, err := mllmrec.Open(t.Context(), dir)
		if err != nil {
			return err
		}
		defer rec.Close()
		if _, err := rec.ForText(t.Context(), "a red mug", 3); err != nil {
			return err
		}
		_, err = rec.ForUser(t.Context(), "u00", 3)
		return err
	}
	cut := func(b []byte) []byte { return b[:len(b)/2] }
	flip := func(b []byte) []byte { b[len(b)-1] ^= 0x40; return b }
	for _, c := range []struct {
		pattern string
		spoil   func([]byte) []byte
	}{
		{"runs/*/users.npy", cut}, {"runs/*/items.npy", flip}, {"runs/*/model.safetensors", cut}, {"workspace.json", cut},
		{"interactions.parquet", cut}, {"items.parquet", flip}, {"features/*/lsa.safetensors", cut}, {"features/*/encoder.json", cut},
		{"graphs/*/*.npz", cut}, {"texts/*/items.parquet", cut},
	} {
		dir := copyOf(t, "shop.ws")
		files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(c.pattern)))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no such file in the workspace", c.pattern)
			continue
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file, c.spoil(raw), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		wantKind(t, c.pattern, ask(dir), mllmrec.KindNotProvable, filepath.Base(files[0]))
	}
}

// A model server that was away when it was first asked is asked again.
func TestAModelServerComesAndGoes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop.ws")
	if err := importShop(t.Context(), dir, "catalogue.csv"); err != nil {
		t.Fatal(err)
	}
	likes := mllmtest.Options{Answer: func(mllmtest.Record) string { return "Likes striped mugs of stoneware for the kitchen." }}
	server := mllmtest.New(t, likes)
	opt := mllmrec.BuildOptions{Model: "mllmrec", Settings: map[string]string{"epochs": "1"}, Options: map[string]string{"mllm": "ollama", "base-url": server.URL}}
	if _, err := mllmrec.Build(t.Context(), dir, opt); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(server.URL, "http://")
	server.Stop()
	history := []string{"mug-00", "mug-01"}
	_, err := open(t, dir).ForHistory(t.Context(), history, 3)
	wantKind(t, "a server that a workspace names", err, mllmrec.KindUntrusted, server.URL)
	rec := open(t, dir, mllmrec.TrustWorkspace())
	_, err = rec.ForHistory(t.Context(), history, 3)
	wantKind(t, "server away", err, mllmrec.KindUnavailable, "127.0.0.1")
	if _, err := open(t, dir, mllmrec.WithWriter("offline")).ForHistory(t.Context(), history, 3); err != nil {
		t.Errorf("written offline: %v", err)
	}
	back := mllmtest.New(nil, likes)
	defer back.Stop()
	relay(t, address, back.URL)
	if items, err := rec.ForHistory(t.Context(), history, 3); err != nil || len(items) != 3 {
		t.Errorf("server back: %v, %v", items, err)
	}
}

func TestAnEndedContextStopsEverything(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec := open(t, "shop.ws")
	late, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer stop()
	for name, f := range map[string]func(context.Context) error{
		"import": func(ctx context.Context) error { return importShop(ctx, filepath.Join(t.TempDir(), "x.ws"), "") },
		"build": func(ctx context.Context) error {
			_, err := mllmrec.Build(ctx, "clicks.ws", mllmrec.BuildOptions{Model: "bpr"})
			return err
		},
		"open":       func(ctx context.Context) error { _, err := mllmrec.Open(ctx, "shop.ws"); return err },
		"runs":       func(ctx context.Context) error { _, err := mllmrec.Runs(ctx, "shop.ws"); return err },
		"users":      func(ctx context.Context) error { _, err := rec.ForUsers(ctx, rec.Users(), 3); return err },
		"histories":  func(ctx context.Context) error { _, err := rec.ForHistories(ctx, histories, 3); return err },
		"sentences":  func(ctx context.Context) error { _, err := rec.ForTexts(ctx, sentences, 3); return err },
		"similar":    func(ctx context.Context) error { _, err := rec.Similar(ctx, "mug-00", 3); return err },
		"ask a dead": func(ctx context.Context) error { _, err := rec.ForHistory(ctx, histories[0], 3); return err },
	} {
		if err := f(ctx); !errors.Is(err, context.Canceled) || mllmrec.KindOf(err) != mllmrec.KindStopped {
			t.Errorf("%s, cancelled: %v is %q", name, err, mllmrec.KindOf(err))
		}
		if err := f(late); !errors.Is(err, context.DeadlineExceeded) || mllmrec.KindOf(err) != mllmrec.KindStopped {
			t.Errorf("%s, too late: %v is %q", name, err, mllmrec.KindOf(err))
		}
	}
}

// A build that is stopped in the middle of its training goes on there.
func TestAStoppedBuildGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "clicks.ws")
	if err := importShop(t.Context(), dir, ""); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	epochs := 0
	opt := mllmrec.BuildOptions{Model: "bpr", Progress: func(p mllmrec.Progress) {
		if p.Stage == "train" && p.Done {
			if epochs++; epochs == 3 {
				cancel()
			}
		}
	}}
	_, err := mllmrec.Build(ctx, dir, opt)
	if !errors.Is(err, context.Canceled) || mllmrec.KindOf(err) != mllmrec.KindStopped {
		t.Fatalf("stopped: %v", err)
	}
	opt.Progress = nil
	built, err := mllmrec.Build(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := mllmrec.Runs(t.Context(), "clicks.ws")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range whole[0].Valid {
		if built.Valid[key] != want {
			t.Errorf("%s: stopped and gone on %v, in one go %v", key, built.Valid[key], want)
		}
	}
}

func TestAsErrorKeepsTheMessageAroundAnError(t *testing.T) {
	_, err := mllmrec.Open(t.Context(), "nowhere.ws")
	around := fmt.Errorf("shop 7: %w", err)
	if e := mllmrec.AsError(around); e.Error() != around.Error() || e.Kind != mllmrec.KindUnknown || e.Hint == "" {
		t.Errorf("%q, %q, hint %q", e, e.Kind, e.Hint)
	}
	if e := mllmrec.AsError(fs.ErrClosed); e.Kind != mllmrec.KindFailure || !errors.Is(e, fs.ErrClosed) {
		t.Errorf("%v is %q", e, e.Kind)
	}
	if mllmrec.AsError(nil) != nil || mllmrec.KindOf(nil) != "" {
		t.Error("no error became one")
	}
}
