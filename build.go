package mllmrec

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/build"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Progress is a step of work under way.
type Progress struct {
	Stage   string        // "describe", "reason", "encode", "graph", "train" or "evaluate"
	Message string        // what is being done, or what came of it when Done is set
	Units   int           // finished
	Of      int           // in all; 0 where that is unknown
	Elapsed time.Duration // since the stage began
	Left    time.Duration // estimated; 0 where that is unknown
	Done    bool          // the stage is done, or an epoch is
}

// observer turns events of the engine into those of this package.
func observer(fn func(Progress)) stage.Observer {
	if fn == nil {
		return nil
	}
	return func(e stage.Event) {
		fn(Progress{Stage: e.Stage, Message: e.Message, Units: e.Done, Of: e.Total, Elapsed: e.Elapsed, Left: e.ETA(), Done: e.End})
	}
}

// ImportOptions say how a data set becomes a workspace. The zero value keeps all users and
// items, and the split of a source that brings one. Others it splits at random, or by
// holding out each user's latest interactions where the source gives only their order.
type ImportOptions struct {
	Report *dataset.Report // what the importer found; recorded as the workspace's source. May be nil
	KCore  int             // drop users and items with fewer interactions, repeatedly; 0 keeps all
	Split  string          // dataset.SplitLabelled, SplitByRandom, SplitByLatest, SplitByTime; "" = see above
	Seed   uint64          // random seed of the random split

	// Names of .npy files of vectors made elsewhere, to train on in place of texts: float
	// arrays of two dimensions, whose row r belongs to row r of the catalogue, or of the users, as
	// the k-core leaves them. Either may be empty. Runs on such user vectors have the provenance
	// "unknown".
	ItemFeatures, UserFeatures string
	// Modalities names further files of item vectors, such as "visual": "image.npy". What
	// ItemFeatures names is the modality "text".
	Modalities map[string]string

	Progress func(Progress) // called from one goroutine at a time; may be nil
}

// Imported says what became of a data set.
type Imported struct {
	Merged int                 // duplicate interactions that were merged
	Core   dataset.KCoreResult // what the k-core removed
	Stats  dataset.Stats       // of what is left
	Notes  []string            // sentences about the files of vectors that somebody should read
}

// Import makes a workspace in the folder dir, which must be new or empty, from a data set.
// It merges duplicates, filters and splits ds in place. Where dir is a workspace that was
// made from the same source, options and split, it stays as it is, and that is no error: files of
// vectors that it has not are added, or take the place of others of their modality.
//
// The error is a mistake where the data or the options are wrong, such as a k-core that
// leaves nothing, or a folder that holds something else.
func Import(ctx context.Context, dir string, ds *dataset.Dataset, opt ImportOptions) (*Imported, error) {
	if err := ctx.Err(); err != nil {
		return nil, public(ctx, err)
	}
	if ds == nil {
		return nil, AsError(usererr.New("Read one by an importer, or fill one in.", "import %s: no data set is given", dir))
	}
	report := opt.Report
	if report == nil {
		report = &dataset.Report{Kind: "program"}
	}
	res, err := importing.Run(ctx, dir, ds, report, importing.Options{Split: opt.Split, Seed: opt.Seed, KCore: opt.KCore,
		ItemFeatures: opt.features(), UserFeatures: opt.UserFeatures}, observer(opt.Progress))
	if err != nil {
		return nil, public(ctx, err)
	}
	return &Imported{Merged: res.Prepared.Merged, Core: res.Prepared.Core, Stats: res.Prepared.Stats, Notes: res.Notes}, nil
}

// features lists the files of item vectors.
func (opt ImportOptions) features() (files []importing.Features) {
	if opt.ItemFeatures != "" {
		files = append(files, importing.Features{Modality: workspace.Text, Path: opt.ItemFeatures})
	}
	for _, name := range slices.Sorted(maps.Keys(opt.Modalities)) {
		files = append(files, importing.Features{Modality: name, Path: opt.Modalities[name]})
	}
	return files
}

