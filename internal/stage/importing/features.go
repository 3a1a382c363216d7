package importing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// infoFile is where the record of imported vectors keeps the name of their file.
const infoFile = "file"

// rows says how many rows a file must have: one for each item or user that stays.
type rows struct {
	of        string // "item" or "user"
	read, now int    // before and after the k-core
}

// matrix reads a .npy file that goes with the data set; what names it in messages. A file that
// does not fit is the user's error.
func (r *Result) matrix(what, path string, want rows) (*tensor.Matrix, error) {
	hint := "Feature files are 2-D float .npy arrays, one row a " + want.of + "."
	file, err := arrayfile.OpenNPY(path, arrayfile.NPYOptions{})
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("%s: %w", strings.TrimSuffix(what, ","), err), hint)
	}
	head := file.NPYInfo
	file.Close()
	switch {
	case head.Rows == want.now && head.Cols == 0:
		return nil, usererr.New(hint, "%s %s: its rows have no numbers", what, path)
	case head.Rows == want.read && want.read != want.now:
		return nil, usererr.New("Leave the k-core out, or give vectors of what the k-core leaves: an export names its rows.",
			"%s %s: the k-core leaves %d of %d %ss and would renumber the rows that the file's belong to", what, path, want.now, want.read, want.of)
	case head.Rows != want.now:
		return nil, usererr.New(fmt.Sprintf("Row r of the file must belong to %s r.", want.of), "%s %s: %d rows for %d %ss", what, path, head.Rows, want.now, want.of)
	}
	x, err := arrayfile.ReadNPY(path)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("%s: %w", strings.TrimSuffix(what, ","), err), hint)
	}
	if strings.HasSuffix(head.DType, "f8") {
		r.note("%s %s: %d numbers of float64 are kept as float32", what, path, len(x.Data))
	}
	return x, nil
}

// features are vectors made elsewhere, such as the Python tools' .npy files. Nobody can
// say what foreign user vectors were made from, so all that is trained on them is marked
// "provenance unknown" until an audit has probed them.
type features struct {
	kind       workspace.Kind
	modality   string // of item vectors
	file, rows string // name of the file, and the file of the data whose rows it has
	source     string // the file that was read
	vectors    *tensor.Matrix
	twin       string // address of an artefact of the same vectors; "" where there is none
}

// find returns the address of an intact artefact that holds the same vectors.
func (f *features) find(ws *workspace.Workspace) (string, error) {
	h := sha256.New()
	if err := arrayfile.EncodeNPY(h, f.vectors); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	for _, address := range ws.Addresses(f.kind) {
		a, _ := ws.Artefact(address)
		if a.Options["encoder"] == imported && a.Files[f.file].SHA256 == sum && ws.Check(address).State == workspace.Fresh {
			return address, nil
		}
	}
	return "", nil
}

// Name implements stage.Stage.
func (*features) Name() string { return workspace.StageImport }

// Makes implements stage.Stage.
func (f *features) Makes() workspace.Kind { return f.kind }

// Needs implements stage.Stage.
func (f *features) Needs() []stage.Need {
	return []stage.Need{{Kind: workspace.KindData, Files: []string{f.rows}}}
}

// Settle implements stage.Stage.
func (f *features) Settle(context.Context, *stage.Session, stage.Inputs) (stage.Spec, error) {
	name := "items-"
	switch {
	case f.kind == workspace.KindUserVectors:
		name = "users-"
	case f.modality != workspace.Text:
		name += workspace.Slug(f.modality) + "-"
	}
	return stage.Spec{Name: name + imported, Options: map[string]string{"encoder": imported}, Reuse: f.twin}, nil
}

// Build implements stage.Stage.
func (f *features) Build(_ context.Context, b *stage.Build) error {
	if err := arrayfile.WriteNPY(b.Path(f.file), f.vectors); err != nil {
		return err
	}
	b.Info = map[string]any{"item_dim": f.vectors.Cols, infoFile: filepath.Base(f.source)}
	if f.kind == workspace.KindUserVectors {
		b.Info, b.Provenance = map[string]any{"user_dim": f.vectors.Cols}, workspace.ProvenanceUnknown
	}
	return nil
}
