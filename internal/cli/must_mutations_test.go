package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/workspace"
)

// mutations are ways in which a file becomes another of the same size.
var mutations = []struct {
	name   string
	mutate func(rng *rand.Rand, raw, other []byte) []byte
}{
	{"a flipped bit", func(rng *rand.Rand, raw, _ []byte) []byte {
		raw[rng.IntN(len(raw))] ^= 1 << rng.IntN(8)
		return raw
	}},
	{"halves exchanged", func(_ *rand.Rand, raw, _ []byte) []byte {
		half := len(raw) / 2
		return slices.Concat(raw[half:], raw[:half])
	}},
	{"a page of zeros", func(rng *rand.Rand, raw, _ []byte) []byte {
		at := rng.IntN(len(raw))
		clear(raw[at:min(at+512, len(raw))])
		return raw
	}},
	{"another artefact's content", func(_ *rand.Rand, raw, other []byte) []byte {
		return append(other[:min(len(raw), len(other))], make([]byte, max(0, len(raw)-len(other)))...)
	}},
	{"cut off and filled up", func(rng *rand.Rand, raw, _ []byte) []byte {
		clear(raw[rng.IntN(len(raw)):])
		return raw
	}},
	{"a digit changed", func(rng *rand.Rand, raw, _ []byte) []byte {
		from := rng.IntN(len(raw))
		for i := range raw {
			if c := &raw[(from+i)%len(raw)]; *c >= '0' && *c <= '9' {
				*c = '0' + (*c-'0'+1)%10
				break
			}
		}
		return raw
	}},
}

// readers are the commands that promise to read what was recorded or to refuse. OUT stands
// for a folder to write into, RUN for the run made from texts.
var readers = [][]string{
	{"recommend", "WS", "--user", "u3", "--json"},
	{"recommend", "WS", "--run", "RUN", "--user", "u5", "--json"},
	{"recommend", "WS", "--run", "RUN", "--text", "calm brass lantern", "--json"},
	{"evaluate", "WS", "--run", "RUN", "--json"},
	{"export", "mmrec", "WS", "--out", "OUT"},
	{"audit", "WS", "--measure", "off", "--json"},
	{"train", "WS", "--fresh", "--model", "mllmrec", "--set", "epochs=2", "--json"},
}

// outcome is what came of a command: its answer without times, and what it wrote.
func outcome(t *testing.T, command []string, ws, run string) (code int, said, errs string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	args := slices.Clone(command)
	for i := range args {
		args[i] = strings.NewReplacer("WS", ws, "OUT", out, "RUN", run).Replace(args[i])
	}
	code, said, errs = call(t, append(args, "-q")...)
	var v any
	if json.Unmarshal([]byte(said), &v) == nil {
		raw, err := json.Marshal(timeless(v))
		if err != nil {
			t.Fatal(err)
		}
		said = string(raw)
	}
	said = strings.ReplaceAll(strings.ReplaceAll(said, ws, "WS"), out, "OUT")
	if _, err := os.Stat(out); err == nil {
		for _, rel := range regularIn(t, out) {
			raw, err := os.ReadFile(filepath.Join(out, rel))
			if err != nil {
				t.Fatal(err)
			}
			said += fmt.Sprintf("\n%s %x", rel, raw)
		}
	}
	return code, said, errs
}

// timeless takes out of a JSON value what differs between two equal runs: when things were
// done and how long they took.
func timeless(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"started", "finished", "created", "seconds", "train_seconds", "eval_seconds", "elapsed", "times"} {
			delete(v, key)
		}
		for k := range v {
			v[k] = timeless(v[k])
		}
	case []any:
		for i := range v {
			v[i] = timeless(v[i])
		}
	}
	return v
}

