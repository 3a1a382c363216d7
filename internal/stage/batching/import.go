package batching

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/batch"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Imported is what came of an import.
type Imported struct {
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
	from *head
}

// Import stores the answers in result files of a batch service, in any order and any
// number of parts, and then writes the texts of the stages they are for. Answers are
// checked as those of a run are; failures are stored too, and asked about again by the
// next export or run.
func Import(ctx context.Context, s *stage.Session, files []string, storeAddress string, skipBad bool) (_ *Imported, err error) {
	sent, heads, err := readExports(s)
	if err != nil {
		return nil, err
	}
	store, err := asking.OpenLedger(ctx, s.WS, storeAddress)
	if err != nil {
		return nil, err
	}
	out := &Imported{Failed: map[string]int{}, BadLines: []string{}, UnknownIDs: []string{}}
	touched := map[*head]bool{}
	im := &batch.Importer{Known: func(id string) bool { _, ok := sent[id]; return ok }}
	if skipBad {
		im.OnBadLine = func(e *batch.LineError) error {
			out.BadLines = append(out.BadLines, e.Error())
			return nil
		}
	}
	im.Each = func(r batch.Result) error {
		one := sent[r.CustomID]
		touched[one.from] = true
		return one.keep(ctx, r, store, out)
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
	for _, h := range heads {
		if touched[h] {
			if err := assemble(ctx, s, h, storeAddress); err != nil {
				return out, err
			}
			out.Stages = append(out.Stages, h.Stage)
		}
	}
	return out, nil
}

// keep judges and stores one result.
func (s sentRequest) keep(ctx context.Context, r batch.Result, store texts.Store, out *Imported) error {
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
	opt, err := s.from.Writer.Writer(backend.LongHistories{}, nil)
	if err != nil {
		return err
	}
	if opt.Limits, err = opt.Limits.WithDefaults(); err != nil {
		return err
	}
	answer, failure := s.single().Receive(r.Response, r.Err, check.ForLimit(opt.Limits.Words, opt.Script))
	settled := q.Settle(answer, failure)
	if settled.Status == texts.StatusOK {
		out.Stored++
	} else {
		out.Failed[settled.Class]++
	}
	return store.Put(ctx, []texts.Generation{settled})
}

// unanswered counts what the exports at hand still wait for.
func unanswered(ctx context.Context, sent map[string]sentRequest, touched map[*head]bool, store texts.Store) (int, error) {
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
func assemble(ctx context.Context, s *stage.Session, h *head, store string) error {
	opt := h.Writer
	opt.Shared.Store = store
	b, err := backend.WithoutServer(opt)
	if err != nil {
		return err
	}
	const nobody = -1
	var st stage.Stage = &describing.Stage{Options: describing.Options{Writer: opt, Pictures: h.Pictures, Limit: nobody}, Backend: b}
	if h.Stage == workspace.StageReason {
		st = &reasoning.Stage{Options: reasoning.Options{Writer: opt, Long: h.Long, Preference: h.Preference, Limit: nobody}, Backend: b}
	}
	_, err = stage.NewEngine(s, st).Make(ctx, st.Makes())
	return err
}

// readExports reads what was exported from the workspace, all exports together.
func readExports(s *stage.Session) (map[string]sentRequest, []*head, error) {
	ws := s.WS
	entries, err := ws.List(recordFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	var names []string
	for _, e := range entries { // sorted: describe before reason, older before newer
		if path.Ext(e.Name()) == ".jsonl" && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, ws.Path(recordFolder, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, nil, usererr.New("Export the questions of a stage first.", "nothing was exported from workspace %s", ws.Dir())
	}
	sent := map[string]sentRequest{}
	var heads []*head
	for _, name := range names {
		h, err := readExport(name, sent)
		if err != nil {
			return nil, nil, err
		}
		if err := s.Consent.Allow(name, append(h.Writer.Grants(), h.Pictures.Grants()...)...); err != nil {
			return nil, nil, err
		}
		// Results of a service may repeat the key that they were asked with elsewhere.
		for _, name := range []string{h.Writer.Servers.KeyEnv, connect.DefaultKeyEnv} {
			mllm.KeyFromEnv(name) //nolint:errcheck // an unset one has no value to hide
		}
		heads = append(heads, h)
	}
	return sent, heads, nil
}

func readExport(name string, sent map[string]sentRequest) (*head, error) {
	f, err := plainfile.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read what was exported: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 1<<20), 1<<28)
	h := &head{}
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			if err := h.read(lines.Bytes()); err != nil {
				return nil, recordError(name, n, err)
			}
			continue
		}
		s := sentRequest{from: h}
		if err := json.Unmarshal(lines.Bytes(), &s.entry); err != nil {
			return nil, recordError(name, n, err)
		}
		sent[s.About.Key] = s
	}
	return h, lines.Err()
}

// read takes the first line of a record, also as programs before format 2 of the workspace
// wrote it.
func (h *head) read(raw []byte) error {
	var old struct {
		Author     map[string]any
		Preference struct {
			History         string
			Folds, FoldsFor int
		}
	}
	if err := json.Unmarshal(raw, h); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &old); err != nil || old.Author == nil {
		return err
	}
	sorted, err := json.Marshal(workspace.SortAsked(old.Author))
	if err != nil {
		return err
	}
	p := old.Preference
	h.Preference = reasoning.Preference{History: p.History, Folds: p.Folds, FoldsFor: p.FoldsFor}
	return json.Unmarshal(sorted, h)
}
