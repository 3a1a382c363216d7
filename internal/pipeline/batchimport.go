package pipeline

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mllmrec/mllmrec/internal/mllm/batch"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// BatchImport is what came of an import.
type BatchImport struct {
	Lines      int            `json:"lines"`
	Stored     int            `json:"stored"`      // good answers
	Known      int            `json:"known"`       // answered before: nothing to do
	Failed     map[string]int `json:"failed"`      // by class: failed requests, and answers that are no good
	Unknown    int            `json:"unknown"`     // ids that this workspace never exported
	Duplicates int            `json:"duplicates"`  // ids that came twice
	BadLines   []string       `json:"bad_lines"`   // skipped
	Unanswered int            `json:"unanswered"`  // exported, and without an answer still
	Stages     []string       `json:"stages"`      // whose texts were written
	UnknownIDs []string       `json:"unknown_ids"` // the first of them
}

// sentRequest is an entry with how it was made.
type sentRequest struct {
	entry
	from *exported
}

// ImportBatch stores the answers in result files of a batch service, in any order and
// any number of parts, and then writes the texts of the stages they are for. Answers are
// checked as those of a run are; failures are stored too, and asked about again by the
// next export or run.
func (p *Pipeline) ImportBatch(ctx context.Context, files []string, storeAddress string, skipBad bool) (_ *BatchImport, err error) {
	sent, heads, err := p.readExports()
	if err != nil {
		return nil, err
	}
	store, err := p.openLedger(ctx, storeAddress)
	if err != nil {
		return nil, err
	}
	out := &BatchImport{Failed: map[string]int{}, BadLines: []string{}, UnknownIDs: []string{}}
	touched := map[*exported]bool{}
	im := &batch.Importer{Known: func(id string) bool { _, ok := sent[id]; return ok }}
	if skipBad {
		im.OnBadLine = func(e *batch.LineError) error {
			out.BadLines = append(out.BadLines, e.Error())
			return nil
		}
	}
	im.Each = func(r batch.Result) error {
		s := sent[r.CustomID]
		touched[s.from] = true
		return s.keep(ctx, r, store, out)
	}
	for _, file := range files {
		if err = errors.Join(ctx.Err(), im.File(file)); err != nil {
			break
		}
	}
	rep := im.Report()
	out.Lines, out.Unknown, out.Duplicates, out.UnknownIDs = rep.Lines, rep.UnknownN, rep.DuplicateN, append(out.UnknownIDs, rep.Unknown...)
	if err == nil {
		out.Unanswered, err = unanswered(ctx, sent, touched, store)
	}
	if err := errors.Join(err, store.Close()); err != nil {
		return out, err
	}
	for _, head := range heads {
		if touched[head] {
			if err := p.assemble(ctx, head, storeAddress); err != nil {
				return out, err
			}
			out.Stages = append(out.Stages, head.Stage)
		}
	}
	return out, nil
}

// keep judges and stores one result.
func (s sentRequest) keep(ctx context.Context, r batch.Result, store texts.Store, out *BatchImport) error {
	stored, err := store.Get(ctx, []string{r.CustomID})
	if err != nil {
		return err
	}
	g, known := stored[r.CustomID]
	if known && g.Status == texts.StatusOK {
		out.Known++
		return nil
	}
	q := texts.Question{About: s.About}
	if known { // what failed attempts took stays on the bill
		q.About.Attempt, q.About.Seconds, q.About.PromptTokens, q.About.AnswerTokens = g.Attempt, g.Seconds, g.PromptTokens, g.AnswerTokens
	}
	opt, err := s.from.Author.served(nil)
	if err != nil {
		return err
	}
	if opt.Limits, err = opt.Limits.WithDefaults(); err != nil {
		return err
	}
	answer, failure := s.apart().Receive(r.Response, r.Err, check.ForLimit(opt.Limits.Words, opt.Script))
	settled := q.Settle(answer, failure)
	if settled.Status == texts.StatusOK {
		out.Stored++
	} else {
		out.Failed[settled.Class]++
	}
	return store.Put(ctx, []texts.Generation{settled})
}

// unanswered counts what the exports at hand still wait for.
func unanswered(ctx context.Context, sent map[string]sentRequest, touched map[*exported]bool, store texts.Store) (int, error) {
	var keys []string
	for key, s := range sent {
		if touched[s.from] {
			keys = append(keys, key)
		}
	}
	stored, err := store.Get(ctx, keys)
	n := len(keys)
	for _, g := range stored {
		if g.Status == texts.StatusOK {
			n--
		}
	}
	return n, err
}

// assemble writes the texts of a stage from the ledger; nobody is asked.
func (p *Pipeline) assemble(ctx context.Context, head *exported, store string) error {
	opt := head.Author
	opt.Limit, opt.Store = -1, store
	a, err := silentAuthor(opt)
	if err != nil {
		return err
	}
	if head.Stage == workspace.StageDescribe {
		return p.describe(ctx, a)
	}
	return p.reason(ctx, a, head.Preference)
}

// readExports reads what was exported from the workspace, all exports together.
func (p *Pipeline) readExports() (map[string]sentRequest, []*exported, error) {
	names, err := filepath.Glob(p.WS.Path(batchFolder, "*.jsonl"))
	if err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		return nil, nil, usererr.New(fmt.Sprintf("Export first: mllmrec batch export %s --stage describe --model NAME --out DIR", p.WS.Dir()), "nothing was exported from workspace %s", p.WS.Dir())
	}
	sent := map[string]sentRequest{}
	var heads []*exported
	for _, name := range names { // sorted: describe before reason, older before newer
		head, err := readExport(name, sent)
		if err != nil {
			return nil, nil, err
		}
		heads = append(heads, head)
	}
	return sent, heads, nil
}

func readExport(name string, sent map[string]sentRequest) (*exported, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read what was exported: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 1<<20), 1<<28)
	head := &exported{}
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			if err := json.Unmarshal(lines.Bytes(), head); err != nil {
				return nil, batchError(name, n, err)
			}
			continue
		}
		s := sentRequest{from: head}
		if err := json.Unmarshal(lines.Bytes(), &s.entry); err != nil {
			return nil, batchError(name, n, err)
		}
		sent[s.About.Key] = s
	}
	return head, lines.Err()
}
