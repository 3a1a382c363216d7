package train_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// restore is train.Restore from the file at path.
func restore(path string) (model.Placer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return train.Restore(f)
}

// A weights file is all that serving has of a model: whatever is wrong with it must be
// said with its name, before anybody is placed.
func TestRestoreReportsWhatIsWrongWithTheFile(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.safetensors")
	if err := train.SaveWeights(good, mustBuild(t, "mllmrec", modeltest.Make(tiny, 1).Inputs), 1, nil); err != nil {
		t.Fatal(err)
	}
	tensors, meta, err := arrayfile.ReadSafetensors(good)
	if err != nil {
		t.Fatal(err)
	}
	about := func(change func(*train.SavedModel)) map[string]string {
		var s train.SavedModel
		if err := json.Unmarshal([]byte(meta["mllmrec"]), &s); err != nil {
			t.Fatal(err)
		}
		change(&s)
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{"mllmrec": string(text)}
	}
	without := func(name string) map[string]arrayfile.Tensor {
		less := maps.Clone(tensors)
		delete(less, name)
		return less
	}
	for _, c := range []struct {
		what, want string
		tensors    map[string]arrayfile.Tensor
		meta       map[string]string
	}{
		{"no description", "does not say which model", tensors, nil},
		{"unknown model", `"crystal ball"`, tensors, about(func(s *train.SavedModel) { s.Model = "crystal ball" })},
		{"a model of ids", "model bpr cannot place", tensors, about(func(s *train.SavedModel) { s.Model = "bpr" })},
		{"a variant of ids", "no_reasoning", tensors, about(func(s *train.SavedModel) { s.Config["variant"] = "no_reasoning" })},
		{"unknown setting", `"depth"`, tensors, about(func(s *train.SavedModel) { s.Config["depth"] = "3" })},
		{"other width", "[32 12], want [16 *]", tensors, about(func(s *train.SavedModel) { s.Config["embedding_dim"] = "4" })},
		{"other hidden layer", "[32 12], want [31 *]", tensors, about(func(s *train.SavedModel) { s.Config["hidden_dim"] = "31" })},
		{"no first layer", `"user.hidden.weight" is missing`, without("user.hidden.weight"), meta},
		{"no bias", `"user.output.bias" is missing`, without("user.output.bias"), meta},
	} {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		if err := arrayfile.WriteSafetensors(path, c.tensors, c.meta); err != nil {
			t.Fatal(err)
		}
		_, err := restore(path)
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want a user error with %q", c.what, err, c.want)
		}
		if err != nil && c.what != "a model of ids" && !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v does not name the file", c.what, err)
		}
	}
	// What placing does not need may be missing: the item side has no part in it.
	items := filepath.Join(t.TempDir(), "users.safetensors")
	if err := arrayfile.WriteSafetensors(items, without("item.hidden.weight"), meta); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(items); err != nil {
		t.Error(err)
	}
	raw, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(t.TempDir(), "torn.safetensors")
	if err := os.WriteFile(torn, raw[:len(raw)-1], 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{torn, filepath.Join(t.TempDir(), "nowhere")} {
		if _, err := restore(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v does not name %s", err, path)
		}
	}
}
