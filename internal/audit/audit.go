// Package audit looks for held-out information in what a model learns from.
//
// [CheckProvenance] reads the record: it proves from stored interaction ids that each
// preference text was made from train interactions of its user only.
//
// [Probe] needs no record. It is for foreign files, user vectors of unknown origin in
// the space of the item vectors, and asks: do user vectors know single held-out items
// that the user's train items do not explain?
//
// # The probe
//
// An honest user vector p_u is a function of the train items T_u: given T_u, it is
// independent of which items were held out. A leaky one was made from train and
// held-out items alike, so it must know a held-out item as well as it knows a train
// item. For a user with a random train item i and a random held-out item j:
//
//	base B       T_u for j, and T_u without i for i: what may explain the item
//	residual e   p_u (unit length) − A·m_B − b, with m_B the mean direction of B and
//	             A, b a ridge regression over other users; then the part of it
//	             orthogonal to all items of B. Whatever a linear map of the mean, or
//	             any weighting of the items of B, can explain is gone
//	trace        e·x − mean over control items c of e·x_c
//
// with two kinds of control outside the user's items: twins, the nearest neighbours of
// x in the catalogue, looked at outside the leading half of the principal directions of
// the items, so that what is compared is an item's own and not its category's; and
// matches, items of like popularity that are as close to B (mean and largest cosine)
// as x is. The ratio
//
//	R = mean trace of held-out items / mean trace of train items
//
// is near 0 for honest vectors and near 1 for leaky ones, whatever the features are,
// and near the share of leaky users when a part leaks (item vectors fitted to the train
// clicks may bring it above 1); a coarse vector (a category and
// no more) leaves no trace of any single item, and then nothing can be said. Intervals
// are 95 % bootstraps over users. A verdict of leaky needs both kinds of control.
//
// Reported beside it, for reading: mean cosines of p_u to train, held-out and
// popularity-matched items, and ρ = (s_held − s_ctrl)/(s_train − s_ctrl) against the
// same ρ₀ of the train mean m_u. ρ near 1 alone proves nothing: a vector that names
// just a category is as close to held-out items of that category as to train items.
//
// # What to mind
//
// Under a leave-latest or global-time split the held-out items come later than the
// train items. Drift makes them less like the train items, so ρ and ρ₀ fall; R compares
// with controls and moves little. Validation items lie between the two in time, so
// each label is probed by itself. Vectors that a recommender fitted to the train
// clicks (matrix factors, say) can predict held-out items beyond what A and the span
// explain and may then be called inconclusive or, rarely, leaky: the probe is meant
// for vectors of texts and of means.
package audit

import (
	"fmt"
	"math"

	"github.com/mllmrec/mllmrec/dataset"
)

// Verdict is the outcome of an audit.
type Verdict string

// The verdicts.
const (
	Clean        Verdict = "clean"
	Leaky        Verdict = "leaky"
	Inconclusive Verdict = "inconclusive"
)

// ExitCode is the verdict for use in CI: 0 clean, 3 leaky, 4 inconclusive. (1 and 2 are
// failures and user mistakes.)
func (v Verdict) ExitCode() int {
	switch v {
	case Clean:
		return 0
	case Leaky:
		return 3
	}
	return 4
}

// worse orders verdicts: leaky, then inconclusive, then clean.
func worse(a, b Verdict) Verdict {
	for _, v := range []Verdict{Leaky, Inconclusive} {
		if a == v || b == v {
			return v
		}
	}
	return Clean
}

// Report is what an audit found. Parts that were not looked at are nil.
type Report struct {
	Verdict    Verdict           `json:"verdict"`
	Sentence   string            `json:"sentence"`
	SplitHash  string            `json:"split_hash"`
	Provenance *ProvenanceResult `json:"provenance,omitempty"`
	Probe      *ProbeResult      `json:"probe,omitempty"`
}

// NewReport joins the parts, either of which may be nil. A complete record decides:
// it is proof, while the probe is evidence. But vectors that the probe calls leaky are
// called so whatever the record says, for they need not be made from those texts.
func NewReport(ds *dataset.Dataset, provenance *ProvenanceResult, probe *ProbeResult) Report {
	r := Report{SplitHash: ds.SplitHash(), Provenance: provenance, Probe: probe}
	switch {
	case provenance == nil && probe == nil:
		r.Verdict, r.Sentence = Inconclusive, "Nothing to audit: there are neither texts with provenance nor user vectors."
	case probe == nil:
		r.Verdict, r.Sentence = provenance.Verdict, provenance.Sentence
	case provenance == nil:
		r.Verdict, r.Sentence = probe.Verdict, probe.Sentence
	default:
		r.Verdict = provenance.Verdict
		if probe.Verdict == Leaky {
			r.Verdict = Leaky
		}
		r.Sentence = provenance.Sentence + " " + probe.Sentence
	}
	return r
}

// ExitCode is that of the verdict.
func (r Report) ExitCode() int { return r.Verdict.ExitCode() }

// Estimate is a value with its 95 % bootstrap interval over users.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func (e Estimate) String() string {
	return fmt.Sprintf("%.3f [%.3f, %.3f]", e.Value, e.Low, e.High)
}

func finite(e Estimate) bool {
	return !math.IsNaN(e.Value+e.Low+e.High) && !math.IsInf(e.Value+e.Low+e.High, 0)
}
