package writer

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// shop has users with histories of 1, 6, 11, … train items and one held-out item each.
func shop(users int) (*dataset.Dataset, []texts.HistoryItem) {
	d := &dataset.Dataset{Domain: "test goods"}
	catalogue := longHistory(6 * users).Items
	for _, it := range catalogue {
		d.Items = append(d.Items, it.Item)
	}
	for u := range users {
		d.UserIDs = append(d.UserIDs, fmt.Sprint("u", u))
		train := 5*u + 1
		for k := range train + 1 {
			label := dataset.Train
			if k == train {
				label = dataset.Test
			}
			d.Append(dataset.Interaction{User: int32(u), Item: int32((u + k) % len(d.Items)), Label: label, Time: int64(k)})
		}
	}
	return d, catalogue
}

func TestThroughTheLedger(t *testing.T) {
	const users = 12
	d, catalogue := shop(users)
	run := func(path string, faults map[mllmtest.Fault]float64, o Options) ([]workspace.UserText, texts.Report, *mllmtest.Server) {
		t.Helper()
		srv := mllmtest.New(t, mllmtest.Options{Seed: 4, Probability: faults})
		client, err := ollama.New(ollama.Config{BaseURL: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		store, err := ledger.OpenSQLite(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		o.Window, o.Conclusions = 4096, texts.StoredConclusions{Store: store}
		texts, report, err := texts.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, mustReasoner(t, client, o), store,
			texts.ReasonOptions{Options: texts.Options{Domain: d.Domain, Concurrency: 4, Attempts: 8, Backoff: time.Microsecond}})
		if err != nil {
			t.Fatal(err)
		}
		all, err := texts.Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all, report, srv
	}
	for _, way := range []History{Recurrent, Latest} {
		path := filepath.Join(t.TempDir(), "generations.db")
		texts, report, srv := run(path, map[mllmtest.Fault]float64{mllmtest.Refusal: 0.15, mllmtest.Loop: 0.1, mllmtest.Empty: 0.1}, Options{History: way})
		if report.Answered != users || srv.Total() <= users {
			t.Fatalf("%s: %+v after %d requests", way, report, srv.Total())
		}
		recurrent := false
		for _, r := range srv.Requests() {
			recurrent = recurrent || strings.Contains(r.Prompt, "earlier conclusion")
		}
		if recurrent != (way == Recurrent) {
			t.Errorf("%s: read in parts: %v", way, recurrent)
		}
		shown := shownTo(srv)
		for u, text := range texts {
			var want []int32 // ids of the interactions whose items the server was shown of this user
			rows, ids := d.TrainHistories().Items(u), d.TrainHistories().Sources(u)
			from := 0
			if way == Latest {
				for from < len(rows) && !shown[int(rows[from])][len(rows)] {
					from++
				}
			}
			want = ids[from:]
			if !slices.Equal(text.Sources, want) || text.Status != workspace.StatusOK {
				t.Errorf("%s: user %d: sources %v, shown %v", way, u, text.Sources, want)
			}
		}
		// Nothing is asked for again.
		second, report, srv := run(path, nil, Options{History: way})
		if report.Stored != users || srv.Total() != 0 || !reflect.DeepEqual(second, texts) {
			t.Errorf("%s: the second run: %+v after %d requests", way, report, srv.Total())
		}
		// Another continue template or window concerns only those it is for.
		_, report, _ = run(path, nil, Options{History: way, PartTries: 4, LatestN: map[History]int{Latest: 30}[way]})
		if report.Stored == 0 || report.Answered == 0 || report.Stored+report.Answered != users {
			t.Errorf("%s: other settings for long histories: %+v", way, report)
		}
	}
}

// shownTo returns, by item, the lengths of the histories in whose last prompt it was
// shown; the length is read off the last item, which differs from user to user.
func shownTo(srv *mllmtest.Server) map[int]map[int]bool {
	out := map[int]map[int]bool{}
	for _, r := range srv.Requests() {
		items := shownIn(r.Prompt)
		if r.Fault != mllmtest.None || len(items) == 0 {
			continue
		}
		last := items[len(items)-1] // u + 5u
		for _, it := range items {
			if out[it] == nil {
				out[it] = map[int]bool{}
			}
			out[it][5*(last/6)+1] = true
		}
	}
	return out
}
