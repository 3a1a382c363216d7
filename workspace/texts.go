package workspace

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mllmrec/mllmrec/internal/parquetfile"
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

// WriteItemTexts replaces texts/items.parquet. There must be one text an item, in
// the order of the catalogue.
func (w *Workspace) WriteItemTexts(texts []ItemText) error {
	if err := w.checkItemTexts(texts); err != nil {
		return fmt.Errorf("writing %s: %w", w.Path(ItemTextsFile), err)
	}
	return writeTexts(w.Path(ItemTextsFile), texts)
}

// ItemTexts reads texts/items.parquet: one text an item, in the order of the catalogue.
func (w *Workspace) ItemTexts() ([]ItemText, error) {
	var texts []ItemText
	if err := eachRow(w.Path(ItemTextsFile), func(_ int, t *ItemText) error {
		texts = append(texts, *t)
		return nil
	}); err != nil {
		return nil, err
	}
	if err := w.checkItemTexts(texts); err != nil {
		return nil, usererr.Wrap(fmt.Errorf("reading %s: %w", w.Path(ItemTextsFile), err), "Describe the items again.")
	}
	return texts, nil
}

func (w *Workspace) checkItemTexts(texts []ItemText) error {
	ids, err := w.ids(&w.itemIDs, ItemsFile, readItemIDs)
	if err != nil {
		return err
	}
	if len(texts) != len(ids) {
		return fmt.Errorf("%d texts for %d items", len(texts), len(ids))
	}
	for i, t := range texts {
		if t.Item != ids[i] {
			return fmt.Errorf("row %d: item %q, the catalogue has %q there", i, t.Item, ids[i])
		}
		if err := checkStatus(t.Status); err != nil {
			return fmt.Errorf("row %d, item %q: %w", i, t.Item, err)
		}
	}
	return nil
}

// WriteUserTexts replaces texts/users.parquet, sorted by fold (full texts, fold -1,
// first) and then by user. There must be one full text a user, and at most one a fold.
// The given slice is not changed.
func (w *Workspace) WriteUserTexts(texts []UserText) error {
	sorted, err := w.sortUserTexts(texts)
	if err != nil {
		return fmt.Errorf("writing %s: %w", w.Path(UserTextsFile), err)
	}
	return writeTexts(w.Path(UserTextsFile), sorted)
}

// UserTexts reads texts/users.parquet: first one full text a user in the order of the
// users, then the texts of each fold in the order of the users.
func (w *Workspace) UserTexts() ([]UserText, error) {
	var texts []UserText
	if err := w.EachUserText(func(t UserText) error {
		texts = append(texts, t)
		return nil
	}); err != nil {
		return nil, err
	}
	sorted, err := w.sortUserTexts(texts)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("reading %s: %w", w.Path(UserTextsFile), err), "Write the preferences again.")
	}
	return sorted, nil
}

// EachUserText calls fn with every text of texts/users.parquet in the file's order,
// holding a small part of the file in memory at a time.
func (w *Workspace) EachUserText(fn func(UserText) error) error {
	return eachRow(w.Path(UserTextsFile), func(_ int, t *UserText) error { return fn(*t) })
}

func (w *Workspace) sortUserTexts(texts []UserText) ([]UserText, error) {
	ids, err := w.ids(&w.userIDs, UsersFile, readUsers)
	if err != nil {
		return nil, err
	}
	index := make(map[string]int32, len(ids))
	for i, id := range ids {
		index[id] = int32(i)
	}
	type place struct{ fold, user, row int32 }
	order := make([]place, len(texts))
	full := 0
	for i, t := range texts {
		u, ok := index[t.User]
		if !ok {
			return nil, fmt.Errorf("row %d: user %q is unknown", i, t.User)
		}
		if t.Fold < -1 {
			return nil, fmt.Errorf("row %d, user %q: fold %d", i, t.User, t.Fold)
		}
		if err := checkStatus(t.Status); err != nil {
			return nil, fmt.Errorf("row %d, user %q: %w", i, t.User, err)
		}
		if t.Fold == -1 {
			full++
		}
		order[i] = place{t.Fold, u, int32(i)}
	}
	slices.SortFunc(order, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.fold, b.fold), cmp.Compare(a.user, b.user), cmp.Compare(a.row, b.row))
	})
	for i, p := range order {
		if i > 0 && p.fold == order[i-1].fold && p.user == order[i-1].user {
			return nil, fmt.Errorf("row %d: user %q has a text for fold %d in row %d already", p.row, ids[p.user], p.fold, order[i-1].row)
		}
	}
	if full != len(ids) {
		return nil, fmt.Errorf("%d full texts for %d users", full, len(ids))
	}
	sorted := make([]UserText, len(texts))
	for i, p := range order {
		sorted[i] = texts[p.row]
	}
	return sorted, nil
}

func checkStatus(status string) error {
	if status != StatusOK && status != StatusFallback {
		return fmt.Errorf("status %q (known: %s, %s)", status, StatusOK, StatusFallback)
	}
	return nil
}

// ids returns the ids of a table, read once.
func (w *Workspace) ids(cache *[]string, file string, read func(string) ([]string, error)) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if *cache == nil {
		ids, err := read(w.Path(file))
		if err != nil {
			return nil, err
		}
		*cache = ids
	}
	return *cache, nil
}

// readItemIDs reads the id column alone.
func readItemIDs(path string) ([]string, error) { return readUsers(path) }

func writeTexts[T any](path string, texts []T) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return parquetfile.Write(path, slices.Values(texts))
}
