package workspace

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// commit makes an artefact with the given files.
func commit(w *Workspace, kind Kind, name string, a Artefact, files map[string]string) (string, error) {
	d, err := w.NewDraft(kind)
	if err != nil {
		return "", err
	}
	defer d.Discard()
	for file, content := range files {
		if err := os.WriteFile(d.Path(file), []byte(content), 0o666); err != nil {
			return "", err
		}
	}
	return d.Commit(name, a)
}

// hash is an input hash; addresses end with its first eight digits.
const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// vectors makes an artefact of item vectors with one input hash.
func vectors(t *testing.T, w *Workspace, content string) string {
	t.Helper()
	address, err := commit(w, KindItemVectors, "lsa-d8", Artefact{Stage: StageEncode, InputHash: hash}, map[string]string{"items.npy": content, "encoder.json": "{}"})
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func TestCommit(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	d, err := w.NewDraft(KindItemVectors)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Path("items.npy"), []byte("vectors"), 0o666); err != nil {
		t.Fatal(err)
	}
	const want = "features/lsa-d8-01234567"
	if ok, _ := exists(w.Path(want)); ok || len(mustOpen(t, w.Dir()).Addresses(KindItemVectors)) != 0 {
		t.Error("somebody can see the artefact before it is done")
	}
	address, err := d.Commit("lsa-d8", Artefact{Stage: StageEncode, InputHash: hash, Seconds: 2, Options: map[string]string{"dim": "8"}})
	if err != nil || address != want {
		t.Fatalf("address %q, %v; want %q", address, err, want)
	}
	d.Discard() // does nothing now
	v := mustOpen(t, w.Dir())
	a, ok := v.Artefact(address)
	if !ok || a.Kind != KindItemVectors || a.Options["dim"] != "8" || a.Files["items.npy"].Path != want+"/items.npy" || len(a.Files) != 1 {
		t.Errorf("recorded %v, %+v", ok, a)
	}
	if c := v.Check(address); c.State != Fresh {
		t.Errorf("%+v", c)
	}
	if now, _, _ := v.Current(KindItemVectors); now != address {
		t.Errorf("current %q", now)
	}
	if left := entries(t, w.Path("features")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// Of two equal artefacts the first stays, and is the current one again.
func TestCommitOfATwin(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	first := vectors(t, w, "vectors")
	was, _ := w.Artefact(first)
	other := vectors(t, w, "other vectors")
	if other != first+"-2" {
		t.Errorf("other contents at %q, want %q", other, first+"-2")
	}
	if third := vectors(t, w, "third vectors"); third != first+"-3" {
		t.Errorf("other contents at %q, want %q", third, first+"-3")
	}
	if again := vectors(t, w, "vectors"); again != first {
		t.Errorf("the same contents at %q, want %q", again, first)
	}
	a, _ := w.Artefact(first)
	if now, _, _ := w.Current(KindItemVectors); now != first || !a.Finished.After(was.Finished) {
		t.Errorf("current %q, made %v and again %v", now, was.Finished, a.Finished)
	}
	if diff := cmp.Diff([]string{"lsa-d8-01234567", "lsa-d8-01234567-2", "lsa-d8-01234567-3"}, entries(t, w.Path("features"))); diff != "" {
		t.Error(diff)
	}
	for address, want := range map[string]string{first: "vectors", other: "other vectors"} {
		if raw, err := os.ReadFile(w.Path(address, "items.npy")); err != nil || string(raw) != want {
			t.Errorf("%s holds %q, %v", address, raw, err)
		}
	}
	elsewhere, err := commit(w, KindItemVectors, "lsa-d8", Artefact{Stage: StageEncode, InputHash: "f" + hash[1:]}, map[string]string{"items.npy": "vectors", "encoder.json": "{}"})
	if err != nil || elsewhere == first {
		t.Errorf("another input hash with the same contents: %q, %v", elsewhere, err)
	}
}

// What answers were missing is recorded anew where all texts stayed the same.
func TestCommitOfATwinRenews(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	make := func(pending int) string {
		address, err := commit(w, KindItemTexts, "items-m", Artefact{Stage: StageDescribe, InputHash: hash, Pending: pending, Info: map[string]any{"pending": pending}},
			map[string]string{"items.parquet": "texts"})
		if err != nil {
			t.Fatal(err)
		}
		return address
	}
	first := make(3)
	if again := make(1); again != first {
		t.Fatalf("at %q, then at %q", first, again)
	}
	if a, _ := mustOpen(t, w.Dir()).Artefact(first); a.Pending != 1 || a.Info["pending"] != 1.0 || len(a.Files) != 1 {
		t.Errorf("%+v", a)
	}
}

// An artefact with damaged files that is made again with the same result is mended where
// it stands: what was made from it stays usable.
func TestCommitMendsDamagedTwin(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, w *Workspace, address string){
		"modified": func(t *testing.T, w *Workspace, address string) { put(t, w, address+"/items.npy", "Vectors") },
		"missing": func(t *testing.T, w *Workspace, address string) {
			if err := os.RemoveAll(w.Path(address)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
			first := vectors(t, w, "vectors")
			damage(t, w, first)
			if c := w.Check(first); c.State != Stale {
				t.Fatalf("%+v", c)
			}
			if again := vectors(t, w, "vectors"); again != first {
				t.Errorf("made again at %q", again)
			}
			for _, v := range []*Workspace{w, mustOpen(t, w.Dir())} {
				if c := v.Check(first); c.State != Fresh {
					t.Errorf("%+v", c)
				}
			}
			if left := entries(t, w.Path("features")); len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	// One that is intact is preferred to a damaged one of the same contents.
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	intact := vectors(t, w, "vectors")
	put(t, w, "features/copy/items.npy", "vectors")
	put(t, w, "features/copy/encoder.json", "{}")
	err := w.Record("features/copy", Artefact{Kind: KindItemVectors, Stage: StageEncode, InputHash: hash, Finished: time.Now().Add(time.Hour),
		Files: map[string]File{"items.npy": {Path: "features/copy/items.npy"}, "encoder.json": {Path: "features/copy/encoder.json"}}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, w, "features/copy/items.npy", "Vectors")
	if got := vectors(t, w, "vectors"); got != intact {
		t.Errorf("%q, want %q", got, intact)
	}
}

func TestDiscard(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	d, err := w.NewDraft(KindItemGraph)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Path("item.npz"), []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	d.Discard()
	d.Discard()
	if left := entries(t, w.Path("graphs")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := d.Commit("x", Artefact{Stage: StageGraph, InputHash: hash}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a discarded draft was committed: %v", err)
	}
}

func TestCommitRejects(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	d, err := w.NewDraft(KindItemGraph)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Discard()
	if err := os.Mkdir(d.Path("sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Commit("x", Artefact{Stage: StageGraph, InputHash: hash}); err == nil || !strings.Contains(err.Error(), "sub is no regular file") {
		t.Errorf("a folder inside: %v", err)
	}
	if got := w.Addresses(KindItemGraph); len(got) != 0 {
		t.Errorf("recorded %v", got)
	}
}

// A process that was killed between giving a folder its address and recording it leaves
// the folder: nobody takes it for an artefact, and the next commit replaces it.
func TestCommitAfterAKillBeforeTheRecord(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	address := "features/lsa-d8-01234567"
	put(t, w, address+"/items.npy", "of the dead")
	put(t, w, address+"/more.npy", "of the dead")
	if c := w.Check(address); c.State != Missing {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff([]string{address}, w.Leftovers()); diff != "" {
		t.Errorf("leftovers (-want +got):\n%s", diff)
	}
	if got := vectors(t, w, "vectors"); got != address {
		t.Errorf("at %q, want %q", got, address)
	}
	if diff := cmp.Diff([]string{"encoder.json", "items.npy"}, entries(t, w.Path(address))); diff != "" {
		t.Error(diff)
	}
	if got := w.Leftovers(); len(got) != 0 {
		t.Errorf("leftovers %v", got)
	}
}

// Where the record cannot be written, no artefact is there, and the next try succeeds.
func TestCommitWithoutRecord(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	release, err := mustOpen(t, w.Dir()).Lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = commit(w, KindItemVectors, "lsa-d8", Artefact{Stage: StageEncode, InputHash: hash}, map[string]string{"items.npy": "first"})
	wantUserError(t, err, "is being written")
	release()
	if got := w.Addresses(KindItemVectors); len(got) != 0 {
		t.Errorf("recorded %v", got)
	}
	if got := vectors(t, w, "vectors"); got != "features/lsa-d8-01234567" {
		t.Errorf("at %q", got)
	}
}

func TestFreeRun(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	if got := w.FreeRun("bpr", hash); got != "runs/bpr-01234567" {
		t.Errorf("%q", got)
	}
	put(t, w, "runs/bpr-01234567/config.json", "begun")
	if got := w.FreeRun("bpr", hash); got != "runs/bpr-01234567-2" {
		t.Errorf("%q beside a begun run", got)
	}
	if ok, _ := exists(w.Path("runs/bpr-01234567/config.json")); !ok {
		t.Error("a begun run was removed")
	}
}

// chain is a workspace with vectors, a graph made from them, and a run of the graph.
func chain(t *testing.T) (w *Workspace, addresses []string) {
	t.Helper()
	w = mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	below := DataAddress
	for _, c := range []struct {
		kind, from Kind
		stage      string
	}{{KindItemVectors, KindData, StageEncode}, {KindItemGraph, KindItemVectors, StageGraph}, {KindRun, KindItemGraph, StageTrain}} {
		in, err := w.InputFrom(below)
		if err != nil {
			t.Fatal(err)
		}
		inputs := map[Kind]Input{c.from: in}
		below, err = commit(w, c.kind, "x", Artefact{Stage: c.stage, Inputs: inputs, InputHash: InputHash(c.kind, nil, inputs)}, map[string]string{"file": string(c.kind)})
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, below)
	}
	return w, addresses
}

func TestRemove(t *testing.T) {
	w, all := chain(t)
	vectors, graph, run := all[0], all[1], all[2]
	for _, some := range [][]string{{vectors}, {graph}, {vectors, graph}, {vectors, run}} {
		if err := w.Remove(some...); err == nil || !strings.Contains(err.Error(), "is needed by") {
			t.Errorf("removing %v: %v", some, err)
		}
	}
	if err := w.Remove(DataAddress); err == nil || !strings.Contains(err.Error(), "imported data") {
		t.Errorf("removing the data: %v", err)
	}
	for _, address := range append(all, DataAddress) {
		if c := w.Check(address); c.State != Fresh {
			t.Errorf("%s after refused removals: %+v", address, c)
		}
	}
	put(t, w, run+"/log.jsonl", "no part of the record")
	put(t, w, "features/cache/vectors", "paid for")
	if err := w.Remove(run, graph, "features/cache", "graphs", "no such"); err != nil {
		t.Fatal(err)
	}
	v := mustOpen(t, w.Dir())
	if m := v.Manifest(); len(m.Artefacts) != 2 || len(m.Current) != 2 {
		t.Errorf("left: %v, current %v", m.Artefacts, m.Current)
	}
	for rel, want := range map[string]bool{run: false, graph: false, vectors: true, "features/cache/vectors": true, "graphs": true, ItemsFile: true} {
		if ok, err := exists(w.Path(rel)); ok != want || err != nil {
			t.Errorf("%s there: %v (%v)", rel, ok, err)
		}
	}
	if err := w.Remove(vectors); err != nil {
		t.Errorf("what nothing needs any more: %v", err)
	}
}

// Where the current artefact goes, the latest of those left is the current one.
func TestRemoveOfTheCurrentOne(t *testing.T) {
	w := threeGraphs(t)
	for _, want := range []string{"graphs/a", "graphs/b", ""} {
		now, _, _ := w.Current(KindItemGraph)
		if err := w.Remove(now); err != nil {
			t.Fatal(err)
		}
		if got, _, ok := mustOpen(t, w.Dir()).Current(KindItemGraph); got != want || ok != (want != "") {
			t.Errorf("current %q after %s went, want %q", got, now, want)
		}
	}
}

// Files of format 1 can belong to two artefacts: they stay until the last one goes.
func TestRemoveKeepsSharedFiles(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	for _, rel := range []string{"features/items.npy", "features/users.npy", "features/encoder.json"} {
		put(t, w, rel, rel)
	}
	for kind, own := range map[Kind]string{KindItemVectors: "items", KindUserVectors: "users"} {
		err := w.Record("features/"+own+"-lsa-12345678", Artefact{Kind: kind, Stage: StageEncode,
			Files: map[string]File{own + ".npy": {Path: "features/" + own + ".npy"}, "encoder.json": {Path: "features/encoder.json"}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Remove("features/items-lsa-12345678"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"encoder.json", "users.npy"}, entries(t, w.Path("features"))); diff != "" {
		t.Error(diff)
	}
	if c := w.Check("features/users-lsa-12345678"); c.State != Fresh {
		t.Errorf("%+v", c)
	}
	if err := w.Remove("features/users-lsa-12345678"); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, w.Path("features")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLeftovers(t *testing.T) {
	w, _ := chain(t)
	want := []string{"texts/items-m-0a1b2c3d", "texts/items-m-0a1b2c3d-12", "features/.making-1", "graphs/x-ffffffff", "evaluations/bpr-01234567"}
	for _, dir := range append(want, "features/cache", "graphs/mine", "graphs/x-fffffff", "graphs/x-fffffffg", "graphs/0a1b2c3d", "texts/x-0a1b2c3d-y", "runs/bpr-01234567", "images/x-01234567") {
		put(t, w, path.Join(dir, "file"), "x")
	}
	put(t, w, "graphs/file-01234567", "no folder")
	if diff := cmp.Diff(want, w.Leftovers()); diff != "" {
		t.Errorf("leftovers (-want +got):\n%s", diff)
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"gemma3:27b": "gemma3-27b", "Qwen/Qwen2.5-VL": "qwen-qwen2.5-vl", "../../etc": "etc", "": "", "ä": "", "a  b": "a-b", "--": "",
		strings.Repeat("ab", 30): strings.Repeat("ab", 20), strings.Repeat("a", 39) + "/b": strings.Repeat("a", 39),
	} {
		if got := Slug(name); got != want {
			t.Errorf("Slug(%q) = %q, want %q", name, got, want)
		}
	}
}
