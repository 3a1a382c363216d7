package train_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// A checkpoint in which something was changed is refused by name, or what was changed has
// no effect on the outcome.
func TestMutatedCheckpoint(t *testing.T) {
	want, wantParams, _ := undisturbed(t, "bpr")
	dir, data := t.TempDir(), modeltest.Make(tiny, 1)
	ctx, cancel := context.WithCancel(t.Context())
	m := &interrupted{Model: mustBuild(t, "bpr", data.Inputs), at: interruptAt, interrupt: cancel}
	if _, err := train.Run(ctx, m, data.Inputs, eval.NewJudge(data.Dataset), resumeOptions(dir, false)); err == nil {
		t.Fatal("the run was not interrupted")
	}
	whole, err := os.ReadFile(filepath.Join(dir, train.LastFile))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(9, 9))
	refused := 0
	const changes = 60
	for n := range changes {
		raw := bytes.Clone(whole)
		switch n % 3 {
		case 0: // anywhere
			raw[rng.IntN(len(raw))] ^= 1 << rng.IntN(8)
		case 1: // in what it says of the epochs
			raw[rng.IntN(3000)] ^= 1 << rng.IntN(3)
		case 2: // numbers moved
			at := len(raw) - 8 - rng.IntN(len(raw)/2)
			copy(raw[at:], slices.Concat(raw[at+4:at+8], raw[at:at+4]))
		}
		broken := t.TempDir()
		if err := os.CopyFS(broken, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(broken, train.LastFile), raw, 0o644); err != nil {
			t.Fatal(err)
		}
		again := mustBuild(t, "bpr", data.Inputs)
		res, err := train.Run(t.Context(), again, data.Inputs, eval.NewJudge(data.Dataset), resumeOptions(broken, true))
		switch {
		case err == nil:
			sameOutcome(t, "bpr", want, res)
			if !slices.Equal(wantParams, params(again)) {
				t.Errorf("change %d: other weights", n)
			}
		case usererr.KindOf(err) != usererr.KindNotProvable || !strings.Contains(err.Error(), train.LastFile):
			t.Errorf("change %d: %v", n, err)
		default:
			refused++
		}
	}
	if refused < changes/2 {
		t.Errorf("only %d of %d changes were refused", refused, changes)
	}
}
