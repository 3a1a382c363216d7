package cli

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm/ollama/ollamatest"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// pictureShop imports eight items with pictures of different colours, and users.
func pictureShop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	inter, items := "user,item,time\n", "item,title,image\n"
	for i := range 8 {
		path := filepath.Join(dir, fmt.Sprintf("%d.png", i))
		items += fmt.Sprintf("i%d,Thing number %d,%s\n", i, i, path)
		img := image.NewRGBA(image.Rect(0, 0, 80, 60))
		for p := range 80 * 60 {
			img.Set(p%80, p/80, color.RGBA{uint8(30 * i), uint8(p / 20), uint8(255 - 30*i), 255})
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
	}
	for u := range 6 {
		for k := range 4 {
			inter += fmt.Sprintf("u%d,i%d,%d\n", u, (u+k)%8, k)
		}
	}
	return importTables(t, dir, inter, items)
}

// answersOf reads what the ledger holds of a stage through the command that shows it.
func answersOf(t *testing.T, ws, stage string) map[string]texts.Generation {
	t.Helper()
	code, out, errs := call(t, stage, "show", ws, "--json")
	var shown struct {
		Answers []struct {
			texts.Generation
			Params map[string]any `json:"params"`
		} `json:"answers"`
		More bool `json:"more"`
	}
	if err := json.Unmarshal([]byte(out), &shown); code != exitOK || err != nil || shown.More {
		t.Fatalf("%s show: exit %d, %v: %s", stage, code, err, errs)
	}
	all := map[string]texts.Generation{}
	for _, a := range shown.Answers {
		if a.Params["temperature"] != 1.0 {
			t.Errorf("%s %s: parameters %v", stage, a.Subject, a.Params)
		}
		all[a.Subject] = a.Generation
	}
	return all
}

// TestCommandsAgainstARealOllama runs the stages that ask, as a user would, against a
// server of others' making. Its model writes words at random until it stops by chance:
// some of its answers are no good, and which is not ours to choose.
func TestCommandsAgainstARealOllama(t *testing.T) {
	url := ollamatest.Start(t)
	ws := pictureShop(t)
	asking := []string{"--base-url", url, "--temperature", "1", "--max-tokens", "80", "--attempts", "6", "-q"}
	ask := func(args ...string) string {
		t.Helper()
		code, out, errs := call(t, append(args, asking...)...)
		if code != exitOK {
			t.Fatalf("%v: exit %d: %s", args, code, errs)
		}
		return out
	}
	for _, stage := range []struct {
		name     string
		subjects int
	}{{"describe", 8}, {"reason", 6}} {
		ask(stage.name, ws, "--model", ollamatest.Brief)
		answers := answersOf(t, ws, stage.name)
		good := 0
		for subject, g := range answers {
			if len(g.ModelDigest) != 64 || g.PromptTokens == 0 || g.AnswerTokens == 0 || g.Attempt < 1 {
				t.Errorf("%s %s: %+v", stage.name, subject, g)
			}
			if g.Status == texts.StatusOK {
				if good++; g.Finish != "stop" || !strings.Contains(g.Text, "word") {
					t.Errorf("%s %s passed for good: %+v", stage.name, subject, g)
				}
			}
		}
		if len(answers) != stage.subjects || good < stage.subjects/2 {
			t.Errorf("%s: %d of %d answers, for %d subjects", stage.name, good, len(answers), stage.subjects)
		}
		ask(stage.name, ws, "--model", ollamatest.Brief)
		for subject, g := range answersOf(t, ws, stage.name) {
			if was := answers[subject]; was.Status == texts.StatusOK && (g.Created != was.Created || g.Text != was.Text) {
				t.Errorf("%s %s was asked about again: %+v, then %+v", stage.name, subject, was, g)
			}
		}
	}
	ask("run", ws, "--mllm-model", ollamatest.Brief, "--model", "mllmrec", "--set", "epochs=2")
	code, out, errs := call(t, "recommend", ws, "--user", "u1", "-k", "3", "--json")
	if code != exitOK || strings.Count(out, `"rank"`) != 3 {
		t.Errorf("recommend: exit %d: %s%s", code, out, errs)
	}
}
