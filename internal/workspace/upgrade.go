package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
)

// A workspace of format 1 had one place for each kind of artefact and a record for each
// stage. Its files stay where they are: they are recorded under addresses, so that the
// whole upgrade is one new manifest, written at once or not at all. Answers of language
// models stand in the ledger, which the manifest says nothing of.

// manifest1 is workspace.json of format 1.
type manifest1 struct {
	Format       int               `json:"format"`
	ReadBy       string            `json:"read_by"`
	Name         string            `json:"name"`
	Domain       string            `json:"domain"`
	Split        string            `json:"split"`
	SplitHash    string            `json:"split_hash"`
	Clock        string            `json:"clock"`
	Created      time.Time         `json:"created"`
	Source       Source            `json:"source"`
	Users        int               `json:"users"`
	Items        int               `json:"items"`
	Interactions int               `json:"interactions"`
	Stages       map[string]stage1 `json:"stages"`
}

type stage1 struct {
	InputHash  string            `json:"input_hash"`
	Options    map[string]string `json:"options,omitempty"`
	Outputs    map[string]string `json:"outputs"` // path -> SHA-256
	Stamps     map[string]stamp1 `json:"stamps"`
	Finished   time.Time         `json:"finished"`
	Seconds    float64           `json:"seconds"`
	Leaky      bool              `json:"leaky"`
	Provenance string            `json:"provenance"`
	Info       map[string]any    `json:"info,omitempty"`
}

type stamp1 struct {
	Bytes    int64     `json:"bytes"`
	Modified time.Time `json:"modified"`
}

// Paths of format 1.
const (
	itemTexts1   = "texts/items.parquet"
	userTexts1   = "texts/users.parquet"
	itemVectors1 = "features/items.npy"
	userVectors1 = "features/users.npy"
	encoder1     = "features/encoder.json"
	lsa1         = "features/lsa.safetensors"
	itemGraph1   = "graphs/item.npz"
	imported1    = "imported" // the encoder of vectors that came with the data
)

// upgraded returns the manifest in the present format, without the runs, of which a
// manifest of format 1 knows only the last.
func (old manifest1) upgraded() (Manifest, error) {
	m := Manifest{Format: FormatVersion, ReadBy: readBy, Name: old.Name, Domain: old.Domain, Split: old.Split, SplitHash: old.SplitHash, Clock: old.Clock,
		Created: old.Created, Source: old.Source, Users: old.Users, Items: old.Items, Interactions: old.Interactions,
		Artefacts: map[string]Artefact{}, Current: map[Kind]string{}, stages1: old.Stages}
	if m.stages1 == nil {
		m.stages1 = map[string]stage1{}
	}
	for name, st := range old.Stages {
		if !slices.Contains(Stages(), name) {
			return m, fmt.Errorf("stage %q is unknown (known: %s)", name, strings.Join(Stages(), ", "))
		}
		for p := range st.Outputs {
			if !local(p) {
				return m, fmt.Errorf("stage %s: output %q is no path inside the workspace", name, p)
			}
		}
	}
	if st, ok := old.Stages[StageImport]; ok {
		a := st.artefact(KindData, StageImport, map[string]string{ItemsFile: ItemsFile, UsersFile: UsersFile, InteractionsFile: InteractionsFile})
		a.InputHash, a.Provenance = st.InputHash, ""
		m.Artefacts[DataAddress], m.Current[KindData] = a, DataAddress
	}
	m.upgradeTexts(old)
	m.upgradeVectors(old)
	if st, ok := old.Stages[StageGraph]; ok {
		a := st.artefact(KindItemGraph, StageGraph, map[string]string{ItemGraphFile: itemGraph1})
		dropIdleGraphOptions(a.Options)
		m.adopt(slug(st.Options["variant"]+"-k"+st.Options["k"]), a, map[Kind][]string{KindItemVectors: {ItemVectorsFile}, KindData: {InteractionsFile}})
	}
	return m, nil
}

