package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// flaky is a ledger in memory that cannot be written while full.
type flaky struct {
	texts.Store // the methods that no test calls
	mu          sync.Mutex
	full        error
	puts        int
	rows        map[string]texts.Generation
}

func (f *flaky) Put(_ context.Context, all []texts.Generation) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.puts++; f.full != nil {
		return f.full
	}
	for _, g := range all {
		if f.rows == nil {
			f.rows = map[string]texts.Generation{}
		}
		f.rows[g.Key] = g
	}
	return nil
}

func (f *flaky) set(full error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

func (f *flaky) stored() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.rows)
}

func (*flaky) Close() error { return nil }

var errFull = &texts.UnwritableError{Err: usererr.Wrap(errors.New("the disk is full"), "Free some space.")}

func answers(from, n int) (all []texts.Generation) {
	for i := range n {
		all = append(all, texts.Generation{Key: fmt.Sprintf("%064d", from+i), Stage: texts.StageDescribe, Status: texts.StatusOK, Text: "a mug", Created: time.Unix(0, 0).UTC()})
	}
	return all
}

// notes collects what the user is told.
type notes struct {
	mu  sync.Mutex
	all []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, fmt.Sprintf(format, args...))
}

func (n *notes) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.all, "\n")
}

func open(t *testing.T, ctx context.Context, f *flaky, dir string, n *notes) *Store {
	t.Helper()
	s, err := Open(ctx, f, Options{Base: filepath.Dir(dir), Name: filepath.Base(dir), Note: n.add, First: time.Millisecond, Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// While the disk is full answers wait and nothing new is asked; when there is room again
// they are stored, and nothing is left elsewhere.
func TestAnswersWaitForTheDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	f, n := &flaky{full: errFull}, &notes{}
	s := open(t, t.Context(), f, dir, n)
	done := make(chan error, 2)
	for i := range 2 {
		go func() { done <- s.Put(t.Context(), answers(10*i, 9)) }()
	}
	for s.waitingNow() < 2 {
		time.Sleep(time.Millisecond)
	}
	asked := make(chan error, 1)
	go func() { asked <- s.Ready(t.Context()) }()
	select {
	case err := <-asked:
		t.Fatalf("a question was asked while the disk was full: %v", err)
	case err := <-done:
		t.Fatalf("Put returned while the disk was full: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	if saved := savedIn(t, dir); saved != 18 {
		t.Errorf("%d answers would be left by a kill while they wait", saved)
	}
	f.set(nil)
	if err := errors.Join(<-done, <-done, <-asked); err != nil {
		t.Fatal(err)
	}
	if saved := savedIn(t, dir); saved != 0 {
		t.Errorf("%d answers that are in the ledger are left in the folder", saved)
	}
	if f.stored() != 18 || f.puts < 4 {
		t.Errorf("%d answers stored in %d tries", f.stored(), f.puts)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
	if got := n.text(); strings.Count(got, "cannot be stored") != 1 || !strings.Contains(got, "the disk is full") || !strings.Contains(got, "Free some space.") || !strings.Contains(got, "takes answers again") {
		t.Errorf("the user was told:\n%s", got)
	}
}

func savedIn(t *testing.T, dir string) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, answersPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		all, err := read(path)
		if err != nil {
			t.Fatal(err)
		}
		n += len(all)
	}
	return n
}

func (s *Store) waitingNow() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// A run that is stopped while the disk is full saves what it holds, also what comes after,
// and the next run stores it.
func TestStoppedRunSavesAndTheNextTakesIn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	f, n := &flaky{full: errFull}, &notes{}
	ctx, stop := context.WithCancel(t.Context())
	s := open(t, ctx, f, dir, n)
	done := make(chan error, 1)
	go func() { done <- s.Put(context.Background(), answers(0, 9)) }()
	for s.waitingNow() < 1 {
		time.Sleep(time.Millisecond)
	}
	stop()
	err := <-done
	if !errors.Is(err, error(errFull)) || !strings.Contains(err.Error(), "9 answers are saved in "+dir) {
		t.Fatalf("stopped: %v", err)
	}
	if err := s.Put(context.Background(), answers(9, 3)); err == nil || !strings.Contains(err.Error(), "3 answers are saved in "+dir) {
		t.Fatalf("after the stop: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may look into %v, %v", info.Mode(), err)
	}
	f.set(nil)
	n = &notes{}
	if s = open(t, t.Context(), f, dir, n); f.stored() != 12 || !strings.Contains(n.text(), "12 answers that an earlier run saved") {
		t.Errorf("%d answers taken in: %s", f.stored(), n.text())
	}
	for i, want := range answers(0, 12) {
		if got := f.rows[want.Key]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("answer %d came back as %+v", i, got)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

// A failure that does not pass is not waited for, and loses nothing either.
func TestOtherFailuresSaveAtOnce(t *testing.T) {
	dir := t.TempDir()
	f := &flaky{full: errors.New("the ledger is damaged")}
	s := open(t, t.Context(), f, dir, &notes{})
	if err := s.Put(t.Context(), answers(0, 2)); err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "2 answers are saved") || f.puts != 1 {
		t.Errorf("%v after %d tries", err, f.puts)
	}
}

// What cannot be read is named, and nothing of it is thrown away.
func TestDamagedSavedFileIsNamed(t *testing.T) {
	for name, content := range map[string]string{"torn": `{"key":"1","sta`, "other": "[]\n", "unknown": `{"key":"1","colour":"red"}` + "\n"} {
		dir := t.TempDir()
		path := filepath.Join(dir, answersPrefix+"1"+answersSuffix)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), &flaky{}, Options{Base: filepath.Dir(dir), Name: filepath.Base(dir)})
		if err == nil || !strings.Contains(err.Error(), path+", line 1") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Where the own folder cannot be written the answers go elsewhere, and the cure that the
// error names takes them in from there.
func TestSavedElsewhereIsFoundByTheCureThatIsNamed(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("TMP", os.Getenv("TMPDIR"))
	blocked := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &flaky{full: errors.New("the ledger is damaged")}
	err := func() error {
		s := &Store{Store: f, run: t.Context(), opt: Options{Base: blocked, Name: "shop-1", Note: (&notes{}).add}, dir: filepath.Join(blocked, "shop-1")}
		return s.Put(t.Context(), answers(0, 5))
	}()
	hint, _ := usererr.Hint(err)
	_, base, named := strings.Cut(hint, usererr.Option("spool").String()+" ")
	base, _, _ = strings.Cut(base, " when ")
	if err == nil || !named || !strings.HasPrefix(base, os.Getenv("TMPDIR")) {
		t.Fatalf("%v (%s)", err, hint)
	}
	f.set(nil)
	if open(t, t.Context(), f, filepath.Join(base, "shop-1"), &notes{}); f.stored() != 5 {
		t.Errorf("%d of 5 answers taken in from %s", f.stored(), base)
	}
}
