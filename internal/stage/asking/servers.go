package asking

import (
	"fmt"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// serverWatch tells of servers that drop out of a run and come back.
type serverWatch struct {
	down []bool // by endpoint; nil before the first look
	told []int  // notes of each endpoint that were told
}

// news returns a line for each server whose lot has changed since the last look.
func (w *serverWatch) news(now []mllm.EndpointStats) []string {
	first := w.down == nil
	if first {
		w.down, w.told = make([]bool, len(now)), make([]int, len(now))
	}
	var lines []string
	for i, e := range now {
		lines = append(lines, e.Notes[w.told[i]:]...)
		w.told[i] = len(e.Notes)
		down := isDown(e) || first && e.LastError != "" // it did not even say which models it has
		if !first && w.down[i] && !down && e.LastError != "" {
			continue // asked again, and not answered yet
		}
		switch {
		case down && !w.down[i] && e.State == "dead":
			lines = append(lines, fmt.Sprintf("%s is not asked again in this run: %s", e.Endpoint, e.LastError))
		case down && !w.down[i] && len(now) == 1:
			lines = append(lines, fmt.Sprintf("%s fails; waiting for it: %s", e.Endpoint, e.LastError))
		case down && !w.down[i]:
			lines = append(lines, fmt.Sprintf("%s fails; others do its work meanwhile: %s", e.Endpoint, e.LastError))
		case !down && w.down[i]:
			lines = append(lines, e.Endpoint+" works again")
		}
		w.down[i] = down
	}
	return lines
}

func isDown(e mllm.EndpointStats) bool { return e.State == "open" || e.State == "dead" }

// absent says in words which servers do nothing now, and why.
func absent(now []mllm.EndpointStats) string {
	var parts []string
	for _, e := range now {
		switch {
		case isDown(e):
			parts = append(parts, e.Endpoint+" down")
		case e.State == "paused":
			parts = append(parts, e.Endpoint+" paused by its rate limit")
		}
	}
	return strings.Join(parts, ", ")
}
