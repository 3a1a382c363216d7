package writer

import (
	"errors"
	"fmt"
	"io"

	"github.com/mllmrec/mllmrec/internal/mllm/batch"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
)

// ChatOptions are the options of a [ChatWriter]. The zero value of each field means its
// default.
type ChatOptions struct {
	Prompts *prompt.Set // nil = prompt.Default()
	Limits  prompt.Options
	// TextOnly leaves the pictures out. A model trained on such a file learns to guess
	// pictures from titles, so use it only to check files, or where pictures are added later.
	TextOnly bool
	// MaxTokens is the longest prompt exported, in estimated tokens; 0 = DefaultWindow.
	MaxTokens int
}

// ErrTooLong says that a pair was not exported because its prompt is too long.
var ErrTooLong = errors.New("the prompt is too long")

// ChatWriter writes pairs of a prompt and its answer as chat JSONL, for fine-tuning a
// smaller model on the answers of a larger one. Each line holds the messages of the system,
// the user and the assistant. Callers must pass answers from train histories only.
type ChatWriter struct {
	w       io.Writer
	opt     ChatOptions
	Written int // pairs
}

// NewChatWriter checks the options and returns a ChatWriter.
func NewChatWriter(w io.Writer, opt ChatOptions) (*ChatWriter, error) {
	var err error
	if opt.Limits, err = opt.Limits.WithDefaults(); err != nil {
		return nil, err
	}
	if opt.Prompts == nil {
		opt.Prompts = prompt.Default()
	}
	if opt.MaxTokens == 0 {
		opt.MaxTokens = DefaultWindow
	}
	return &ChatWriter{w: w, opt: opt}, nil
}

// Description writes one item's prompt, its picture embedded as a data URI, and its
// description.
func (c *ChatWriter) Description(r texts.DescribeRequest, answer string) error {
	p, err := c.opt.Prompts.Describe(r, c.opt.Limits)
	if err != nil {
		return err
	}
	if len(p.Images) == 0 && !c.opt.TextOnly {
		return fmt.Errorf("export the description of item %q: it has no picture", r.Item.ID)
	}
	if c.opt.TextOnly {
		p.Images = nil
	}
	return c.write(p, answer, "description of item", r.Item.ID)
}

// Preference writes one user's prompt with the whole history, even if the answer was drawn
// from parts of it, and the preference. A history over the limit is ErrTooLong.
func (c *ChatWriter) Preference(r texts.ReasonRequest, answer string) error {
	p, err := c.opt.Prompts.Preference(r, len(r.Items), c.opt.Limits)
	if err != nil {
		return err
	}
	return c.write(p, answer, "preference of user", r.User)
}

func (c *ChatWriter) write(p prompt.Prompt, answer, what, who string) error {
	if answer == "" {
		return fmt.Errorf("export the %s %q: no answer", what, who)
	}
	if n := messageTokens(p); n > c.opt.MaxTokens {
		return fmt.Errorf("export the %s %q: %w: about %d tokens, at most %d", what, who, ErrTooLong, n, c.opt.MaxTokens)
	}
	if err := batch.WriteChat(c.w, p.Request(), answer); err != nil {
		return fmt.Errorf("export the %s %q: %w", what, who, err)
	}
	c.Written++
	return nil
}
