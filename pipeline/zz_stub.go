package pipeline

import (
	"context"
	"errors"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/itemgraph"
)

type AuthorOptions struct{ MLLM string }
type PreferenceOptions struct{}
type PreferenceWriter func(ctx context.Context, items []int32) (string, error)
type Answers struct{ Total, Done, Failed, Quarantined int }

func (p *Pipeline) Describe(context.Context, AuthorOptions) error                  { return errors.New("stub") }
func (p *Pipeline) Reason(context.Context, AuthorOptions, PreferenceOptions) error { return errors.New("stub") }
func (p *Pipeline) PreferenceWriter(*dataset.Dataset) (PreferenceWriter, error)    { return nil, errors.New("stub") }
func (p *Pipeline) Answers(context.Context) (a, b Answers, err error)              { return }
func (p *Pipeline) freeTexts() bool                                                { return false }
func (p *Pipeline) measureLeak(context.Context, *dataset.Dataset, uint64) (*LeakWorth, error) {
	return nil, nil
}
func foldsOf(*dataset.Dataset, *dataset.Histories, int) []uint8 { return nil }

func DefaultRunOptions() RunOptions {
	return RunOptions{Encode: EncodeOptions{Encoder: "lsa", Dim: 384, Seed: 1}, Graph: itemgraph.DefaultOptions(), Train: TrainOptions{Model: "mllmrec"}}
}
