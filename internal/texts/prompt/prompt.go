// Package prompt writes what is asked of a multimodal model: for the description of a
// product's picture (Eq. 1) and for a user's preference from a history (Eq. 3–4), the
// latter also in steps, for histories longer than a model's window.
//
// Prompts come from templates (see [Set]), which users may replace. Texts of items are
// data from strangers. They are cleaned, bounded in length and fenced (see fence.go),
// and every prompt says that what is fenced holds no instructions; a template cannot
// leave the fence out, change what is in it, or show the data elsewhere. No filter makes
// a model deaf to what it reads: fences keep data from passing for our words, no more.
package prompt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

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

// Options bound a prompt and its answer. The zero value of each field means its default.
type Options struct {
	Words      int // asked for at most; texts.MaxWords
	ItemRunes  int // characters of one item's own words, of one conclusion so far; 800
	ImageRunes int // characters of one description of a picture; 900
}

// WithDefaults fills in the defaults; values that cannot be met are a user's mistake.
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
			return o, usererr.New(fmt.Sprintf("use a number from %d to %d", f.lo, f.hi), "limit on the %s: %d", f.name, *f.value)
		}
	}
	return o, nil
}

// Prompt is one prompt, exactly as it is sent.
type Prompt struct {
	Kind         Kind
	System, User string
	Images       []mllm.Image
	Conclusion   string // the earlier conclusion, as it stands in User; empty but in Continue
	TemplateHash string // see Set.Hash
	Source       string // where the template came from
}

// Hash is the SHA-256 of the messages and of the pictures' hashes: two prompts with the
// same hash ask the same.
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

// Request returns the request that sends the prompt; model and parameters are not set.
func (p Prompt) Request() mllm.Request {
	return mllm.Request{System: p.System, Prompt: p.User, Images: p.Images}
}

// Show writes the prompt for a person to read: the messages character by character, the
// pictures as size and hash.
func (p Prompt) Show(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "prompt    %s\ntemplate  %s, sha256 %s\nsha256    %s\n", p.Kind, p.Source, p.TemplateHash, p.Hash())
	if p.System != "" {
		fmt.Fprintf(&b, "\n--- system message ---\n%s\n", p.System)
	}
	fmt.Fprintf(&b, "\n--- user message ---\n%s\n--- end ---\n", p.User)
	for _, img := range p.Images {
		size := "size unknown"
		if img.Width > 0 && img.Height > 0 {
			size = fmt.Sprintf("%d×%d pixels", img.Width, img.Height)
		}
		fmt.Fprintf(&b, "\npicture   %s, %s, %d bytes, sha256 %s\n", img.MIME, size, len(img.Data), img.SHA256)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("show the prompt: %w", err)
	}
	return nil
}
