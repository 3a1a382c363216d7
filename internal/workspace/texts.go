package workspace

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/mllmrec/mllmrec/internal/file/parquetfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Status values of texts.
const (
	StatusOK       = "ok"
	StatusFallback = "fallback" // the model gave no usable answer; plain rules did
)

// ItemText is what is written of one item (Eq. 2): the text that gets encoded and the
// part of it that describes the picture (Eq. 1).
type ItemText struct {
	Item      string `parquet:"item"`       // item id
	Text      string `parquet:"text"`       // T_i, the whole text
	ImageText string `parquet:"image_text"` // the picture's description alone
	By        string `parquet:"by"`         // who wrote it: model and digest, or "offline"
	Key       string `parquet:"key"`        // key in the ledger of generations; may be empty
	Status    string `parquet:"status"`     // StatusOK or StatusFallback
}

// UserText is what is written of one user's preference (Eq. 3–4).
type UserText struct {
	User      string  `parquet:"user"` // user id
	Fold      int32   `parquet:"fold"` // -1: from the full history; k >= 0: blind to fold k of it
	Text      string  `parquet:"text"`
	By        string  `parquet:"by"`
	Key       string  `parquet:"key"`
	Status    string  `parquet:"status"`
	Sources   []int32 `parquet:"sources,list"` // ids of the interactions that it was made from
	SplitHash string  `parquet:"split_hash"`
	Scope     string  `parquet:"scope"` // "train" or "all"
}

// MaxFolds bounds the folds of preferences: the fold of a train row is a byte.
const MaxFolds = 256

// WriteItemTexts writes to the file at path what texts yields, which must be one text an
// item in the order of the catalogue. The texts are not held together. After an error, of
// texts or its own, there is no file.
func (w *Workspace) WriteItemTexts(path string, texts iter.Seq2[ItemText, error]) error {
	order, err := w.itemOrder()
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return writeTexts(path, texts, order)
}

// ItemTexts reads the item texts under an address: one text an item, in the order of the
// catalogue.
func (w *Workspace) ItemTexts(address string) ([]ItemText, error) {
	order, err := w.itemOrder()
	if err != nil {
		return nil, err
	}
	f, err := w.OpenFile(address, ItemTextsFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readTexts(f, order, "Describe the items again.")
}

// WriteUserTexts writes to the file at path what texts yields: first one full text a user
// (fold -1) in the order of the users, then fold by fold at most one text a user, in that
// order too. Otherwise it is like [Workspace.WriteItemTexts].
func (w *Workspace) WriteUserTexts(path string, texts iter.Seq2[UserText, error]) error {
	order, err := w.userOrder()
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return writeTexts(path, texts, order)
}

// UserTexts reads the preference texts under an address, in the order that
// [Workspace.WriteUserTexts] says.
func (w *Workspace) UserTexts(address string) ([]UserText, error) {
	order, err := w.userOrder()
	if err != nil {
		return nil, err
	}
	f, err := w.OpenFile(address, UserTextsFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readTexts(f, order, "Write the preferences again.")
}

// EachUserText calls fn with every preference text under an address in the file's order,
// holding a small part of the file in memory at a time.
func (w *Workspace) EachUserText(address string, fn func(UserText) error) error {
	f, err := w.OpenFile(address, UserTextsFile)
	if err != nil {
		return err
	}
	defer f.Close()
	return eachRow(f, func(_ int, t *UserText) error { return fn(*t) })
}

func writeTexts[T any](path string, texts iter.Seq2[T, error], check order[T]) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return parquetfile.WriteAll(path, func(yield func(T, error) bool) {
		row := 0
		for t, err := range texts {
			if err == nil {
				if err = check.next(&t); err != nil {
					err = fmt.Errorf("row %d: %w", row, err)
				}
			}
			if !yield(t, err) || err != nil {
				return
			}
			row++
		}
		if err := check.end(); err != nil {
			var none T
			yield(none, err)
		}
	})
}

func readTexts[T any](f *os.File, check order[T], hint string) ([]T, error) {
	var texts []T
	err := eachRow(f, func(_ int, t *T) error {
		texts = append(texts, *t)
		return check.next(t)
	})
	if err != nil {
		return nil, err
	}
	if err := check.end(); err != nil {
		return nil, usererr.WrapAs(usererr.KindDamaged, fmt.Errorf("reading %s: %w", f.Name(), err), hint)
	}
	return texts, nil
}
