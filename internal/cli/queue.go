package cli

import (
	"fmt"
	"time"

	"github.com/mllmrec/mllmrec/internal/texts/queue"
)

// queueResult is a shared database's queue as status prints it with --json.
type queueResult struct {
	*queue.State
	Owner string `json:"owner"` // what is this workspace's in Left
}

// printQueue shows what waits in a shared database, and who works on it.
func (a *app) printQueue(q *queueResult) {
	fmt.Fprintln(a.stdout)
	if q.Questions == 0 {
		fmt.Fprintln(a.stdout, "queue: empty")
	} else {
		var rows [][]string
		for _, l := range q.Backlog {
			of := "this workspace"
			if l.Owner != q.Owner {
				of = "another workspace"
			}
			rows = append(rows, []string{l.Stage, of, fmt.Sprint(l.Questions), fmt.Sprint(l.Waiting), fmt.Sprint(l.Running)})
		}
		table(a.stdout, []string{"queue", "of", "questions", "chunks waiting", "with workers"}, rows)
	}
	if n := q.Jobs["discarded"]; n > 0 {
		fmt.Fprintf(a.stdout, "%d chunks of the last week were given up\n", n)
	}
	fmt.Fprintln(a.stdout)
	if len(q.Workers) == 0 {
		fmt.Fprintln(a.stdout, "workers: none; start some: mllmrec worker --store …")
		return
	}
	var rows [][]string
	for _, w := range q.Workers {
		state := "alive"
		if !w.Alive {
			state = "silent since " + w.Seen.Local().Format(time.DateTime)
		}
		rows = append(rows, []string{w.ID, state, fmt.Sprint(w.Chunks), fmt.Sprint(w.Answered), fmt.Sprint(w.Failed), clip(w.Note, 120)})
	}
	table(a.stdout, []string{"worker", "state", "chunks", "answered", "quarantined", "note"}, rows)
}
