// Package batch writes requests to files for batch services and reads the files of results.
// The format is OpenAI's Batch JSONL, which vLLM's run-batch reads too. A batch costs about
// half as much as single requests and needs no open connection. It has no retries: callers
// export again those requests that failed or had unusable answers.
//
// The package also writes chat JSONL, the format of pairs of prompt and answer for
// fine-tuning.
package batch

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Limits of OpenAI's service, which other services have too.
const (
	maxFileRequests = 50_000
	maxFileBytes    = 200_000_000
	maxCustomID     = 512
)

// Options configure a Writer. The zero value is right for OpenAI and vLLM.
type Options struct {
	Prefix      string // of the file names; "" = "batch"
	MaxRequests int    // a file; 0 = MaxRequests
	MaxBytes    int64  // a file; 0 = MaxBytes
	Body        openai.BodyOptions
}

// File is one file written.
type File struct {
	Path     string `json:"path"`
	Requests int    `json:"requests"`
	Bytes    int64  `json:"bytes"`
}

// line is one request of a batch file.
type line struct {
	CustomID string          `json:"custom_id"`
	Method   string          `json:"method"`
	URL      string          `json:"url"`
	Body     json.RawMessage `json:"body"`
}

// Writer writes requests into as many files as the limits require. The files get their
// names when all are complete.
type Writer struct {
	dir   string
	opt   Options
	model string
	seen  map[string]bool
	files []File
	made  []*atomicfile.Pending // parallel to files
}

// NewWriter returns a Writer into dir, which it creates if needed. Files of an earlier export
// with the same prefix are an error, so that files of two exports are not sent together.
func NewWriter(dir string, opt Options) (*Writer, error) {
	if opt.Prefix == "" {
		opt.Prefix = "batch"
	}
	if opt.MaxRequests == 0 {
		opt.MaxRequests = maxFileRequests
	}
	if opt.MaxBytes == 0 {
		opt.MaxBytes = maxFileBytes
	}
	if opt.MaxRequests < 0 || opt.MaxBytes < 0 || opt.Prefix != filepath.Base(opt.Prefix) {
		return nil, usererr.New("Use positive limits, and a prefix that can be part of a file name.", "a limit or the prefix of batch files is invalid")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of batch files: %w", err)
	}
	w := &Writer{dir: dir, opt: opt, seen: map[string]bool{}}
	first := w.path(1)
	if _, err := os.Lstat(first); err == nil {
		return nil, usererr.New("Choose an empty folder, or remove the earlier export.", "%s exists already", first)
	}
	return w, nil
}

func (w *Writer) path(n int) string {
	return filepath.Join(w.dir, fmt.Sprintf("%s-%05d.jsonl", w.opt.Prefix, n))
}

// Add writes one request. Its result will have the same id.
func (w *Writer) Add(customID string, r mllm.Request) error {
	switch {
	case customID == "" || len(customID) > maxCustomID || !utf8.ValidString(customID):
		return fmt.Errorf("batch request %q: the id must have 1 to %d bytes of UTF-8", customID, maxCustomID)
	case w.seen[customID]:
		return fmt.Errorf("batch request %q: the id is used twice", customID)
	case w.model == "":
		w.model = r.Model
	case w.model != r.Model:
		return usererr.New("Export one model at a time.", "batch request %q is for model %q, the others are for %q; a batch has one model", customID, r.Model, w.model)
	}
	body, err := openai.Body(r, w.opt.Body)
	if err != nil {
		return fmt.Errorf("batch request %q: %w", customID, err)
	}
	data, err := json.Marshal(line{customID, "POST", openai.ChatPath, body})
	if err != nil {
		return fmt.Errorf("batch request %q: %w", customID, err)
	}
	data = append(data, '\n')
	if int64(len(data)) > w.opt.MaxBytes {
		return usererr.New("Make the pictures smaller.", "batch request %q has %d bytes, a whole file may have %d", customID, len(data), w.opt.MaxBytes)
	}
	last := len(w.files) - 1
	if last < 0 || w.files[last].Requests >= w.opt.MaxRequests || w.files[last].Bytes+int64(len(data)) > w.opt.MaxBytes {
		if err := w.begin(); err != nil {
			return err
		}
		last++
	}
	if _, err := w.made[last].Write(data); err != nil {
		return fmt.Errorf("write %s: %w", w.files[last].Path, err)
	}
	w.seen[customID] = true
	w.files[last].Requests++
	w.files[last].Bytes += int64(len(data))
	return nil
}

// begin flushes the last file and begins another.
func (w *Writer) begin() error {
	if err := w.Flush(); err != nil {
		return err
	}
	path := w.path(len(w.files) + 1)
	f, err := atomicfile.Create(path)
	if err != nil {
		return fmt.Errorf("make a batch file: %w", err)
	}
	w.files, w.made = append(w.files, File{Path: path}), append(w.made, f)
	return nil
}

// Flush brings all that was added to the disk. The files have no names before Close.
func (w *Writer) Flush() error {
	if len(w.made) == 0 {
		return nil
	}
	return w.made[len(w.made)-1].Flush()
}

// Close gives all files their names and returns them, in order.
func (w *Writer) Close() ([]File, error) {
	for _, f := range w.made {
		if err := f.Commit(); err != nil {
			return w.files, err
		}
	}
	return w.files, nil
}

// Abort removes the files that have no names yet.
func (w *Writer) Abort() {
	for _, f := range w.made {
		f.Discard()
	}
}
