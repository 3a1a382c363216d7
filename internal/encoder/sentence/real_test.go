package sentence

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
)

// TestRealModelsAreTheReference compares the ids of 500 texts and some vectors of two models
// with real weights, as scripts/real_encoders.py writes them.
func TestRealModelsAreTheReference(t *testing.T) {
	for _, x := range []struct{ name, variable, model string }{
		{"mpnet", "MLLMREC_MPNET_DIR", "all-mpnet-base-v2"},
		{"xlmr", "MLLMREC_XLMR_DIR", "multilingual-e5-small in 4 bits (scripts/xlmr_folder.py)"},
	} {
		t.Run(x.name, func(t *testing.T) {
			m := mustLoad(t, realModel(t, x.variable, x.model), Options{})
			texts := readGolden(t).Texts
			wrong := 0
			for i, want := range realDigests(t, x.name) {
				if got := m.tok.Encode(texts[i], 0); digest(got) != want {
					wrong++
					t.Logf("text %d %.60q: %d ids, the reference %s", i, texts[i], len(got), want)
				}
			}
			if wrong > 0 {
				t.Errorf("%d of %d texts have other ids", wrong, len(texts))
			}
			want, err := arrayfile.ReadNPY(filepath.Join("testdata", x.name+".npy"))
			if err != nil {
				t.Fatal(err)
			}
			var some []string
			for i := 0; i < len(texts); i += 32 {
				some = append(some, texts[i])
			}
			got, err := m.Encode(t.Context(), some)
			if err != nil {
				t.Fatal(err)
			}
			worst := 1.0
			for i := range some {
				worst = min(worst, cosine(got.Row(i), want.Row(i)))
			}
			if !(worst >= 0.99999) {
				t.Errorf("least cosine %.7f", worst)
			}
			t.Logf("least cosine of %d texts: %.9f", len(some), worst)
		})
	}
}

func realDigests(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open("testdata/real.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][]string
	if err := json.NewDecoder(z).Decode(&all); err != nil {
		t.Fatal(err)
	}
	if len(all[name]) != 500 {
		t.Fatalf("%d texts of %s", len(all[name]), name)
	}
	return all[name]
}

// digest is the number of ids and the beginning of their hash.
func digest(ids []int32) string {
	list := strings.ReplaceAll(strings.Trim(fmt.Sprint(ids), "[]"), " ", ",")
	return fmt.Sprintf("%d %x", len(ids), sha256.Sum256([]byte(list)))[:len(fmt.Sprint(len(ids)))+7]
}
