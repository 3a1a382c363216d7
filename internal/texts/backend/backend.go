package backend

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Backend makes the describer and the reasoner of one choice of Options.
type Backend struct {
	Options
	client mllm.Client    // nil: offline
	pool   *mllm.Pool     // nil: offline, or no server of this process's is asked
	before mllm.PoolStats // what the pool had done when this Backend began to count
}

// Open checks the options and connects; no server is asked yet.
func Open(opt Options) (*Backend, error) {
	if err := opt.Check(); err != nil {
		return nil, err
	}
	if opt.Free() {
		return &Backend{Options: opt}, nil
	}
	if opt.Shared.Workers && len(opt.Servers.BaseURLs) == 0 {
		return openThroughWorkers(opt)
	}
	b, _, err := Connect(opt)
	return b, err
}

// Connect makes the pool of servers that opt names, and the backend that counts what it
// does. It is for those who ask what others chose: the model need not be named.
func Connect(opt Options) (*Backend, *mllm.Pool, error) {
	prices, err := opt.PriceTable()
	if err != nil {
		return nil, nil, err
	}
	pool, err := opt.connect(prices)
	if err != nil {
		return nil, nil, err
	}
	return &Backend{Options: opt, client: pool, pool: pool, before: pool.Stats()}, pool, nil
}

// openThroughWorkers makes a backend whose model the workers describe.
func openThroughWorkers(opt Options) (*Backend, error) {
	w := &workersClient{store: opt.Shared.Store, model: opt.Model()}
	if opt.MLLM == connect.Ollama { // the kind that has a default address
		local, err := opt.connect(nil)
		if err != nil {
			return nil, err
		}
		w.fallback = local
	}
	return &Backend{Options: opt, client: w}, nil
}

// WithoutServer makes a backend of the same settings that asks nobody: for what would be
// sent, what it would cost, and answers that come by other ways.
func WithoutServer(opt Options) (*Backend, error) {
	if err := opt.Check(); err != nil {
		return nil, err
	}
	if opt.Free() {
		return &Backend{Options: opt}, nil
	}
	return &Backend{Options: opt, client: noServer{}}, nil
}

// WithWeights is WithoutServer for a model whose weights have a digest: stored answers
// are found by it.
func WithWeights(opt Options, digest string) (*Backend, error) {
	b, err := WithoutServer(opt)
	if err == nil && digest != "" {
		b.client = noServer{models: []mllm.ModelInfo{{Name: opt.Model(), Digest: digest}}}
	}
	return b, err
}

// Fresh returns the backend with its counts at zero, over the same connections and
// limits: each stage of a run counts for itself.
func (b *Backend) Fresh() *Backend {
	c := *b
	if c.pool != nil {
		c.before = c.pool.Stats()
	}
	return &c
}

// Describer returns the describer, after asking the server about its model.
func (b *Backend) Describer(ctx context.Context) (texts.Describer, error) {
	if b.Free() {
		return offline.Describer{}, nil
	}
	opt, err := b.Writer(LongHistories{}, nil)
	if err != nil {
		return nil, err
	}
	d, err := writer.NewDescriber(ctx, b.client, opt)
	if err != nil {
		return nil, b.Explain(err)
	}
	return d, nil
}

// Reasoner returns the reasoner, after asking the server about its model. The offline
// one weighs words by the catalogue's texts.
func (b *Backend) Reasoner(ctx context.Context, corpus []string, long LongHistories, conclusions writer.ConclusionStore) (texts.Reasoner, error) {
	if b.Free() {
		return offline.NewReasoner(corpus), nil
	}
	opt, err := b.Writer(long, conclusions)
	if err != nil {
		return nil, err
	}
	if len(corpus) > 0 {
		opt.LongestItem = writer.LongestItem(corpus)
	}
	r, err := writer.NewReasoner(ctx, b.client, opt)
	if err != nil {
		return nil, b.Explain(err)
	}
	return r, nil
}

// Capacity is how many questions may be in flight; 1 where no server of this process's is
// asked.
func (b *Backend) Capacity() int {
	if b.pool == nil {
		return 1
	}
	return b.pool.Capacity()
}

