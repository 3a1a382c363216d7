package train

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const checkpointFormat = 1

// progress is what a checkpoint says in words; the tensors beside it are the
// parameters, Adam's moments and the best epoch's parameters. It holds the whole
// history, so that one atomic file is all the truth there is of a run.
type progress struct {
	Format int               `json:"format"`
	Config map[string]string `json:"config"`
	Epochs []Epoch           `json:"epochs"`
	Stop   stopper           `json:"stop"`
	Steps  []int             `json:"adam_steps"` // parallel to the model's parameters

	// Sums are the checksums of the tensors beside it, by name, and Digest the SHA-256 of
	// all of this with an empty Digest: what is resumed from is what was saved. Checkpoints
	// of version 0.1 have neither.
	Sums   map[string]uint32 `json:"sums,omitempty"`
	Digest string            `json:"digest,omitempty"`
}

// seal sets the checksums and returns the text.
func (p *progress) seal(tensors map[string]arrayfile.Tensor) ([]byte, error) {
	p.Sums = make(map[string]uint32, len(tensors))
	for name, t := range tensors {
		p.Sums[name] = arrayfile.Checksum(t.Data)
	}
	digest, err := p.digest()
	if err != nil {
		return nil, err
	}
	p.Digest = digest
	return json.Marshal(p)
}

