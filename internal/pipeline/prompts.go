package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	mllmimage "github.com/mllmrec/mllmrec/internal/mllm/image"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// askFirst is how long a server has to tell of its model before its absence is accepted.
const askFirst = 3 * time.Second

var errOfflinePrompt = usererr.New("Leave out --mllm offline.", "the offline author asks nobody: there is no prompt to show")

// DescribePrompt returns what would be sent about an item (Eq. 1).
func (p *Pipeline) DescribePrompt(ctx context.Context, opt AuthorOptions, item string) (prompt.Prompt, error) {
	if opt.MLLM == Offline {
		return prompt.Prompt{}, errOfflinePrompt
	}
	if err := refuseHistoryOptions(opt); err != nil {
		return prompt.Prompt{}, err
	}
	rows, err := p.WS.Items()
	if err != nil {
		return prompt.Prompt{}, err
	}
	at := slices.IndexFunc(rows, func(it dataset.Item) bool { return it.ID == item })
	if at < 0 {
		return prompt.Prompt{}, usererr.New("Ids are those of the imported catalogue.", "unknown item %q", item)
	}
	a, err := silentAuthor(opt)
	if err != nil {
		return prompt.Prompt{}, err
	}
	d, err := a.describer(ctx)
	if err != nil {
		return prompt.Prompt{}, err
	}
	source, items, err := p.openPictures(opt.Pictures, rows, anyURL(rows[at:at+1]))
	if err != nil {
		return prompt.Prompt{}, err
	}
	defer source.Close() //nolint:errcheck // nothing is written through it
	if items[at].Image == "" {
		return prompt.Prompt{}, usererr.New("Its text is its own words; nobody is asked about it.", "item %q has no picture", item)
	}
	img, err := source.Load(ctx, items[at].Image)
	switch {
	case errors.Is(err, mllmimage.ErrCache):
		return prompt.Prompt{}, err
	case err != nil:
		return prompt.Prompt{}, usererr.Wrap(fmt.Errorf("item %q: %w", item, err), "Nobody is asked about an item whose picture cannot be read.")
	}
	return d.(*writer.Describer).Prompt(texts.DescribeRequest{Item: items[at], Image: img, Domain: p.WS.Manifest().Domain, Attempt: 1})
}

// HistoryPrompt is what would be sent about a user, and into what it is fitted.
type HistoryPrompt struct {
	prompt.Prompt
	Steps   int  // prompts that the history takes; this is the first
	Window  int  // tokens that each must fit into together with its answer
	Assumed bool // no server told what its model reads, and the user set no Window
}

// PreferencePrompt returns what would be sent about a user (Eq. 3–4).
func (p *Pipeline) PreferencePrompt(ctx context.Context, opt AuthorOptions, pref PreferenceOptions, user string) (HistoryPrompt, error) {
	if opt.MLLM == Offline {
		return HistoryPrompt{}, errOfflinePrompt
	}
	if err := pref.check(); err != nil {
		return HistoryPrompt{}, err
	}
	if _, err := p.require(workspace.StageDescribe, "describe"); err != nil {
		return HistoryPrompt{}, err
	}
	ds, err := p.WS.Dataset()
	if err != nil {
		return HistoryPrompt{}, err
	}
	u := slices.Index(ds.UserIDs, user)
	if u < 0 {
		return HistoryPrompt{}, usererr.New("Ids are those of the imported interactions.", "unknown user %q", user)
	}
	catalogue, corpus, err := p.catalogue(ds.Items)
	if err != nil {
		return HistoryPrompt{}, err
	}
	req := requestOf(ds, pref.histories(ds), catalogue, u)
	if len(req.Items) == 0 {
		return HistoryPrompt{}, usererr.New("Nobody is asked about such a user; the text is neutral.", "user %q has no items in the history", user)
	}
	r, told, err := willingReasoner(ctx, opt, corpus)
	if err != nil {
		return HistoryPrompt{}, err
	}
	shown := HistoryPrompt{Window: r.Options().Window, Assumed: !told && opt.Window == 0 && opt.NumCtx == 0}
	shown.Prompt, shown.Steps, err = r.Prompts(req)
	return shown, err
}

// willingReasoner asks the server about its model's window if it answers soon; told is
// false where it does not.
func willingReasoner(ctx context.Context, opt AuthorOptions, corpus []string) (_ *writer.Reasoner, told bool, err error) {
	a, err := newAuthor(opt)
	if err != nil {
		return nil, false, err
	}
	soon, cancel := context.WithTimeout(ctx, askFirst)
	defer cancel()
	r, err := a.reasoner(soon, corpus, nil)
	if err == nil {
		return r.(*writer.Reasoner), true, nil
	}
	if !unreachable(err) || ctx.Err() != nil {
		return nil, false, errors.Join(err, ctx.Err())
	}
	if a, err = silentAuthor(opt); err != nil {
		return nil, false, err
	}
	if r, err = a.reasoner(ctx, corpus, nil); err != nil {
		return nil, false, err
	}
	return r.(*writer.Reasoner), false, nil
}

// requestOf is the question about a user's whole history.
func requestOf(ds *dataset.Dataset, h *dataset.Histories, catalogue []texts.HistoryItem, u int) texts.ReasonRequest {
	req := texts.ReasonRequest{User: ds.UserIDs[u], Fold: texts.FullFold, Domain: ds.Domain, Attempt: 1}
	for _, i := range h.Items(u) {
		req.Items = append(req.Items, catalogue[i])
	}
	return req
}
