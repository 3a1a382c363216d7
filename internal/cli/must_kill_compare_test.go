package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// everything returns what lies in a folder, by path: the hash of a file, where a link
// leads, and of the files that say when something was done, all but that.
func everything(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(name)
			all[rel] = "link to " + to
			return err
		case e.IsDir():
			all[rel] = "folder"
		case strings.HasSuffix(rel, ".db-wal"), strings.HasSuffix(rel, ".db-shm"): // of the ledger
		case runtime.GOOS == "windows" && atomicfile.IsTemp(rel): // swept there when it is old
		case path.Base(rel) == "generations.db":
			all[rel] = answersIn(t, name)
		default:
			raw, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			all[rel] = untimed(t, name, raw)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// answersIn is the content of a ledger, without when an answer came and how long it took.
func answersIn(t *testing.T, file string) string {
	t.Helper()
	s, err := ledger.OpenSQLite(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // only read
	var b strings.Builder
	for _, stage := range []string{texts.StageDescribe, texts.StageReason} {
		err := s.Each(t.Context(), stage, func(g texts.Generation) error {
			g.Created, g.Seconds = time.Time{}, 0
			raw, err := json.Marshal(g)
			fmt.Fprintf(&b, "%s\n", raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// markedTime is what a page marks as a time.
var markedTime = regexp.MustCompile(`<time [^>]*>[^<]*</time>`)

// untimed is the hash of a file. Of a manifest and of the few other files that say when
// something was done or how long it took, it is the content without that.
func untimed(t *testing.T, name string, raw []byte) string {
	t.Helper()
	switch base := filepath.Base(name); {
	case base == workspace.ManifestFile:
		return withoutTimes(t, raw, func(m map[string]any) {
			delete(m, "created")
			delete(m, "digest") // of the file with its times
			artefacts, _ := m["artefacts"].(map[string]any)
			for _, a := range artefacts {
				a := a.(map[string]any)
				delete(a, "finished")
				delete(a, "seconds")
				if info, ok := a["info"].(map[string]any); ok {
					delete(info, "times") // of a training: when it began, seconds of its epochs, where it was resumed
				}
			}
		})
	case base == workspace.RunConfigFile && strings.Contains(filepath.ToSlash(name), "/runs/"), strings.HasSuffix(base, ".begun.json"):
		return withoutTimes(t, raw, func(m map[string]any) { delete(m, "started") })
	case base == "log.jsonl":
		var b strings.Builder
		for line := range bytes.Lines(raw) {
			b.WriteString(withoutTimes(t, line, withoutSeconds))
		}
		return b.String()
	case base == "last.safetensors":
		return checkpoint(t, name)
	case base == "index.html":
		raw = markedTime.ReplaceAll(raw, nil)
	}
	return fmt.Sprintf("%x", sha256.Sum256(raw))
}

// withoutSeconds takes the seconds out of an epoch.
func withoutSeconds(epoch map[string]any) {
	delete(epoch, "train_seconds")
	delete(epoch, "eval_seconds")
}

func withoutTimes(t *testing.T, raw []byte, cut func(map[string]any)) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	cut(m)
	rest, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(rest) + "\n"
}

// checkpoint is the last state of a training: its tensors, and what it says of its epochs.
func checkpoint(t *testing.T, name string) string {
	t.Helper()
	tensors, meta, err := arrayfile.ReadSafetensors(name)
	if err != nil {
		t.Fatal(err)
	}
	said := withoutTimes(t, []byte(meta["mllmrec.train"]), func(m map[string]any) {
		delete(m, "digest") // of the epochs with their times
		epochs, _ := m["epochs"].([]any)
		for _, e := range epochs {
			withoutSeconds(e.(map[string]any))
		}
	})
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		said += fmt.Sprintf("%s %d\n", name, arrayfile.Checksum(tensors[name].Data))
	}
	return said
}

// pullFrom serves a model as the hub does, slowly, and has commands pull from there.
func pullFrom(t *testing.T) {
	t.Helper()
	files := map[string]string{"vocab.txt": "[PAD]\n", "tokenizer.json": "{}", "model.safetensors": strings.Repeat("weights!", 1<<17)}
	for _, name := range []string{"config.json", "modules.json", "1_Pooling/config.json"} { // looked at before the rest is fetched
		data, err := os.ReadFile(filepath.Join(tinyModel, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	const commit = "0123456789abcdef0123456789abcdef01234567"
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/models/org/model/revision/main" {
			list := []map[string]string{}
			for name := range files {
				list = append(list, map[string]string{"rfilename": name})
			}
			json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": list}) //nolint:errcheck // whoever asked was killed
			return
		}
		name, _ := strings.CutPrefix(r.URL.Path, "/org/model/resolve/"+commit+"/")
		content, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(content))))
		http.ServeContent(slowly{w}, r, "", time.Time{}, strings.NewReader(content))
	}))
	t.Cleanup(hub.Close)
	for name, value := range map[string]string{"HF_ENDPOINT": hub.URL, "HF_TOKEN": "", "HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "", "HF_HOME": t.TempDir()} {
		t.Setenv(name, value)
	}
}

// slowly keeps a transfer going for a while, so that kills meet it.
type slowly struct{ http.ResponseWriter }

func (s slowly) Write(b []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return s.ResponseWriter.Write(b)
}
