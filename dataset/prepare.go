package dataset

import "github.com/mllmrec/mllmrec/internal/usererr"

// SplitOptions names a split and its settings.
type SplitOptions struct {
	// Name is SplitLabelled, SplitByRandom, SplitByLatest or SplitByTime. "" takes the
	// source's labels where it has them, else the latest interactions where the source
	// gives only their order, else random.
	Name  string
	Seed  uint64  // random only
	Valid float64 // global-time only: share of the interactions; 0 = 0.1
	Test  float64 // likewise
}

// ApplySplit splits ds and checks that there is something to train on and to test. It
// may replace the labels of the source. The TimeSplit is nil but for global-time.
func ApplySplit(ds *Dataset, opt SplitOptions) (*TimeSplit, error) {
	if opt.Name == "" {
		opt.Name = defaultSplit(ds)
	}
	var cut *TimeSplit
	var err error
	switch opt.Name {
	case SplitLabelled:
		if ds.Split != SplitLabelled {
			err = usererr.New("choose random, leave-latest or global-time", "labelled split: the source brings no labels")
		}
	case SplitByRandom:
		SplitRandom(ds, opt.Seed)
	case SplitByLatest:
		err = SplitLeaveLatest(ds)
	case SplitByTime:
		if opt.Valid == 0 {
			opt.Valid = 0.1
		}
		if opt.Test == 0 {
			opt.Test = 0.1
		}
		var t TimeSplit
		t, err = SplitGlobalTime(ds, opt.Valid, opt.Test)
		cut = &t
	default:
		err = usererr.New("valid: labelled, random, leave-latest, global-time", "unknown split %q", opt.Name)
	}
	if err != nil {
		return nil, err
	}
	return cut, CheckSplit(ds)
}

func defaultSplit(ds *Dataset) string {
	switch {
	case ds.Split != "":
		return ds.Split
	case ds.Clock == ClockOrder:
		return SplitByLatest
	}
	return SplitByRandom
}

// Prepared says what [Prepare] did.
type Prepared struct {
	Merged int         `json:"merged"` // duplicate interactions removed
	Core   KCoreResult `json:"core"`
	Cut    *TimeSplit  `json:"cut,omitempty"`
	Stats  Stats       `json:"stats"`
}

// Prepare makes an imported dataset ready to learn from: it merges duplicates, cuts to
// the k-core (k = 0: not at all), splits, and counts what is left.
func Prepare(ds *Dataset, k int, split SplitOptions) (Prepared, error) {
	p := Prepared{Merged: MergeDuplicates(ds)}
	if k < 0 {
		return p, usererr.New("0 turns the k-core off", "k-core of %d", k)
	}
	p.Core = KCore(ds, k)
	if len(ds.interactions) == 0 {
		return p, usererr.New("choose a smaller k-core, or bring more interactions", "the %d-core is empty: no users and items have %d interactions each", k, k)
	}
	ds.Sort()
	var err error
	if p.Cut, err = ApplySplit(ds, split); err != nil {
		return p, err
	}
	p.Stats = Compute(ds)
	return p, nil
}
