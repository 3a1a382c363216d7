package exporting

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// ChatOptions say which pairs of prompt and answer are exported.
type ChatOptions struct {
	Out      string
	Stage    string // describe, reason, "" = both
	Prompts  string // template, or folder of them; "": the built-in ones
	Words    int    // word limit of an answer that the prompts name; 0: the default
	TextOnly bool   // leave pictures out
	Pictures describing.Pictures
}

// ChatExport is what came of an export.
type ChatExport struct {
	Out          string `json:"out"`
	Descriptions int    `json:"descriptions"`
	Preferences  int    `json:"preferences"`
	TooLong      int    `json:"too_long"` // left out
	NoPicture    int    `json:"no_picture"`
}

// Chat writes the workspace's current texts with the prompts that ask for them as chat
// JSONL, for fine-tuning a smaller model. Only answers by models are written, no
// fallback, and only from train histories: leaky preferences are refused.
func Chat(ctx context.Context, s *stage.Session, opt ChatOptions) (*ChatExport, error) {
	c, err := newChatExport(s, opt)
	if err != nil {
		return nil, err
	}
	err = atomicfile.Write(opt.Out, func(w io.Writer) error {
		if c.chat, err = writer.NewChatWriter(w, writer.ChatOptions{Prompts: c.prompts, Limits: prompt.Options{Words: opt.Words}, TextOnly: opt.TextOnly}); err != nil {
			return err
		}
		if opt.Stage != workspace.StageReason && c.described.Options["mllm"] != backend.Offline {
			if err := c.descriptions(ctx); err != nil {
				return err
			}
		}
		if opt.Stage != workspace.StageDescribe && c.preferences != "" && c.reasoned.Options["mllm"] != backend.Offline {
			if err := c.userTexts(); err != nil {
				return err
			}
		}
		if c.chat.Written == 0 {
			return usererr.New("Ask a model for descriptions and preferences first.", "the workspace has no answers of a model to export")
		}
		return nil
	})
	return &c.out, err
}

// chatExport is an export under way.
type chatExport struct {
	*stage.Session
	opt                 ChatOptions
	ds                  *dataset.Dataset
	prompts             *prompt.Set
	items, preferences  string // addresses of the texts; preferences may be missing
	described, reasoned workspace.Artefact
	chat                *writer.ChatWriter
	out                 ChatExport
}

func newChatExport(s *stage.Session, opt ChatOptions) (c *chatExport, err error) {
	switch opt.Stage {
	case "", workspace.StageDescribe, workspace.StageReason:
	default:
		return nil, usererr.New("Use describe or reason, or leave it out for both.", "unknown stage %q", opt.Stage)
	}
	c = &chatExport{Session: s, opt: opt, out: ChatExport{Out: opt.Out}}
	if c.prompts, err = prompt.Load(opt.Prompts); err != nil {
		return nil, err
	}
	var ok bool
	if c.items, c.described, ok = s.WS.Current(workspace.KindItemTexts); !ok {
		return nil, stage.NotReady(s.WS, workspace.StageDescribe)
	}
	c.preferences, c.reasoned, ok = s.WS.Current(workspace.KindUserTexts)
	switch {
	case c.reasoned.Leaky && opt.Stage != workspace.StageDescribe:
		return nil, usererr.New("Write preferences from train histories first, or export the stage describe alone.",
			"the preferences of this workspace saw validation and test items; a model trained on them would know the answers")
	case opt.Stage == workspace.StageReason && !ok:
		return nil, stage.NotReady(s.WS, workspace.StageReason)
	}
	c.ds, err = s.Dataset()
	return c, err
}

func (c *chatExport) descriptions(ctx context.Context) error {
	written, err := c.WS.ItemTexts(c.items)
	if err != nil {
		return err
	}
	source, items, err := describing.OpenPictures(c.Session, c.opt.Pictures, c.ds.Items, true)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // nothing is written through it
	for i, t := range written {
		if t.Status != workspace.StatusOK || t.ImageText == "" {
			continue
		}
		req := texts.DescribeRequest{Item: items[i], Domain: c.ds.Domain, Attempt: 1}
		if !c.opt.TextOnly {
			if req.Image, err = source.Load(ctx, items[i].Image); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				c.out.NoPicture++
				continue
			}
		}
		if err := c.count(c.chat.Description(req, t.ImageText), &c.out.Descriptions); err != nil {
			return err
		}
	}
	return nil
}

func (c *chatExport) userTexts() error {
	catalogue, _, err := reasoning.Catalogue(c.WS, c.reasoned.Inputs[workspace.KindItemTexts].Address)
	if err != nil {
		return err
	}
	train, rows := c.ds.TrainHistories(), make(map[string]int, c.ds.Users())
	for u, id := range c.ds.UserIDs {
		rows[id] = u
	}
	return c.WS.EachUserText(c.preferences, func(t workspace.UserText) error {
		if t.Status != workspace.StatusOK || t.By == texts.ByNeutral || t.Scope != string(dataset.ScopeTrain) {
			return nil
		}
		req := texts.ReasonRequest{User: t.User, Fold: int(t.Fold), Domain: c.ds.Domain, Attempt: 1}
		u, known := rows[t.User]
		for _, id := range t.Sources {
			at := -1
			if known {
				at = slices.Index(train.Sources(u), id)
			}
			if at < 0 {
				return usererr.New("Write the preferences again.", "the preference of user %q was made from another split than the workspace has", t.User)
			}
			req.Items = append(req.Items, catalogue[train.Items(u)[at]])
		}
		return c.count(c.chat.Preference(req, t.Text), &c.out.Preferences)
	})
}

// count counts a pair as written or as left out because of its length.
func (c *chatExport) count(err error, written *int) error {
	switch {
	case errors.Is(err, writer.ErrTooLong):
		c.out.TooLong++
	case err != nil:
		return err
	default:
		*written++
	}
	return nil
}