// dropIdleGraphOptions takes out what format 1 recorded though it had no effect. The
// record of this format leaves it out, and its input hash is taken without it.
func dropIdleGraphOptions(options map[string]string) {
	if options["weights"] == "" {
		delete(options, "weights")
	}
	for idle, of := range map[string]string{"threshold": "denoise", "jaccard_k": "topology"} {
		if options[of] == "false" {
			delete(options, idle)
		}
	}
}

func (m *Manifest) upgradeTexts(old manifest1) {
	if st, ok := old.Stages[StageDescribe]; ok {
		a := st.artefact(KindItemTexts, StageDescribe, map[string]string{ItemTextsFile: itemTexts1})
		a.Pending = st.pending()
		m.adopt("items-"+slug(st.Options["mllm"]), a, map[Kind][]string{KindData: {ItemsFile}})
	}
	if st, ok := old.Stages[StageReason]; ok {
		a := st.artefact(KindUserTexts, StageReason, map[string]string{UserTextsFile: userTexts1})
		a.Pending = st.pending()
		m.adopt("users-"+slug(st.Options["mllm"]), a, map[Kind][]string{KindItemTexts: nil, KindData: {InteractionsFile, UsersFile}})
	}
}

func (m *Manifest) upgradeVectors(old manifest1) {
	st, ok := old.Stages[StageEncode]
	if !ok {
		return
	}
	encoder := st.Options["encoder"]
	items := st.artefact(KindItemVectors, StageEncode, map[string]string{ItemVectorsFile: itemVectors1, EncoderFile: encoder1, LSAFile: lsa1})
	userFiles := map[string]string{UserVectorsFile: userVectors1, EncoderFile: encoder1}
	for k := range MaxFolds {
		userFiles[FoldVectorsFile(k)] = "features/" + FoldVectorsFile(k)
	}
	users := st.artefact(KindUserVectors, StageEncode, userFiles)
	itemsFrom, usersFrom := map[Kind][]string{KindItemTexts: nil}, map[Kind][]string{KindUserTexts: nil, KindItemVectors: {EncoderFile, LSAFile}}
	if encoder == imported1 {
		items.Stage, users.Stage = StageImport, StageImport
		itemsFrom, usersFrom = map[Kind][]string{KindData: {ItemsFile}}, map[Kind][]string{KindData: {UsersFile}}
	}
	items.Leaky, items.Provenance = false, ProvenanceTrainOnly
	if _, there := items.Files[ItemVectorsFile]; there {
		m.adopt("items-"+slug(encoder), items, itemsFrom)
	}
	if _, there := users.Files[UserVectorsFile]; there {
		m.adopt("users-"+slug(encoder), users, usersFrom)
	}
}

// artefact records those of the files, new names to old paths, that the stage wrote.
func (st stage1) artefact(kind Kind, stage string, files map[string]string) Artefact {
	a := Artefact{Kind: kind, Stage: stage, Options: maps.Clone(st.Options), Files: map[string]File{}, Finished: st.Finished, Seconds: st.Seconds,
		Leaky: st.Leaky, Provenance: st.Provenance, Info: maps.Clone(st.Info)}
	if author, ok := a.Info["author"].(map[string]any); ok {
		delete(a.Info, "author")
		a.Info["asked"] = SortAsked(author)
	}
	for name, p := range files {
		if sum, ok := st.Outputs[p]; ok {
			a.Files[name] = File{Path: p, SHA256: sum, Bytes: st.Stamps[p].Bytes}
		}
	}
	return a
}

