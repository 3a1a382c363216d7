package describing

import (
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// What an item's text is made of.
const (
	Both     = "both"
	Words    = "words"    // of the catalogue: title, brand, categories, description. No picture is looked at
	Pictured = "pictures" // what was written about the picture
)

// Parts says what of an item its text is made of: the paper's ablations without pictures and without
// words, and the way to find out what descriptions are worth.
type Parts struct {
	_         struct{} `group:"Item texts"`
	ItemTexts string   `option:"item-texts" json:"item_texts,omitempty" choices:"both,words,pictures" default:"both" doc:"what an item's text is made of: its own words and the description of its picture, the words alone (no model is asked about pictures), or the description alone"`
}

const partsOption = "item_texts"

// Silent reports whether nobody is asked about pictures.
func (o Parts) Silent() bool { return o.ItemTexts == Words }

func (o Parts) record(options map[string]string) {
	if o.ItemTexts != "" && o.ItemTexts != Both {
		options[partsOption] = o.ItemTexts
	}
}

func (o *Parts) recall(options map[string]string) {
	if o.ItemTexts = options[partsOption]; o.ItemTexts == "" {
		o.ItemTexts = Both
	}
}

// of leaves of the items what their texts are made of.
func (o Parts) of(items []dataset.Item) []dataset.Item {
	if o.ItemTexts == "" || o.ItemTexts == Both {
		return items
	}
	items = slices.Clone(items)
	for i := range items {
		if o.Silent() {
			items[i].Image = ""
			continue
		}
		items[i] = wordless(items[i])
	}
	return items
}

func wordless(item dataset.Item) dataset.Item {
	item.Title, item.Brand, item.Categories, item.Description = "", "", nil, ""
	return item
}

// Check fails where there is nothing to write texts from.
func (o Parts) Check(ws *workspace.Workspace) error {
	items, err := ws.Items()
	if err != nil {
		return err
	}
	for _, item := range o.of(items) {
		if item.Text() != "" || item.Image != "" {
			return nil
		}
	}
	switch o.ItemTexts {
	case Words:
		return usererr.New("Describe the pictures too.", "none of the %d items has words", len(items))
	case Pictured:
		return usererr.New("Use the items' words too.", "none of the %d items has a picture", len(items))
	}
	return usererr.New("Import with texts, pictures or feature vectors of items and users, or train a model that needs none, such as lightgcn.",
		"none of the %d items has a text or a picture: MLLMRec has nothing to read", len(items))
}

// silence puts plain rules in the place of a model that would have nothing to look at.
func (d *Stage) silence() (err error) {
	if d.Parts.Silent() {
		d.Writer = backend.Options{MLLM: backend.Offline}
		d.Backend, err = backend.Open(d.Writer)
	}
	return err
}

// Shown returns the items of the workspace as those see them who read the item texts under an
// address: without the words that these leave out.
func Shown(s *workspace.Workspace, address string) ([]dataset.Item, error) {
	items, err := s.Items()
	if err != nil {
		return nil, err
	}
	a, _ := s.Artefact(address)
	var parts Parts
	parts.recall(a.Options)
	if parts.ItemTexts == Pictured {
		items = parts.of(items)
	}
	return items, nil
}

// RefuseAhead fails where looking ahead has nothing to ask.
func (o Parts) RefuseAhead() error {
	if o.Silent() {
		return usererr.New("Leave one of them out.", "%s words asks no model: there is nothing to look ahead at", usererr.Option("item-texts"))
	}
	return nil
}

var _ stage.Stage = (*Stage)(nil)
