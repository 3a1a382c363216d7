package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// importFlags are shared by every import format.
type importFlags struct {
	out, name, domain, split, onError, images, encoding string
	kcore                                               int
	seed                                                uint64
	features                                            features
}

func (a *app) importCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FORMAT",
		Short: "Read a catalogue and interactions into a new workspace",
		Long: `Import reads a data set in one of the formats below, merges duplicate interactions,
filters to the k-core, splits into train, valid and test, and writes a workspace.

A bad row stops the import and is named by file, line and column; --on-error skip
skips such rows, counts and lists them. Text files must be UTF-8, have a byte order mark or be
named by --encoding; with --encoding utf-8, bytes that are no text are replaced and counted.

Vectors of the items that were made elsewhere come with --item-features, one file for each
modality: --item-features visual=image.npy --item-features audio=sound.npy. Row r belongs to
item r of the catalogue, in the order of i_id_mapping.csv as 'mllmrec export mmrec' writes it
(of MMRec files: to id r). The same import again, with other files, adds a modality or puts
another in its place; runs that read others stay as they are. Where no text vectors are
imported they are encoded from the items' texts.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.importMMRecCmd(), a.importMicroLensCmd(), a.importAmazonCmd(), a.importTablesCmd())
	return cmd
}

// register adds the shared flags. Formats that come filtered and split keep that by
// default; others start from the 5-core and a random split.
func (f *importFlags) register(cmd *cobra.Command, split string, kcore int) {
	fl := cmd.Flags()
	fl.StringVar(&f.out, "out", "", "folder of the new workspace (required)")
	fl.StringVar(&f.name, "name", "", "name of the data set (default: from the source)")
	fl.StringVar(&f.domain, "domain", "", "what is sold, for prompts: \"baby products\", \"short videos\"")
	fl.StringVar(&f.split, "split", split, allSplits)
	fl.IntVar(&f.kcore, "k-core", kcore, "drop users and items with fewer interactions, repeatedly; 0 keeps all")
	fl.Uint64Var(&f.seed, "seed", 999, "random seed of the random split")
	fl.StringVar(&f.encoding, "encoding", "", "encoding of text files, such as windows-1252, shift_jis, gb18030, utf-16le (default: UTF-8, or what a byte order mark says)")
	fl.StringVar(&f.onError, "on-error", "stop", "what a bad row does: stop, or skip (counted and listed)")
	fl.Var(&f.features.items, "item-features", "item vectors, N×d .npy, of a modality: visual=FILE, audio=FILE, …; FILE alone is text; may be repeated")
	required(cmd, "out")
}

func (f *importFlags) registerImages(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.images, "images", "", "folder of item images, named by item id")
}

// required marks flags without which the command makes no sense.
func required(cmd *cobra.Command, names ...string) {
	for _, n := range names {
		if err := cmd.MarkFlagRequired(n); err != nil {
			panic(err) // a flag that does not exist: a mistake in the program
		}
	}
}

const allSplits = "labelled, random (8:1:1 a user), leave-latest (last item test, the one before valid) or global-time (8:1:1)"

func (f *importFlags) policy() (*dataset.RowPolicy, error) {
	switch f.onError {
	case "stop":
		return &dataset.RowPolicy{}, nil
	case "skip":
		return &dataset.RowPolicy{Skip: true}, nil
	}
	return nil, usererr.New("Use --on-error stop or --on-error skip.", "unknown --on-error %q", f.onError)
}

// importResult is what import prints with --json.
type importResult struct {
	Workspace   string               `json:"workspace"`
	Name        string               `json:"name"`
	Split       string               `json:"split"`
	SplitHash   string               `json:"split_hash"`
	Merged      int                  `json:"duplicates_merged"`
	Core        dataset.KCoreResult  `json:"k_core"`
	SkippedRows int                  `json:"skipped_rows"`
	Skipped     []dataset.RowError   `json:"skipped,omitempty"`
	Notes       []string             `json:"notes,omitempty"`
	Files       []dataset.FileReport `json:"files"`
	Stats       dataset.Stats        `json:"statistics"`
	Modalities  []importing.Modality `json:"modalities"` // of which the workspace has vectors
}

// finish filters, splits and stores a data set that a format's reader produced.
func (a *app) finish(cmd *cobra.Command, f *importFlags, ds *dataset.Dataset, rep *dataset.Report, policy *dataset.RowPolicy) error {
	made, err := importing.Run(cmd.Context(), f.out, ds, rep, importing.Options{Split: f.split, Seed: f.seed, KCore: f.kcore,
		ItemFeatures: f.features.items, UserFeatures: f.features.users, Source: map[string]string{"on_error": f.onError, "images": f.images, "encoding": f.encoding}}, a.observer())
	if err != nil {
		return err
	}
	prepared := made.Prepared
	res := importResult{Workspace: f.out, Name: ds.Name, Split: ds.Split, SplitHash: ds.SplitHash(), Files: rep.Files, Notes: rep.Notes,
		Merged: rep.Merged + prepared.Merged, Core: prepared.Core, SkippedRows: policy.Count, Skipped: policy.Skipped, Stats: prepared.Stats, Modalities: importing.Modalities(made.WS)}
	if rep.Core != nil {
		res.Core = *rep.Core
	}
	res.Notes = append(res.Notes, made.Notes...)
	if cut := prepared.Cut; cut != nil && cut.ColdUsers > 0 {
		res.Notes = append(res.Notes, fmt.Sprintf("left out %d users without a train interaction (%d interactions)", cut.ColdUsers, cut.ColdInteractions))
	}
	if a.json {
		return a.emit(res)
	}
	a.printImport(res)
	return nil
}

func (a *app) printImport(r importResult) {
	w := a.stdout
	fmt.Fprintf(w, "%s: %s\n\n", r.Workspace, r.Name)
	var rows [][]string
	for _, row := range r.Stats.Rows() {
		rows = append(rows, row[:])
	}
	table(w, []string{"statistic", "value"}, rows)
	if r.Merged > 0 {
		fmt.Fprintf(w, "\nmerged %d duplicate interactions\n", r.Merged)
	}
	if c := r.Core; c.Interactions > 0 {
		fmt.Fprintf(w, "%d-core dropped %d users, %d items, %d interactions\n", c.K, c.Users, c.Items, c.Interactions)
	}
	if len(r.Modalities) > 0 {
		fmt.Fprintf(w, "item vectors: %s\n", modalitiesLine(r.Modalities))
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, n)
	}
	if r.SkippedRows > 0 {
		fmt.Fprintf(w, "skipped %d bad rows:\n", r.SkippedRows)
		for i, e := range r.Skipped {
			if i == 10 {
				fmt.Fprintf(w, "  … (--json lists more)\n")
				break
			}
			fmt.Fprintln(w, "  "+strings.TrimSpace(e.Error()))
		}
	}
}
