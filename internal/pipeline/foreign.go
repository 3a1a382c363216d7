package pipeline

import (
	"fmt"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

const foreign = "imported"

// ForeignFeatures are vectors made elsewhere, such as the Python tools' .npy files:
// items N×d, users M×d. Either may be nil.
type ForeignFeatures struct{ Items, Users *tensor.Matrix }

// ReadForeignFeatures reads .npy files that go with a data set of the given size; a
// path may be empty. A file that does not fit is the user's error, found before
// anything is written.
func ReadForeignFeatures(items, users string, ds *dataset.Dataset) (ForeignFeatures, error) {
	read := func(path, what string, rows int) (*tensor.Matrix, error) {
		if path == "" {
			return nil, nil
		}
		x, err := arrayfile.ReadNPY(path)
		if err != nil {
			return nil, usererr.Wrap(fmt.Errorf("%s features: %w", what, err), "Feature files are 2-D float .npy arrays, one row a "+what+".")
		}
		if x.Rows != rows {
			return nil, usererr.New("Row r of the file must belong to "+what+" r.",
				"%s features %s: %d rows for %d %ss", what, path, x.Rows, rows, what)
		}
		return x, nil
	}
	var f ForeignFeatures
	var err error
	if f.Items, err = read(items, "item", ds.NumItems()); err != nil {
		return f, err
	}
	f.Users, err = read(users, "user", ds.Users())
	return f, err
}

// ImportFeatures takes vectors made elsewhere in place of the workspace's own. Nobody
// can say what foreign user vectors were made from, so all that is trained on them is
// marked "provenance unknown" until an audit has probed them.
func (p *Pipeline) ImportFeatures(f ForeignFeatures) error {
	start := time.Now()
	var files []string
	info := map[string]any{}
	for _, x := range []struct {
		file, what string
		m          *tensor.Matrix
	}{{workspace.ItemFeaturesFile, "item_dim", f.Items}, {workspace.UserFeaturesFile, "user_dim", f.Users}} {
		if x.m == nil {
			continue
		}
		if err := p.writeMatrix(x.file, x.m); err != nil {
			return err
		}
		files = append(files, x.file)
		info[x.what] = x.m.Cols
	}
	provenance := workspace.ProvenanceTrainOnly
	if f.Users != nil {
		provenance = workspace.ProvenanceUnknown
	}
	return p.record(workspace.StageEncode, map[string]string{"encoder": foreign}, start, files, workspace.Stage{Provenance: provenance, Info: info})
}

// Foreign reports whether the workspace's vectors were imported.
func (p *Pipeline) Foreign() bool {
	st, ok := p.WS.Manifest().Stages[workspace.StageEncode]
	return ok && st.Options["encoder"] == foreign
}

// refuseForeign fails where a stage would silently replace, or have no effect on,
// vectors that the user brought.
func (p *Pipeline) refuseForeign(stage string) error {
	if p.Foreign() && !p.Force {
		return usererr.New("Train on them with 'mllmrec train', or replace them with --force.",
			"stage %q would have no effect: this workspace uses imported feature vectors", stage)
	}
	return nil
}