// TestMutatedFilesAreRefused changes one file of a workspace at a time, to others of its
// size and time, and gives each command that reads: it answers what it answered before, or
// refuses and names the file.
func TestMutatedFilesAreRefused(t *testing.T) {
	changes := 36
	if slow {
		changes = 500
	}
	ws := importWordyShop(t, 40, 40)
	run := runJSONOf(t, ws, "--mllm", "offline", "--dim", "8", "--threshold", "0.4", "--model", "mllmrec", "--set", "epochs=2")
	runJSONOf(t, ws, "--model", "bpr", "--set", "epochs=2")
	ok(t, "train", ws, "--fresh", "--model", "mllmrec", "--set", "epochs=2", "-q") // the current run is of texts again
	want := map[string]string{}
	for _, command := range readers {
		pristine := copied(t, ws)
		code, said, errs := outcome(t, command, pristine, run)
		if code != exitOK && (command[0] != "audit" || code != exitNotProvable) { // so few users prove nothing to the probe
			t.Fatalf("%v: exit %d: %s", command, code, errs)
		}
		want[strings.Join(command, " ")] = said
	}
	files := slices.DeleteFunc(regularIn(t, ws), func(rel string) bool { return strings.Contains(rel, "lock") })
	if len(files) < 25 {
		t.Fatalf("only %v", files)
	}
	rng := rand.New(rand.NewPCG(2, 72))
	refused, same, untouched := 0, 0, 0
	for n := range changes {
		rel, m := files[n%len(files)], mutations[rng.IntN(len(mutations))]
		changed := copied(t, ws)
		if !mutate(t, rng, filepath.Join(changed, rel), filepath.Join(ws, files[rng.IntN(len(files))]), m.mutate) {
			untouched++
			continue
		}
		for _, command := range readers {
			begin := time.Now()
			code, said, errs := outcome(t, command, changed, run)
			switch {
			case said == want[strings.Join(command, " ")]:
				same++
			case code != exitNotProvable && code != exitUser || !strings.Contains(errs, filepath.Base(rel)):
				t.Errorf("%s, %s: %v: exit %d, another answer: %.300s: %.300s", rel, m.name, command, code, said, errs)
			default:
				refused++
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("%s, %s: %v took %v", rel, m.name, command, took)
			}
		}
		os.RemoveAll(changed)
	}
	t.Logf("%d changes (%d changed nothing), %d commands: %d refused by name, %d answered the same", changes, untouched, len(readers), refused, same)
	if refused < changes || untouched > changes/4 {
		t.Errorf("%d refusals, %d changes that changed nothing: the test has lost its point", refused, untouched)
	}
}

// regularIn lists the regular files in a folder by their paths inside it.
func regularIn(t *testing.T, dir string) []string {
	t.Helper()
	return slices.DeleteFunc(filesIn(t, dir), func(rel string) bool {
		info, err := os.Stat(filepath.Join(dir, rel))
		return err != nil || !info.Mode().IsRegular()
	})
}

// mutate changes a file and puts its times back; false if it stays what it was.
func mutate(t *testing.T, rng *rand.Rand, file, other string, how func(*rand.Rand, []byte, []byte) []byte) bool {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) == 0 {
		return false
	}
	changed := how(rng, bytes.Clone(raw), foreign)
	if bytes.Equal(raw, changed) {
		return false
	}
	if err := os.WriteFile(file, changed, info.Mode()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	return true
}

// copied copies a workspace, times and all.
func copied(t *testing.T, ws string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ws")
	if err := os.CopyFS(dir, os.DirFS(ws)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(ws, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(ws, path)
		if err != nil {
			return err
		}
		return os.Chtimes(filepath.Join(dir, rel), info.ModTime(), info.ModTime())
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// runJSONOf makes a run and returns its id.
func runJSONOf(t *testing.T, ws string, options ...string) string {
	t.Helper()
	p, _ := runJSON(t, ws, options...)
	return p.Run.Run
}

// The vectors of users are replaced by others that know the test items, with a record to
// match: the audit encodes texts again and proves nothing any more.
func TestForgedVectorsAreNotProvable(t *testing.T) {
	ws := importWordyShop(t, 60, 40)
	ok(t, "run", ws, "--mllm", "offline", "--dim", "8", "--model", "mllmrec", "--set", "epochs=1", "-q")
	address := currentOf(opened(t, ws), workspace.KindUserVectors)
	raw, err := os.ReadFile(filepath.Join(ws, address, workspace.UserVectorsFile))
	if err != nil {
		t.Fatal(err)
	}
	for i := 129; i < len(raw); i += 7 { // behind the header
		raw[i] ^= 0x15
	}
	if err := os.WriteFile(filepath.Join(ws, address, workspace.UserVectorsFile), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, errs := call(t, "audit", ws, "--measure", "off")
	if code != exitNotProvable || !strings.Contains(errs, address+"/"+workspace.UserVectorsFile+" was modified") {
		t.Errorf("exit %d: %s", code, errs)
	}
	w := opened(t, ws)
	a, _ := w.Artefact(address)
	if err := w.Record(address, a); err != nil { // the forger's record
		t.Fatal(err)
	}
	code, out, errs := call(t, "audit", ws, "--measure", "off")
	if code != exitNotProvable || !strings.Contains(out, "not what their texts encode to") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}
