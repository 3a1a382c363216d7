package audit

import (
	"fmt"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/heldout"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Kinds of violation.
const (
	HeldOutSource  = "held-out source"     // made from a validation or test interaction: the leak itself
	ScopeAll       = "scope is not train"  // written under a history that shows held-out interactions
	OtherSplit     = "other split"         // written under another split than the data set's
	UnknownSource  = "unknown source"      // an interaction id that does not exist
	ForeignSource  = "other user's source" // an interaction of somebody else
	NoSources      = "no sources"          // nothing says what the text was made from
	NotBlind       = "not blind"           // a fold text shows an item of its own fold
	UnknownUser    = "unknown user"
	RepeatedText   = "repeated text" // two texts of one user and fold
	MissingText    = "missing text"  // a user with train items but without a full text
	violationLimit = 100
)

// Violation is one thing that the record of a text cannot justify.
type Violation struct {
	Kind        string `json:"kind"`
	User        string `json:"user"`
	Fold        int32  `json:"fold"`        // -1: the full text
	Interaction int32  `json:"interaction"` // interaction id; -1 where none is meant
	Detail      string `json:"detail"`
}

// ProvenanceResult is what the record of the preference texts proves.
type ProvenanceResult struct {
	Verdict    Verdict        `json:"verdict"`
	Sentence   string         `json:"sentence"`
	Texts      int            `json:"texts"`
	Users      int            `json:"users"` // users with at least one text
	Folds      int            `json:"folds"` // number of distinct folds; 0: no cross-fitting
	Sources    int            `json:"sources"`
	Counts     map[string]int `json:"counts"`               // violations by kind
	Violations []Violation    `json:"violations,omitempty"` // the first hundred
}

// ProvenanceOptions refine the check.
type ProvenanceOptions struct {
	// FoldOf tells the fold of the index-th of n train interactions of a user. Without
	// it a user's fold texts must leave out, between them, every train item at least
	// once; with it each must leave out exactly the items of its own fold.
	FoldOf func(user string, index, n int) int
}

// CheckProvenance proves from the stored interaction ids that preference texts were
// made from train interactions of their own user, under the split of ds, and that fold
// texts are blind to their fold.
func CheckProvenance(ds *dataset.Dataset, texts []workspace.UserText) ProvenanceResult {
	return CheckProvenanceWith(ds, texts, ProvenanceOptions{})
}

// CheckProvenanceWith is CheckProvenance with options.
func CheckProvenanceWith(ds *dataset.Dataset, texts []workspace.UserText, opt ProvenanceOptions) ProvenanceResult {
	c := &checker{ds: ds, opt: opt, hash: ds.SplitHash(), train: ds.TrainHistories(), rows: make(map[string]int32, ds.Users()),
		byUser: map[int32][]workspace.UserText{}, res: ProvenanceResult{Texts: len(texts), Counts: map[string]int{}}}
	for u, id := range ds.UserIDs {
		c.rows[id] = int32(u)
	}
	folds := map[int32]bool{}
	for _, t := range texts {
		if t.Fold >= 0 {
			folds[t.Fold] = true
		}
		c.text(t)
	}
	c.res.Folds, c.res.Users = len(folds), len(c.byUser)
	for u := range int32(ds.Users()) {
		c.user(u)
	}
	c.conclude()
	return c.res
}

type checker struct {
	ds     *dataset.Dataset
	opt    ProvenanceOptions
	hash   string
	train  *dataset.Histories
	rows   map[string]int32 // user id -> row
	byUser map[int32][]workspace.UserText
	res    ProvenanceResult
}

func (c *checker) violate(kind string, t workspace.UserText, interaction int32, format string, args ...any) {
	c.res.Counts[kind]++
	if len(c.res.Violations) < violationLimit {
		c.res.Violations = append(c.res.Violations, Violation{kind, t.User, t.Fold, interaction, fmt.Sprintf(format, args...)})
	}
}

// text checks one text by itself.
func (c *checker) text(t workspace.UserText) {
	u, known := c.rows[t.User]
	if !known {
		c.violate(UnknownUser, t, -1, "user %q is not in the data set", t.User)
		return
	}
	if slices.ContainsFunc(c.byUser[u], func(o workspace.UserText) bool { return o.Fold == t.Fold }) {
		c.violate(RepeatedText, t, -1, "user %q has more than one text for fold %d", t.User, t.Fold)
	}
	c.byUser[u] = append(c.byUser[u], t)
	if t.Scope != string(dataset.ScopeTrain) {
		c.violate(ScopeAll, t, -1, "written with history scope %q", t.Scope)
	}
	if t.SplitHash != c.hash {
		c.violate(OtherSplit, t, -1, "written under split %.12s, the data set has %.12s", t.SplitHash, c.hash)
	}
	// A fold text may be left without sources: the fold was all that the user has.
	if len(t.Sources) == 0 && t.Fold < 0 && len(c.train.Items(int(u))) > 0 {
		c.violate(NoSources, t, -1, "no interaction ids are stored")
	}
	for _, id := range t.Sources {
		c.source(t, u, id)
	}
}

func (c *checker) source(t workspace.UserText, u, id int32) {
	c.res.Sources++
	x, ok := heldout.Interaction(c.ds, id)
	if !ok {
		c.violate(UnknownSource, t, id, "the data set has interactions 0 to %d", c.ds.NumInteractions()-1)
		return
	}
	item := c.ds.Items[x.Item].ID
	if x.User != u {
		c.violate(ForeignSource, t, id, "item %q of user %q", item, c.ds.UserIDs[x.User])
	}
	if x.Label != dataset.Train {
		c.violate(HeldOutSource, t, id, "item %q is a %s item", item, x.Label)
	}
}

// user checks a user's texts against each other.
func (c *checker) user(u int32) {
	texts, items := c.byUser[u], c.train.Items(int(u))
	id := c.ds.UserIDs[u]
	if !slices.ContainsFunc(texts, func(t workspace.UserText) bool { return t.Fold < 0 }) && len(items) > 0 && c.res.Texts > 0 {
		c.violate(MissingText, workspace.UserText{User: id, Fold: -1}, -1, "%d train items, no text", len(items))
	}
	shown := map[int32]map[int32]bool{} // fold -> item rows
	for _, t := range texts {
		if t.Fold < 0 {
			continue
		}
		shown[t.Fold] = map[int32]bool{}
		for _, s := range t.Sources {
			if x, ok := heldout.Interaction(c.ds, s); ok {
				shown[t.Fold][x.Item] = true
			}
		}
	}
	if len(shown) == 0 {
		return
	}
	for at, item := range items {
		c.blind(id, item, c.train.Sources(int(u))[at], at, len(items), shown)
	}
}

// blind checks that the fold text meant for a train interaction does not show its item.
func (c *checker) blind(user string, item, interaction int32, at, n int, shown map[int32]map[int32]bool) {
	name := c.ds.Items[item].ID
	if c.opt.FoldOf != nil {
		fold := int32(c.opt.FoldOf(user, at, n))
		if shown[fold][item] {
			c.violate(NotBlind, workspace.UserText{User: user, Fold: fold}, interaction, "shows item %q of its own fold", name)
		}
		return
	}
	for _, items := range shown {
		if !items[item] {
			return
		}
	}
	c.violate(NotBlind, workspace.UserText{User: user}, interaction, "item %q is shown in all %d fold texts", name, len(shown))
}

func (c *checker) conclude() {
	r := &c.res
	total := 0
	for _, n := range r.Counts {
		total += n
	}
	leaks := r.Counts[HeldOutSource] + r.Counts[ScopeAll]
	switch {
	case r.Texts == 0:
		r.Verdict, r.Sentence = Inconclusive, "There are no preference texts, so their record proves nothing."
	case leaks > 0:
		r.Verdict = Leaky
		r.Sentence = fmt.Sprintf("Preference texts were made from held-out interactions: %d such sources, %d texts written with the whole history.", r.Counts[HeldOutSource], r.Counts[ScopeAll])
	case total > 0:
		r.Verdict = Inconclusive
		r.Sentence = fmt.Sprintf("No preference text cites a held-out interaction, but the record has %d faults and proves nothing.", total)
	default:
		r.Verdict = Clean
		r.Sentence = fmt.Sprintf("Each of %d preference texts cites train interactions of its own user only, under this very split.", r.Texts)
		if r.Folds > 0 {
			r.Sentence += fmt.Sprintf(" The texts of %d folds are blind to their folds.", r.Folds)
		}
	}
}
