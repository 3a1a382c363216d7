package describing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/image"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Prompt returns what would be sent about an item (Eq. 1).
func Prompt(ctx context.Context, s *stage.Session, opt Options, item string) (prompt.Prompt, error) {
	if opt.Writer.Free() {
		return prompt.Prompt{}, asking.ErrOfflinePrompt()
	}
	rows, err := s.WS.Items()
	if err != nil {
		return prompt.Prompt{}, err
	}
	at := slices.IndexFunc(rows, func(it dataset.Item) bool { return it.ID == item })
	if at < 0 {
		return prompt.Prompt{}, usererr.Of(usererr.KindUnknown, "Ids are those of the imported catalogue.", "unknown item %q", item)
	}
	b, err := backend.WithoutServer(opt.Writer)
	if err != nil {
		return prompt.Prompt{}, err
	}
	d, err := b.Describer(ctx)
	if err != nil {
		return prompt.Prompt{}, err
	}
	source, items, err := OpenPictures(s, opt.Pictures, rows, anyURL(rows[at:at+1]))
	if err != nil {
		return prompt.Prompt{}, err
	}
	defer source.Close() //nolint:errcheck // nothing is written through it
	if items[at].Image == "" {
		return prompt.Prompt{}, usererr.New("Its text is its own words; nobody is asked about it.", "item %q has no picture", item)
	}
	img, err := source.Load(ctx, items[at].Image)
	switch {
	case errors.Is(err, image.ErrCache):
		return prompt.Prompt{}, err
	case err != nil:
		return prompt.Prompt{}, usererr.Wrap(fmt.Errorf("item %q: %w", item, err), "Nobody is asked about an item whose picture cannot be read.")
	}
	return d.(*writer.Describer).Prompt(texts.DescribeRequest{Item: items[at], Image: img, Domain: s.WS.Manifest().Domain, Attempt: 1})
}

// Estimate reckons what describing will still take. No model is asked.
func Estimate(ctx context.Context, s *stage.Session, opt Options, tokensPerSecond float64) (*asking.Estimate, error) {
	return asking.MakeEstimate(ctx, s.WS, workspace.StageDescribe, opt.Writer, tokensPerSecond, func(e *asking.Estimate, rates writer.Rates, store texts.Store) error {
		wopt, err := opt.Writer.Writer(backend.LongHistories{}, nil)
		if err != nil {
			return err
		}
		rows, err := s.WS.Items()
		if err != nil {
			return err
		}
		source, items, err := OpenPictures(s, opt.Pictures, rows, false)
		if err != nil {
			return err
		}
		defer source.Close() //nolint:errcheck // nothing was read
		domain := s.WS.Manifest().Domain
		described, err := describedItems(ctx, store, opt.Writer, domain, items)
		if err != nil {
			return err
		}
		e.Estimate, err = writer.EstimateDescribe(wopt, func(yield func(texts.DescribeRequest) bool) {
			for _, it := range items {
				if it.Image == "" {
					continue
				}
				if described[it.ID] {
					e.Answered++
					continue
				}
				if !yield(texts.DescribeRequest{Item: it, Domain: domain}) {
					return
				}
			}
		}, rates)
		return err
	})
}

// describedItems finds the items whose description is in the ledger, if their pictures
// and the model's weights are as they were.
func describedItems(ctx context.Context, store texts.Store, opt backend.Options, domain string, items []dataset.Item) (map[string]bool, error) {
	ids, err := asking.LikelyWriters(ctx, store, texts.StageDescribe, opt, func(b *backend.Backend) (string, error) {
		d, err := b.Describer(ctx)
		if err != nil {
			return "", err
		}
		return d.ID(), nil
	})
	if err != nil {
		return nil, err
	}
	byID := make(map[string]dataset.Item, len(items))
	for _, it := range items {
		byID[it.ID] = it
	}
	described := map[string]bool{}
	err = store.Each(ctx, texts.StageDescribe, func(g texts.Generation) error {
		it, ok := byID[g.Subject]
		if !ok || g.Status != texts.StatusOK || g.Model != opt.Model() {
			return nil
		}
		asked := texts.DescribeRequest{Item: it, Domain: domain, Image: mllm.Image{SHA256: g.ImageHash}}
		for _, id := range ids {
			if texts.DescribeKey(id, asked) == g.Key {
				described[g.Subject] = true
			}
		}
		return nil
	})
	return described, err
}

