package grcn_test

import (
	"math"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"

	_ "github.com/mllmrec/mllmrec/internal/model/grcn"
)

// The vectors are those of the definition, computed edge by edge in float64.
func TestVectorsAreThoseOfTheDefinition(t *testing.T) {
	in := modeltest.Make(modeltest.Shape{Users: 20, Items: 15, Train: 80, Width: 8, Tastes: 3}, 1).Inputs
	for _, modalities := range [][]string{{"visual", "text"}, {"text"}} {
		settings := map[string]string{"embedding_dim": "6", "modalities": modalities[0]}
		for _, more := range modalities[1:] {
			settings["modalities"] += "," + more
		}
		m, err := model.New("grcn", in, settings)
		if err != nil {
			t.Fatal(err)
		}
		users, items, err := m.Represent()
		if err != nil {
			t.Fatal(err)
		}
		wantUsers, wantItems := defined(in, m, modalities)
		if u, i := wantUsers.Off(users), wantItems.Off(items); u > 1e-5 || i > 1e-5 {
			t.Errorf("%v: the users are off by %.1e, the items by %.1e", modalities, u, i)
		}
	}
}

// edges holds a number for each pair of user and item that is an edge.
type edges map[[2]int]float64

func softmax(fit edges, side int) edges {
	sums, out := map[int]float64{}, edges{}
	for e, v := range fit {
		sums[e[side]] += math.Exp(v)
	}
	for e, v := range fit {
		out[e] = math.Exp(v) / sums[e[side]]
	}
	return out
}

// gather adds to each node of a side what its edges bring from the other side.
func gather(to, from modeltest.Plain, side int, weight edges) modeltest.Plain {
	out := make(modeltest.Plain, len(to))
	for n := range out {
		out[n] = append([]float64(nil), to[n]...)
	}
	for e, w := range weight {
		modeltest.AddScaled(out[e[side]], w, from[e[1-side]])
	}
	return out
}

func none(like modeltest.Plain) modeltest.Plain {
	out := make(modeltest.Plain, len(like))
	for n := range out {
		out[n] = make([]float64, len(like[n]))
	}
	return out
}

func defined(in model.Inputs, m model.Model, modalities []string) (users, items modeltest.Plain) {
	p := modeltest.PlainParams(m)
	toUsers, toItems := edges{}, edges{}
	for u := range in.Users {
		for _, i := range in.Train.Items(u) {
			toUsers[[2]int{u, int(i)}], toItems[[2]int{u, int(i)}] = 0, 0
		}
	}
	var contentU, contentI []modeltest.Plain
	for k, name := range modalities {
		f := modeltest.PlainOf(in.ItemVectors[name]).Linear(p[name+".projection.weight"], p[name+".projection.bias"]).Leaky().Unit()
		pref := p[name+".preference"].Unit()
		fit := func() edges {
			all := edges{}
			for e := range toUsers {
				all[e] = modeltest.PlainDot(pref[e[0]], f[e[1]])
			}
			return all
		}
		for range 3 {
			pref = gather(pref, f, 0, softmax(fit(), 0)).Unit()
		}
		alpha, beta := softmax(fit(), 0), softmax(fit(), 1)
		contentU, contentI = append(contentU, gather(pref, f, 0, alpha)), append(contentI, gather(f, pref, 1, beta))
		for e := range toUsers { // from below: weights are at least 0
			toUsers[e] = max(toUsers[e], alpha[e]*p["item_confidence"][e[1]][k])
			toItems[e] = max(toItems[e], beta[e]*p["user_confidence"][e[0]][k])
		}
	}
	xu, xi := p["user_embedding"].Unit(), p["item_embedding"].Unit()
	users, items = xu, xi
	for range 2 {
		xu, xi = gather(none(xu), xi, 0, toUsers), gather(none(xi), xu, 1, toItems)
		users, items = users.Plus(xu), items.Plus(xi)
	}
	return users.Beside(contentU...), items.Beside(contentI...)
}
