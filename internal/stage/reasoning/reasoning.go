// Package reasoning is the stage that writes every user's preference in plain language,
// from train interactions only.
package reasoning

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/folds"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// writerOption is the option under which the record says who wrote.
const writerOption = "reasoner"

// Preference says from what and how often preferences are written.
type Preference struct {
	_        struct{} `group:"Preferences"`
	History  string   `option:"history" json:"history" choices:"train,all" default:"train" doc:"interactions that are shown; all is the published code's protocol, which shows validation and test items: everything made from it is marked leaky"`
	Folds    int      `option:"folds" json:"folds" min:"0" max:"256" doc:"further texts for each user, each blind to one part of the train items (cross-fitting); 0 is none, the paper's way"`
	FoldsFor int      `option:"folds-for" json:"folds_for" if:"folds" min:"0" doc:"least number of train items of users who get such texts"`
}

// Histories returns what is shown.
func (o Preference) Histories(ds *dataset.Dataset) *dataset.Histories {
	if dataset.Scope(o.History) == dataset.ScopeAll {
		return ds.LeakyHistories()
	}
	return ds.TrainHistories()
}

// record returns the options that decide the texts, but for who writes.
func (o Preference) record(mllm string) map[string]string {
	return map[string]string{"mllm": mllm, "history": o.History, "folds": strconv.Itoa(o.Folds), "folds_for": strconv.Itoa(o.FoldsFor)}
}

// recall reads what record wrote.
func (o *Preference) recall(options map[string]string) error {
	o.History = options["history"]
	var errs [2]error
	o.Folds, errs[0] = strconv.Atoi(options["folds"])
	o.FoldsFor, errs[1] = strconv.Atoi(options["folds_for"])
	return errors.Join(errs[:]...)
}

// asked returns the options of the questions.
func (o Preference) asked(opt texts.Options) texts.ReasonOptions {
	return texts.ReasonOptions{Options: opt, Folds: o.Folds, FoldMinItems: o.FoldsFor, Seed: folds.Seed}
}

// Options of the stage. What is encoded as JSON is recorded, to ask again in the same way.
type Options struct {
	Writer     backend.Options       `json:"writer"`
	Long       backend.LongHistories `json:"long,omitzero"`
	Preference Preference            `json:"-"`
	Limit      int                   `json:"-"` // ask about at most so many users, 0 = all; below 0: about none
}

// Stage writes the preferences. A finished one in which answers are missing goes on with
// them.
type Stage struct {
	Options
	Backend *backend.Backend

	settings    string
	corpus      []string
	items       []texts.HistoryItem
	reasoner    texts.Reasoner
	conclusions *texts.StoredConclusions // of the reasoner; Build says where they are stored
}

// New connects to the servers that the options name and returns the stage.
func New(opt Options) (*Stage, error) {
	b, err := backend.Open(opt.Writer)
	if err != nil {
		return nil, err
	}
	return &Stage{Options: opt, Backend: b}, nil
}

// Name implements stage.Stage.
func (*Stage) Name() string { return workspace.StageReason }

// Makes implements stage.Stage.
func (*Stage) Makes() workspace.Kind { return workspace.KindUserTexts }

// Needs implements stage.Stage.
func (*Stage) Needs() []stage.Need {
	return []stage.Need{
		{Kind: workspace.KindData, Files: []string{workspace.InteractionsFile, workspace.UsersFile}},
		{Kind: workspace.KindItemTexts},
	}
}

// Settle implements stage.Stage. It asks the server which weights its model has.
func (r *Stage) Settle(ctx context.Context, s *stage.Session, in stage.Inputs) (spec stage.Spec, err error) {
	r.Backend = r.Backend.Fresh()
	if r.items, r.corpus, err = Catalogue(s.WS, in.Address(workspace.KindItemTexts)); err != nil {
		return spec, err
	}
	spec = stage.Spec{Name: "users-" + workspace.Slug(r.Backend.Label()), Options: r.Preference.record(r.Backend.MLLM)}
	if dataset.Scope(r.Preference.History) == dataset.ScopeAll {
		spec.Name = "leaky-" + spec.Name
	}
	if r.settings, err = settings(ctx, r.Options, r.corpus); err != nil {
		return spec, err
	}
	r.conclusions = &texts.StoredConclusions{}
	if r.reasoner, err = r.Backend.Reasoner(ctx, r.corpus, r.Long, r.conclusions); err != nil {
		spec.Unsettled = asking.Leave(r.Name(), r.Backend, err)
		if backend.Unreachable(err) {
			spec.Reuse = asking.Unseen(s.WS, r.Makes(), writerOption, r.settings, spec.Options, in)
		}
		return spec, nil
	}
	spec.Options[writerOption] = r.reasoner.ID()
	return spec, nil
}

