// Package prompt writes the prompts for multimodal models. One asks for the description of
// a product's picture (Eq. 1), one for a user's preference from a history (Eq. 3–4), whole
// or, where it is longer than a model's context window, part by part.
//
// Prompts come from templates (see [Set]), which users may replace. Texts of items come from
// strangers and are not trusted. They are cleaned, bounded in length and fenced (see
// fence.go), and every prompt says that fenced text is data, not instructions. A template
// cannot leave the fence out, change the text in it, or show the data elsewhere. Fences
// only keep data from being taken for the prompt's own words: no filter can keep a model
// from following what it reads.
package prompt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Kind is what a prompt asks for.
type Kind string

// The kinds of prompt; each has a template of the same name.
const (
	Describe   Kind = "describe"   // a picture, Eq. 1
	Preference Kind = "preference" // a history, or its first part, Eq. 3–4
	Continue   Kind = "continue"   // the next part of a history, given the conclusion so far
)

// Kinds lists the kinds of prompt.
func Kinds() []Kind { return []Kind{Describe, Preference, Continue} }

// Options set the limits of a prompt and its answer. The zero value of each field means its
// default.
type Options struct {
	Words      int // longest answer asked for; texts.MaxWords
	ItemRunes  int // characters of one item's metadata, and of one conclusion; 800
	ImageRunes int // characters of one description of a picture; 900
}

// WithDefaults fills in the defaults. Values out of range are an error of the user.
func (o Options) WithDefaults() (Options, error) {
	for _, f := range []struct {
		name       string
		value      *int
		preset, lo int
		hi         int
	}{
		{"words of an answer", &o.Words, texts.MaxWords, 5, 2000},
		{"characters of an item's text", &o.ItemRunes, 800, 40, 100_000},
		{"characters of a picture's description", &o.ImageRunes, 900, 40, 100_000},
	} {
		if *f.value == 0 {
			*f.value = f.preset
		}
		if *f.value < f.lo || *f.value > f.hi {
			return o, usererr.New(fmt.Sprintf("Use a number from %d to %d.", f.lo, f.hi), "limit on the %s: %d", f.name, *f.value)
		}
	}
	return o, nil
}

// Prompt is one prompt, exactly as it is sent.
type Prompt struct {
	Kind         Kind
	System, User string
	Images       []mllm.Image
	Conclusion   string // the conclusion from earlier parts, as it is in User; only in Continue
	TemplateHash string // see Set.Hash
	Source       string // where the template came from
}

// Hash is the SHA-256 of the messages and of the pictures' hashes. Prompts with the same hash
// ask the same.
func (p Prompt) Hash() string {
	h := sha256.New()
	for _, s := range []string{string(p.Kind), p.System, p.User} {
		fmt.Fprintf(h, "%d:%s\n", len(s), s)
	}
	for _, img := range p.Images {
		fmt.Fprintf(h, "%s\n", img.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Request returns a request with the prompt's messages and pictures; the caller sets model
// and parameters.
func (p Prompt) Request() mllm.Request {
	return mllm.Request{System: p.System, Prompt: p.User, Images: p.Images}
}