// SortAsked sorts the options of who wrote, which format 1 kept on one level, into the
// groups that they have now.
func SortAsked(author map[string]any) map[string]any {
	writer, answers, servers, long := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	all := map[string]any{"writer": writer, "long": long}
	for key, value := range author {
		switch key {
		case "mllm":
			writer[key] = value
		case "model":
			writer["models"] = []any{value}
		case "prompts":
			writer["prompt_files"] = []any{value}
		case "pictures":
			all[key] = value
		case "window", "long_history", "latest_n":
			long[key] = value
		case "words", "max_tokens", "script", "temperature", "seed", "num_ctx", "attempts":
			answers[key] = value
		default:
			servers[key] = value
		}
	}
	writer["answers"], writer["servers"] = answers, servers
	return all
}

// pending counts the texts that the next run asks for again, as format 1 did.
func (st stage1) pending() int {
	n := 0
	for _, key := range []string{"pending", "quarantined", "images_may_come"} {
		if v, ok := st.Info[key].(float64); ok {
			n += int(v)
		}
	}
	return n
}

// adopt records an artefact as the current one of its kind. It is made from the current
// ones of the given kinds, or from the named files of these.
func (m *Manifest) adopt(name string, a Artefact, from map[Kind][]string) {
	a.Inputs = map[Kind]Input{}
	for kind, files := range from {
		address, ok := m.Current[kind]
		if !ok {
			continue // removed by hand: what was made from it stays, and is never fresh
		}
		a.Inputs[kind] = m.Artefacts[address].input(address, files)
	}
	a.InputHash = InputHash(a.Kind, a.Options, a.Inputs)
	address := path.Join(folders[a.Kind], name+"-"+short(a.InputHash))
	m.Artefacts[address], m.Current[a.Kind] = a, address
}

// run1 is what runs/<id>/metrics.json, or config.json before it is there, says.
type run1 struct {
	Model      string            `json:"model"`
	Seed       uint64            `json:"seed"`
	Settings   map[string]string `json:"settings"`
	InputHash  string            `json:"input_hash"`
	Provenance string            `json:"provenance"`
	Leaky      bool              `json:"leaky"`
	Started    time.Time         `json:"started"`
	Finished   *time.Time        `json:"finished"`
}

func (r run1) options() map[string]string {
	o := map[string]string{"model": r.Model, "seed": strconv.FormatUint(r.Seed, 10)}
	for k, v := range r.Settings {
		o["set."+k] = v
	}
	return o
}

// upgradeRuns adds the runs of a workspace of format 1, which stand in folders of their
// own. A run whose inputs were overwritten since keeps serving known users, and says of
// strangers that its encoder is not known.
func (m *Manifest) upgradeRuns(dir string) error {
	w := &Workspace{dir: dir, root: inside(dir)}
	entries, err := w.List(RunsFolder)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	var latest time.Time
	for _, e := range entries {
		address := path.Join(RunsFolder, e.Name())
		raw, err := w.ReadNote(address, RunMetricsFile)
		if err != nil {
			continue // not finished: found by its folder
		}
		var r run1
		if err := json.Unmarshal(raw, &r); err != nil || r.Finished == nil {
			continue
		}
		a, ok := m.run(w, address, r)
		if !ok {
			continue // its files are gone: nothing that could be served
		}
		if checkArtefact(address, a) != nil {
			continue // edited by hand, or a name that no address may have: it must not spoil the manifest
		}
		m.Artefacts[address] = a
		if r.Started.After(latest) {
			latest, m.Current[KindRun] = r.Started, address
		}
	}
	return nil
}

func (m *Manifest) run(w *Workspace, address string, r run1) (Artefact, bool) {
	a := Artefact{Kind: KindRun, Stage: StageTrain, Options: r.options(), Files: map[string]File{}, Finished: *r.Finished,
		Seconds: r.Finished.Sub(r.Started).Seconds(), Leaky: r.Leaky, Provenance: r.Provenance, Info: map[string]any{"run": path.Base(address)}}
	for _, name := range []string{RunUsersFile, RunItemsFile, RunMetricsFile, RunModelFile} {
		f, err := w.root.hash(path.Join(address, name))
		if err != nil {
			return a, false
		}
		f.Path = path.Join(address, name)
		a.Files[name] = f
	}
	a.Inputs, a.InputHash = m.runInputs(r)
	return a, true
}