// Sample asks each writer about the same n items, spread evenly over those with pictures,
// for a person to compare. The answers are kept in the ledger like any others.
func Sample(ctx context.Context, s *stage.Session, n int, opt Options) (*writer.Sheet, error) {
	return asking.MakeSheet(ctx, s.WS, workspace.StageDescribe, n, opt.Writer.Shared.Store, func(sheet *writer.Sheet, store texts.Store) error {
		return sample(ctx, s, sheet, n, opt, store)
	})
}

func sample(ctx context.Context, s *stage.Session, sheet *writer.Sheet, n int, opt Options, store texts.Store) error {
	rows, err := s.WS.Items()
	if err != nil {
		return err
	}
	source, items, err := OpenPictures(s, opt.Pictures, rows, anyURL(rows))
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // nothing is written through it
	chosen, err := choose(ctx, sheet, n, items, source)
	if err != nil {
		return err
	}
	for _, one := range opt.Writer.Each() {
		b, err := backend.Open(one)
		if err != nil {
			return err
		}
		d, err := b.Describer(ctx)
		if err != nil {
			return err
		}
		s.Say(workspace.StageDescribe, "asking %s about %d items", one.Label(), len(chosen))
		topt := asking.Options(s, b, store, workspace.StageDescribe, 0)
		topt.Progress = nil
		written, _, err := ask(ctx, s, b, d, chosen, source, store, topt)
		if err != nil {
			return err
		}
		described, err := written.Collect(ctx)
		if err != nil {
			return err
		}
		keys := make([]string, len(described))
		for i, t := range described {
			keys[i] = t.Key
		}
		if err := asking.FillColumn(ctx, sheet, writer.Column{Name: one.Label(), ID: d.ID()}, keys, store); err != nil {
			return err
		}
	}
	return nil
}

// choose puts n items with pictures on the sheet.
func choose(ctx context.Context, sheet *writer.Sheet, n int, items []dataset.Item, source Source) ([]dataset.Item, error) {
	var seen, chosen []dataset.Item
	for _, it := range items {
		if it.Image != "" {
			seen = append(seen, it)
		}
	}
	if len(seen) == 0 {
		return nil, usererr.New(fmt.Sprintf("Give a folder of pictures in %s.", usererr.Option("image-dir")), "no item has a picture")
	}
	for _, at := range writer.EvenlySpaced(n, len(seen)) {
		chosen = append(chosen, seen[at])
		row := writer.Row{Subject: seen[at].ID, Shown: []string{texts.ItemText(seen[at], "")}}
		img, err := source.Load(ctx, seen[at].Image)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			row.Shown = append(row.Shown, err.Error())
		}
		row.Image = img
		sheet.Rows = append(sheet.Rows, row)
	}
	return chosen, nil
}

// Questions calls add with every question that has no answer yet, as one request, and
// returns the items whose pictures failed.
func Questions(ctx context.Context, s *stage.Session, opt Options, store texts.Store, add func(texts.Question, writer.SingleRequest) error) ([]texts.Failure, error) {
	b, err := backend.WithoutServer(opt.Writer)
	if err != nil {
		return nil, err
	}
	d, err := b.Describer(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.WS.Items()
	if err != nil {
		return nil, err
	}
	source, items, err := OpenPictures(s, opt.Pictures, rows, true)
	if err != nil {
		return nil, err
	}
	defer source.Close() //nolint:errcheck // nothing is written through it
	topt := texts.DescribeOptions{Options: texts.Options{Domain: s.WS.Manifest().Domain, Concurrency: asking.FreeConcurrency}}
	return texts.UnansweredDescriptions(ctx, items, source, d, store, topt, func(q texts.Question) error {
		q.Describe.Attempt = q.About.Attempt + 1
		one, err := d.(*writer.Describer).SingleRequest(*q.Describe)
		if err != nil {
			return err
		}
		return add(q, one)
	})
}
