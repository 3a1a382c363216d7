package cli

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
)

// TestWeightsExchangedInARun puts other weights behind the model's name in the middle of a
// run. The run ends and says so; what was stored bears the digest of the weights that wrote
// it; the next run asks the new weights about everybody and leaves the old answers as they are.
func TestWeightsExchangedInARun(t *testing.T) {
	const users = 60
	ws := shopOfUsers(t, t.TempDir(), users)
	var server *mllmtest.Server
	var answers atomic.Int32
	fresh := strings.Repeat("f", 64)
	server = mllmtest.New(t, mllmtest.Options{Delay: 3 * time.Millisecond, Answer: func(r mllmtest.Record) string {
		if answers.Add(1) == 25 {
			server.Exchange(fresh)
		}
		return mllmtest.Honest(r) + " Weights " + server.Digest()[:8] + "."
	}})
	old := server.Digest()
	args := []string{"reason", ws, "--base-url", server.URL, "--concurrency", "4", "-q"}
	code, _, errs := call(t, args...)
	if code == 0 || !strings.Contains(errs, "the weights behind the name were exchanged") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	signed := func() (byDigest map[string]int) {
		byDigest = map[string]int{}
		for _, g := range preferencesIn(t, ws) {
			if !strings.Contains(g.Text, "Weights "+g.ModelDigest[:8]) {
				t.Errorf("%s is booked under %.8s: %s", g.Subject, g.ModelDigest, g.Text)
			}
			byDigest[g.ModelDigest]++
		}
		return byDigest
	}
	kept := signed()
	if kept[old] < 15 || kept[fresh] != 0 {
		t.Errorf("after the exchange: %v", kept)
	}
	if code, _, errs := call(t, args...); code != 0 {
		t.Fatalf("the next run: exit %d: %s", code, errs)
	}
	if then := signed(); then[old] != kept[old] || then[fresh] != users {
		t.Errorf("after the next run: %v; before it %v", then, kept)
	}
}
