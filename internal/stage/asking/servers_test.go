package asking

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// TestServersComeAndGo follows two servers through a run: each change is told once.
func TestServersComeAndGo(t *testing.T) {
	state := func(a, aError, b, bError string) []mllm.EndpointStats {
		return []mllm.EndpointStats{{Endpoint: "A", State: a, LastError: aError}, {Endpoint: "B", State: b, LastError: bError}}
	}
	var w serverWatch
	for i, c := range []struct {
		now    []mllm.EndpointStats
		news   []string
		absent string
	}{
		{state("ready", "", "ready", "refused"), []string{"B fails; others do its work meanwhile: refused"}, ""},
		{state("ready", "", "ready", "refused"), nil, ""},
		{state("ready", "", "open", "refused"), nil, "B down"},
		{state("ready", "slow", "open", "refused"), nil, "B down"}, // one failure is none
		{state("paused", "slow", "ready", ""), []string{"B works again"}, "A paused by its rate limit"},
		{state("dead", "wrong key", "ready", ""), []string{"A is not asked again in this run: wrong key"}, "A down"},
		{state("dead", "wrong key", "ready", ""), nil, "A down"},
	} {
		if diff := cmp.Diff(c.news, w.news(c.now)); diff != "" {
			t.Errorf("step %d: %s", i, diff)
		}
		if got := absent(c.now); got != c.absent {
			t.Errorf("step %d: absent are %q, want %q", i, got, c.absent)
		}
	}
	var alone serverWatch
	alone.news(state("ready", "", "ready", "")[:1])
	if diff := cmp.Diff([]string{"A fails; waiting for it: gone"}, alone.news(state("open", "gone", "ready", "")[:1])); diff != "" {
		t.Error(diff)
	}
}
