package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// JobOptions say how the questions of a stage are queued.
type JobOptions struct {
	Spec      json.RawMessage // see [Job]
	ChunkSize int             // see [Job]
	Owner     string          // see [Job]
	Progress  func(Progress)  // called while the coordinator waits for workers; may be nil
}

// classGivenUp is the class of questions whose chunk no worker could settle.
const classGivenUp = "given-up"

// DescribeItems does what [texts.DescribeItems] does, with workers that ask instead of d.
// Only the ID of d is used, so d need not reach its model.
func (c *Coordinator) DescribeItems(ctx context.Context, items []dataset.Item, images texts.ImageSource, d texts.Describer, opt texts.DescribeOptions, order JobOptions) (*texts.Texts[workspace.ItemText], texts.Report, error) {
	collected := c.newCollector(texts.StageDescribe, d.ID(), opt.Options, order)
	_, err := texts.UnansweredDescriptions(ctx, items, images, d, c.store, opt, func(q texts.Question) error { return collected.collect(ctx, q) })
	if err = collected.wait(ctx, err); err != nil {
		return nil, collected.result.Report, fmt.Errorf("describe: %w", err)
	}
	a := collected.assembly()
	opt.Options = a.options(opt.Options)
	texts, report, err := texts.DescribeItems(ctx, items, images, replayDescriber{d, a}, a, opt)
	return texts, collected.merge(a, report), err
}

// ReasonUsers does what [texts.ReasonUsers] does, with workers that ask instead of reasoner.
func (c *Coordinator) ReasonUsers(ctx context.Context, h *dataset.Histories, users []string, catalogue []texts.HistoryItem, reasoner texts.Reasoner, opt texts.ReasonOptions, order JobOptions) (*texts.Texts[workspace.UserText], texts.Report, error) {
	collected := c.newCollector(texts.StageReason, reasoner.ID(), opt.Options, order)
	err := texts.UnansweredPreferences(ctx, h, users, catalogue, reasoner, c.store, opt, func(q texts.Question) error { return collected.collect(ctx, q) })
	if err = collected.wait(ctx, err); err != nil {
		return nil, collected.result.Report, fmt.Errorf("reason: %w", err)
	}
	a := collected.assembly()
	opt.Options = a.options(opt.Options)
	texts, report, err := texts.ReasonUsers(ctx, h, users, catalogue, replayReasoner{reasoner, a}, a, opt)
	return texts, collected.merge(a, report), err
}

// collector queues the questions of a stage as they are found.
type collector struct {
	coordinator *Coordinator
	job         Job
	opt         texts.Options
	order       JobOptions
	started     time.Time
	batch       Batch
	pending     []texts.Question
	queuedKeys  map[uint64]bool // hashes of the queued questions' keys, see hashKey
	bytes       int
	result      Result
}

func (c *Coordinator) newCollector(stage, id string, opt texts.Options, order JobOptions) *collector {
	return &collector{coordinator: c, opt: opt, queuedKeys: map[uint64]bool{}, order: order, started: time.Now(),
		job: Job{Stage: stage, Domain: opt.Domain, Writer: id, Spec: order.Spec, Attempts: opt.Attempts, ChunkSize: order.ChunkSize, Owner: order.Owner}}
}

// errLimit ends the search for questions when the limit is reached.
var errLimit = errors.New("enough questions")

// How many questions, and how many bytes of pictures, are queued at a time.
const (
	collectSize  = 1024
	collectBytes = 32 << 20
)

func (c *collector) collect(ctx context.Context, q texts.Question) error {
	if c.opt.Limit != 0 && c.batch.Questions+len(c.pending) >= c.opt.Limit {
		return errLimit
	}
	c.pending = append(c.pending, q)
	c.queuedKeys[hashKey(q.About.Key)] = true
	if q.Describe != nil {
		c.bytes += len(q.Describe.Image.Data)
	}
	if len(c.pending) < collectSize && c.bytes < collectBytes {
		return nil
	}
	return c.flush(ctx)
}

// hashKey shortens a key to 8 bytes, which distinguish some million keys well enough to count
// them.
func hashKey(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	return h.Sum64()
}

func (c *collector) flush(ctx context.Context) error {
	if len(c.pending) == 0 {
		return nil
	}
	err := c.coordinator.Enqueue(ctx, &c.batch, c.job, c.pending)
	c.pending, c.bytes = nil, 0
	return err
}

// wait queues the remaining questions, unless the search for questions failed with err, and
// waits for the workers.
func (c *collector) wait(ctx context.Context, err error) error {
	if err != nil && !errors.Is(err, errLimit) {
		return err
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	c.result.Report.Classes = map[string]int{}
	if c.batch.Questions == 0 {
		return nil
	}
	c.result, err = c.coordinator.Wait(ctx, &c.batch, c.progress)
	return err
}

// progress calls the Progress functions of both JobOptions and texts.Options.
func (c *collector) progress(p Progress) {
	if c.order.Progress != nil {
		c.order.Progress(p)
	}
	if c.opt.Progress != nil {
		c.opt.Progress(texts.Progress{
			Stage: c.job.Stage, Done: p.Settled, Total: p.Questions, Stored: p.Report.Stored, Answered: p.Report.Answered,
			Quarantined: p.Report.Quarantined, PromptTokens: p.Report.PromptTokens, AnswerTokens: p.Report.AnswerTokens,
			Classes: p.Report.Classes, Elapsed: p.Elapsed,
		})
	}
}
