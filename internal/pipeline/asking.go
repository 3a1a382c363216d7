package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	mllmimage "github.com/mllmrec/mllmrec/internal/mllm/image"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// commitEvery lets free answers gather before they are stored together; an answer that
// was paid for is stored at once.
const commitEvery = 500 * time.Millisecond

// freeConcurrency keeps a few processors busy with pictures.
const freeConcurrency = 8

// reasonOptions are those of both stages.
func (p *Pipeline) reasonOptions(a *author, stage string) texts.Options {
	opt := texts.Options{Domain: p.WS.Manifest().Domain, Limit: a.opt.Limit, Attempts: a.opt.Attempts}
	if a.free() {
		opt.CommitEvery, opt.Concurrency = commitEvery, freeConcurrency
		if a.opt.Concurrency > 0 {
			opt.Concurrency = a.opt.Concurrency
		}
	} else {
		opt.Grace, opt.Concurrency = -1, 1 // the pool finishes what is in flight by itself
		if a.pool != nil {
			opt.Concurrency = a.pool.Capacity()
		}
	}
	opt.Progress = p.newReporter(a, stage).tell
	return opt
}

// openLedger opens the store of answers: the workspace's own file, or a database.
func (p *Pipeline) openLedger(ctx context.Context, address string) (texts.Store, error) {
	switch {
	case address == "":
		return ledger.OpenSQLite(ctx, p.WS.Path(workspace.GenerationsFile))
	case isPostgres(address):
		return postgres.Open(ctx, address)
	}
	return nil, usererr.New("Leave it out for the workspace's own file, or give a postgres:// address.", "--store is no postgres:// address")
}

func isPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// What a stage's Info holds beside the counts of its report.
const (
	infoAuthor   = "author"   // AuthorOptions, to ask again in the same way
	infoSettings = "settings" // ID of the writer as far as it is known without a server
	infoShared   = "shared"   // true: the answers are in a shared ledger
)

// maxRecorded bounds the failures that a manifest lists, maxPrinted those on a terminal.
const (
	maxRecorded = 100
	maxPrinted  = 20
)

// reportInfo keeps the counts of a report in the manifest.
func reportInfo(a *author, settings string, r texts.Report) map[string]any {
	info := map[string]any{"total": r.Total, "stored": r.Stored, "answered": r.Answered, "neutral": r.Neutral, "plain": r.Plain,
		"quarantined": r.Quarantined, "image_failed": r.ImageFailed, "pending": r.Pending, "classes": r.Classes,
		"images_may_come": imagesMayCome(r), "failures": r.Failures[:min(len(r.Failures), maxRecorded)]}
	if !a.free() {
		info[infoAuthor], info[infoSettings] = a.opt, settings
	}
	if a.opt.Store != "" {
		info[infoShared] = true
	}
	return info
}

// imagesMayCome counts pictures whose failure may pass by itself.
func imagesMayCome(r texts.Report) int {
	n := 0
	for _, kind := range []mllmimage.Kind{mllmimage.Timeout, mllmimage.Network, mllmimage.HTTPStatus} {
		n += r.Classes["image:"+string(kind)]
	}
	return n
}

// recordedAuthor returns the options of the author that a stage was made by.
func recordedAuthor(st workspace.Stage) (AuthorOptions, error) {
	opt := AuthorOptions{MLLM: st.Options["mllm"]}
	kept, ok := st.Info[infoAuthor]
	if !ok { // offline
		err := opt.Pictures.recall(st.Options)
		return opt, err
	}
	raw, err := json.Marshal(kept)
	if err == nil {
		err = json.Unmarshal(raw, &opt)
	}
	if err != nil {
		return opt, fmt.Errorf("read who wrote the texts of the workspace: %w", err)
	}
	return opt, nil
}

// unsettled counts the subjects of a finished stage that the next run asks about again.
func unsettled(st workspace.Stage) int {
	return infoCount(st, "pending") + infoCount(st, "quarantined") + infoCount(st, "images_may_come")
}

func infoCount(st workspace.Stage, key string) int {
	switch n := st.Info[key].(type) {
	case float64: // read from JSON
		return int(n)
	case int:
		return n
	}
	return 0
}

// settled reports whether a reasoning stage needs no work. One with answers missing does,
// though its texts are what they should be so far.
func (p *Pipeline) settled(stage string, options map[string]string) bool {
	if !p.fresh(stage, options) {
		return false
	}
	missing := unsettled(p.WS.Manifest().Stages[stage])
	if missing > 0 {
		p.emit(Event{Stage: stage, Message: fmt.Sprintf("%d texts lack an answer: going on with them", missing), End: true})
	}
	return missing == 0
}

// settledUnseen reports the same where no server answers to tell which weights it has:
// whether all else is as it was.
func (p *Pipeline) settledUnseen(stage, writer, settings string, options map[string]string) bool {
	st := p.WS.Manifest().Stages[stage]
	if st.Info[infoSettings] != settings || unsettled(st) > 0 {
		return false
	}
	options = maps.Clone(options)
	options[writer] = st.Options[writer]
	return p.fresh(stage, options)
}

// troubles says in words what did not go as hoped.
func troubles(r texts.Report) string {
	s := ""
	if r.Pending > 0 {
		s += fmt.Sprintf(", %d not asked yet (the next run goes on)", r.Pending)
	}
	if r.ImageFailed > 0 {
		s += fmt.Sprintf(", %d pictures unreadable (these items keep their words)", r.ImageFailed)
	}
	if r.Quarantined > 0 {
		s += fmt.Sprintf(", %d quarantined (a marked fallback stands in; the next run tries again)", r.Quarantined)
	}
	if len(r.Classes) > 0 {
		s += "; failures: " + classes(r.Classes)
	}
	for i, f := range r.Failures {
		if i == maxPrinted {
			s += "\n          … and more: 'mllmrec status --json' lists the first hundred"
			break
		}
		s += fmt.Sprintf("\n          %s: %s: %s", f.Subject, f.Class, f.Error)
	}
	return s
}

// classes lists failures by class, the most frequent first.
func classes[C ~string](counts map[C]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b C) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(string(a), string(b))
	})
	var parts []string
	for _, name := range names {
		if counts[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
		}
	}
	return strings.Join(parts, ", ")
}

// cost says in words what the stage cost so far; nothing where nothing is known of prices.
func (a *author) cost() string {
	s := a.sinceBefore()
	if s.Currency == "" || s.Unpriced && s.Cost == 0 {
		return ""
	}
	return fmt.Sprintf("%.4f %s", s.Cost, s.Currency)
}
