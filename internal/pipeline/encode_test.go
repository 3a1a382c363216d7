package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/encoder/cache"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// shop is a workspace with texts of items and of preferences.
func shop(t *testing.T) *Pipeline {
	t.Helper()
	ds := &dataset.Dataset{Name: "shop", Domain: "things", UserIDs: []string{"ann", "bob"}}
	for _, title := range []string{"a red striped mug", "a blue lamp", "a brass lamp", "a green mug"} {
		ds.Items = append(ds.Items, dataset.Item{ID: strings.ReplaceAll(title, " ", "-"), Title: title})
	}
	for k, item := range []int32{0, 1, 2, 3} {
		for user, item := range []int32{item, (item + 1) % 4} {
			ds.Append(dataset.Interaction{User: int32(user), Item: item, Time: int64(k + 1)})
		}
	}
	if _, err := dataset.Prepare(ds, 0, dataset.SplitOptions{Name: dataset.SplitByLatest}); err != nil {
		t.Fatal(err)
	}
	ws, err := workspace.Create(filepath.Join(t.TempDir(), "ws"), ds, workspace.Source{Kind: "test"})
	if err != nil {
		t.Fatal(err)
	}
	release, err := ws.Lock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	p := &Pipeline{WS: ws}
	ok(t, p.Describe(t.Context(), AuthorOptions{MLLM: Offline}))
	ok(t, p.Reason(t.Context(), AuthorOptions{MLLM: Offline}, PreferenceOptions{History: "train", Folds: 2}))
	return p
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tinyBERT copies the tiny model to a folder of the test's.
func tinyBERT(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	ok(t, os.CopyFS(dir, os.DirFS("../encoder/bert/testdata/tiny")))
	return dir
}

// cacheCounts reads what the last encode asked of the cache.
func cacheCounts(t *testing.T, p *Pipeline) (s cache.Stats) {
	t.Helper()
	raw, err := json.Marshal(p.WS.Manifest().Stages[workspace.StageEncode].Info["cache"])
	ok(t, err)
	ok(t, json.Unmarshal(raw, &s))
	return s
}

// retitle changes the text of one item, as a changed catalogue would.
func retitle(t *testing.T, p *Pipeline, item int, text string) {
	t.Helper()
	texts, err := p.WS.ItemTexts()
	ok(t, err)
	texts[item].Text = text
	ok(t, p.WS.WriteItemTexts(func(yield func(workspace.ItemText, error) bool) {
		for _, x := range texts {
			if !yield(x, nil) {
				return
			}
		}
	}))
	st := p.WS.Manifest().Stages[workspace.StageDescribe]
	ok(t, p.record(workspace.StageDescribe, st.Options, time.Now(), []string{workspace.ItemTextsFile}, st))
}

func TestOneChangedTextIsEncodedAlone(t *testing.T) {
	p := shop(t)
	opt := EncodeOptions{Encoder: MiniLM, Model: tinyBERT(t)}
	ok(t, p.Encode(t.Context(), opt))
	first := cacheCounts(t, p)
	if first.Encoded == 0 || first.Texts != 4+3*2 { // four items; two users, each with a full text and two blind ones
		t.Fatalf("first encode: %+v", first)
	}
	before, err := arrayfile.ReadNPY(p.WS.Path(workspace.ItemFeaturesFile))
	ok(t, err)
	retitle(t, p, 2, "an iron lamp")
	ok(t, p.Encode(t.Context(), opt))
	if second := cacheCounts(t, p); second.Encoded != 1 || second.Cached != second.Texts-1 {
		t.Fatalf("after a change of one text: %+v", second)
	}
	after, err := arrayfile.ReadNPY(p.WS.Path(workspace.ItemFeaturesFile))
	ok(t, err)
	for i := range before.Rows {
		same := true
		for j, v := range before.Row(i) {
			same = same && after.Row(i)[j] == v
		}
		if same != (i != 2) {
			t.Errorf("item %d: vector unchanged is %t", i, same)
		}
	}
}

func TestEncodeForcedAgainIsBitIdentical(t *testing.T) {
	p := shop(t)
	for _, opt := range []EncodeOptions{{Encoder: MiniLM, Model: tinyBERT(t)}, {Encoder: LSA, Dim: 3, Seed: 1}} {
		ok(t, p.Encode(t.Context(), opt))
		first := p.WS.Manifest().Stages[workspace.StageEncode].Outputs
		p.Force = true
		ok(t, os.RemoveAll(p.WS.Path(vectorCacheDir)))
		ok(t, p.Encode(t.Context(), opt))
		p.Force = false
		for file, hash := range p.WS.Manifest().Stages[workspace.StageEncode].Outputs {
			if hash != first[file] {
				t.Errorf("%s: %s differs when encoded again", opt.Encoder, file)
			}
		}
	}
}

// A cancelled encode keeps the item vectors it had, and the stage stays undone.
func TestCancelledEncodeGoesOn(t *testing.T) {
	p := shop(t)
	opt := EncodeOptions{Encoder: MiniLM, Model: tinyBERT(t)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p.Observe = func(e Event) {
		if strings.HasPrefix(e.Message, "preference texts") || strings.HasSuffix(e.Message, " preference texts") {
			cancel()
		}
	}
	if err := p.Encode(ctx, opt); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v", err)
	}
	if _, done := p.WS.Manifest().Stages[workspace.StageEncode]; done {
		t.Fatal("a cancelled stage is recorded")
	}
	p.Observe = nil
	ok(t, p.Encode(t.Context(), opt))
	if s := cacheCounts(t, p); s.Cached < 4 {
		t.Fatalf("after a cancelled encode: %+v", s)
	}
}

// A model that defines prompts for search gets them on the side they belong to, and a
// sentence is a query.
func TestModelsOwnPrompts(t *testing.T) {
	p := shop(t)
	dir := tinyBERT(t)
	ok(t, os.WriteFile(filepath.Join(dir, "config_sentence_transformers.json"),
		[]byte(`{"prompts":{"query":"query: ","passage":"passage: "},"default_prompt_name":null}`), 0o644))
	ok(t, p.Encode(t.Context(), EncodeOptions{Encoder: MiniLM, Model: dir}))
	own, err := os.ReadFile(p.WS.Path(workspace.EncoderFile))
	ok(t, err)
	query, passage := "query: ", "passage: "
	p.Force = true
	ok(t, p.Encode(t.Context(), EncodeOptions{Encoder: MiniLM, Model: dir, ItemPrefix: &passage, UserPrefix: &query}))
	given, err := os.ReadFile(p.WS.Path(workspace.EncoderFile))
	ok(t, err)
	if string(own) != string(given) {
		t.Errorf("own prompts:\n%s\nthe same given:\n%s", own, given)
	}
	var info EncoderInfo
	ok(t, json.Unmarshal(own, &info))
	if info.ID == info.UserID {
		t.Error("items and preferences were encoded alike")
	}
	enc, err := p.OpenEncoder(t.Context())
	ok(t, err)
	if enc.ID() != info.UserID {
		t.Errorf("a sentence is encoded by %s, preferences were by %s", enc.ID(), info.UserID)
	}
}