// settings is the reasoner's ID as far as it is known without a server.
func settings(ctx context.Context, opt Options, corpus []string) (string, error) {
	silent, err := backend.WithoutServer(opt.Writer)
	if err != nil || silent.Free() {
		return "", err
	}
	r, err := silent.Reasoner(ctx, corpus, opt.Long, nil)
	if err != nil {
		return "", err
	}
	return r.ID(), nil
}

// Build implements stage.Stage.
func (r *Stage) Build(ctx context.Context, b *stage.Build) error {
	return asking.Leave(r.Name(), r.Backend, r.build(ctx, b))
}

func (r *Stage) build(ctx context.Context, b *stage.Build) (err error) {
	if described, _ := b.WS.Artefact(b.Inputs.Address(workspace.KindItemTexts)); described.Pending > 0 && !r.Backend.Free() {
		b.Note(r.Name(), "%d items lack a description yet: preferences that show them are asked for again once they have one", described.Pending)
	}
	store, err := asking.OpenToAsk(ctx, b.Session, r.Backend, r.Name())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	defer func() { r.items, r.corpus, r.reasoner = nil, nil, nil }() // training needs the memory
	r.conclusions.Store = store
	ds, err := b.Dataset()
	if err != nil {
		return err
	}
	h := r.Preference.Histories(ds)
	topt := r.Preference.asked(asking.Options(b.Session, r.Backend, store, r.Name(), r.Limit))
	if !r.Backend.Free() {
		topt.Fallback = offline.NewReasoner(r.corpus)
	}
	written, report, err := ask(ctx, b.Session, r.Backend, h, ds.UserIDs, r.items, r.reasoner, store, topt)
	if err != nil {
		return r.Backend.ExplainRun(err)
	}
	report.Classes = r.Backend.Failures(report.Classes)
	if err := asking.Usable(report, "mllmrec reason show"); err != nil {
		return err
	}
	if err := b.WS.WriteUserTexts(b.Path(workspace.UserTextsFile), written.All(ctx)); err != nil {
		return err
	}
	if h.Leaky() {
		b.Leaky, b.Provenance = true, workspace.ProvenanceLeaky
	}
	asking.Record(b, r.Backend, r.Options, r.settings, report)
	b.Done("%d preference texts by %s%s%s%s", report.Total, r.Backend.Name(r.reasoner.ID()), leakyNote(h), asking.Paid(r.Backend), asking.Troubles(report))
	return nil
}

// ask asks by itself or has workers ask.
func ask(ctx context.Context, s *stage.Session, b *backend.Backend, h *dataset.Histories, users []string, catalogue []texts.HistoryItem,
	reasoner texts.Reasoner, store texts.Store, opt texts.ReasonOptions) (*texts.Texts[workspace.UserText], texts.Report, error) {
	if !b.Shared.Workers {
		return texts.ReasonUsers(ctx, h, users, catalogue, reasoner, store, opt)
	}
	workers, err := asking.Coordinator(ctx, store)
	if err != nil {
		return nil, texts.Report{}, err
	}
	job, err := asking.Job(s, b, workspace.StageReason, opt.CountTexts(h), reasoner.(*writer.Reasoner).Options())
	if err != nil {
		return nil, texts.Report{}, err
	}
	opt.Progress = nil
	return workers.ReasonUsers(ctx, h, users, catalogue, reasoner, opt, job)
}

func leakyNote(h *dataset.Histories) string {
	if h.Leaky() {
		return ", LEAKY: validation and test interactions were shown"
	}
	return ", from train interactions only"
}

// Catalogue returns the items as a reasoner sees them, and their texts, from the item
// texts under an address.
func Catalogue(ws *workspace.Workspace, address string) ([]texts.HistoryItem, []string, error) {
	rows, err := describing.Shown(ws, address)
	if err != nil {
		return nil, nil, err
	}
	written, err := ws.ItemTexts(address)
	if err != nil {
		return nil, nil, err
	}
	items, err := texts.Catalogue(rows, written)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", address, err)
	}
	corpus := make([]string, len(written))
	for i, t := range written {
		corpus[i] = t.Text
	}
	return items, corpus, nil
}

// Recorded returns the options that preferences were written with.
func Recorded(a workspace.Artefact) (Options, error) {
	opt := Options{}
	asked, err := asking.Recorded(a, &opt)
	if err != nil {
		return opt, err
	}
	if !asked {
		opt.Writer.MLLM = a.Options["mllm"]
	}
	return opt, opt.Preference.recall(a.Options)
}
