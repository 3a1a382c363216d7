package pipeline

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/model"
	_ "github.com/mllmrec/mllmrec/internal/model/all" // the registry
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// TrainOptions says what to train and how.
type TrainOptions struct {
	Model    string            // a registered model
	Settings map[string]string // --set key=value: the model's and the trainer's
	Seed     uint64
	Fresh    bool // start anew where an interrupted run could go on
}

// Run is a training run as stored in runs/<id>/metrics.json and printed by train.
type Run struct {
	ID          string             `json:"run"`
	Model       string             `json:"model"`
	Seed        uint64             `json:"seed"`
	Settings    map[string]string  `json:"settings"`
	InputHash   string             `json:"input_hash"`
	Provenance  string             `json:"provenance"`
	Leaky       bool               `json:"leaky"`
	Warning     string             `json:"warning,omitempty"`
	Started     time.Time          `json:"started"`
	Finished    *time.Time         `json:"finished,omitempty"`
	ResumedFrom int                `json:"resumed_from,omitempty"` // epochs found in the checkpoint
	BestEpoch   int                `json:"best_epoch"`
	Stopped     string             `json:"stopped"`
	Config      map[string]string  `json:"config,omitempty"` // all that determined the result, defaults included
	Epochs      []train.Epoch      `json:"epochs"`
	Valid       map[string]float64 `json:"valid"`
	Test        map[string]float64 `json:"test"`
}

func (o TrainOptions) record() map[string]string {
	r := map[string]string{"model": o.Model, "seed": strconv.FormatUint(o.Seed, 10)}
	for k, v := range o.Settings {
		r["set."+k] = v
	}
	return r
}

// Train trains a model to its early stop, or goes on with a run of the same model,
// settings and inputs that was interrupted.
func (p *Pipeline) Train(ctx context.Context, opt TrainOptions) (*Run, error) {
	topt, modelSettings, err := train.Configure(opt.Model, opt.Settings)
	if err != nil {
		return nil, err
	}
	ds, err := p.WS.Dataset()
	if err != nil {
		return nil, err
	}
	in, st, err := p.modelInputs(ds, opt.Model, modelSettings, opt.Seed)
	if err != nil {
		return nil, err
	}
	m, err := model.New(opt.Model, in, modelSettings)
	if err != nil {
		return nil, err
	}
	run, resume, err := p.openRun(opt, p.inputHash(workspace.StageTrain, opt.record()), st)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	topt.Seed, topt.Dir, topt.Resume = opt.Seed, p.RunPath(run.ID, ""), resume
	topt.OnEpoch = func(e train.Epoch) {
		p.emit(Event{Stage: workspace.StageTrain, Message: epochLine(opt.Model, e, st.Leaky), End: true,
			Elapsed: time.Duration((e.TrainSeconds + e.EvalSeconds) * float64(time.Second))})
	}
	res, err := train.Run(ctx, m, in, eval.NewJudge(ds), topt)
	if err != nil {
		return nil, fmt.Errorf("train %s: %w", opt.Model, err)
	}
	if res.Stopped == train.StoppedCancelled {
		return nil, fmt.Errorf("train %s: stopped after epoch %d of run %s: %w", opt.Model, len(res.Epochs), run.ID, context.Canceled)
	}
	run.ResumedFrom, run.BestEpoch, run.Stopped, run.Config = res.ResumedFrom, res.BestEpoch, res.Stopped, res.Config
	run.Epochs, run.Valid, run.Test = res.Epochs, res.Valid, res.Test
	if err := p.storeRun(run, m); err != nil {
		return nil, err
	}
	if err := p.recordTrain(run, opt, start, st); err != nil {
		return nil, err
	}
	p.done(workspace.StageTrain, start, "%s: best epoch %d of %d", run.ID, run.BestEpoch, len(run.Epochs))
	return run, nil
}

// recordTrain notes the run in the manifest as the latest.
func (p *Pipeline) recordTrain(run *Run, opt TrainOptions, start time.Time, st workspace.Stage) error {
	var files []string
	for _, f := range []string{workspace.RunUsersFile, workspace.RunItemsFile, workspace.RunMetricsFile, workspace.RunModelFile} {
		files = append(files, workspace.RunsFolder+"/"+run.ID+"/"+f)
	}
	return p.record(workspace.StageTrain, opt.record(), start, files, workspace.Stage{
		Leaky: st.Leaky, Provenance: st.Provenance, Info: map[string]any{"run": run.ID}})
}

func epochLine(name string, e train.Epoch, leaky bool) string {
	s := fmt.Sprintf("%s epoch %d · loss %.4f · valid R@20 %.4f N@20 %.4f", name, e.Epoch, e.Loss, e.Valid["recall@20"], e.Valid["ndcg@20"])
	if e.Best {
		s += " · best"
	}
	if leaky {
		s += " · leaky"
	}
	return s
}

// modelInputs loads what the model can learn from, and the stage whose provenance its
// results inherit.
func (p *Pipeline) modelInputs(ds *dataset.Dataset, name string, settings map[string]string, seed uint64) (model.Inputs, workspace.Stage, error) {
	in := model.Inputs{Train: ds.TrainHistories(), Users: ds.Users(), Items: ds.NumItems(), Seed: seed}
	needs, err := model.NeedsOf(name, settings)
	if err != nil || len(needs.ItemVectors) == 0 && !needs.Preferences && !needs.Graph {
		return in, workspace.Stage{Provenance: workspace.ProvenanceTrainOnly}, err
	}
	st, err := p.require(workspace.StageEncode, "encode")
	if err != nil {
		return in, st, err
	}
	items, users, folds, err := p.Features()
	if err != nil {
		return in, st, err
	}
	in.ItemVectors, in.Preferences, in.FoldPreferences = map[string]*tensor.Matrix{model.Text: items}, users, folds
	if len(folds) > 0 {
		in.FoldOf = foldsOf(ds, in.Train, len(folds))
	}
	if _, ok := p.WS.Manifest().Stages[workspace.StageGraph]; !ok {
		return in, st, nil
	}
	in.Graph, err = arrayfile.ReadCSR(p.WS.Path(workspace.ItemGraphFile))
	return in, st, err
}

// Models names the models that can be trained.
func Models() []string { return model.Names() }

// SettingsHelp lists every --set key of the trainer and the models, for help texts.
func SettingsHelp() string {
	var b strings.Builder
	list := func(title string, settings []model.Setting) {
		fmt.Fprintf(&b, "  %s\n", title)
		for _, s := range settings {
			fmt.Fprintf(&b, "    %-14s %s (default %s)\n", s.Name, s.Doc, s.Default)
		}
	}
	list("any model", train.Settings())
	for _, name := range model.Names() {
		if spec, err := model.Lookup(name); err == nil {
			list(name, spec.Settings)
		}
	}
	return b.String()
}