// runInputs finds what a run of format 1 was made from: the artefacts that are there, if
// the hash that the run carries says so.
func (m *Manifest) runInputs(r run1) (map[Kind]Input, string) {
	needs := map[Kind][]string{KindData: {InteractionsFile}}
	if r.Model == "mllmrec" {
		if r.InputHash != m.trainHash1(r.options()) {
			return nil, r.InputHash
		}
		needs[KindItemVectors] = []string{ItemVectorsFile}
		if r.Settings["variant"] != "no_reasoning" {
			needs[KindUserVectors] = nil
		}
		if r.Settings["variant"] != "no_gcn" {
			needs[KindItemGraph] = nil
		}
	}
	inputs := map[Kind]Input{}
	for kind, files := range needs {
		address, ok := m.Current[kind]
		if !ok {
			return nil, r.InputHash
		}
		inputs[kind] = m.Artefacts[address].input(address, files)
	}
	return inputs, InputHash(KindRun, r.options(), inputs)
}

// trainHash1 is the input hash that format 1 gave a run of these options made from what
// is there.
func (m *Manifest) trainHash1(options map[string]string) string {
	files := map[string]string{}
	for _, st := range m.stages1 {
		for p, sum := range st.Outputs {
			if strings.HasPrefix(p, "features/") || p == itemGraph1 || p == InteractionsFile {
				files[p] = sum
			}
		}
	}
	return HashInputs(StageTrain, files, options)
}

// saveUpgrade writes the manifest of this format in place of the older one. Where another
// process writes, or nobody may, the folder stays as it is and is read as if it were
// upgraded.
func (w *Workspace) saveUpgrade() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	release, err := w.acquire()
	if err != nil {
		return nil //nolint:nilerr // see above; whoever writes next upgrades
	}
	defer release()
	if !w.manifest.upgraded() {
		return nil // another process was faster
	}
	err = w.carryOn()
	if err == nil {
		err = writeManifest(w.dir, w.manifest)
	}
	switch {
	case cannotWrite(err):
		return nil
	case err != nil:
		return fmt.Errorf("upgrade workspace %s to format %d: %w", w.dir, FormatVersion, err)
	}
	w.manifest.stages1 = nil
	return nil
}

// cannotWrite reports whether an error says that nothing can be written here: nobody may,
// or the disk is full.
func cannotWrite(err error) bool {
	var full *atomicfile.FullError
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.As(err, &full)
}

// carryOn gives interrupted runs the input hash of this format, under which training
// finds them and goes on with them.
func (w *Workspace) carryOn() error {
	runs, err := w.List(RunsFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, run := range runs {
		address := path.Join(RunsFolder, run.Name())
		if ok, err := exists(w.Path(address, RunMetricsFile)); ok || err != nil {
			continue // finished
		}
		raw, err := w.ReadNote(address, RunConfigFile)
		if err != nil {
			continue // no run of ours
		}
		var r run1
		var all map[string]json.RawMessage // not any, which would round the seed
		if json.Unmarshal(raw, &r) != nil || json.Unmarshal(raw, &all) != nil {
			continue // no run of ours
		}
		if _, hash := w.manifest.runInputs(r); hash != r.InputHash {
			all["input_hash"], _ = json.Marshal(hash) // a string: cannot fail
			if err := writeJSON(w.Path(address, RunConfigFile), all); err != nil {
				return err
			}
		}
	}
	return nil
}

// slug makes a name fit for a folder: lower case letters, digits, dots and dashes.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String()[:min(b.Len(), 40)], "-.")
}

// Slug makes a name of a model or a file fit for an address: lower case letters, digits,
// dots and single dashes, at most forty.
func Slug(name string) string { return slug(name) }
