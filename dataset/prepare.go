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
			err = usererr.New("Choose random, leave-latest or global-time.", "labelled split: the source brings no labels")
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
		err = usererr.New("Choose labelled, random, leave-latest or global-time.", "unknown split %q", opt.Name)
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

// Prepare makes an imported data set ready to learn from, in place: it merges duplicates,
// cuts to the k-core (k = 0: not at all), splits, and counts what is left. A data set that
// is not consistent, or of which too little is left, is the user's to mend.
func Prepare(ds *Dataset, k int, split SplitOptions) (Prepared, error) {
	if err := checkRows(ds); err != nil {
		return Prepared{}, err
	}
	p := Prepared{Merged: MergeDuplicates(ds)}
	if k < 0 {
		return p, usererr.New("Give 0 to keep all users and items.", "k-core of %d: it must not be negative", k)
	}
	p.Core = KCore(ds, k)
	if len(ds.interactions) == 0 {
		return p, usererr.New("Choose a smaller k-core, or bring more interactions.", "the %d-core is empty: no users and items have %d interactions each", k, k)
	}
	ds.Sort()
	var err error
	if p.Cut, err = ApplySplit(ds, split); err != nil {
		return p, err
	}
	p.Stats = Compute(ds)
	return p, nil
}

// checkRows makes sure that interactions are of users and items of the data set. Importers
// see to that; a data set put together by hand may be wrong.
func checkRows(ds *Dataset) error {
	for id, x := range ds.interactions {
		what, row, rows := "user", x.User, ds.Users()
		if row >= 0 && int(row) < rows {
			what, row, rows = "item", x.Item, ds.NumItems()
		}
		if row < 0 || int(row) >= rows {
			return usererr.New("Rows are counted from 0.", "interaction %d: %s row %d is outside the %d %ss of the data set", id, what, row, rows, what)
		}
	}
	return nil
}
