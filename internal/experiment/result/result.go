// Package result holds what came of an experiment, as plain data that is written as JSON: what was planned, what
// every trial measured and cost, and how the entries compare. Whoever draws tables and figures reads it
// and nothing else.
package result

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/significance"
)

// Names of files in an experiment's folder.
const (
	File        = "result.json"
	PlanFile    = "plan.yaml"
	TrialsDir   = "trials"
	TrialFile   = "trial.json"
	UsersFile   = "users.npy"   // of a trial: a row a test user: the user, then Metrics
	VectorsFile = "vectors.npy" // of a trial: vectors of some users, where the model has vectors
)

// Metrics are kept for every user and compared.
func Metrics() []string { return []string{"recall@10", "recall@20", "ndcg@10", "ndcg@20"} }

// Result is a whole experiment.
type Result struct {
	Name      string     `json:"name"`
	Kind      string     `json:"kind"` // compare, ablate or sweep
	Command   string     `json:"command"`
	Select    string     `json:"select"`   // validation metric that chose settings and the winner
	Protocol  string     `json:"protocol"` // ours or mmrec
	Seeds     []uint64   `json:"seeds"`
	Finalists int        `json:"finalists,omitempty"` // entries of each data set that ran with all seeds; the others ran with the first; 0: all
	Data      []Data     `json:"data"`
	Rows      []Row      `json:"rows"`
	Contrasts []Contrast `json:"contrasts"`
	LeftOut   []LeftOut  `json:"left_out,omitempty"`
	Failed    []Failure  `json:"failed,omitempty"`
	Cost      Total      `json:"cost"`
}

// Data is a data set.
type Data struct {
	Name         string `json:"name"`
	Split        string `json:"split"`
	Users        int    `json:"users"`
	Items        int    `json:"items"`
	Interactions int    `json:"interactions"`
	TestUsers    int    `json:"test_users"`
	// Similarities are of the item vectors that the entries read; none where no entry reads any.
	Similarities []Similarity `json:"similarities,omitempty"`
}

// Similarity is how alike items are to the items nearest to them, by the cosine of their vectors.
type Similarity struct {
	Vectors string  `json:"vectors"` // whose
	Nearest int     `json:"nearest"` // of each item
	Pairs   int     `json:"pairs"`
	Mean    float64 `json:"mean"`
	Bins    []Bin   `json:"bins"`
}

// Bin counts values in [Low, High); the last one includes High.
type Bin struct {
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Count int     `json:"count"`
}

// Row is one entry on one data set, over its seeds.
type Row struct {
	Data     string            `json:"data"`
	Entry    string            `json:"entry"` // its label
	Model    string            `json:"model"`
	Floor    bool              `json:"floor,omitempty"`
	Chosen   map[string]string `json:"chosen,omitempty"` // settings that validation chose
	Searched int               `json:"searched"`         // points of the grid
	Leaky    bool              `json:"leaky,omitempty"`
	Trials   []string          `json:"trials"` // ids, by seed
	Valid    map[string]Spread `json:"valid"`
	Test     map[string]Spread `json:"test"`
	Slices   []Slice           `json:"slices,omitempty"` // of the first seed
	Curve    []Point           `json:"curve,omitempty"`  // of the first seed
	Point    map[string]string `json:"point,omitempty"`  // where a sweep's entry stands
	Found    map[string]string `json:"found,omitempty"`  // what a fitted model chose on validation
	Cost     Cost              `json:"cost"`             // means over the seeds
}

// Spread is a mean over seeds, with the standard deviation.
type Spread struct {
	Mean   float64   `json:"mean"`
	SD     float64   `json:"sd"`
	Values []float64 `json:"values"`
}

// SpreadOf summarises the values of the seeds.
func SpreadOf(values []float64) Spread {
	return Spread{significance.Mean(values), significance.Deviation(values), values}
}

// Slice is a metric over some of the users.
type Slice struct {
	By     string             `json:"by"` // history, popularity
	Label  string             `json:"label"`
	Users  int                `json:"users"`
	Values map[string]float64 `json:"values"`
}

// Point is an epoch of a training curve.
type Point struct {
	Epoch int     `json:"epoch"`
	Loss  float64 `json:"loss"`
	Valid float64 `json:"valid"` // of the metric that selects
}

// Contrast compares the winner of a data set, which validation chose, with another entry, on test, user by
// user, each user's metric being the mean over the seeds.
type Contrast struct {
	Data     string                `json:"data"`
	Winner   string                `json:"winner"`
	Other    string                `json:"other"`
	Metric   string                `json:"metric"`
	Users    int                   `json:"users"`
	Tied     float64               `json:"tied"` // share of users whom both serve alike
	Interval significance.Interval `json:"interval"`
	Smallest float64               `json:"smallest"` // difference that a sample like this finds four times in five
	T        float64               `json:"t"`
	TP       float64               `json:"t_p"`
	Wilcoxon float64               `json:"wilcoxon_p"` // zeros left out
	Pratt    float64               `json:"pratt_p"`    // zeros ranked
	Holm     float64               `json:"holm_p"`     // of the t test, over the contrasts of this metric and data set
}

// LeftOut is an entry that the data do not allow.
type LeftOut struct {
	Data   string `json:"data"`
	Entry  string `json:"entry"`
	Reason string `json:"reason"`
}

// Failure is a trial that did not end.
type Failure struct {
	Trial string `json:"trial"`
	Data  string `json:"data"`
	Entry string `json:"entry"`
	Error string `json:"error"`
}

// Cost is what a trial took. It differs from one time to the next, all else does not.
type Cost struct {
	TrainSeconds float64 `json:"train_seconds"`
	EpochSeconds float64 `json:"epoch_seconds,omitempty"` // 0 of a model without epochs
	EvalSeconds  float64 `json:"eval_seconds"`            // of all users on validation and test at once
	MemoryBytes  int64   `json:"memory_bytes"`            // most that the trial's process held
	Epochs       float64 `json:"epochs"`
}

// Total is what the whole took.
type Total struct {
	Trials  int     `json:"trials"`
	Seconds float64 `json:"seconds"` // of trials, added up
}

// Trial is one run of one entry.
type Trial struct {
	ID        string             `json:"id"`
	Data      string             `json:"data"`
	Entry     string             `json:"entry"`
	Model     string             `json:"model"`
	Settings  map[string]string  `json:"settings,omitempty"` // given ones
	Options   map[string]string  `json:"options,omitempty"`
	Seed      uint64             `json:"seed"`
	Config    map[string]string  `json:"config,omitempty"` // all that determined the result
	Found     map[string]string  `json:"found,omitempty"`
	Leaky     bool               `json:"leaky,omitempty"`
	BestEpoch int                `json:"best_epoch"`
	Curve     []Point            `json:"curve,omitempty"`
	Valid     map[string]float64 `json:"valid"`
	Test      map[string]float64 `json:"test"`
	Slices    []Slice            `json:"slices,omitempty"`
	TestUsers int                `json:"test_users"`
	Cost      Cost               `json:"cost"`
}

// Write writes v as JSON.
func Write(path string, v any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// Read reads the result in an experiment's folder.
func Read(dir string) (*Result, error) {
	r := new(Result)
	return r, read(filepath.Join(dir, File), r)
}

// ReadTrial reads a trial of an experiment's folder.
func ReadTrial(dir, id string) (*Trial, error) {
	t := new(Trial)
	return t, read(filepath.Join(dir, TrialsDir, id, TrialFile), t)
}

func read(path string, v any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