// Explain makes a server that does not answer the user's to mend, and names the ways on.
func (b *Backend) Explain(err error) error {
	switch mllm.ClassOf(err) {
	case mllm.Auth:
		return usererr.WrapAs(usererr.KindUnavailable, err, fmt.Sprintf("Export the server's key as %s, or name the variable that holds it with %s.", connect.DefaultKeyEnv, usererr.Option("api-key-env")))
	case mllm.Network, mllm.Timeout, mllm.Server, mllm.BadResponse, mllm.RateLimit, mllm.Unavailable:
	default:
		return err
	}
	at := usererr.Option("base-url")
	if b.Shared.Workers {
		return usererr.WrapAs(usererr.KindUnavailable, fmt.Errorf("what the model %s is must be known before questions about it are queued, and neither a worker nor a server tells: %w", b.Model(), err),
			fmt.Sprintf("Start a worker that reaches the model and leave out %s, or name one server that has it with %s.", at, at))
	}
	start := "start the server"
	if b.MLLM == connect.Ollama {
		start = fmt.Sprintf("start one ('ollama serve', then 'ollama pull %s')", b.Model())
	}
	return usererr.WrapAs(usererr.KindUnavailable, fmt.Errorf("no model server answers: %w", err),
		fmt.Sprintf("Either %s or name one that runs with %s; or do without a model: %s offline.", start, at, usererr.Option("mllm")))
}

// ExplainRun does the same for a run that ended early.
func (b *Backend) ExplainRun(err error) error {
	if mllm.ClassOf(err) == mllm.Auth {
		return b.Explain(err)
	}
	return err
}

// Unreachable reports whether err says that no server answered.
func Unreachable(err error) bool {
	switch mllm.ClassOf(err) {
	case mllm.Network, mllm.Timeout, mllm.Unavailable, mllm.Server:
		return true
	}
	return false
}

// Stats returns what the servers did since this Backend began to count.
func (b *Backend) Stats() mllm.PoolStats {
	if b.pool == nil {
		return mllm.PoolStats{}
	}
	s := b.pool.Stats()
	for class, n := range b.before.Failures {
		if s.Failures[class] -= n; s.Failures[class] == 0 {
			delete(s.Failures, class)
		}
	}
	s.Cost -= b.before.Cost
	return s
}

// Failures joins the attempts that the pool tried again by itself with what the caller
// saw: the classes that both count are the pool's.
func (b *Backend) Failures(seen map[string]int) map[string]int {
	all := maps.Clone(seen)
	for class, n := range b.Stats().Failures {
		if class != mllm.Cancelled {
			all[string(class)] = n
		}
	}
	return all
}

// Cost says in words what the answers cost so far; nothing where they cost nothing, as those
// of the user's own machines, or where nothing is known of prices: see [Backend.Unpriced].
func (b *Backend) Cost() string {
	s := b.Stats()
	if s.Currency == "" || s.Cost == 0 {
		return ""
	}
	return fmt.Sprintf("%.4f %s", s.Cost, s.Currency)
}

// Unpriced says in words whose answers have no price, so that Cost leaves them out; nothing
// where all have one, or are from Ollama and cost nothing.
func (b *Backend) Unpriced() string {
	if s := b.Stats(); s.Currency == "" || !s.Unpriced || b.MLLM == connect.Ollama {
		return ""
	}
	return fmt.Sprintf("cost unknown (the price table has no %s)", b.Model())
}

// Name is who writes, for people.
func (b *Backend) Name(id string) string {
	if b.Free() {
		name, _, _ := strings.Cut(id, " ")
		return name
	}
	return b.Model()
}

// noServer is a client behind which there is no server, but which may know of models.
type noServer struct{ models []mllm.ModelInfo }

func (noServer) Generate(context.Context, mllm.Request) (mllm.Response, error) {
	return mllm.Response{}, &mllm.Error{Class: mllm.Unavailable, Err: fmt.Errorf("no server is to be asked")}
}

func (n noServer) Describe(context.Context) (mllm.ServerInfo, error) {
	return mllm.ServerInfo{Kind: "none", Models: n.models}, nil
}

func (noServer) Endpoint() string { return "none" }
