// Package folds deals each user's train interactions into folds for cross-fitting: a text
// that is blind to a fold is written without its items, and the pairs of that fold train on
// it. Texts, vectors and training agree on the folds through this package alone.
package folds

import (
	"hash/fnv"
	"math/rand/v2"

	"github.com/mllmrec/mllmrec/dataset"
)

// Of distributes a user's n items, in time order, over folds whose sizes differ by at
// most one, and returns the fold of each item. It depends on (seed, user, n, folds) only.
// With fewer items than folds some folds stay empty; which ones differs by user.
func Of(user string, n, folds int, seed uint64) []uint8 {
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

// Seed deals the folds of a workspace. It is fixed, so that nobody has to pass it around.
const Seed = 1

// All returns the fold of each interaction in h, parallel to h.Lists().Items.
// users holds the users' ids in row order.
func All(h *dataset.Histories, users []string, folds int, seed uint64) []uint8 {
	out := make([]uint8, 0, h.Len())
	for u := range h.Users() {
		out = append(out, Of(users[u], len(h.Items(u)), folds, seed)...)
	}
	return out
}
