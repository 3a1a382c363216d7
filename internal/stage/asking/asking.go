// Package asking is what the two stages share that have texts written: the ledger of
// answers, progress with rates and costs, what is recorded of a finished stage, how far
// an unfinished one has come, and the queue of those that leave the asking to workers.
package asking

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/image"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// commitEvery lets free answers gather before they are stored together; an answer that
// was paid for is stored at once.
const commitEvery = 500 * time.Millisecond

// FreeConcurrency keeps a few processors busy with pictures.
const FreeConcurrency = 8

// Options returns how questions of a stage are asked, whose answers go to the store.
func Options(s *stage.Session, b *backend.Backend, store texts.Store, name string, limit int) texts.Options {
	opt := texts.Options{Domain: s.WS.Manifest().Domain, Limit: limit, Attempts: b.Answers.Attempts, Ready: ready(store), EndRefused: true}
	if b.Free() {
		opt.CommitEvery, opt.Concurrency = commitEvery, FreeConcurrency
		if b.Servers.Concurrency > 0 {
			opt.Concurrency = b.Servers.Concurrency
		}
	} else {
		opt.Grace, opt.Concurrency = -1, b.Capacity() // the pool finishes what is in flight by itself
	}
	opt.Progress = newReporter(s, b, name).report
	return opt
}

// PilotOptions are Options of questions about some users only: the stage has not begun by them, and
// its status does not count by them.
func PilotOptions(s *stage.Session, b *backend.Backend, store texts.Store, name string, limit int) texts.Options {
	opt := Options(s, b, store, name, limit)
	r := newReporter(s, b, name)
	r.begun = true
	opt.Progress = r.report
	return opt
}

// OpenLedger opens the store of answers: the workspace's own file for "", or a database.
func OpenLedger(ctx context.Context, ws *workspace.Workspace, address string) (texts.Store, error) {
	switch {
	case address == "":
		path, _, err := ws.LedgerPath()
		if err != nil {
			return nil, err
		}
		return ledger.OpenSQLite(ctx, path)
	case backend.IsPostgres(address):
		return postgres.Open(ctx, address)
	}
	return nil, notPostgres("Leave it out for the workspace's own file, or give a postgres:// address.")
}

func notPostgres(hint string) error {
	return usererr.New(hint, "%s is no postgres:// address", usererr.Option("store"))
}

// What a stage's Info holds beside the counts of its report.
const (
	infoAsked    = "asked"    // the options of who wrote, to ask again in the same way
	infoSettings = "settings" // ID of the writer as far as it is known without a server
	infoShared   = "shared"   // true: the answers are in a shared ledger
)

// maxRecorded bounds the failures that a manifest lists, maxPrinted those on a terminal.
const (
	maxRecorded = 100
	maxPrinted  = 20
)

// Record notes in the artefact under way what came of the asking. asked are the options to
// ask again with, settings is the writer's ID as far as it is known without a server. How
// many answers were there before is noted apart: all else is the same however often the
// stage was interrupted.
func Record(b *stage.Build, w *backend.Backend, asked any, settings string, r texts.Report) {
	b.Info = map[string]any{"total": r.Total, "answered": r.Stored + r.Answered, "neutral": r.Neutral, "plain": r.Plain,
		"quarantined": r.Quarantined, "image_failed": r.ImageFailed, "pending": r.Pending, "classes": r.Classes,
		"images_may_come": imagesMayCome(r), "failures": r.Failures[:min(len(r.Failures), maxRecorded)]}
	b.Info[stage.InfoTimes] = map[string]any{"stored": r.Stored, "answered": r.Answered}
	if !w.Free() {
		b.Info[infoAsked], b.Info[infoSettings] = asked, settings
	}
	if w.Shared.Store != "" {
		b.Info[infoShared] = true
	}
	b.Pending = r.Pending + r.Quarantined + imagesMayCome(r)
}

// imagesMayCome counts pictures whose failure may pass by itself.
func imagesMayCome(r texts.Report) int {
	n := 0
	for _, kind := range []image.Kind{image.Timeout, image.Network, image.HTTPStatus} {
		n += r.Classes["image:"+string(kind)]
	}
	return n
}

// Recorded reads the options that an artefact was asked for with into v, a pointer; false
// where nobody was asked.
func Recorded(a workspace.Artefact, v any) (bool, error) {
	kept, ok := a.Info[infoAsked]
	if !ok {
		return false, nil
	}
	raw, err := json.Marshal(kept)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return true, fmt.Errorf("read who wrote the texts of the workspace: %w", err)
	}
	return true, nil
}

// InSharedLedger reports whether the answers behind an artefact are in a shared ledger.
func InSharedLedger(a workspace.Artefact) bool { return a.Info[infoShared] == true }

// Unseen returns the current artefact of a kind where no server answers to tell which
// weights it has, but all else is as it was: settings, inputs and options but for the
// writer's own, named by writer. It is "" where that is not so.
func Unseen(ws *workspace.Workspace, kind workspace.Kind, writer, settings string, options map[string]string, in stage.Inputs) string {
	for _, address := range ws.Addresses(kind) {
		a, _ := ws.Artefact(address)
		if a.Info[infoSettings] != settings || a.Pending > 0 || ws.Check(address).State != workspace.Fresh {
			continue
		}
		options = maps.Clone(options)
		options[writer] = a.Options[writer]
		if workspace.InputHash(kind, options, in) == a.InputHash {
			return address
		}
	}
	return ""
}

// Troubles says in words what did not go as hoped.
func Troubles(r texts.Report) string {
	s := ""
	if r.Pending > 0 {
		s += fmt.Sprintf(", %d not asked yet (the next run goes on)", r.Pending)
	}
	if r.ImageFailed > 0 {
		s += fmt.Sprintf(", %d pictures unreadable (these items keep their words)", r.ImageFailed)
		if n := r.Classes["image:"+string(image.Outside)]; n > 0 {
			s += fmt.Sprintf(", of these %d outside the catalogue's folder, which %s would read", n, usererr.Option("allow-outside-images"))
		}
	}
	if r.Quarantined > 0 {
		s += fmt.Sprintf(", %d quarantined (a marked fallback stands in; the next run tries again)", r.Quarantined)
	}
	if len(r.Classes) > 0 {
		s += "; failures: " + classes(r.Classes)
	}
	for i, f := range r.Failures {
		if i == maxPrinted {
			s += "\n          … and more: the status of the workspace lists the first hundred"
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

// Paid says what the asking cost, or that it is not known.
func Paid(b *backend.Backend) string {
	s := ""
	for _, part := range []string{b.Cost(), b.Unpriced()} {
		if part != "" {
			s += ", " + part
		}
	}
	return s
}