// BuildOptions say what to build. The zero value trains the model mllmrec with the
// published settings, its texts written by a model on an Ollama server of this machine.
type BuildOptions struct {
	Model    string            // recommender, one of [Models]; "" = hybrid
	Settings map[string]string // of the model and the trainer, such as "embedding_dim": "32" or "epochs": "200"
	Seed     uint64            // random seed of the training; 0 = 999, the default

	// Options of the stages before training, by their names on the command line without
	// dashes: "mllm": "offline", "encoder": "minilm", "threshold": "0.5". A name that does not
	// exist is a mistake, and so is an option without effect on what is built; but "mllm" and
	// "encoder" may be given to every model. An option that takes several values takes one
	// here. 'mllmrec run --help' lists them all.
	Options map[string]string

	TrustWorkspace bool // as the option of Open: the workspace may name the folder of the catalogue's pictures

	Force    bool           // make again what is fresh
	Progress func(Progress) // called from one goroutine at a time; may be nil
}

// Built says what came of a build.
type Built struct {
	Run         string             // id of the run, for WithRun
	Model       string             // name of the model
	Leaky       bool               // made with validation and test interactions in sight
	Warning     string             // what the provenance of the run means for its numbers; mostly empty
	BestEpoch   int                // by validation
	Valid, Test map[string]float64 // full-ranking metrics, by keys such as "recall@20"
	Baselines   []Baseline         // rankings that need no learning, on the same users
}

// Baseline is a ranking that needs no learning.
type Baseline struct {
	Name        string             // such as "popularity"
	Valid, Test map[string]float64 // as in [Built]
}

// Models returns the names of the models that can be built.
func Models() []string { return training.Models() }

// Build trains a model in the workspace dir and evaluates it, and makes before that what
// the model reads, no more: nothing for models of interactions alone; texts, vectors and
// the item graph for mllmrec. What is fresh is used as it is, and results of other options
// stay beside it. An interrupted build goes on where it was: an ended context costs at most
// the epoch, or the questions to a model, that were under way.
//
// Nobody else may build in the workspace meanwhile: the error is then KindLocked. It is
// KindUnavailable where a model server that is to write or encode does not answer,
// KindUnknown where dir is no workspace, and a mistake where an option is wrong.
func Build(ctx context.Context, dir string, opt BuildOptions) (*Built, error) {
	o, err := opt.resolve()
	if err != nil {
		return nil, public(ctx, err)
	}
	ws, err := workspace.Open(dir)
	if err != nil {
		return nil, public(ctx, err)
	}
	release, err := ws.Lock()
	if err != nil {
		return nil, public(ctx, err)
	}
	defer release()
	s := stage.NewSession(ws, observer(opt.Progress))
	if opt.TrustWorkspace {
		s.Consent.TrustAll()
	}
	res, err := build.Run(ctx, s, o, opt.Force)
	if err != nil {
		return nil, public(ctx, err)
	}
	b := &Built{Run: res.Run.ID, Model: res.Run.Model, Leaky: res.Run.Leaky, Warning: res.Run.Warning, BestEpoch: res.Run.BestEpoch,
		Valid: res.Evaluation.Valid, Test: res.Evaluation.Test}
	for _, base := range res.Evaluation.Baselines {
		b.Baselines = append(b.Baselines, Baseline{Name: base.Name, Valid: base.Valid, Test: base.Test})
	}
	return b, nil
}

// resolve turns the options into those of the stages.
func (opt BuildOptions) resolve() (*build.Options, error) {
	o := build.New()
	set := o.Set()
	if opt.Model != "" {
		o.Train.Model = opt.Model
	}
	if opt.Seed != 0 {
		o.Train.Seed = opt.Seed
	}
	for _, key := range slices.Sorted(maps.Keys(opt.Settings)) {
		o.Train.Settings = append(o.Train.Settings, key+"="+opt.Settings[key])
	}
	for _, name := range slices.Sorted(maps.Keys(opt.Options)) {
		if slices.Contains(set.Names(&o.Train), name) {
			return nil, usererr.New("Give it in the field of BuildOptions.", "build options: %s is no option of a stage before training", usererr.Option(name))
		}
		if err := set.Set(name, opt.Options[name]); err != nil {
			return nil, fmt.Errorf("build options: %w", err)
		}
	}
	return o, nil
}
