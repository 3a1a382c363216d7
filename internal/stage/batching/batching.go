// Package batching asks through files: it writes the open questions of a stage for a batch
// service, and stores the answers that come back.
package batching

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
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// recordFolder keeps, in the workspace, what was exported: a file for each export, its
// first line a head, then an entry for each request. It is what an answer needs to be
// stored, so that answers find their place even after the workspace has changed.
const recordFolder = "batches"

// head says how the requests of one export were made.
type head struct {
	Stage      string                `json:"stage"`
	Writer     backend.Options       `json:"writer"`
	Pictures   describing.Pictures   `json:"pictures,omitzero"`
	Long       backend.LongHistories `json:"long,omitzero"`
	Preference reasoning.Preference  `json:"preference"`
	At         time.Time             `json:"at"`
}

// entry is one request of an export; its id is the key that the answer is stored under.
type entry struct {
	About  texts.Generation `json:"about"`
	System string           `json:"system,omitempty"`
	Prompt string           `json:"prompt"`
	Answer texts.Answer     `json:"answer"`
}

// Options say what is exported.
type Options struct {
	Stage      string
	Writer     backend.Options
	Pictures   describing.Pictures
	Long       backend.LongHistories
	Preference reasoning.Preference
	Limit      int // export at most so many; 0 = all
	Dir        string
	Body       openai.BodyOptions
}

// Set returns the options that mean something to a batch file, for flags: nobody is asked.
func (o *Options) Set() *option.Set {
	set := option.Of(&o.Writer, &o.Pictures, &o.Long, &o.Preference)
	set.SetDefault("mllm", connect.OpenAI)
	return set
}

// Unused names the options of Set that mean nothing to a batch file.
func Unused(set *option.Set) []string {
	return append(set.InGroup("Model servers"), "attempts", "num-ctx", "spool", "workers")
}

// Exported is what came of an export.
type Exported struct {
	Files    []batch.File    `json:"files"`
	Requests int             `json:"requests"`
	InParts  int             `json:"in_parts"` // histories read in several prompts: left to a run
	Failed   []texts.Failure `json:"failed,omitempty"`
}

// Export writes the questions of a stage that have no answer yet as files for a batch
// service.
func Export(ctx context.Context, s *stage.Session, opt Options) (_ *Exported, err error) {
	if err := checkOptions(opt); err != nil {
		return nil, err
	}
	store, err := asking.OpenLedger(ctx, s.WS, opt.Writer.Shared.Store)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	files, err := batch.NewWriter(opt.Dir, batch.Options{Prefix: opt.Stage, Body: opt.Body})
	if err != nil {
		return nil, err
	}
	defer files.Abort()
	h := head{Stage: opt.Stage, Writer: opt.Writer, Pictures: opt.Pictures, Long: opt.Long, Preference: opt.Preference, At: time.Now().UTC()}
	name, err := recordPath(s.WS, h)
	if err != nil {
		return nil, err
	}
	out := &Exported{}
	// The record comes first: a request without one could not be paid attention to. Until it
	// is there, the files have no names, so that whoever is killed may give the command again.
	err = atomicfile.Write(name, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		if err := enc.Encode(h); err != nil {
			return err
		}
		err := questions(ctx, s, opt, store, out, func(q texts.Question, one writer.SingleRequest) error {
			if opt.Limit > 0 && out.Requests >= opt.Limit {
				return asking.ErrEnough
			}
			if err := enc.Encode(entry{q.About, one.Request.System, one.Request.Prompt, one.Answer}); err != nil {
				return err
			}
			out.Requests++
			return files.Add(q.About.Key, one.Request)
		})
		if errors.Is(err, asking.ErrEnough) {
			err = nil
		}
		return errors.Join(err, files.Flush())
	})
	if err != nil {
		return out, err
	}
	out.Files, err = files.Close()
	return out, err
}

func checkOptions(opt Options) error {
	if opt.Stage != workspace.StageDescribe && opt.Stage != workspace.StageReason {
		return usererr.New("Use describe or reason.", "unknown stage %q", opt.Stage)
	}
	if opt.Writer.MLLM != connect.OpenAI {
		return usererr.New("Use openai.", "batch files are of OpenAI's kind: %s %s cannot read them", usererr.Option("mllm"), opt.Writer.MLLM)
	}
	return opt.Writer.Check()
}

// recordPath names the file that keeps what is exported.
func recordPath(ws *workspace.Workspace, h head) (string, error) {
	raw, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	if err := ws.MakeFolder(recordFolder); err != nil {
		return "", fmt.Errorf("make the folder of batches: %w", err)
	}
	sum := sha256.Sum256(raw)
	return ws.Path(recordFolder, h.Stage+"-"+h.At.Format("20060102-150405")+"-"+hex.EncodeToString(sum[:4])+".jsonl"), nil
}

// questions calls add with every open question of the stage that is one request.
func questions(ctx context.Context, s *stage.Session, opt Options, store texts.Store, out *Exported, add func(texts.Question, writer.SingleRequest) error) (err error) {
	if opt.Stage == workspace.StageDescribe {
		out.Failed, err = describing.Questions(ctx, s, describing.Options{Writer: opt.Writer, Pictures: opt.Pictures}, store, add)
		return err
	}
	out.InParts, err = reasoning.Questions(ctx, s, reasoning.Options{Writer: opt.Writer, Long: opt.Long, Preference: opt.Preference}, store, add)
	return err
}

// single is the request of the entry, as far as judging its answer needs it.
func (e entry) single() writer.SingleRequest {
	return writer.SingleRequest{Request: mllm.Request{System: e.System, Prompt: e.Prompt, Model: e.Answer.Model}, Answer: e.Answer}
}

func recordError(file string, line int, err error) error {
	return fmt.Errorf("read %s line %d, which keeps what was exported: %w", file, line, err)
}
