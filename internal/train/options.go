// Package train fits a model to the train interactions and stops it by the
// validation ones: the protocol of the reference framework MMRec, under which the
// paper's tables were made.
//
// An epoch is one uniform reshuffle of the train rows, cut into batches, the last
// short one kept. Each row gets one negative, uniform over the items that occur in
// train and that are not train items of the user. Adam (dense, as in PyTorch)
// follows the mean BPR loss. After each epoch the whole catalogue is ranked for the
// validation users; training stops when the selected metric has not risen strictly
// for more than Patience epochs in a row, and the best epoch's weights are kept.
//
// All randomness comes from streams named by (seed, purpose, epoch), so that a run
// resumed from its last checkpoint continues bit for bit as if never interrupted.
package train

import (
	"context"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Options says how to train. A zero number means the default.
type Options struct {
	Epochs      int     // at most this many; 1000
	BatchSize   int     // triples a step; 2048
	LR          float64 // Adam's step size; 1e-3
	LRDecay     float64 // the step size of epoch e (from 0) is LR·LRDecay^(e/50); 1
	WeightDecay float64 // added to the gradient as WeightDecay·parameter, before the moments; 0
	Patience    int     // stop after more than this many epochs without gain; 20
	Select      string  // validation metric that decides; "recall@20"
	RoundScore  bool    // compare it rounded to four decimals, as the published code does
	Seed        uint64  // of shuffles and negatives (initial parameters: model.Inputs.Seed)

	Dir     string      // folder for checkpoints and log; "" for none
	Resume  bool        // continue from Dir's checkpoint where there is one
	OnEpoch func(Epoch) // called after each epoch has been saved
	OnStep  func(Step)  // called after each step
	// OnLeftOut is called, before the first epoch, with the users who are left out of sampling
	// since they have every item that occurs in train.
	OnLeftOut func(users []string)
}

// Evaluator measures vectors on interactions that the trainer itself never sees. The
// usual one is the Judge of package eval.
type Evaluator interface {
	// CheckTraining refuses histories for which it could not choose an epoch.
	CheckTraining(train *dataset.Histories) error
	// Measure measures user and item vectors on the held-out interactions of a label,
	// with train items masked. Keys are like "recall@20". Without such interactions the
	// result is nil.
	Measure(ctx context.Context, users, items *tensor.Matrix, label dataset.Label) (map[string]float64, error)
}

// Epoch is the record of one epoch.
type Epoch struct {
	Epoch        int                `json:"epoch"` // from 1
	Loss         float64            `json:"loss"`  // mean over the train rows
	TrainSeconds float64            `json:"train_seconds,omitzero"`
	EvalSeconds  float64            `json:"eval_seconds,omitzero"`
	Valid        map[string]float64 `json:"valid"`
	Best         bool               `json:"best"` // better than all before it
}

// Why a run stopped.
const (
	StoppedEarly     = "early"     // no gain for more than Patience epochs
	StoppedAtLimit   = "epochs"    // the epoch limit
	StoppedCancelled = "cancelled" // the context; the run can be resumed
)

// Result is a finished or cancelled run.
type Result struct {
	Epochs      []Epoch            `json:"epochs"`
	BestEpoch   int                `json:"best_epoch"`
	Valid       map[string]float64 `json:"valid"` // of the best epoch
	Test        map[string]float64 `json:"test"`  // of the best epoch's weights; nil without test interactions
	Stopped     string             `json:"stopped"`
	ResumedFrom int                `json:"resumed_from,omitempty"` // last epoch of the checkpoint
	LeftOut     int                `json:"left_out,omitempty"`     // users who are left out of sampling
	Config      map[string]string  `json:"config"`                 // all that determined the result
}

const (
	defaultSelect    = "recall@20"
	defaultBatchSize = 2048
	defaultLR        = 1e-3
)

// Settings describes the trainer's own --set keys.
func Settings() []model.Setting {
	return []model.Setting{
		{Name: "epochs", Kind: model.Int, Default: "1000", Min: 1, Doc: "largest number of epochs"},
		{Name: "batch_size", Kind: model.Int, Default: strconv.Itoa(defaultBatchSize), Min: 1, Doc: "train pairs in a step"},
		{Name: "lr", Kind: model.Float, Default: number(defaultLR), Min: 1e-12, Doc: "step size of Adam"},
		{Name: "lr_decay", Kind: model.Float, Default: "1", Min: 1e-6, Max: 1, Doc: "factor on the step size every 50 epochs, applied smoothly"},
		{Name: "weight_decay", Kind: model.Float, Default: "0", Doc: "L2 penalty inside Adam's gradient"},
		{Name: "patience", Kind: model.Int, Default: "20", Min: 1, Doc: "stop after more than this many epochs without gain on validation"},
		{Name: "select", Kind: model.Choice, Default: defaultSelect, Choices: Selectable(), Doc: "validation metric that picks the best epoch"},
		{Name: "round_score", Kind: model.Bool, Default: "false", Doc: "compare the selected metric rounded to four decimals, as the published code does: near-ties then count as no gain"},
	}
}

// settingsFor describes the trainer's settings with the defaults of a model.
func settingsFor(spec model.Spec) []model.Setting {
	all := Settings()
	for i, s := range all {
		if d, ok := spec.Trainer[s.Name]; ok {
			all[i].Default = d
		}
	}
	return all
}

// Selectable returns the metrics by which an epoch can be chosen.
func Selectable() (keys []string) {
	for _, metric := range []string{"recall", "ndcg", "precision", "map", "hitrate"} {
		for _, k := range []string{"5", "10", "20", "50"} {
			keys = append(keys, metric+"@"+k)
		}
	}
	return keys
}

// Configure splits --set keys between the trainer and the model of the given name,
// and returns the trainer's options. A key that neither has is the user's mistake.
func Configure(name string, settings map[string]string) (opt Options, modelSettings map[string]string, err error) {
	spec, err := model.Lookup(name)
	if err != nil {
		return Options{}, nil, err
	}
	own, theirs := map[string]string{}, map[string]string{}
	for key, value := range settings {
		switch {
		case has(Settings(), key) && spec.Fit != nil && !has(spec.Settings, key):
			return Options{}, nil, usererr.New("Leave it out; the model's own settings are "+names(spec.Settings)+".",
				"model %s is fitted at once, without epochs: the setting %s has no effect", name, key)
		case has(Settings(), key) && spec.Fit == nil:
			own[key] = value
		case has(spec.Settings, key):
			theirs[key] = value
		default:
			return Options{}, nil, model.UnknownSetting("training "+name, key, append(Settings(), spec.Settings...))
		}
	}
	v, err := model.ParseSettings("training", settingsFor(spec), own)
	if err != nil {
		return Options{}, nil, err
	}
	return Options{
		Epochs: v.Int("epochs"), BatchSize: v.Int("batch_size"), LR: v.Float("lr"), LRDecay: v.Float("lr_decay"),
		WeightDecay: v.Float("weight_decay"), Patience: v.Int("patience"), Select: v.Text("select"), RoundScore: v.Bool("round_score"),
	}, theirs, nil
}

func names(defs []model.Setting) string {
	var all []string
	for _, d := range defs {
		all = append(all, d.Name)
	}
	return strings.Join(all, ", ")
}

func has(defs []model.Setting, name string) bool {
	for _, d := range defs {
		if d.Name == name {
			return true
		}
	}
	return false
}

// withDefaults fills in zero numbers and checks the rest.
func (o Options) withDefaults() (Options, error) {
	setDefault(&o.Epochs, 1000)
	setDefault(&o.BatchSize, defaultBatchSize)
	setDefault(&o.LR, defaultLR)
	setDefault(&o.LRDecay, 1)
	setDefault(&o.Patience, 20)
	setDefault(&o.Select, defaultSelect)
	if o.Epochs < 0 || o.BatchSize < 0 || o.LR < 0 || o.LRDecay < 0 || o.LRDecay > 1 || o.WeightDecay < 0 || o.Patience < 0 {
		return o, usererr.New("See the trainer's settings for the ranges.", "training options out of range: %d epochs, batch size %d, lr %g, lr_decay %g, weight_decay %g, patience %d",
			o.Epochs, o.BatchSize, o.LR, o.LRDecay, o.WeightDecay, o.Patience)
	}
	if o.Resume && o.Dir == "" {
		return o, usererr.New("Name the run folder.", "nothing to resume from: no run folder")
	}
	return o, nil
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// config returns the options that determine the result, as text. Epochs and patience
// are not among them: they only say when to stop, and may differ on resuming.
func (o Options) config() map[string]string {
	return map[string]string{
		"batch_size":   strconv.Itoa(o.BatchSize),
		"lr":           number(o.LR),
		"lr_decay":     number(o.LRDecay),
		"weight_decay": number(o.WeightDecay),
		"select":       o.Select,
		"round_score":  strconv.FormatBool(o.RoundScore),
		"seed":         strconv.FormatUint(o.Seed, 10),
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
