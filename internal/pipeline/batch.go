package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/batch"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// batchFolder keeps, in the workspace, what was exported: a file for each export, its
// first line an exported, then an entry for each request. It is what an answer needs to
// be stored, so that answers find their place even after the workspace has changed.
const batchFolder = "batches"

// exported says how the requests of one export were made.
type exported struct {
	Stage      string            `json:"stage"`
	Author     AuthorOptions     `json:"author"`
	Preference PreferenceOptions `json:"preference"`
	At         time.Time         `json:"at"`
}

// entry is one request of an export; its id is the key that the answer is stored under.
type entry struct {
	About  texts.Generation `json:"about"`
	System string           `json:"system,omitempty"`
	Prompt string           `json:"prompt"`
	Answer texts.Answer     `json:"answer"`
}

// BatchOptions say what is exported.
type BatchOptions struct {
	Stage      string
	Author     AuthorOptions
	Preference PreferenceOptions
	Dir        string
	Body       openai.BodyOptions
}

// BatchExport is what came of an export.
type BatchExport struct {
	Files    []batch.File    `json:"files"`
	Requests int             `json:"requests"`
	InParts  int             `json:"in_parts"` // histories read in several prompts: left to a run
	Failed   []texts.Failure `json:"failed,omitempty"`
}

// ExportBatch writes the questions of a stage that have no answer yet as files for a
// batch service.
func (p *Pipeline) ExportBatch(ctx context.Context, opt BatchOptions) (_ *BatchExport, err error) {
	if err := checkBatch(opt); err != nil {
		return nil, err
	}
	a, err := silentAuthor(opt.Author)
	if err != nil {
		return nil, err
	}
	store, err := p.openLedger(ctx, opt.Author.Store)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	files, err := batch.NewWriter(opt.Dir, batch.Options{Prefix: opt.Stage, Body: opt.Body})
	if err != nil {
		return nil, err
	}
	defer files.Abort()
	head := exported{Stage: opt.Stage, Author: opt.Author, Preference: opt.Preference, At: time.Now().UTC()}
	out := &BatchExport{}
	name, err := p.batchRecord(head)
	if err != nil {
		return nil, err
	}
	// The record comes first: a request without one could not be paid attention to.
	err = atomicfile.Write(name, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		if err := enc.Encode(head); err != nil {
			return err
		}
		add := func(q texts.Question, one writer.SingleRequest) error {
			if opt.Author.Limit > 0 && out.Requests >= opt.Author.Limit {
				return errStop
			}
			if err := enc.Encode(entry{q.About, one.Request.System, one.Request.Prompt, one.Answer}); err != nil {
				return err
			}
			out.Requests++
			return files.Add(q.About.Key, one.Request)
		}
		err := p.eachApart(ctx, a, opt, store, out, add)
		if errors.Is(err, errStop) {
			err = nil
		}
		if err == nil {
			out.Files, err = files.Close()
		}
		return err
	})
	return out, err
}

func checkBatch(opt BatchOptions) error {
	if opt.Stage != workspace.StageDescribe && opt.Stage != workspace.StageReason {
		return usererr.New("Use describe or reason.", "unknown --stage %q", opt.Stage)
	}
	if opt.Author.MLLM != connect.OpenAI {
		return usererr.New("Use --mllm openai.", "batch files are of OpenAI's kind: --mllm %s cannot read them", opt.Author.MLLM)
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"base-url", len(opt.Author.BaseURLs) > 0}, {"api-key-env", opt.Author.KeyEnv != ""}, {"concurrency", opt.Author.Concurrency != 0},
		{"rpm", opt.Author.RPM != 0}, {"tpm", opt.Author.TPM != 0}, {"timeout", opt.Author.Timeout != 0}, {"max-cost", opt.Author.MaxCost != 0},
		{"max-hours", opt.Author.MaxTime != 0}, {"prices", opt.Author.Prices != ""}, {"keep-alive", opt.Author.KeepAlive != ""},
		{"attempts", opt.Author.Attempts != 0}, {"num-ctx", opt.Author.NumCtx != 0}} {
		if f.set {
			return usererr.New("Leave it out: nobody is asked.", "--%s has no effect on batch files", f.name)
		}
	}
	if opt.Stage == workspace.StageDescribe {
		return refuseHistoryOptions(opt.Author)
	}
	return opt.Preference.check()
}

// batchRecord names the file that keeps what is exported.
func (p *Pipeline) batchRecord(head exported) (string, error) {
	raw, err := json.Marshal(head)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return p.fileFor(batchFolder + "/" + head.Stage + "-" + head.At.Format("20060102-150405") + "-" + hex.EncodeToString(sum[:4]) + ".jsonl")
}

// eachApart calls add with every open question of the stage that is one request.
func (p *Pipeline) eachApart(ctx context.Context, a *author, opt BatchOptions, store texts.Store, out *BatchExport, add func(texts.Question, writer.SingleRequest) error) error {
	ds, err := p.WS.Dataset()
	if err != nil {
		return err
	}
	if opt.Stage == workspace.StageDescribe {
		describer, err := a.describer(ctx)
		if err != nil {
			return err
		}
		source, items, err := p.openPictures(opt.Author.Pictures, ds.Items, true)
		if err != nil {
			return err
		}
		defer source.Close() //nolint:errcheck // nothing is written through it
		ropt := texts.DescribeOptions{Options: texts.Options{Domain: ds.Domain, Concurrency: freeConcurrency}}
		out.Failed, err = texts.UnansweredDescriptions(ctx, items, source, describer, store, ropt, func(q texts.Question) error {
			q.Describe.Attempt = q.About.Attempt + 1
			one, err := describer.(*writer.Describer).SingleRequest(*q.Describe)
			if err != nil {
				return err
			}
			return add(q, one)
		})
		return err
	}
	if _, err := p.require(workspace.StageDescribe, "describe"); err != nil {
		return err
	}
	catalogue, corpus, err := p.catalogue(ds.Items)
	if err != nil {
		return err
	}
	reasoner, err := a.reasoner(ctx, corpus, nil)
	if err != nil {
		return err
	}
	ropt := texts.ReasonOptions{Options: texts.Options{Domain: ds.Domain}, Folds: opt.Preference.Folds, FoldMinItems: opt.Preference.FoldsFor, Seed: foldSeed}
	return texts.UnansweredPreferences(ctx, opt.Preference.histories(ds), ds.UserIDs, catalogue, reasoner, store, ropt, func(q texts.Question) error {
		q.Reason.Attempt = q.About.Attempt + 1
		one, ok, err := reasoner.(*writer.Reasoner).SingleRequest(*q.Reason)
		if err != nil {
			return err
		}
		if !ok {
			out.InParts++
			return nil
		}
		return add(q, one)
	})
}

// apart is the question of the entry, as far as judging its answer needs it.
func (e entry) apart() writer.SingleRequest {
	return writer.SingleRequest{Request: mllm.Request{System: e.System, Prompt: e.Prompt, Model: e.Answer.Model}, Answer: e.Answer}
}

func batchError(file string, line int, err error) error {
	return fmt.Errorf("read %s line %d, which keeps what was exported: %w", file, line, err)
}
