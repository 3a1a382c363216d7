package pipeline

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// ChatOptions say which pairs of prompt and answer are exported.
type ChatOptions struct {
	Out      string
	Stage    string // describe, reason, "" = both
	Prompts  string // as in AuthorOptions
	Words    int
	TextOnly bool // leave pictures out
	Pictures PictureOptions
}

// ChatExport is what came of an export.
type ChatExport struct {
	Out          string `json:"out"`
	Descriptions int    `json:"descriptions"`
	Preferences  int    `json:"preferences"`
	TooLong      int    `json:"too_long"` // left out
	NoPicture    int    `json:"no_picture"`
}

// ExportChat writes the workspace's own texts with the prompts that ask for them as chat
// JSONL, for fine-tuning a smaller model. Only answers by models are written, no
// fallback, and only from train histories: a leaky workspace is refused.
func (p *Pipeline) ExportChat(ctx context.Context, opt ChatOptions) (*ChatExport, error) {
	switch opt.Stage {
	case "", workspace.StageDescribe, workspace.StageReason:
	default:
		return nil, usererr.New("Use describe or reason, or leave it out for both.", "unknown --stage %q", opt.Stage)
	}
	prompts, err := prompt.Load(opt.Prompts)
	if err != nil {
		return nil, err
	}
	described, err := p.require(workspace.StageDescribe, "describe")
	if err != nil {
		return nil, err
	}
	reasoned, haveUsers := p.WS.Manifest().Stages[workspace.StageReason]
	switch {
	case reasoned.Leaky && opt.Stage != workspace.StageDescribe:
		return nil, usererr.New("Write preferences from train histories first ('mllmrec reason'), or export --stage describe alone.",
			"the preferences of this workspace saw validation and test items; a model trained on them would know the answers")
	case opt.Stage == workspace.StageReason && !haveUsers:
		_, err := p.require(workspace.StageReason, "reason")
		return nil, err
	}
	ds, err := p.WS.Dataset()
	if err != nil {
		return nil, err
	}
	out := &ChatExport{Out: opt.Out}
	err = atomicfile.Write(opt.Out, func(w io.Writer) error {
		chat, err := writer.NewChatWriter(w, writer.ChatOptions{Prompts: prompts, Limits: prompt.Options{Words: opt.Words}, TextOnly: opt.TextOnly})
		if err != nil {
			return err
		}
		if opt.Stage != workspace.StageReason && described.Options["mllm"] != Offline {
			if err := p.chatItems(ctx, chat, opt, ds, out); err != nil {
				return err
			}
		}
		if opt.Stage != workspace.StageDescribe && haveUsers && reasoned.Options["mllm"] != Offline {
			if err := p.chatUsers(chat, ds, out); err != nil {
				return err
			}
		}
		if chat.Written == 0 {
			return usererr.New("Ask a model first: mllmrec describe, mllmrec reason.", "the workspace has no answers of a model to export")
		}
		return nil
	})
	return out, err
}

func (p *Pipeline) chatItems(ctx context.Context, chat *writer.ChatWriter, opt ChatOptions, ds *dataset.Dataset, out *ChatExport) error {
	written, err := p.WS.ItemTexts()
	if err != nil {
		return err
	}
	source, items, err := p.openPictures(opt.Pictures, ds.Items, true)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // nothing is written through it
	for i, t := range written {
		if t.Status != workspace.StatusOK || t.ImageText == "" {
			continue
		}
		req := texts.DescribeRequest{Item: items[i], Domain: ds.Domain, Attempt: 1}
		if !opt.TextOnly {
			if req.Image, err = source.Load(ctx, items[i].Image); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				out.NoPicture++
				continue
			}
		}
		if err := wrote(chat.Description(req, t.ImageText), &out.Descriptions, &out.TooLong); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pipeline) chatUsers(chat *writer.ChatWriter, ds *dataset.Dataset, out *ChatExport) error {
	catalogue, _, err := p.catalogue(ds.Items)
	if err != nil {
		return err
	}
	train, rows := ds.TrainHistories(), make(map[string]int, ds.Users())
	for u, id := range ds.UserIDs {
		rows[id] = u
	}
	return p.WS.EachUserText(func(t workspace.UserText) error {
		if t.Status != workspace.StatusOK || t.By == texts.ByNeutral || t.Scope != string(dataset.ScopeTrain) {
			return nil
		}
		req := texts.ReasonRequest{User: t.User, Fold: int(t.Fold), Domain: ds.Domain, Attempt: 1}
		u, known := rows[t.User]
		for _, id := range t.Sources {
			at := -1
			if known {
				at = slices.Index(train.Sources(u), id)
			}
			if at < 0 {
				return usererr.New("Run 'mllmrec reason' again.", "the preference of user %q was made from another split than the workspace has", t.User)
			}
			req.Items = append(req.Items, catalogue[train.Items(u)[at]])
		}
		return wrote(chat.Preference(req, t.Text), &out.Preferences, &out.TooLong)
	})
}

// wrote counts a pair as written or as left out because of its length.
func wrote(err error, written, tooLong *int) error {
	switch {
	case errors.Is(err, writer.ErrTooLong):
		*tooLong++
	case err != nil:
		return err
	default:
		*written++
	}
	return nil
}