func (p progress) digest() (string, error) {
	p.Digest = ""
	text, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// checkSeal says what is not as it was saved; "" where all is.
func (p progress) checkSeal(tensors map[string]arrayfile.Tensor) string {
	if p.Digest == "" && p.Sums == nil {
		return ""
	}
	if digest, err := p.digest(); err != nil || digest != p.Digest {
		return "what it says of the epochs"
	}
	for _, name := range slices.Sorted(maps.Keys(p.Sums)) {
		if t, ok := tensors[name]; !ok || arrayfile.Checksum(t.Data) != p.Sums[name] {
			return "tensor " + name
		}
	}
	return ""
}

const (
	firstMoment  = "adam.m."
	secondMoment = "adam.v."
	bestOf       = "best."
)

// save writes the checkpoint of the last epoch, then what follows from it: the best
// weights, and the log. A crash between them is mended by the next load.
func (r *run) save() error {
	if r.opt.Dir == "" {
		return nil
	}
	tensors := map[string]arrayfile.Tensor{}
	for k, p := range r.model.Params() {
		tensors[p.Name] = arrayfile.Tensor{Shape: p.Shape(), Data: p.Value.Data}
		tensors[firstMoment+p.Name] = arrayfile.Tensor{Shape: p.Shape(), Data: r.adam.m[k]}
		tensors[secondMoment+p.Name] = arrayfile.Tensor{Shape: p.Shape(), Data: r.adam.v[k]}
		if !r.bestIsLast() {
			tensors[bestOf+p.Name] = arrayfile.Tensor{Shape: p.Shape(), Data: r.best[k]}
		}
	}
	r.progress.Steps = r.adam.steps
	text, err := r.progress.seal(tensors)
	if err != nil {
		return fmt.Errorf("describing the checkpoint: %w", err)
	}
	if err := arrayfile.WriteSafetensors(r.path(LastFile), tensors, map[string]string{"format": "pt", "mllmrec.train": string(text)}); err != nil {
		return fmt.Errorf("saving epoch %d: %w", len(r.Epochs), err)
	}
	if r.bestIsLast() {
		if err := r.saveBest(); err != nil {
			return err
		}
	}
	return r.appendLog()
}

func (r *run) path(name string) string { return filepath.Join(r.opt.Dir, name) }

func (r *run) bestIsLast() bool { return r.Stop.Best == len(r.Epochs) }

// saveBest writes the model's present parameters, which must be the best epoch's.
func (r *run) saveBest() error {
	return SaveWeights(r.path(ModelFile), r.model, r.Stop.Best, r.Epochs[r.Stop.Best-1].Valid)
}

// appendLog adds the last epoch to the log.
func (r *run) appendLog() (err error) {
	f, err := plainfile.OpenForWriting(r.path(LogFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := json.NewEncoder(f).Encode(r.Epochs[len(r.Epochs)-1]); err != nil {
		return fmt.Errorf("writing the log: %w", err)
	}
	return nil
}

// claim makes the run folder ready: it loads the checkpoint where the run is to be
// resumed, and refuses to train over one where it is not.
func (r *run) claim() error {
	if r.opt.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(r.opt.Dir, 0o777); err != nil {
		return fmt.Errorf("making the run folder: %w", err)
	}
	path := r.path(LastFile)
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil // nothing was saved yet: resuming starts at the beginning
	case err != nil:
		return fmt.Errorf("looking for a checkpoint: %w", err)
	case !r.opt.Resume:
		return usererr.New("Resume it, or train in a new run folder.", "%s exists: this run was trained before", path)
	}
	return r.load(path)
}

// load continues from a checkpoint.
func (r *run) load(path string) error {
	tensors, meta, err := arrayfile.ReadSafetensors(path)
	if err != nil {
		return notProvable("reading the checkpoint: %w", err)
	}
	var p progress
	if err := json.Unmarshal([]byte(meta["mllmrec.train"]), &p); err != nil {
		return notProvable("%s is no checkpoint of a training run: %w", path, err)
	}
	if what := p.checkSeal(tensors); what != "" {
		return notProvable("checkpoint %s is not as it was saved: %s was modified", path, what)
	}
	if err := r.accept(path, p); err != nil {
		return err
	}
	r.progress = p
	prefixes := []string{"", firstMoment, secondMoment}
	if !r.bestIsLast() {
		prefixes = append(prefixes, bestOf)
	}
	for _, param := range r.model.Params() {
		for _, prefix := range prefixes {
			if err := checkTensor(path, prefix+param.Name, tensors, param); err != nil {
				return err
			}
		}
	}
	for k, param := range r.model.Params() {
		copy(r.adam.m[k], tensors[firstMoment+param.Name].Data)
		copy(r.adam.v[k], tensors[secondMoment+param.Name].Data)
		best := bestOf
		if r.bestIsLast() {
			best = ""
		}
		copy(r.best[k], tensors[best+param.Name].Data)
		copy(param.Value.Data, tensors[param.Name].Data)
	}
	copy(r.adam.steps, p.Steps)
	r.resumedFrom = len(p.Epochs)
	return r.mend()
}

// notProvable is the error of a checkpoint that is not what was saved.
func notProvable(format string, args ...any) error {
	hint := fmt.Sprintf("Bring the file back from a copy, or train from the beginning beside it: %s.", usererr.Option("fresh"))
	return usererr.Of(usererr.KindNotProvable, hint, format, args...)
}

// accept refuses a checkpoint that another program, configuration or data set made.
func (r *run) accept(path string, p progress) error {
	if p.Format != checkpointFormat {
		return usererr.New("Resume it with the version that wrote it.", "%s has checkpoint format %d, this program reads %d", path, p.Format, checkpointFormat)
	}
	if key, was, is := firstDifference(p.Config, r.Config); key != "" {
		return usererr.New(fmt.Sprintf("Resume with the settings and data of the run, or train from the beginning beside it: %s.", usererr.Option("fresh")),
			"%s is of another run: %s was %q, now it is %q", path, key, was, is)
	}
	if len(p.Epochs) == 0 || p.Stop.Best < 1 || p.Stop.Best > len(p.Epochs) || len(p.Steps) != len(r.model.Params()) {
		return usererr.New(weightsHint, "%s contradicts itself: %d epochs, best %d", path, len(p.Epochs), p.Stop.Best)
	}
	return nil
}

// mend writes the files that follow from the checkpoint again, since a crash may have
// come between it and them.
func (r *run) mend() error {
	last := r.snapshot()
	r.restore(r.best)
	err := r.saveBest()
	r.restore(last)
	if err != nil {
		return err
	}
	return atomicfile.Write(r.path(LogFile), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for _, e := range r.Epochs {
			if err := enc.Encode(e); err != nil {
				return err
			}
		}
		return nil
	})
}
