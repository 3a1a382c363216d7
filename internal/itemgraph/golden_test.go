package itemgraph

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

type fixture struct {
	Config struct {
		K        int     `json:"knn_k"`
		JaccardK int     `json:"knn_jac"`
		Pure     float32 `json:"pure"`
	} `json:"config"`
	Users        int      `json:"n_users"`
	Items        int      `json:"n_items"`
	Interactions [][3]int `json:"interactions"`
	ItemFeatures struct {
		Shape []int     `json:"shape"`
		Data  []float32 `json:"data"`
	} `json:"item_feat"`
	Graph struct {
		COO [][3]float64 `json:"coo"`
	} `json:"ii_graph"`
}

func (f fixture) dataset() *dataset.Dataset {
	ds := &dataset.Dataset{UserIDs: make([]string, f.Users), Items: make([]dataset.Item, f.Items)}
	for _, x := range f.Interactions {
		ds.Append(dataset.Interaction{User: int32(x[0]), Item: int32(x[1]), Label: dataset.Label(x[2])})
	}
	ds.Sort()
	return ds
}

// The published code's graph, entry by entry.
func TestGoldenGraph(t *testing.T) {
	dir := os.Getenv("MLLMREC_GOLDEN_DIR")
	if dir == "" {
		dir = filepath.Join("testdata", "golden")
	}
	files, err := filepath.Glob(filepath.Join(dir, "MLLMRec*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixture MLLMRec*.json in %s (%v)", dir, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var f fixture
			if err := json.Unmarshal(raw, &f); err != nil {
				t.Fatal(err)
			}
			x := tensor.FromSlice(f.ItemFeatures.Shape[0], f.ItemFeatures.Shape[1], f.ItemFeatures.Data)
			opt := published()
			opt.K, opt.JaccardK, opt.Threshold = f.Config.K, f.Config.JaccardK, &f.Config.Pure
			g, err := Build(t.Context(), x, f.dataset().TrainHistories(), opt)
			if err != nil {
				t.Fatal(err)
			}
			all, err := topJaccard(t.Context(), f.dataset().TrainHistories().Lists(), f.Items, referenceJaccard)
			if err != nil {
				t.Fatal(err)
			}
			want := tensor.New(f.Items, f.Items)
			for _, e := range f.Graph.COO {
				want.Row(int(e[0]))[int(e[1])] = float32(e[2])
			}
			checkAgainst(t, g, all, want)
		})
	}
}

// checkAgainst compares the graph with the fixture, want, entry by entry to 1e-6. The
// Jaccard values of an item are small-integer fractions that often tie at the cut, and
// which of the tied edges the published code keeps follows no index rule (it is the
// order inside its sort). So where a row ties at the cut, the fixture may keep any of
// the tied edges, but as many as we, and at the very same value; the row sums, and with
// them all other entries, do not depend on the choice.
func checkAgainst(t *testing.T, g *Graph, jaccard *tensor.CSR, want *tensor.Matrix) {
	t.Helper()
	degree := rowSums(sum(g.Semantic, g.CoOccur))
	ties, worst := 0, 0.0
	for i := range g.Norm.Rows {
		cut := float32(math.Inf(1))
		_, kept := g.CoOccur.Row(i)
		for _, v := range kept {
			cut = min(cut, v)
		}
		s, c, j, ours := dense(g.Semantic, i), dense(g.CoOccur, i), dense(jaccard, i), dense(g.Norm, i)
		keptAtCut, tiedAtCut, fixtureAtCut := count(c, cut), count(j, cut), 0
		for col, w := range want.Row(i) {
			expect := ours[col]
			if j[col] == cut && keptAtCut < tiedAtCut {
				scale := math.Sqrt(degree[i] * degree[col])
				with, without := float32(float64(s[col]+cut)/scale), float32(float64(s[col])/scale)
				expect = without
				if math.Abs(float64(w-with)) < math.Abs(float64(w-without)) {
					expect = with
					fixtureAtCut++
				}
			}
			d := math.Abs(float64(w - expect))
			worst = max(worst, d)
			if d > 1e-6 {
				t.Errorf("L̂[%d,%d] = %v, want %v", i, col, expect, w)
			}
		}
		if keptAtCut < tiedAtCut {
			ties++
			if fixtureAtCut != keptAtCut {
				t.Errorf("row %d keeps %d of %d edges tied at %v, the fixture %d", i, keptAtCut, tiedAtCut, cut, fixtureAtCut)
			}
		}
	}
	t.Logf("%d edges, largest deviation %.2g, %d of %d rows tie at the cut", g.Norm.NNZ(), worst, ties, g.Norm.Rows)
}

func rowSums(s *tensor.CSR) []float64 {
	d := make([]float64, s.Rows)
	for i := range d {
		_, vals := s.Row(i)
		for _, v := range vals {
			d[i] += float64(v)
		}
	}
	return d
}

func dense(s *tensor.CSR, i int) []float32 {
	row := make([]float32, s.Cols)
	cols, vals := s.Row(i)
	for e, c := range cols {
		row[c] = vals[e]
	}
	return row
}

func count(row []float32, v float32) int {
	n := 0
	for _, x := range row {
		if x == v {
			n++
		}
	}
	return n
}
