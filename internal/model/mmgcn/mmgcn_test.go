package mmgcn_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"

	_ "github.com/mllmrec/mllmrec/internal/model/mmgcn"
)

// The vectors are those of the definition, computed node by node in float64; the pictures' vectors, 24 wide, are
// projected first, the texts', 16 wide, are not.
func TestVectorsAreThoseOfTheDefinition(t *testing.T) {
	in := modeltest.Make(modeltest.Shape{Users: 20, Items: 15, Train: 80, Width: 16, Tastes: 3}, 1).Inputs
	for _, modalities := range [][]string{{"visual", "text"}, {"text"}} {
		settings := map[string]string{"embedding_dim": "6", "latent_dim": "9", "modalities": modalities[0]}
		for _, more := range modalities[1:] {
			settings["modalities"] += "," + more
		}
		m, err := model.New("mmgcn", in, settings)
		if err != nil {
			t.Fatal(err)
		}
		users, items, err := m.Represent()
		if err != nil {
			t.Fatal(err)
		}
		want := defined(in, m, modalities)
		for side, off := range map[string]float64{"users": want[:in.Users].Off(users), "items": want[in.Users:].Off(items)} {
			if off > 1e-5 {
				t.Errorf("%v: the %s are off by %.1e", modalities, side, off)
			}
		}
	}
}

func defined(in model.Inputs, m model.Model, modalities []string) modeltest.Plain {
	p := modeltest.PlainParams(m)
	ids := slices.Concat(p["user_embedding"], p["item_embedding"])
	neighbours := make([][]int, in.Users+in.Items)
	for u := range in.Users {
		for _, i := range in.Train.Items(u) {
			neighbours[u] = append(neighbours[u], in.Users+int(i))
			neighbours[in.Users+int(i)] = append(neighbours[in.Users+int(i)], u)
		}
	}
	mean := func(x modeltest.Plain) modeltest.Plain {
		out := make(modeltest.Plain, len(x))
		for n, near := range neighbours {
			out[n] = make([]float64, len(x[n]))
			for _, j := range near {
				modeltest.AddScaled(out[n], 1/float64(len(near)), x[j])
			}
		}
		return out
	}
	sum := make(modeltest.Plain, len(ids))
	for n := range sum {
		sum[n] = make([]float64, len(ids[n]))
	}
	for _, name := range modalities {
		features := modeltest.PlainOf(in.ItemVectors[name])
		if w := p[name+".squeeze.weight"]; w != nil {
			features = features.Linear(w, p[name+".squeeze.bias"])
		}
		x := slices.Concat(p[name+".preference"], features).Unit()
		for k := 1; k <= 3; k++ {
			part := func(what string) string { return fmt.Sprintf("%s.%s%d", name, what, k) }
			h := mean(x).Linear(p[part("neighbours")+".weight"], nil).Leaky()
			own := x.Linear(p[part("own")+".weight"], p[part("own")+".bias"]).Leaky().Plus(ids)
			x = h.Beside(own).Linear(p[part("joined")+".weight"], p[part("joined")+".bias"]).Leaky()
		}
		for n := range sum {
			modeltest.AddScaled(sum[n], 1/float64(len(modalities)), x[n])
		}
	}
	return sum
}
