package dataset

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// RowError is one row of a source file that cannot be used.
type RowError struct {
	File   string `json:"file"`             // as the caller named it
	Line   int    `json:"line"`             // 1-based; the row number in Parquet files
	Column int    `json:"column,omitempty"` // 1-based byte in the line; 0 = the whole row. The column's number in Parquet files
	Reason string `json:"reason"`
}

// Error returns "file:line:column: reason".
func (e RowError) Error() string {
	if e.Column > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// MaxListed bounds RowPolicy.Skipped; RowPolicy.Count is exact beyond it.
const MaxListed = 1000

// RowPolicy says what importers do about bad rows, and keeps what they skipped.
// A nil policy stops at the first one.
type RowPolicy struct {
	Skip    bool       // false: stop at the first bad row
	Skipped []RowError // the first MaxListed bad rows
	Count   int        // all of them
}

// Bad handles one bad row for an importer: it returns nil when the row is to be skipped,
// else the error to stop with, which the user can mend. errors.As finds the RowError in it.
func (p *RowPolicy) Bad(e RowError) error {
	if p == nil || !p.Skip {
		return usererr.Wrap(e, "Mend that row, or have bad rows left out and listed: "+usererr.Option("on-error").String()+" skip.")
	}
	p.Count++
	if len(p.Skipped) < MaxListed {
		p.Skipped = append(p.Skipped, e)
	}
	return nil
}

// FileReport says what an importer found in one file.
type FileReport struct {
	Path     string `json:"path"`     // as the caller named it
	Format   string `json:"format"`   // in words: "Amazon 2014 metadata, one Python literal a line, gzip"
	Rows     int    `json:"rows"`     // usable rows, the header not among them
	Bad      int    `json:"bad"`      // rows skipped under the row policy
	Replaced int    `json:"replaced"` // texts in which invalid characters were replaced by U+FFFD
	Bytes    int64  `json:"bytes"`    // of the file as it lies on disk
	SHA256   string `json:"sha256"`   // likewise; hex
}

// Report is what an importer tells besides the data.
type Report struct {
	Kind   string       `json:"kind"` // "mmrec", "microlens", "amazon", "tables"
	Files  []FileReport `json:"files"`
	Notes  []string     `json:"notes,omitempty"`  // sentences the user should see
	Merged int          `json:"merged,omitempty"` // duplicates the importer merged itself (amazon with a k-core)
	Core   *KCoreResult `json:"core,omitempty"`   // the k-core the importer made itself (amazon)

	// PictureFolder is the absolute path of the folder that the catalogue's pictures lie in,
	// where these are files; "" else.
	PictureFolder string `json:"picture_folder,omitempty"`
}

// Note adds a sentence.
func (r *Report) Note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}
