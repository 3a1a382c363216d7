package texts

import (
	"hash/fnv"
	"math/rand/v2"

	"github.com/mllmrec/mllmrec/dataset"
)

// Folds distributes a user's n items, in time order, over folds whose sizes differ by at
// most one, and returns the fold of each item. It depends on (seed, user, n, folds) only.
// With fewer items than folds some folds stay empty; which ones differs by user.
func Folds(user string, n, folds int, seed uint64) []uint8 {
	out := make([]uint8, n)
	if folds < 2 {
		return out
	}
	h := fnv.New64a()
	h.Write([]byte(user))
	rng := rand.New(rand.NewPCG(seed, h.Sum64()))
	first := rng.IntN(folds)
	for at, i := range rng.Perm(n) {
		out[i] = uint8((first + at) % folds)
	}
	return out
}

// CountTexts counts the texts that [ReasonUsers] writes from h: one full text a user, and
// one blind text for each fold that has items.
func (o ReasonOptions) CountTexts(h *dataset.Histories) int {
	n := h.Users()
	for u := range h.Users() {
		if items := len(h.Items(u)); o.Folds > 0 && items >= o.FoldMinItems {
			n += min(items, o.Folds)
		}
	}
	return n
}

// FoldSeed deals train interactions into folds. It is fixed, so that texts, vectors and
// training agree on the folds without passing it around.
const FoldSeed = 1

// FoldsOf returns the fold of each interaction in h, parallel to h.Lists().Items.
// users holds the users' ids in row order.
func FoldsOf(h *dataset.Histories, users []string, folds int, seed uint64) []uint8 {
	out := make([]uint8, 0, h.Len())
	for u := range h.Users() {
		out = append(out, Folds(users[u], len(h.Items(u)), folds, seed)...)
	}
	return out
}
