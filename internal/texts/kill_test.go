package texts_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
)

// killUsers gives 2,000 questions: of each three users one has no items.
const killUsers = 3000

// childEnv makes the test binary a run that will be killed.
const childEnv = "MLLMREC_TEST_RUN_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(killable(dir))
	}
	os.Exit(m.Run())
}

// diary notes each question before it is asked, so that the parent knows after a kill.
type diary struct {
	echo
	file *os.File
}

func (d *diary) Reason(ctx context.Context, r texts.ReasonRequest) (texts.Answer, error) {
	fmt.Fprintln(d.file, subject(r.User, r.Fold))
	return d.echo.Reason(ctx, r)
}

func killable(dir string) int {
	ctx := context.Background()
	f, err := os.OpenFile(filepath.Join(dir, "asked"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := ledger.OpenSQLite(ctx, filepath.Join(dir, "generations.db"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer s.Close()
	data, catalogue := shop(killUsers, 50, 2)
	e := &diary{echo: echo{id: "e", pause: 2 * time.Millisecond}, file: f}
	opt := texts.ReasonOptions{Options: texts.Options{Concurrency: 8}}
	if _, _, err := reasonUsers(ctx, data.TrainHistories(), data.UserIDs, catalogue, e, s, opt); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A run killed again and again at any moment must end with the ledger of an undisturbed
// one, and must never ask what it had stored.
func TestKilledRunsLoseNothingAndAskNothingTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills some twenty processes")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "generations.db")
	kills, read := 0, 0
	answered := map[string]bool{}
	for done := false; !done; {
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var timer <-chan time.Time
		if kills < 20 {
			timer = time.After(time.Duration(40+kills*7%90) * time.Millisecond)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			done = true
		case <-timer:
			if err := cmd.Process.Kill(); err != nil && !strings.Contains(err.Error(), "finished") {
				t.Fatal(err)
			}
			<-ended
			kills++
		}
		asked, err := os.ReadFile(filepath.Join(dir, "asked"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, line := range strings.Fields(string(asked[read:])) {
			if answered[line] {
				t.Fatalf("%s was asked again after %d kills", line, kills)
			}
		}
		read = len(asked)
		s := openLedger(t, path)
		for _, g := range contents(t, s, texts.StageReason) {
			answered[subject(g.Subject, g.Fold)] = true
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	calm := newLedger(t)
	data, catalogue := shop(killUsers, 50, 2)
	if _, _, err := reasonUsers(t.Context(), data.TrainHistories(), data.UserIDs, catalogue, &echo{id: "e"}, calm, texts.ReasonOptions{Options: quick}); err != nil {
		t.Fatal(err)
	}
	want := contents(t, calm, texts.StageReason)
	if len(want) != 2000 {
		t.Fatalf("%d questions", len(want))
	}
	if diff := cmp.Diff(want, contents(t, openLedger(t, path), texts.StageReason)); diff != "" {
		t.Error(diff)
	}
	t.Logf("%d kills", kills)
	if kills < 10 {
		t.Errorf("only %d kills before the run was through", kills)
	}
}
